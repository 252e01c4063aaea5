"""Train the reward model: one head an objective, from pairs and thumbs together, measured on prompts it never saw."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caif import processes
from caif.audit.heldout import Scored, measured, people_agree
from caif.audit.reward_card import reward_card
from caif.audit.reward_write import write_reward_card
from caif.config import Reward
from caif.constitution import stored
from caif.data import Preference, Rating
from caif.errors import FAILED, CaifError
from caif.models import resolve
from caif.run import Work
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
    from caif.training.beside import refusals, strangers
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
        spread=_spread(model, scores, found.rows), refusals=refusals(model, scores, heldout, work.seed),
        strangers=strangers(model, scores, heldout, work.seed), people=people, seed=work.seed,
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


reward.version = 5
reward.together = True


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
