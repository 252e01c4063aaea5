"""The page: the same for the same run, and whole whatever is missing."""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from made_up import made_up
from made_up_rows import PARTS
from reading import rendered

from caif.config import Report
from caif.report import plots, show
from caif.report.gather import ORDER, gather
from caif.report.numbers import numbers
from caif.report.page import page
from caif.stages.report import report
from caif.store import Artifact, Draft

GOLDEN = Path(__file__).parent / "golden" / "report.html"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return made_up(tmp_path_factory.mktemp("made-up"))


def test_the_page_is_the_golden_one(run: dict[str, Artifact], same_as: Callable[[Path, str], None]) -> None:
    """The same run gives the same page, byte for byte; a change of it is seen in a diff."""
    same_as(GOLDEN, page(numbers(gather(list(run.values())))))


PAIRS = [pytest.param(pair, marks=pytest.mark.slow) for pair in combinations(PARTS, 2)]


@pytest.mark.parametrize("missing", [*combinations(PARTS, 1), *PAIRS], ids="-".join)
def test_it_renders_without_any_one_or_two_stages(run: dict[str, Artifact], missing: tuple[str, ...]) -> None:
    """A stage can be left out of a run, and the page says so."""
    text = rendered([artifact for name, artifact in run.items() if name not in missing]).text
    assert all(f"{name}" in text.partition("Left out of this run: ")[2][:200] for name in missing if name in ORDER)


@pytest.mark.parametrize("n", range(len(PARTS) + 1))
def test_it_renders_wherever_a_run_stops(run: dict[str, Artifact], n: int) -> None:
    """Only the first stages, and each stage all alone."""
    artifacts = list(run.values())
    rendered(artifacts[:n])
    rendered(artifacts[n : n + 1])


def test_it_renders_whatever_is_left(run: dict[str, Artifact]) -> None:
    """Random choices of stages."""
    for seed in range(25):
        choice = Random(seed)
        rendered([artifact for artifact in run.values() if choice.random() < 0.5])


def test_a_stage_built_now_and_one_found_again_give_the_same_page(run: dict[str, Artifact]) -> None:
    """Promise P2: what is read from disk has its keys in another order than what a stage has just returned."""
    found = [
        Artifact(a.folder, json.loads((a.folder / "artifact.json").read_text(encoding="utf-8"))) for a in run.values()
    ]
    assert page(numbers(gather(found))) == page(numbers(gather(list(run.values()))))


def test_a_stage_of_another_recipe_is_listed(run: dict[str, Artifact]) -> None:
    """What the page does not know it names all the same."""
    other = Artifact(run["rl"].folder, {**run["rl"].facts, "by": "dpo", "stage": "dpo", "metrics": {}})
    assert "dpo" in rendered([*run.values(), other]).text


def test_stages_without_metrics_render(run: dict[str, Artifact]) -> None:
    """Another version of a stage, or a plugin's, may keep other numbers or none."""
    for metrics in (
        {},
        {"steps": None, "objectives": None, "measures": {}},
        {"objectives": {"x": None}, "reliability": "?"},
    ):
        rendered([Artifact(a.folder, {**a.facts, "metrics": metrics}) for a in run.values()])


@pytest.mark.parametrize(
    "points",
    [[[1.0, 0.0]], [[0.0, 5.0], [0.0, 5.0]], [[n, 1e-9 * n] for n in range(50)], [[n, -1e12 * n] for n in range(50)]],
)
def test_plots_bear_any_numbers(points: list[list[float]]) -> None:
    """One point, no spread, tiny and huge values."""
    for drawing in (plots.lines(points, "<x>"), plots.reliability([{"predicted": 0.3, "observed": 0.0, "n": 1}])):
        assert "nan" not in "".join(ElementTree.fromstring(drawing).itertext())  # noqa: S314
    values = [{"mean": y, "low": None, "high": None, "n": 1} for _, y in points]
    assert 1 <= len(plots.ticks(plots.span_of(values), 3)) <= 8


def test_numbers_are_written_as_a_reader_wants_them() -> None:
    """Precision follows size, signs are true minus signs, shares are in per cent, nothing is a dash."""
    estimate = {"mean": -0.125, "low": -0.25, "high": 0.0, "n": 9}
    assert show.spread(estimate) == "\u22120.12 (\u22120.25 to 0.00)"
    assert show.spread(estimate | {"mean": 0.5}, "%", sign=True) == "+50\u00a0% (\u221225 to 0\u00a0%)"
    assert (show.number(None), show.number(1234567), show.number(0.00049), show.number(-0.0)) == (
        "\u2013",
        "1,234,567",
        "0.0005",
        "0",
    )
    assert (show.seconds(3.21), show.seconds(600), show.seconds(7200)) == ("3.2 s", "10 min", "2.0 h")
    assert show.discreet("https://me:secret@host/v1") == "https://\u2026@host/v1"
    assert show.cut("x" * 30_000).endswith("[10,000 more characters]")


def test_the_stage_writes_page_and_numbers(run: dict[str, Artifact], tmp_path: Path) -> None:
    """The JSON holds what the page shows, in ASCII, so that printing it in a terminal is safe."""
    work = cast("Any", SimpleNamespace(draft=Draft(tmp_path, tmp_path)))
    told = report(work, *run.values(), None, cfg=Report(title="A title", examples=3))
    table = json.loads((tmp_path / "report.json").read_text(encoding="ascii"))
    assert (table["title"], len(table["chains"]), table["summary"]) == ("A title", 3, told["summary"])
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page(table)
    assert report.version == 1
