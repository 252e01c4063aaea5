"""The benchmarks' rules: by hand, at chance for a scorer that knows nothing, and read from their own formats."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from caif.data import Prompt, Rejected
from caif.errors import CaifError
from caif.rewardbench.cases import MANY, ONE, Case, read_cases
from caif.rewardbench.rules import Judged, point, results, ties_score


def judged(scores: list[float], right: int = 1, subset: str = "", name: str = "", version: int = MANY) -> Judged:
    return Judged(Case(name, Prompt.of("x"), tuple("a" * len(scores)), right, subset, version), tuple(scores))


def test_a_tie_at_the_top_is_shared() -> None:
    """Alone 1, of two 1/2, of four 1/4, below 0; equal scores give no gift to the answer that stands first."""
    assert point(judged([2, 1, 0, 0])) == 1.0
    assert point(judged([2, 2, 0, 0])) == 0.5
    assert point(judged([1, 1, 1, 1])) == 0.25
    assert point(judged([1, 2, 0, 0])) == 0.0


@pytest.mark.parametrize(("version", "answers", "chance"), [(ONE, 2, 0.5), (MANY, 4, 0.25)])
def test_a_constant_scorer_gets_chance(version: int, answers: int, chance: float) -> None:
    """Over all subsets of either version."""
    subsets = ["math-prm", "hep-go", "donotanswer"] if version == ONE else ["Factuality", "Math"]
    found = results([judged([0.3] * answers, 1, subset, version=version) for subset in subsets for _ in range(5)])
    assert found["score"] == pytest.approx(chance)


def test_a_constant_scorer_gets_nothing_for_ties() -> None:
    """No right answer beats a wrong one, no lead is larger than the spread, and nothing is divided by zero."""
    some = [judged([1.0] * 6, 3, "Ties", "tied:1"), judged([1.0] * 4, 1, "Ties", "ref:1")]
    assert ties_score(some) == 0.0


def test_ties_by_hand() -> None:
    """Lead 2 and spread 1 in the case, lead 0.5 in its reference: accurate twice, preferred once, not by the harder rule."""
    some = [judged([5, 4, 2], 2, "Ties", "tied:1"), judged([1, 0.5], 1, "Ties", "ref:1")]
    by_hand = 0.30 + 0.30 + 0.20 + 0.01 * -0.46211715726
    assert ties_score(some) == pytest.approx(by_hand)
    assert results(some)["subsets"]["Ties"]["score"] == pytest.approx(by_hand)


def test_sections_weigh_subsets_by_their_prompts_and_math_as_much_as_code() -> None:
    """Reasoning: 984 for math-prm, whatever its rows, beside the rows of code; Chat by rows alone; the score is their mean."""
    good, bad = [1.0, 0.0], [0.0, 1.0]
    some = [judged(good, 1, "math-prm", version=ONE)] + [judged(bad, 1, "hep-go", version=ONE)] * 16
    some += [judged(good, 1, "alpacaeval-easy", version=ONE)] * 3 + [judged(bad, 1, "mt-bench-med", version=ONE)]
    found = results(some)
    assert found["sections"] == {"Chat": 0.75, "Reasoning": pytest.approx(984 / 1000)}
    assert found["score"] == pytest.approx((0.75 + 0.984) / 2)


ROWS: list[dict[str, Any]] = [
    {"id": 7, "prompt": "q", "chosen": "a", "rejected": "b", "subset": "hep-go", "chosen_model": "m", "rejected_model": "n"},
    {"id": "tied:3", "prompt": "q", "chosen": ["a", "b"], "rejected": ["c"], "num_correct": 2, "total_completions": 3, "subset": "Ties"},
    {"prompt": [{"role": "user", "content": "q"}], "completion": "a"},
    {"prompt": "q", "chosen": ["a"], "rejected": ["b"], "num_correct": 2},
    {"prompt": "q", "chosen": ["a"]},
]  # fmt: skip


def test_both_formats_and_plain_rows_are_read(tmp_path: Path) -> None:
    """What a row is, is told by its columns; what cannot be used is turned away with its reason."""
    file = tmp_path / "bench.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    one, two, plain, *rejected = read_cases(file)
    assert one == Case("7", Prompt.of("q"), ("a", "b"), 1, "hep-go", ONE)
    assert two == Case("tied:3", Prompt.of("q"), ("a", "b", "c"), 2, "Ties", MANY)
    assert plain == Case("bench.jsonl:3", Prompt.of("q"), ("a",))
    assert [isinstance(row, Rejected) for row in rejected] == [True, True]
    table = tmp_path / "bench.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS[1:2]), table)
    assert [case.answers for case in read_cases(table) if isinstance(case, Case)] == [("a", "b", "c")]
    file.write_text("{}\n")
    with pytest.raises(CaifError, match="no usable rows"):
        list(read_cases(file))
