"""The checks behind the report: agreement with people, intervals, and the verdict on a source's labels."""

from pathlib import Path
from typing import Any

import pytest
from made_up import made_up

from caif.data import Preference
from caif.intervals import share, side_of
from caif.report.agreement import People, with_people
from caif.report.estimate import known
from caif.report.gather import SourceRows, gather
from caif.report.rewards import quality
from caif.report.sources import verdict


def of(estimate: dict[str, Any] | None) -> tuple[float, int] | None:
    return None if estimate is None else (round(estimate["mean"] * estimate["n"], 6), estimate["n"])


def test_thumbs_speak_for_a_pair_only_if_one_is_up_and_the_other_down(tmp_path: Path) -> None:
    """A label on two liked answers cannot be checked; a pair goes before thumbs; a coin's label says nothing."""
    run = made_up(tmp_path)
    thumbs = gather([run["thumbs"]]).sources
    prompt = thumbs[0].ratings[0].prompt
    texts = {r.up: r.completion for r in thumbs[0].ratings if r.prompt.id == prompt.id}

    def label(chosen: str, rejected: str, probability: float = 0.9) -> Preference:
        return Preference(
            prompt=prompt, chosen=chosen, rejected=rejected, probability=probability, objective="o", principle="p"
        )

    people = People(thumbs)
    assert people.prefer(prompt.id, texts[True], texts[False]) is True
    assert people.prefer(prompt.id, texts[False], texts[True]) is False
    assert people.prefer(prompt.id, texts[True], "unknown") is None
    agreed = with_people(
        people,
        [
            label(texts[True], texts[False]),
            label(texts[True], texts[False], 0.2),
            label(texts[True], texts[False], 0.5),
        ],
    )
    assert (of(agreed["all"]), agreed["same"]) == ((1, 2), None)
    pair = label(texts[False], texts[True], 1.0).but(principle="", objective="honesty")
    both = People([*thumbs, SourceRows(run["people"], [pair], [], [])])
    assert both.prefer(prompt.id, texts[True], texts[False]) is False


def test_wilson_intervals_match_the_published_example() -> None:
    """81 of 263 is 0.308 with 0.255 to 0.366 (Newcombe 1998, table I)."""
    found = share(81, 263)
    assert found is not None
    assert [round(found[name], 4) for name in ("mean", "low", "high")] == [0.3080, 0.2553, 0.3662]
    assert share(0, 0) is None
    assert (side_of(found, 0.5), side_of(found, 0.3), side_of(known(3) or {}, 0)) == (-1, 0, 0)


@pytest.mark.parametrize(
    ("entry", "kinds"),
    [
        ({"n": 10, "accuracy": 0.5, "thumbs": {"n": 4, "accuracy": 1.0}}, ["pairs", "thumbs"]),
        ({"pairs": {"n": 10, "accuracy": 0.5}, "thumbs": {"n": 4, "accuracy": 1.0}}, ["pairs", "thumbs"]),
        ({"n": 0, "thumbs": {"n": 0}}, []),
        ({"n": 3, "accuracy": None}, []),
        (None, []),
        ("broken", []),
    ],
)
def test_reward_measures_are_read_however_they_are_kept(entry: object, kinds: list[str]) -> None:
    """What was not held out has no measures, rather than measures of 0."""
    assert list(quality(entry)) == kinds


@pytest.mark.parametrize(
    ("people", "built", "flips", "word"),
    [
        ((90, 100), None, (1, 50), "supported"), ((20, 100), (90, 100), (1, 50), "contradicted"),
        (None, (90, 100), None, "supported"),
        ((90, 100), None, (20, 50), "doubtful"), ((5, 9), None, (1, 50), "not shown"),
        (None, None, (1, 50), "unchecked"),
    ],
)  # fmt: skip
def test_a_verdict_rests_on_people_then_on_construction(
    people: tuple[int, int] | None, built: tuple[int, int] | None, flips: tuple[int, int] | None, word: str
) -> None:
    """Labels that can be learned but were never checked are not called good."""
    row = {
        "by": "a judge", "people": {"all": share(*people) if people else None},
        "construction": share(*built) if built else None,
        "flips": share(*flips) if flips else None, "failed": {}, "mass": 0.9,
        "reward": quality({"n": 100, "accuracy": 0.9}),
    }  # fmt: skip
    assert verdict(row)["word"] == word
