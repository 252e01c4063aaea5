"""The page: the same for the same run, whole whatever is missing, and dead whatever stands in its data."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from made_up import HOSTILE, made_up
from made_up_rows import PARTS

from caif.config import Report
from caif.report import plots, show
from caif.report.gather import ORDER, gather
from caif.report.numbers import numbers
from caif.report.page import page
from caif.stages.report import report
from caif.store import Artifact, Draft

GOLDEN = Path(__file__).parent / "golden" / "report.html"
ALLOWED = set(
    "html head meta title style body nav ol li a main header h1 h2 h3 h4 h5 p em b br span section div figure figcaption table thead "
    "tbody tr th td code pre details summary ul dl dt dd footer svg line circle rect polyline text".split()
)
"""All elements that the page's own templates and plots use."""

VOID = {"meta", "br"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return made_up(tmp_path_factory.mktemp("made-up"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    built = made_up(tmp_path_factory.mktemp("hostile"), HOSTILE)
    return page(numbers(gather(list(built.values())), f"A title{HOSTILE}"))


class Reader(HTMLParser):
    """Reads a page as a browser would, and keeps what it finds."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(artifacts: list[Artifact]) -> Reader:
    reader = Reader(page(numbers(gather(artifacts))))
    assert not reader.open
    assert reader.tags <= ALLOWED
    return reader


def test_the_page_is_the_golden_one(run: dict[str, Artifact], same_as: Callable[[Path, str], None]) -> None:
    """The same run gives the same page, byte for byte; a change of it is seen in a diff."""
    same_as(GOLDEN, page(numbers(gather(list(run.values())))))


@pytest.mark.parametrize("missing", [*combinations(PARTS, 1), *combinations(PARTS, 2)], ids="-".join)
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
    """A hundred random choices of stages."""
    for seed in range(100):
        rendered([artifact for artifact in run.values() if Random(seed * 100 + len(artifact.stage)).random() < 0.5])


def test_a_stage_of_another_recipe_is_listed(run: dict[str, Artifact]) -> None:
    """What the page does not know it names all the same."""
    other = Artifact(run["rl"].folder, {**run["rl"].facts, "by": "dpo", "stage": "dpo", "metrics": {}})
    assert "dpo" in rendered([*run.values(), other]).text


def test_stages_without_metrics_render(run: dict[str, Artifact]) -> None:
    """Another version of a stage, or a plugin's, may keep other numbers or none."""
    for metrics in ({}, {"steps": None, "objectives": None, "measures": {}}, {"objectives": {"x": None}, "reliability": "?"}):
        rendered([Artifact(a.folder, {**a.facts, "metrics": metrics}) for a in run.values()])


def test_hostile_text_stays_text(hostile: str) -> None:
    """No text of a model, a person, a plugin or a run file becomes an element, an attribute or an address."""
    reader = Reader(hostile)
    assert not reader.open
    assert reader.tags <= ALLOWED
    assert "window.pwned" in reader.text
    assert hostile.lower().count("<script") == 0
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("src", "srcset", "style", "action", "data", "xlink:href", "srcdoc"), (tag, name)
        assert name != "href" or re.fullmatch(r"#[a-z]+", value), (tag, value)
        assert name not in ("class", "id") or re.fullmatch(r"[a-z0-9 -]*", value), (tag, value)


def test_templates_in_data_are_not_run(hostile: str) -> None:
    """A brace in a text is a brace."""
    assert "{{ 7 * 191 }}" in Reader(hostile).text
    assert "1337" not in hostile


def test_hidden_characters_are_spelled_out(hostile: str) -> None:
    """No control, bidirectional or zero-width character of a text reaches the page."""
    assert not re.findall("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\u00ad\x00-\x08\x0b-\x1f\x7f-\x9f]", hostile)
    for shown in ("\u241b[31m", "\u27e6U+202E\u27e7", "\u27e6U+200B\u27e7"):
        assert shown in hostile


def test_the_page_needs_nothing_and_forbids_everything(hostile: str) -> None:
    """One style sheet, allowed by its digest; no script, no address, no import."""
    policy = next(value for tag, name, value in Reader(hostile).attributes if tag == "meta" and name == "content" and "default-src" in value)
    assert re.fullmatch(r"default-src 'none'; style-src 'sha256-[\w+/]+=*'; base-uri 'none'; form-action 'none'", policy)
    style = hostile.partition("<style>")[2].partition("</style>")[0]
    assert "@import" not in style
    assert "url(" not in style
    assert hostile.index("Content-Security-Policy") < hostile.index("<title>") < hostile.index("<style>")


def test_every_plot_is_well_formed(hostile: str) -> None:
    """Each drawing can be read by an XML parser."""
    drawings = re.findall(r"<svg.*?</svg>", hostile, re.DOTALL)
    assert len(drawings) > 30
    for drawing in drawings:
        ElementTree.fromstring(drawing)  # noqa: S314 - our own


@pytest.mark.parametrize("points", [[[1.0, 0.0]], [[0.0, 5.0], [0.0, 5.0]], [[n, 1e-9 * n] for n in range(50)], [[n, -1e12 * n] for n in range(50)]])
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
    assert (show.number(None), show.number(1234567), show.number(0.00049), show.number(-0.0)) == ("\u2013", "1,234,567", "0.000", "0.000")
    assert (show.seconds(3.21), show.seconds(600), show.seconds(7200)) == ("3.2 s", "10 min", "2.0 h")
    assert show.discreet("https://me:secret@host/v1") == "https://\u2026@host/v1"
    assert show.cut("x" * 30_000).endswith("[10,000 more characters]")


def test_the_stage_writes_page_and_numbers(run: dict[str, Artifact], tmp_path: Path) -> None:
    """The JSON holds what the page shows, in ASCII, so that printing it in a terminal is safe."""
    work = cast("Any", SimpleNamespace(draft=Draft(tmp_path)))
    told = report(work, *run.values(), None, cfg=Report(title="A title", examples=3))
    table = json.loads((tmp_path / "report.json").read_text(encoding="ascii"))
    assert (table["title"], len(table["chains"]), table["summary"]) == ("A title", 3, told["summary"])
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page(table)
    assert report.version == 1
