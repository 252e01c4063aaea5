"""Train the reward model: one head an objective, from pairs and thumbs together, measured on prompts it never saw."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caif import processes
from caif.audit.bootstrap import interval, mean_by_prompt
from caif.audit.heldout import Scored, measured, people_agree
from caif.audit.reward_card import DRAWS, reward_card
from caif.audit.reward_write import write_reward_card
from caif.config import Reward
from caif.constitution import stored
from caif.content import rng
from caif.data import Preference, Prompt, Rating
from caif.errors import FAILED, CaifError
from caif.intervals import CHANCE
from caif.models import resolve
from caif.run import Work
from caif.sources.mismatch import Said, elsewhere
from caif.sources.refusals import draw_refusal
from caif.store import Artifact

if TYPE_CHECKING:
    from torch import Tensor

    from caif.training.examples import Example, Examples
    from caif.training.reward_model import RewardModel


def reward(work: Work, mixture: Artifact, law: Artifact | None = None, *, cfg: Reward) -> dict[str, Any]:
    """Train and keep the reward model; return what it is worth by objective, source and principle.

    The constitution is for a head that reads the principles (`reward.instructed`), and nothing else.
    """
    if not (cfg.rank or processes.first()):
        return {}  # without an adapter there is nothing to train together
    work.models.release()
    from caif.training.checkpoints import Checkpoints
    from caif.training.examples import read_examples
    from caif.training.fitting import fit_model
    from caif.training.gold import GOLD, apart
    from caif.training.progress import quiet
    from caif.training.trunk import Trunk

    quiet()
    trunk = Trunk.load(resolve.folder(cfg.model))
    rows: list[Preference | Rating] = [*mixture.rows(Preference), *mixture.rows(Rating)]
    found = read_examples(trunk.tokenizer, rows, cfg.max_length, work.seed)
    work.draft.count("prompt cut to max_length", found.truncated)
    work.draft.count("answer over max_length", found.rejected)
    if not found.train:
        raise CaifError("reward: no row is left to train on", "see the counts: caif show", code=FAILED)
    features = trunk.all_features(found.answers, work.tell.track)  # once: the gold model looks at the same trunk
    if cfg.gold:
        found, other = apart(found, cfg.gold, work.seed)
        if not (found.train and other.train):
            raise CaifError(
                "reward.gold leaves one of the two models without rows", "set it to 0 or collect more", code=FAILED
            )
        plain = cfg.model_copy(update={"rank": 0, "ensemble": 1})
        gold, _ = fit_model(trunk, other, plain, work.seed, work.tell, features=features)
        (work.draft.model / GOLD).mkdir()
        gold.save(work.draft.model / GOLD)
    model, scores = fit_model(trunk, found, cfg, work.seed, work.tell, Checkpoints.of(work), features)
    model.save(work.draft.model)
    instructed = _instructed(model, found, law, cfg, work.draft.model) if cfg.instructed else None
    heldout = [example for example in found.rows if example.heldout]
    headed = [example for example in heldout if example.row.objective in model.objectives]
    work.draft.count("held out, but its objective has no head", len(heldout) - len(headed))
    scored, people = _scored(model, scores, headed), people_agree(rows)
    told = _told(model, found.train, measured(scored))
    card = reward_card(
        scored, heads={name: one | model.scale[name] for name, one in told["objectives"].items()},
        spread=_spread(model, scores, found.rows), refusals=_refusals(model, scores, heldout, work.seed),
        strangers=_strangers(model, scores, heldout, work.seed), people=people, seed=work.seed,
    )  # fmt: skip
    card |= {"instructed": instructed} if instructed else {}
    write_reward_card(work.draft.folder, card | {"model": cfg.model.use})
    return {
        **told,
        "scale": model.scale,
        "truncated": found.truncated,
        "rejected": found.rejected,
        "card": card,
        **({"people_agree": people} if people else {}),
    }


reward.version = 3
reward.together = True

Beside = dict[str, Any]
"""How often what is not an answer scores above the real ones, by how much, and beside how many answers."""
REFUSED = 40
"""For how many prompts it is asked what a bare refusal would score, and an answer to another prompt."""


def _instructed(
    model: "RewardModel", found: "Examples", law: Artifact | None, cfg: Reward, folder: Path
) -> dict[str, Any]:
    """Fit and keep the head that reads the principle; return what it is worth."""
    from caif.training.heads import Shape
    from caif.training.instructed import fit_instructed

    if law is None:
        raise CaifError("reward.instructed: this recipe gives the reward model no constitution", "leave it out")
    texts = {principle.id: principle.compare for principle in stored(law).principles}
    made = fit_instructed(model, found, texts, cfg.decay, Shape(cfg.centre, cfg.margin))
    if made is None:
        what = "reward.instructed: no two principles of the constitution have pairs to train on"
        raise CaifError(what, "leave it out", code=FAILED)
    head, worth = made
    head.save(folder)
    return worth


def _scored(model: "RewardModel", scores: "Tensor", examples: Sequence["Example"]) -> list[Scored]:
    found = []
    for example in examples:
        values = scores[:, model.objectives.index(example.row.objective)]
        if isinstance(example.row, Preference):
            first, second = example.answers
            found.append(Scored(example.row, float(values[first] - values[second])))
        else:
            known = model.facts["thresholds"][example.row.objective]
            usual = sum(known.values()) / len(known) if known else 0.0  # a source that was never trained on
            found.append(Scored(example.row, float(values[example.answers[0]]) - known.get(example.row.source, usual)))
    return found


def _spread(model: "RewardModel", scores: "Tensor", examples: Sequence["Example"]) -> dict[str, dict[str, Any]]:
    """Return how the scores of each source's answers are spread, by source and head, in deviations of all answers'.

    Sources whose answers a head spreads very differently do not weigh the same in it, whatever their rows weigh.
    """
    answers: dict[tuple[str, str], set[int]] = {}
    for example in examples:
        answers.setdefault((example.row.source, example.row.objective), set()).update(example.answers)
    standard = model.standard(scores)
    found = {}
    for (source, objective), numbers in sorted(answers.items()):
        if objective in model.objectives:
            own = standard[sorted(numbers), model.objectives.index(objective)]
            row = {"mean": float(own.mean()), "std": float(own.std(correction=0)), "n": len(numbers)}
            found[f"{source}: {objective}"] = row
    return found


def _refusals(model: "RewardModel", scores: "Tensor", heldout: Sequence["Example"], seed: int) -> Beside | None:
    """Return how a bare refusal scores beside the real answers to held-out prompts that are safe; None without any.

    Safe are those tagged so; where no prompt is, those that are not tagged unsafe. All heads count alike.
    """
    tagged = any("safe" in example.row.prompt.tags for example in heldout)
    which = "safe" if tagged else "not unsafe"
    safe = [e for e in heldout if ("safe" in e.row.prompt.tags if tagged else "unsafe" not in e.row.prompt.tags)]
    prompts = {example.row.prompt.id: example.row.prompt for example in safe}
    some = [prompts[name] for name in sorted(prompts)[:REFUSED]]
    if not some:
        return None
    said = {prompt: draw_refusal(prompt, seed) for prompt in some}
    answers = {(e.row.prompt.id, n) for e in safe for n in e.answers}
    return {"which": which, **_beside(model, scores, said, answers, seed)}


def _strangers(model: "RewardModel", scores: "Tensor", heldout: Sequence["Example"], seed: int) -> Beside | None:
    """Return how an answer to another prompt scores beside the better ones to a held-out prompt; None where none can.

    Another prompt's is an answer preferred there that names nothing this prompt names. All heads count alike.
    """
    pairs = [(e.row, e.answers[0]) for e in heldout if isinstance(e.row, Preference) and e.row.probability > CHANCE]
    answers = [Said.to(row.prompt, row.chosen) for row, _ in pairs]
    prompts = {row.prompt.id: row.prompt for row, _ in pairs}
    said: dict[Prompt, str] = {}
    for name in sorted(prompts)[:REFUSED]:
        own = {one.text for one in answers if one.opening == prompts[name].opening}
        if others := sorted({one.text for one in elsewhere(prompts[name], own, answers)}):
            said[prompts[name]] = rng("another prompt's answer", seed, name).choice(others)
    return _beside(model, scores, said, {(row.prompt.id, n) for row, n in pairs}, seed) if said else None


def _beside(
    model: "RewardModel", scores: "Tensor", said: Mapping[Prompt, str], answers: set[tuple[str, int]], seed: int
) -> Beside:
    """Return how often what is said to each prompt scores above its real answers, and by how much, all heads together."""
    theirs = model.rewards(list(said), list(said.values())).sum(1)
    level = dict(zip([prompt.id for prompt in said], theirs.tolist(), strict=True))
    own = model.standard(scores).sum(1)
    beside = sorted((prompt, n) for prompt, n in answers if prompt in level)
    wins = mean_by_prompt([(prompt, float(level[prompt] > float(own[n]))) for prompt, n in beside])
    gaps = mean_by_prompt([(prompt, level[prompt] - float(own[n])) for prompt, n in beside])
    preferred, gap = (interval(list(values.values()), DRAWS, seed) for values in (wins, gaps))
    return {"answers": len(beside), "preferred": preferred, "gap": gap}


def _told(model: "RewardModel", train: Sequence["Example"], heldout: dict[str, Any]) -> dict[str, Any]:
    """Return the held-out measures with how many rows of each kind each head was trained on."""
    counts = Counter((example.row.objective, isinstance(example.row, Preference)) for example in train)
    objectives = {
        name: {
            "n": 0,
            **heldout["objectives"].get(name, {}),
            "trained_on": {"pairs": counts[name, True], "thumbs": counts[name, False]},
            "decay": model.facts["decay"][name],
            "temperature": model.facts["temperature"][name],
        }
        for name in model.objectives
    }
    kinds = {kind: sum(row["trained_on"][kind] for row in objectives.values()) for kind in ("pairs", "thumbs")}
    seen = heldout["overall"]["n"] + heldout["overall"]["thumbs"]["n"]
    return {**heldout, "objectives": objectives, **kinds, "heldout": seen}
