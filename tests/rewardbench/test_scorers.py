"""Three kinds of scorers through one function and one command, each against its own definition, on the tiny model."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from typer.testing import CliRunner

from caif.cli import app
from caif.config import Reward
from caif.data import Preference, Prompt
from caif.errors import CaifError
from caif.run import Tell
from caif.testing import tiny_model
from caif.training.encoding import encode
from caif.training.examples import read_examples
from caif.training.fitting import fit_model
from caif.training.scorers import scorer
from caif.training.trunk import Trunk

PROMPTS = [Prompt.of("What is it?"), Prompt.of("And a much longer question than that, what of it?"), Prompt.of("Hm?")]
ANSWERS = ["yes", "no, it is not what you think it is, and never was", "good"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def classifier(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random reward model as others save it."""
    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def heads(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """caif's own reward model with two heads."""
    folder = tmp_path_factory.mktemp("heads")
    rows = [
        Preference(
            prompt=Prompt.of(f"prompt {n}"), chosen="short", rejected="long " * 9, probability=0.9, objective=name
        )
        for n in range(6)
        for name in ("brevity", "tone")
    ]
    trunk, cfg = Trunk.load(str(tiny)), Reward(model={"use": f"hf:{tiny}"}, decay=0.1, max_length=64)  # type: ignore[arg-type]
    fit_model(trunk, read_examples(trunk.tokenizer, rows, 64, 0), cfg, 0, Tell())[0].save(folder)
    return folder


def test_a_classifier_is_scored_at_its_last_token_by_its_own_template(classifier: Path) -> None:
    """Together or alone; padding that is the end-of-turn token cannot hide it."""
    tokenizer = AutoTokenizer.from_pretrained(classifier)
    model = AutoModelForSequenceClassification.from_pretrained(classifier).eval()
    together = scorer(classifier).scores(PROMPTS, ANSWERS)
    for prompt, answer, found in zip(PROMPTS, ANSWERS, together, strict=True):
        ids = tokenizer.apply_chat_template([*prompt.chat, {"role": "assistant", "content": answer}], return_dict=False)
        with torch.no_grad():
            by_hand = model.score(model.model(torch.tensor([ids])).last_hidden_state[0, -1])
        assert found == pytest.approx(by_hand.tolist(), abs=1e-4)


def test_the_implicit_reward_is_beta_times_the_log_ratio(tiny: Path, tmp_path: Path) -> None:
    """Against a plain sum over the answer's tokens one at a time; a policy against itself is 0 everywhere."""
    policy = tiny_model(tmp_path / "policy", seed=5)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    found = scorer(policy, tiny, beta=0.2).scores(PROMPTS, ANSWERS)
    for prompt, answer, value in zip(PROMPTS, ANSWERS, found, strict=True):
        row = encode(tokenizer, prompt.chat, answer)
        sums = []
        for folder in (policy, tiny):
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
            with torch.no_grad():
                logits = model(torch.tensor([row.ids])).logits[0, :-1].log_softmax(-1)
            own = logits.gather(-1, torch.tensor(row.ids)[1:, None])[-row.answer :]
            sums.append(float(own.sum()))
        assert value == pytest.approx([0.2 * (sums[0] - sums[1])], abs=1e-3)
    assert scorer(tiny, tiny).scores(PROMPTS, ANSWERS) == [[0.0]] * 3


def test_what_is_no_reward_model_is_refused(tiny: Path) -> None:
    """A causal model alone scores nothing; the line says what to name."""
    with pytest.raises(CaifError, match="needs --reference"):
        scorer(tiny)


def test_an_answer_too_long_is_no_score(heads: Path) -> None:
    """It is None and never a number, and the others keep their own."""
    found = scorer(heads)
    assert found.names == ("brevity", "tone")
    short = found.scores(PROMPTS[:1], ["short"])
    mixed = found.scores([PROMPTS[0]] * 2, ["long " * 80, "short"])
    assert mixed[0] is None
    assert mixed[1] == pytest.approx(short[0], abs=1e-4)


def test_the_commands_score_and_measure(heads: Path, classifier: Path, tmp_path: Path) -> None:
    """A head that likes short answers is right where they are chosen; what is too long is left out and said."""
    file = tmp_path / "bench.jsonl"
    rows = [{"prompt": f"prompt {n}", "chosen": "short", "rejected": "long " * 9, "subset": "hep-go"} for n in range(3)]
    rows.append({"prompt": "x", "chosen": "short", "rejected": "long " * 80, "subset": "hep-go"})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = CliRunner()
    told = run.invoke(app, ["bench", "reward", str(heads), str(file), "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert (found["score"], found["sections"], found["left_out"]) == (
        1.0,
        {"Reasoning": 1.0},
        {"longer than the model reads": 1},
    )
    shown = run.invoke(app, ["bench", "reward", str(heads), str(file), "--objective", "brevity"])
    assert "Section Reasoning" in shown.stdout
    assert "Left out: 1 longer than the model reads" in shown.stdout
    scored = run.invoke(app, ["score", f"hf:{classifier}", str(file)])
    lines = [json.loads(line) for line in scored.stdout.splitlines()]
    assert [len(line["reward"]) for line in lines] == [2, 2, 2, 2]
    wrong = run.invoke(app, ["bench", "reward", str(heads), str(file), "--objective", "brevty"])
    assert (wrong.exit_code, "did you mean 'brevity'?" in wrong.stderr) == (2, True)
