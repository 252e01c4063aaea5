"""The reward model's card: known answers, intervals over prompts, chance as chance, and a page that cannot be steered."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caif.audit.calibration import calibration_error, log_loss
from caif.audit.heldout import Scored
from caif.audit.reward_card import length_bucket, reward_card
from caif.audit.reward_write import reward_page, write_reward_card
from caif.data import Preference, Prompt, Rating

GOLDEN = Path(__file__).parent / "golden" / "reward_card.html"
HOSTILE = "</style><script>window.pwned=1</script>{{ 7 * 191 }}\u202e"


def pair(
    n: int, probability: float = 1.0, chosen: str = "short one", rejected: str = "a longer one", **given: Any
) -> Preference:
    fields = {"objective": "brevity", "source": "judge", "principle": "be-brief"} | given
    return Preference(
        prompt=Prompt.of(f"prompt {n}"), chosen=chosen, rejected=rejected, probability=probability, **fields
    )


def thumb(n: int, up: bool) -> Rating:
    return Rating(
        prompt=Prompt.of(f"prompt {n}"), completion="an answer", up=up, objective="warmth", source="app", rater="ann"
    )


def card(scored: list[Scored], **given: Any) -> dict[str, Any]:
    return reward_card(scored, heads={}, spread={}, draws=200, **given)


def known(n: int = 120, source: str = "judge") -> list[Scored]:
    """Pairs and thumbs, right about four times of five."""
    draw = random.Random(4)
    pairs = [Scored(pair(k % 40, source=source), draw.gauss(0.9, 1)) for k in range(n)]
    return pairs + [Scored(thumb(k % 30, draw.random() < 0.5), draw.gauss(0, 1)) for k in range(n // 2)]


def test_measures_are_their_definitions() -> None:
    """The means are those of `calibration`, whatever the number of prompts; intervals are over prompts."""
    scored = known()
    pairs = [s for s in scored if isinstance(s.row, Preference)]
    x, p = [s.logit for s in pairs], [1.0] * len(pairs)
    found = card(scored)["overall"]["pairs"]
    assert found["log_loss"]["mean"] == pytest.approx(log_loss(x, p), abs=1e-12)
    assert found["ece"]["mean"] == pytest.approx(calibration_error(x, p), abs=1e-12)
    assert found["accuracy"]["mean"] == pytest.approx(sum(value > 0 for value in x) / len(x))
    assert (found["n"], found["accuracy"]["n"]) == (120, 40)
    assert found["accuracy"]["low"] < found["accuracy"]["mean"] < found["accuracy"]["high"]


def test_one_prompt_asked_often_is_one_prompt() -> None:
    """The same rows under one prompt have no interval; under many they have one."""
    one = [Scored(pair(0), 1.0 if n % 3 else -1.0) for n in range(90)]
    many = [Scored(pair(n), s.logit) for n, s in enumerate(one)]
    assert card(one)["overall"]["pairs"]["accuracy"]["low"] is None
    assert card(many)["overall"]["pairs"]["accuracy"]["low"] is not None


def test_random_scores_are_chance_and_are_said_to_be() -> None:
    """The interval holds one half, and a caution names objective and principle."""
    draw = random.Random(1)
    found = card([Scored(pair(n), draw.gauss(0, 1)) for n in range(300)])
    accuracy = found["overall"]["pairs"]["accuracy"]
    assert accuracy["low"] < 0.5 < accuracy["high"]
    assert sum("cannot be told from chance" in said for said in found["cautions"]) == 3


def test_a_model_that_reads_lengths_is_caught() -> None:
    """It is right where the better answer is longer, wrong where it is shorter, and its slope is steep."""
    draw = random.Random(2)
    rows = [
        pair(n, 0.9, "w" * draw.randrange(5, 60), "w" * draw.randrange(5, 60)) for n in range(200)
    ]  # fmt: skip
    found = card([Scored(row, 2 * math.log(len(row.chosen) / len(row.rejected))) for row in rows])
    buckets = {name: row["pairs"]["accuracy"]["mean"] for name, row in found["lengths"].items()}
    assert buckets["more than twice as long"] == 1.0
    assert buckets["less than half as long"] == 0.0
    assert found["length_slope"]["mean"] > 1
    assert any("follow length" in said for said in found["cautions"])
    assert found["style_slope"] is None


def test_buckets_go_by_the_better_answer() -> None:
    """A label below one half turns the pair; a thumb and an undecided pair have no bucket."""
    assert length_bucket(pair(0, 1.0, "w" * 10, "w" * 30)) == "less than half as long"
    assert length_bucket(pair(0, 0.1, "w" * 10, "w" * 30)) == "more than twice as long"
    assert length_bucket(pair(0, 1.0, "w" * 10, "w" * 10)) == "about as long"
    assert (length_bucket(pair(0, 0.5)), length_bucket(thumb(0, True))) == ("", "")


def whole() -> dict[str, Any]:
    rate = {"mean": 0.7, "low": 0.6, "high": 0.8, "n": 9}
    return card(known(source="judge <1>"), refusals={"which": "safe", "answers": 18, "preferred": rate, "gap": rate},
                strangers={"of": 12, "answers": 9, "preferred": rate, "gap": rate}, people={"pairs": {"agreement": 0.75, "n": 40}}) | {
        "model": "hf:a", "heads": {"brevity": {"trained_on": {"pairs": 9, "thumbs": 0}, "decay": 0.1, "temperature": 1.2, "mean": 0.0, "std": 1.0, "members": 3, "noise": 0.1}},
        "spread": {"judge: brevity": {"mean": 0.1, "std": 0.9, "n": 40}},
    }  # fmt: skip


def test_the_page_is_the_golden_one(same_as: Callable[[Path, str], None], tmp_path: Path) -> None:
    """The same card gives the same page, also when it is read back from its JSON."""
    write_reward_card(tmp_path, whole())
    text = (tmp_path / "reward_card.json").read_text(encoding="ascii")
    assert reward_page(json.loads(text)) == (tmp_path / "reward_card.html").read_text(encoding="utf-8")
    same_as(GOLDEN, reward_page(whole()))


def test_nothing_held_out_and_hostile_names_make_a_page() -> None:
    """An empty card is a page; a name that is markup is text on it."""
    assert "not measured" in reward_page(card([]) | {"model": ""})
    said = reward_page(card([Scored(pair(0, principle=HOSTILE), 1.0)]) | {"model": HOSTILE})
    assert "<script>" not in said
    assert "1337" not in said
