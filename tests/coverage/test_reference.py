"""The yardstick: limits hold for new rows of the same kind, are passed by another kind, and nothing known is outside."""

from pathlib import Path

import numpy as np
import pytest

from caif.coverage.compare import checked
from caif.coverage.monitor import Known, monitor
from caif.coverage.proposals import unasked, unlabelled
from caif.coverage.reference import Reference, passed_by
from caif.coverage.rows import Side
from caif.coverage.space import Floats

D = 8
MIXED = np.eye(D) + 0.8 * np.eye(D, k=1)
"""Features that go together, as those of a model do."""


def side(seed: int, n: int, by: float = 0.0, name: str = "p", each: int = 1) -> Side:
    """Texts with features that follow their length, `each` of one prompt, moved in every other feature."""
    dice = np.random.default_rng(seed)
    lengths = dice.integers(5, 300, n).astype(float)
    features = dice.normal(0, 1, (n, D)) @ MIXED + 3 * np.log1p(lengths)[:, None]
    features[:, ::2] += by
    return Side([f"{name}{k}" for k in range(n)], [f"{name}{k // each}" for k in range(n)], features, lengths)


def yardstick(known: Side) -> Reference:
    found = Reference.of(known, 0)
    assert found is not None
    return found


def test_a_limit_is_passed_by_as_many_as_it_says() -> None:
    """The (n+1)(1-a)-th of n: among n + 1 draws in any order, the last is beyond it with probability a at most."""
    assert passed_by(np.arange(1.0, 100.0), 0.05) == 95.0
    assert passed_by(np.arange(1.0, 6.0), 0.05) == 5.0


def test_of_the_same_kind_five_percent_are_outside_and_of_another_all() -> None:
    """Averaged over yardsticks, and measured on texts that none of them has seen; length alone makes nothing strange."""
    same, far = [], []
    for seed in range(20):
        found = yardstick(side(seed, 300))
        new, other = found.put(side(seed + 100, 300)), found.put(side(seed + 200, 300, by=12.0))
        near, odd = found.neighbours(new) > 1, found.beyond(new) > 0
        same.append([near.mean(), odd.mean(), (near | odd).mean()])
        far.append([(found.neighbours(other) > 1).mean(), (found.beyond(other) > 0).mean()])
    assert np.mean(same, axis=0) == pytest.approx(np.array([0.025, 0.025, 0.045]), abs=0.015)
    assert np.min(far) > 0.95
    long = side(7, 200, name="l")
    long = long._replace(lengths=long.lengths * 20, features=long.features + 3 * np.log(20))
    assert (yardstick(side(0, 300)).neighbours(yardstick(side(0, 300)).put(long)) > 1).mean() < 0.15


def test_texts_of_one_prompt_are_on_one_side_of_the_limit() -> None:
    """A copy of a fitted text says nothing on how far new ones lie: with ten alike a prompt the limit is as wide as ever."""
    base = side(0, 100)
    copies = Side(
        [f"{n}" for n in range(1000)], [base.groups[n // 10] for n in range(1000)],
        np.repeat(base.features, 10, axis=0) + 1e-6, np.repeat(base.lengths, 10),
    )  # fmt: skip
    new = side(1, 200, name="q")
    found = yardstick(copies)
    assert (found.neighbours(found.put(new)) > 1).mean() < 0.2


def test_too_few_texts_have_no_yardstick() -> None:
    """With thirty prompts no limit is passed by five percent, so there is none."""
    assert Reference.of(side(0, 30), 0) is None
    assert checked(side(0, 30), side(1, 30, name="q"), 0) is None
    assert checked(side(0, 100), side(1, 0), 0) is None


def test_what_is_known_word_for_word_is_neither_outside_nor_tested() -> None:
    """Half of the asked stand in the data: they are counted as known, and only the others count as strange."""
    known, strange = side(0, 200), side(1, 50, by=12.0, name="q")
    both = Side(
        [*known.keys[:50], *strange.keys], [*known.groups[:50], *strange.groups],
        np.concatenate([known.features[:50], strange.features]), np.concatenate([known.lengths[:50], strange.lengths]),
    )  # fmt: skip
    found = checked(known, both, 0)
    assert found is not None
    numbers = found.numbers
    assert (numbers["reference"], numbers["asked"], numbers["known"]) == (200, 100, 50)
    assert numbers["outside"]["mean"] == pytest.approx(0.5, abs=0.03)
    assert not found.found.outside[:50].any()
    assert numbers["c2st"]["statistic"] > 0.9
    assert numbers["mmd"]["p"] < 0.01
    assert numbers["overlap"]["precision"] == pytest.approx(0.5, abs=0.1)
    only_known = checked(known, known.part(np.arange(200) < 40), 0)
    assert only_known is not None
    assert only_known.numbers["mmd"] is only_known.numbers["c2st"] is None
    assert only_known.numbers["outside"]["mean"] == 0


def test_what_to_label_next_is_named_by_its_typical_members() -> None:
    """Two kinds that the data have not are two groups; one kind that RL does not ask is named on the other side."""
    cats, dogs = side(0, 150), side(1, 50, by=-12.0, name="dog")
    known = Side(
        [*cats.keys, *dogs.keys], [*cats.groups, *dogs.groups],
        np.concatenate([cats.features, dogs.features]), np.concatenate([cats.lengths, dogs.lengths]),
    )  # fmt: skip
    new = side(2, 40, name="q")
    new.features[:16, 4:] += 40.0
    found = checked(known, new, 0)
    assert found is not None
    texts = [{"prompt": f"strange {n}" if n < 16 else f"plain {n}"} for n in range(40)]
    proposed = unlabelled(found.found, texts, 0)
    named = [text["prompt"].split()[0] for group in proposed for text in group["examples"]]
    assert sum(group["n"] for group in proposed) == int(found.found.outside.sum())
    assert named.count("strange") >= len(named) - 3
    assert [group["n"] for group in proposed] == sorted((group["n"] for group in proposed), reverse=True)
    missing = unasked(found.found, [{"prompt": key} for key in known.keys], 0)
    assert {text["prompt"].rstrip("0123456789") for group in missing for text in group["examples"]} == {"dog"}
    none = checked(known, known.part(np.arange(200) < 30), 0)
    assert none is not None
    assert unlabelled(none.found, [{}] * 30, 0) == []


def scores(n: int, by: float = 0.0) -> Floats:
    return np.random.default_rng(n).normal(by, 1, (n, 2))


def test_a_step_is_measured_by_what_was_kept(tmp_path: Path) -> None:
    """Saved and found again it says the same; a policy that left the data is outside, off the scale, new and refusing."""
    reference = side(0, 300)
    known = Known.of(yardstick(reference), ["the cat sat on the mat"], scores(500))
    assert Known.find(tmp_path) is None
    known.save(tmp_path)
    again = Known.find(tmp_path)
    assert again is not None
    near, far = side(1, 64), side(2, 64, by=12.0)
    still = monitor(again, ["the cat sat on the mat"] * 64, near.features, near.lengths, scores(64))
    assert still == monitor(known, ["the cat sat on the mat"] * 64, near.features, near.lengths, scores(64))
    left = monitor(again, ["I cannot help with that"] * 64, far.features, far.lengths, scores(64, by=6.0))
    assert still["coverage/outside"] < 0.2
    assert still["coverage/off_scale"] < 0.12
    assert (still["coverage/novelty"], still["coverage/refusals"]) == (0.0, 0.0)
    assert left["coverage/outside"] > 0.95
    assert left["coverage/distance"] > still["coverage/distance"]
    assert left["coverage/off_scale"] > 0.95
    assert (left["coverage/novelty"], left["coverage/refusals"]) == (1.0, 1.0)
    assert "coverage/novelty" not in monitor(again, ["no"] * 64, near.features, near.lengths, scores(64))
