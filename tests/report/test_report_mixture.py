"""The page shows what became of every source's rows on their way into the preference data."""

from dataclasses import replace
from pathlib import Path

from made_up import made_up
from reading import rendered

HOSTILE = "<img src=x onerror=alert(1)>"


def test_what_left_and_why_is_shown_by_source(tmp_path: Path) -> None:
    """With the effective size; a source of which nothing left says so; a reason that is markup is text."""
    run = made_up(tmp_path)
    facts = dict(run["combine"].facts)
    sources = facts["metrics"]["sources"]
    flow = {"ai-labeler": {"pairs in": 3, "near-duplicate": 1, HOSTILE: 2}, "thumbs": {"thumbs in": 3}}
    weighed = sources | {"ai-labeler": sources["ai-labeler"] | {"effective": 1.75}}
    facts["metrics"] = facts["metrics"] | {"flow": flow, "sources": weighed}
    run["combine"] = replace(run["combine"], facts=facts)
    page = rendered(list(run.values()))
    assert f"2 {HOSTILE}; 1 near-duplicate" in page.text
    assert "1.75" in page.text
    assert "all went in" in page.text
    assert "img" not in page.tags


def test_a_mixture_of_which_nothing_is_told_has_no_such_table(tmp_path: Path) -> None:
    """Runs of earlier versions keep their pages."""
    assert "On the way" not in rendered(list(made_up(tmp_path).values())).text
