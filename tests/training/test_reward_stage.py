"""The reward model: training and serving are one, rows reach their own head, and numbers are of held-out prompts."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from caif.config import ModelSpec, Reward
from caif.data import Preference, Prompt, Rating
from caif.errors import CaifError
from caif.run import Run, Tell
from caif.sources.refusals import draw_refusal
from caif.stages.reward import reward
from caif.store import Artifact
from caif.training.beside import refusals, strangers
from caif.training.examples import read_examples
from caif.training.fitting import fit_model
from caif.training.reward_model import RewardModel
from caif.training.trunk import Trunk

Make = Callable[..., Prompt]
Rows = list[Preference | Rating]
SHORT, LONG = "short", "a much longer answer that goes on and on for a good while"


def pair(prompt: Prompt, probability: float = 1.0, **fields: object) -> Preference:
    given = {"chosen": SHORT, "rejected": LONG, "objective": "brevity", "source": "judge", "principle": "be-brief"}
    return Preference(prompt=prompt, probability=probability, **given | fields)  # type: ignore[arg-type]


def thumb(prompt: Prompt, up: bool, completion: str, **fields: object) -> Rating:
    return Rating(prompt=prompt, completion=completion, up=up, **{"objective": "warmth", "source": "app"} | fields)  # type: ignore[arg-type]


@pytest.fixture
def rows(question: Make) -> Rows:
    """Pairs that prefer short answers, thumbs that like long ones; every fourth prompt is held out."""
    prompts = [question(n, "heldout" if n % 4 == 0 else "train") for n in range(48)]
    liked = [n // 4 % 2 == 0 for n in range(48)]
    votes = [thumb(p, up, LONG if up else SHORT, rater="ann") for p, up in zip(prompts, liked, strict=True)]
    return [*(pair(p, 0.9) for p in prompts), *votes]


@pytest.fixture
def mixture(stored: Callable[..., Artifact], rows: Rows) -> Artifact:
    """The rows as [combine] leaves them."""
    return stored("combine", [r for r in rows if isinstance(r, Preference)], [r for r in rows if isinstance(r, Rating)])


def test_each_row_teaches_its_own_head_and_held_out_prompts_are_measured(
    run: Run, mixture: Artifact, spec: ModelSpec
) -> None:
    """Brevity prefers the short answer and warmth the long one, on prompts neither saw; every number is in its place."""
    made = run.build(reward, mixture, cfg=Reward(model=spec))
    metrics = made.metrics
    brevity, warmth = metrics["objectives"]["brevity"], metrics["objectives"]["warmth"]
    assert (brevity["n"], brevity["accuracy"], brevity["trained_on"]) == (12, 1.0, {"pairs": 36, "thumbs": 0})
    assert brevity["log_loss"] < math.log(2)
    assert (warmth["thumbs"]["n"], warmth["thumbs"]["auroc"], warmth["n"]) == (12, 1.0, 0)
    assert metrics["principles"] == {"be-brief": {"n": 12, "accuracy": 1.0}}
    assert set(metrics["sources"]) == {"judge", "app"}
    assert (metrics["pairs"], metrics["thumbs"], metrics["heldout"]) == (36, 36, 24)
    assert sum(point["n"] for point in metrics["reliability"]) == 12
    assert "people_agree" not in metrics
    json.dumps(metrics, allow_nan=False)
    card = json.loads((made.folder / "reward_card.json").read_text(encoding="ascii"))
    assert card == {**metrics["card"], "model": spec.use}
    assert (made.folder / "reward_card.html").is_file()
    assert card["overall"]["pairs"]["accuracy"]["mean"] == 1.0
    assert list(card["lengths"]) == ["less than half as long"]
    assert set(card["spread"]) == {"judge: brevity", "app: warmth"}
    assert (card["refusals"]["which"], card["refusals"]["preferred"]["n"]) == ("not unsafe", 12)
    assert card["strangers"] is None  # all prompts of the fixture ask for the same


def test_the_card_says_whether_the_model_knows_which_question_was_asked(
    run: Run, stored: Callable[..., Artifact], spec: ModelSpec
) -> None:
    """An answer to the other held-out prompt beside the prompt's own, by all heads, as counted here one by one."""
    subjects = ["bees", "loans", "bread", "thunder", "salary", "bicycle", "onions", "vaccines"]
    prompts = [Prompt.of(f"Say: {s}").but(split="heldout" if n < 2 else "train") for n, s in enumerate(subjects)]
    texts = ["Nectar.", "Money for a while.", *[f"Answer {n}." for n in range(6)]]
    pairs = [pair(p, chosen=text, rejected=LONG) for p, text in zip(prompts, texts, strict=True)]
    made = run.build(reward, stored("combine", pairs), cfg=Reward(model=spec))
    found = made.metrics["card"]["strangers"]
    model = RewardModel.load(made.model)
    own, other = model.rewards(prompts[:2], texts[:2]).sum(1), model.rewards(prompts[:2], texts[1::-1]).sum(1)
    assert (found["of"], found["answers"], found["preferred"]["n"]) == (2, 2, 2)
    assert found["preferred"]["mean"] == float((other > own).float().mean())
    assert found["preferred"]["low"] < found["preferred"]["mean"] or found["preferred"]["mean"] == 0.0
    assert found["gap"]["mean"] == pytest.approx(float((other - own).mean()), abs=1e-4)


def test_what_is_no_answer_is_counted_by_prompt_and_a_tie_as_one_half(tiny: Path, spec: ModelSpec, rows: Rows) -> None:
    """A model that tells nothing apart prefers neither, sure of nothing; one that tells all by length is as the loop says."""
    trunk = Trunk.load(str(tiny))
    found = read_examples(trunk.tokenizer, rows, 1024, 0)
    model, scores = fit_model(trunk, found, Reward(model=spec, decay=0.1), 0, Tell())
    heldout = [example for example in found.rows if example.heldout]
    table = refusals(model, scores, heldout, 0)
    assert table is not None
    rates = []
    for prompt in {e.row.prompt.id: e.row.prompt for e in heldout}.values():
        real = {n for e in heldout if e.row.prompt == prompt for n in e.answers}
        level = float(model.rewards([prompt], [draw_refusal(prompt, 0)]).sum())
        own = model.standard(scores).sum(1)
        rates.append(sum(level > float(own[n]) for n in real) / len(real))
    assert table["preferred"]["mean"] == pytest.approx(sum(rates) / len(rates))
    assert table["answers"] == len({n for e in heldout for n in e.answers})
    model.weights.zero_()
    for rounding in (0.0, 1e-7, -1e-7):
        table = refusals(model, torch.zeros_like(scores) + rounding, heldout, 0)
        assert table is not None
        assert table["preferred"] == {"mean": 0.5, "low": None, "high": None, "n": 12}


def test_strangers_are_sought_for_as_many_prompts_as_are_reported(tiny: Path, spec: ModelSpec) -> None:
    """Of many held-out prompts some, by a draw that goes by what they say; with each of them all its answers."""
    names = [f"{a}{b}{a}{b}" for a in "bcdfghjk" for b in "aeiouyzw"]
    asked = [Prompt.of(f"Say: {name}").but(split="heldout" if n >= 4 else "train") for n, name in enumerate(names)]
    rows = [pair(p, chosen=f"Answer {n}.", rejected=f"{LONG} {m}") for n, p in enumerate(asked) for m in range(2)]
    trunk = Trunk.load(str(tiny))
    found = read_examples(trunk.tokenizer, rows, 1024, 0)
    model, scores = fit_model(trunk, found, Reward(model=spec, decay=0.1), 0, Tell())
    heldout = [example for example in found.rows if example.heldout]
    table = strangers(model, scores, heldout, 0)
    assert table is not None
    assert (table["of"], table["preferred"]["n"], table["answers"]) == (60, 40, 40)
    assert strangers(model, scores, heldout[::-1], 0) == table


def test_a_score_does_not_depend_on_its_company(run: Run, mixture: Artifact, spec: ModelSpec) -> None:
    """Alone or in a batch, first or last, with padding or without: the same score to 1e-4, and as in training."""
    made = run.build(reward, mixture, cfg=Reward(model=spec, decay=0.1))
    model = RewardModel.load(made.model)
    pairs = mixture.rows(Preference)[:6]
    prompts, answers = [p.prompt for p in pairs] * 2, [p.chosen for p in pairs] + [p.rejected for p in pairs]
    together = model.scores(prompts, answers)
    alone = torch.cat([model.scores([p], [a]) for p, a in zip(prompts, answers, strict=True)])
    backwards = model.scores(prompts[::-1], answers[::-1]).flip(0)
    assert torch.allclose(together, alone, atol=1e-4)
    assert torch.allclose(together, backwards, atol=1e-4)
    assert torch.allclose(together, model.scores([p.chat for p in prompts], answers), atol=1e-6)
    assert model.scores([], []).shape == (0, 2)


def test_serving_reads_the_ids_that_training_read(spec: ModelSpec, tiny: Path, rows: Rows) -> None:
    """The same encoding and the same scores from the training path and from `scores`; one end-of-turn in the answer."""
    trunk = Trunk.load(str(tiny))
    found = read_examples(trunk.tokenizer, rows, 1024, 0)
    model, scores = fit_model(trunk, found, Reward(model=spec, decay=0.1), 0, Tell())
    example = next(e for e in found.rows if isinstance(e.row, Preference))
    assert isinstance(example.row, Preference)
    for n, text in zip(example.answers, (example.row.chosen, example.row.rejected), strict=True):
        encoded = model.encode(example.row.prompt, text)
        assert encoded == found.answers[n]
        assert encoded.ids[-encoded.answer :].count(trunk.tokenizer.eos_token_id) == 1
        assert torch.allclose(model.scores([example.row.prompt], [text])[0], scores[n], atol=1e-4)
    trained_on = {n for e in found.train for n in e.answers}
    seen = trunk.all_features([found.answers[n] for n in sorted(trained_on)])
    assert len(trained_on) < len(found.answers)
    assert torch.allclose(model.mean, seen.mean(0), atol=1e-5)  # held-out answers have no say in it


def test_what_is_saved_is_what_was_trained(run: Run, mixture: Artifact, spec: ModelSpec) -> None:
    """Heads in safetensors, facts in JSON, nothing pickled; scores are standardised by the scale that is kept."""
    made = run.build(reward, mixture, cfg=Reward(model=spec, decay=0.1))
    assert {f.name for f in made.model.iterdir()} == {"heads.safetensors", "reward.json"}
    model = RewardModel.load(made.model)
    assert model.objectives == ("brevity", "warmth")
    train = [p for p in mixture.rows(Preference) if p.prompt.split == "train"]
    scores = model.scores([p.prompt for p in train] * 2, [p.chosen for p in train] + [p.rejected for p in train])
    for k, name in enumerate(model.objectives):
        assert float(scores[:, k].mean()) == pytest.approx(model.scale[name]["mean"], abs=1e-3)
        assert float(scores[:, k].std(correction=0)) == pytest.approx(model.scale[name]["std"], rel=1e-3)
    assert made.metrics["scale"] == model.scale


def test_a_tuned_trunk_is_saved_beside_its_heads(run: Run, mixture: Artifact, spec: ModelSpec) -> None:
    """With a rank the adapter is kept, loads again, and ranks held-out pairs; two trainings give the same bytes."""
    cfg = Reward(model=spec, decay=0.1, rank=2, batch=16, at_once=8, learning_rate=1e-3)
    made = run.build(reward, mixture, cfg=cfg)
    assert (made.model / "adapter" / "adapter_model.safetensors").is_file()
    assert made.metrics["objectives"]["brevity"]["accuracy"] == 1.0
    assert made.metrics["objectives"]["brevity"]["temperature"] is None
    solved = run.build(reward, mixture, cfg=Reward(model=spec, decay=0.1))
    heads = [load_file(a.model / "heads.safetensors")["weights"] for a in (solved, made)]
    assert not torch.equal(*heads)
    thresholds = [
        json.loads((a.model / "reward.json").read_text())["thresholds"]["warmth"]["app"] for a in (solved, made)
    ]
    assert thresholds[0] != thresholds[1]
    first = mixture.rows(Preference)[1]
    gap = RewardModel.load(made.model).scores([first.prompt] * 2, [SHORT, LONG])[:, 0]
    assert float(gap[0] - gap[1]) > 0
    again = Run(run.config, run.home.with_name("again"), run.plugins).build(reward, mixture, cfg=cfg)
    for name in ("heads.safetensors", "adapter/adapter_model.safetensors", "reward.json"):
        assert (made.model / name).read_bytes() == (again.model / name).read_bytes()


def test_long_prompts_are_cut_and_long_answers_refused_and_both_told(
    run: Run, stored: Callable[..., Artifact], question: Make, spec: ModelSpec
) -> None:
    """A long prompt loses its beginning and is counted; an answer over the limit is no row and is counted."""
    fine = [pair(question(n)) for n in range(6)]
    odd = [pair(Prompt.of("much " * 60)), pair(question(7), rejected="long " * 80)]
    made = run.build(reward, stored("combine", [*fine, *odd]), cfg=Reward(model=spec, max_length=96))
    assert made.counts == {"prompt cut to max_length": 1, "answer over max_length": 1}
    assert (made.metrics["truncated"], made.metrics["rejected"], made.metrics["pairs"]) == (1, 1, 7)
    with pytest.raises(CaifError, match="an answer alone is over 96 tokens"):
        RewardModel.load(made.model).scores([question(1)], ["long " * 80])
