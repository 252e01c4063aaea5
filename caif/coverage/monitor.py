"""Watch at each step of RL whether the policy has left what the reward model knows: plain numbers for the step's log."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from safetensors.numpy import load_file, save_file

from caif.coverage.distances import Gaussian
from caif.coverage.novelty import Hashes, novelty, runs_of
from caif.coverage.reference import Reference
from caif.coverage.space import Floats, Space
from caif.text import refuses

FILE = "known.safetensors"
SCALE_TAIL = 0.01
"""Share of the training answers whose reward counts as off the scale, at each end."""


class Known(NamedTuple):
    """What the reward model knows, as far as a step is measured by it. `scale` [2, heads] is the usual reward's ends."""

    reference: Reference
    runs: Hashes
    scale: Floats

    @classmethod
    def of(cls, reference: Reference, texts: Sequence[str], scores: Floats) -> Self:
        """Take it from the reward model's training answers and their scores [answers, heads]."""
        return cls(reference, runs_of(texts), np.quantile(scores, [SCALE_TAIL, 1 - SCALE_TAIL], axis=0))

    def save(self, folder: Path) -> None:
        """Write it. The covariance follows from the cloud, and is not written."""
        space, cloud, limit, _, far = self.reference
        tensors = {
            "cloud": cloud,
            "limits": np.array([limit, far]),
            "runs": self.runs,
            "scale": self.scale,
            **space._asdict(),
        }
        save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, folder / FILE)

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """Read it; None if it was never written, as there was too little to know."""
        if not (folder / FILE).is_file():
            return None
        found = load_file(folder / FILE)
        limit, far = found["limits"].tolist()
        space, cloud = Space(found["line"], found["spread"]), found["cloud"]
        return cls(Reference(space, cloud, limit, Gaussian.of(cloud), far), found["runs"], found["scale"])


def monitor(
    known: Known, answers: Sequence[str], features: Floats, lengths: Floats, scores: Floats
) -> dict[str, float]:
    """Return what a step's answers are like: one row of features and scores and a length in tokens each.

    `outside` is the share beyond the limit of one of both distances, `distance` the median one to neighbours as a part
    of its limit, `novelty` how many of an answer's runs of words no training answer has, `refusals` the share that
    refuse, and `off_scale` the share with an unusual reward in the worst head.
    """
    rows = known.reference.space.put(features, lengths)
    distance = known.reference.neighbours(rows)
    new = [part for text in answers if (part := novelty(known.runs, text)) is not None]
    found = {
        "outside": float(((distance > 1) | (known.reference.beyond(rows) > 0)).mean()),
        "distance": float(np.median(distance)),
        "refusals": float(np.mean([refuses(text) for text in answers])),
        "off_scale": float(off_scale(known.scale, scores).mean(axis=0).max()),
        **({"novelty": float(np.mean(new))} if new else {}),
    }
    return {f"coverage/{name}": value for name, value in found.items()}


def off_scale(scale: Floats, scores: Floats) -> Floats:
    """Return 1 for each score [answers, heads] that lies beyond the usual ones, else 0."""
    return ((scores < scale[0]) | (scores > scale[1])).astype(np.float64)  # type: ignore[no-any-return]
