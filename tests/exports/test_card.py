"""The card: what it tells, from made-up facts in a golden file; and that nothing in it does anything."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from labelled import ALL, UP, made_in
from markdown_it import MarkdownIt

from caif.constitution import FILE, Constitution, Principle
from caif.exports.card import card, code, head
from caif.exports.whole import export
from caif.store import Artifact

GOLDEN = Path(__file__).parent / "golden" / "card.md"
LAW = Constitution(
    name="law",
    objectives={"honesty": "The answer is true.", "helpfulness": "The answer is of use."},
    principles=(
        Principle(
            id="true", objective="honesty", critique="Is it true?", revision="Make it true.", compare="Which is truer?"
        ),
    ),
)
ESTIMATE = {"mean": 0.75, "low": 0.5, "high": 0.9, "n": 40}
REPORT: dict[str, Any] = {
    "sources": [
        {"label": "ai-labeler", "by": "a judge", "judges": ["judge-1"], "flips": ESTIMATE, "people": {"all": ESTIMATE},
         "tested": [{"judge": "judge-1 by logprobs", "check": "swapped", "passed": True},
             {"judge": "judge-1 by logprobs", "check": "negated", "passed": False}]},
        {"label": "people", "by": "people", "judges": [], "flips": None, "people": {"all": None}, "tested": []},
    ],
    "raters": {"signals": 1, "agreement": {"pairs": {
        "items": 12, "raw": ESTIMATE, "alpha": ESTIMATE, "ac1": ESTIMATE, "prevalence": ESTIMATE}, "thumbs": None}},
    "cautions": [{"about": "ai-labeler", "text": "Its judge failed the test of negated."}],
}  # fmt: skip
HOSTILE = "<script>alert(1)</script> ``` {{ 7*7 }} {% raw %} | \\| [x](http://evil.example) ![y](z) \u202e<img src=x onerror=a>\n# head"


def run(folder: Path, law: Constitution = LAW, report: dict[str, Any] | None = REPORT, **facts: Any) -> list[Artifact]:
    """Return a run's artifacts: a constitution, a mixture of labels of every sort, and a report."""
    flow = {"people": {"pairs in": 5, "duplicate merged": 1}}
    made = [
        made_in(folder / "law", [], "constitution"),
        made_in(folder / "mixed", ALL, metrics={"flow": flow}, **facts),
    ]
    (made[0].folder / FILE).write_text(law.model_dump_json())
    if report:
        made.append(made_in(folder / "report", [], "report"))
        (made[2].folder / "report.json").write_text(json.dumps(report))
    return made


def written(tmp_path: Path, to: str = "trl", licences: dict[str, str] | None = None, **options: Any) -> str:
    """Return the card of an export of such a run."""
    export(run(tmp_path / "store", **options), to, tmp_path / "out", licences=licences)
    return (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_the_card_tells_all_that_is_known(tmp_path: Path, same_as: Callable[[Path, str], None]) -> None:
    """Golden: constitution and digests, judges and tests, agreement, counts and reasons, licences, raters, limits."""
    config = {"heldout": 0.2, "evaluation_sets": ["/home/someone/trivia.txt"]}
    same_as(GOLDEN, written(tmp_path, licences={"people": "CC-BY-4.0"}, config=config))


def test_a_run_without_a_report_or_constitution_says_so(tmp_path: Path) -> None:
    """Nothing is made up for what is not there."""
    export([made_in(tmp_path / "store", ALL)], "openai", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "The run has kept no constitution." in text
    assert "The run has no report, so this card does not say" in text


def test_the_head_is_what_hubs_read(tmp_path: Path) -> None:
    """YAML between two lines of dashes; one licence that is not declared makes the whole unknown."""
    begun, _, rest = written(tmp_path, licences={"people": "MIT"}).removeprefix("---\n").partition("---\n")
    table = yaml.safe_load(begun)
    assert rest.startswith("# ")
    assert table["license"] == "unknown"
    assert {one["config_name"] for one in table["configs"]} == {"preference", "unpaired"}
    assert table["size_categories"] == ["n<1K"]


@pytest.mark.parametrize(
    ("licences", "told"),
    [
        ({"a": ["MIT"], "b": ["mit"]}, "mit"),
        ({"a": ["cc0-1.0"], "a+b": ["cc0-1.0", "MIT"]}, ["cc0-1.0", "mit"]),
        ({"a": ["mit"], "a+b": ["mit", ""]}, "unknown"),
    ],
)
def test_a_licence_is_that_of_all_sources(licences: dict[str, list[str]], told: object) -> None:
    """Never that of some of them."""
    facts = {
        "files": {"preference/train.jsonl": 1000},
        "law": None,
        "licences": licences,
    }
    assert head(facts)["license"] == told
    assert head(facts)["size_categories"] == ["1K<n<10K"]


def test_a_row_of_several_sources_has_the_licences_of_all(tmp_path: Path) -> None:
    """As fused labels and pairs of two sources' thumbs are."""
    rows = [row.but(source="ai+people") for row in ALL]
    export([made_in(tmp_path / "store", rows)], "openai", tmp_path / "out", licences={"ai": "MIT"})
    assert "| `ai+people` | 3 | 0 | `MIT`, not declared |" in (tmp_path / "out" / "README.md").read_text(
        encoding="utf-8"
    )


def test_nothing_in_a_card_does_anything(tmp_path: Path) -> None:
    """Rendered with HTML allowed, hostile names, principles and reasons are text: no tag, link, image, heading, new cell."""
    law = LAW.model_copy(
        update={
            "objectives": {"honesty": HOSTILE},
            "principles": (LAW.principles[0].model_copy(update={"compare": HOSTILE}),),
        }
    )
    report = {**REPORT, "cautions": [{"text": HOSTILE}]}
    plain = MarkdownIt("commonmark", {"html": True}).enable("table")
    text = written(tmp_path, law=law, report=report, config={"weights": {HOSTILE: 1.0}})
    hostile, tame = plain.render(text), plain.render(written(tmp_path / "2"))
    assert "alert(1)" in hostile
    assert "{{ 7*7 }}" in hostile
    assert "\u202e" not in hostile
    for tag in ("<script", "<img", "<a "):
        assert tag not in hostile
    assert hostile.count("<h1") == tame.count("<h1")
    for row in hostile.split("<tr>")[1:]:
        assert row.count("<td") in (0, 2, 3, 4, 6)


@pytest.mark.parametrize("text", ["", "a", "`", "``a`", "a|b", "\n\n", "\x1b[0m", "x" * 5000])
def test_a_text_is_code_whatever_stands_in_it(text: str) -> None:
    """One span, on one line, short enough to be read."""
    shown = MarkdownIt().renderInline(code(text))
    assert shown.startswith("<code>")
    assert shown.endswith("</code>")
    assert shown.count("<code>") == 1
    assert len(shown) < 400


def test_facts_and_template_are_of_one_mind() -> None:
    """A fact that is missing is an error, not an empty place."""
    with pytest.raises(Exception, match="undefined"):
        card({"files": {}, "law": None, "licences": {"a": [""]}})


def test_people_behind_rows_made_of_several_labels_are_counted(tmp_path: Path) -> None:
    """A pair made of thumbs names no rater, so its mixture says how many there are."""
    made = made_in(tmp_path / "store", [ALL[0]], metrics={"raters": 7})
    export([made], "trl", tmp_path / "out")
    assert "so people for all that is known here: 7." in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_only_files_that_are_there_are_loaded(tmp_path: Path) -> None:
    """A stage of thumbs alone has no pairs, and nothing was held out."""
    thumbs = [made_in(tmp_path / "store", [UP])]
    for to in ("trl", "llama-factory", "openrlhf", "caif"):
        export(thumbs, to, tmp_path / to)
        text = (tmp_path / to / "README.md").read_text(encoding="utf-8")
        how = text.partition("```text\n")[2].partition("```")[0]
        assert "unpaired" in how
        assert "preference" not in how
        assert "heldout" not in how


def test_what_reading_could_not_use_is_told_of_the_sources_that_are_there(tmp_path: Path) -> None:
    """Beside what the mixture did with the rest; a source of which nothing is exported is no concern of the card's."""
    counts = {"preference": 5, "rejected: draw": 3, "duplicate row": 1}
    read = [
        made_in(tmp_path / name, [], name, by="collect", counts=counts | {"preference": 0})
        for name in ("people", "elsewhere")
    ]
    export([*run(tmp_path / "store"), *read], "trl", tmp_path / "out")
    told = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    for line in ("| `rejected: draw` | 3 |", "| `duplicate row` | 1 |", "| `pairs in` | 5 |"):
        assert f"| `people` {line}" in told
    assert "elsewhere" not in told
