"""The report's section on coverage: what was found stands there, texts stay texts, and a run without it has none of it."""

from pathlib import Path
from typing import Any

from caif.coverage.gate import judged
from caif.intervals import share
from caif.report.gather import gather
from caif.report.numbers import numbers
from caif.report.page import page
from caif.sections.coverage import Coverage
from caif.store import Artifact

HOSTILE = "<script>alert(1)</script>"
SIDE = {
    "reference": 80, "asked": 40, "known": 10, "outside": share(30, 40), "beyond": share(20, 40), "unasked": share(8, 80),
    "overlap": {"precision": 0.5, "recall": 0.9, "density": 0.7, "coverage": 0.8},
    "mmd": {"statistic": 0.1, "p": 0.002, "effect": 0.25}, "c2st": None,
}  # fmt: skip


def made(**metrics: Any) -> dict[str, Any]:
    facts = {
        "stage": "coverage", "by": "coverage", "key": "0" * 32, "counts": {}, "metrics": metrics, "config": {}, "inputs": [],
    }  # fmt: skip
    return numbers(gather([Artifact(Path("nowhere"), facts)]))


def test_shares_tests_and_what_to_label_next_are_shown() -> None:
    """With the verdict, a caution for each finding, and hostile texts as they are."""
    group = [{"n": 30, "examples": [{"prompt": HOSTILE, "answer": "so & so"}]}]
    findings = [f._asdict() for f in judged({"prompts": share(30, 40)}, Coverage())]
    table = made(
        verdict="fail", findings=findings, prompts={**SIDE, "unlabelled": group, "asked_nothing_like": []},
        written={**SIDE, "unlabelled": [], "off_scale": {"help": share(1, 40)}},
    )  # fmt: skip
    found = table["coverage"]
    assert [row["share"]["n"] for row in found["shares"]] == [40, 40, 80, 40, 40, 40]
    assert found["label"] == group
    assert found["tests"][0] == {"side": "prompts", "name": "maximum mean discrepancy", "p": 0.002, "effect": 0.25}
    cautions = [one["text"] for one in table["cautions"] if one["about"] == "coverage"]
    assert len(cautions) == 4
    assert cautions[0].startswith("75% of RL's prompts are unlike any")
    shown = page(table)
    assert "May RL begin? <b>fail</b>" in shown
    assert "What to label next" in shown
    assert "What RL does not ask" not in shown
    assert HOSTILE not in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert '<a href="#coverage">' in shown


def test_a_check_that_could_not_measure_and_a_run_without_one_render() -> None:
    """Nothing known is said so; nothing checked is not missed."""
    findings = [f._asdict() for f in judged({}, Coverage())]
    shown = page(made(verdict="warn", findings=findings, prompts=None, written=None))
    assert "May RL begin? <b>warn</b>" in shown
    assert "There are too few texts to tell" in shown
    without = numbers(gather([]))
    assert without["coverage"] is None
    assert "coverage" not in without["left_out"]
    assert 'id="coverage"' not in page(without)
