"""Train the reward model: one head an objective, from pairs and thumbs together, measured on prompts it never saw."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caif.audit.heldout import Scored, measured, people_agree
from caif.config import Reward
from caif.data import Preference, Rating
from caif.errors import FAILED, CaifError
from caif.models import resolve
from caif.run import Work
from caif.store import Artifact

if TYPE_CHECKING:
    from torch import Tensor

    from caif.training.examples import Example
    from caif.training.reward_model import RewardModel


def reward(work: Work, mixture: Artifact, *, cfg: Reward) -> dict[str, Any]:
    """Train and keep the reward model; return what it is worth by objective, source and principle."""
    work.models.release()
    from caif.training.examples import read_examples
    from caif.training.fitting import fit_model
    from caif.training.progress import quiet
    from caif.training.trunk import Trunk

    quiet()
    trunk = Trunk.load(resolve.folder(cfg.model))
    rows: list[Preference | Rating] = [*mixture.rows(Preference), *mixture.rows(Rating)]
    found = read_examples(trunk.tokenizer, rows, cfg.max_length, work.seed)
    for what, how_many in (("prompt cut to max_length", found.truncated), ("answer over max_length", found.rejected)):
        if how_many:
            work.draft.count(what, how_many)
    if not found.train:
        raise CaifError("reward: no row is left to train on", "see the counts: caif show", code=FAILED)
    model, scores = fit_model(trunk, found, cfg, work.seed, work.tell)
    model.save(work.draft.model)
    heldout = [example for example in found.rows if example.heldout]
    headed = [example for example in heldout if example.row.objective in model.objectives]
    if len(headed) < len(heldout):
        work.draft.count("held out, but its objective has no head", len(heldout) - len(headed))
    return {
        **_told(model, found.train, measured(_scored(model, scores, headed))),
        "scale": model.scale,
        "truncated": found.truncated,
        "rejected": found.rejected,
        **({"people_agree": people} if (people := people_agree(rows)) else {}),
    }


reward.version = 2


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
