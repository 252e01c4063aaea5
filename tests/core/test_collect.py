"""Collecting runs one source and keeps all it says: nothing it turned away or failed at disappears."""

from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import LAW, PROMPT, config, stage, stored_law

from caif import plugins
from caif.config import Law, Prompts, Source
from caif.content import Row
from caif.data import Comparison, Judgement, Origin, Preference, Prompt, Rating, Rejected, Tested
from caif.errors import FAILED, WRONG, CaifError
from caif.hookspecs import FeedbackContext, hookimpl
from caif.run import Run, Tell
from caif.stages.collect import collect
from caif.store import Artifact

LABEL = Preference(prompt=PROMPT, chosen="x", rejected="y", probability=0.8, objective="honesty")
COMPARED = Comparison(prompt=PROMPT, a="x", b="y")


def collected(
    home: Path, say: Callable[[FeedbackContext], Iterable[Any]], prompts: list[Prompt] | None = None
) -> Artifact:
    """Run the stage for real with a source that says this."""

    @hookimpl
    def caif_feedback_sources() -> dict[str, Any]:
        return {"mine": lambda: say}

    run = Run(config(), home, plugins.load(objects=[SimpleNamespace(caif_feedback_sources=caif_feedback_sources)]))
    law = run.build(stored_law(), cfg=Law(path=home / "law.toml"))
    asked = run.build(stage("prompts", prompts or [PROMPT]), cfg=Prompts(use="jsonl"))
    artifact = run.build(collect, law, asked, cfg=Source(use="mine", name="my.source-2"), name="my.source-2")
    assert artifact is not None
    return artifact


def judgement(verdict: str, **fields: Any) -> Judgement:
    about = {"comparison": COMPARED, "principle": "p", "objective": "o", "judge": "j"}
    return Judgement(**about | {"verdict": verdict} | fields)


def test_every_row_is_kept_and_every_failure_counted(tmp_path: Path) -> None:
    """Preferences, thumbs, judgements and rejected rows each in their table; failures by kind, rejections by reason."""
    rows: list[Row] = [
        LABEL, Rating(prompt=PROMPT, completion="x", up=True, objective="o"), judgement("a", p_a=0.8), judgement("tie", p_a=0.5),
        judgement("refused"), judgement("error", reason="timeout"), judgement("error", reason="HTML"),
        Rejected(where="f:1", reason="identical answers"), Rejected(where="f:2", reason="identical answers"),
    ]  # fmt: skip
    made = collected(tmp_path, lambda _: rows)
    assert [len(made.rows(kind)) for kind in (Preference, Rating, Judgement, Rejected)] == [1, 1, 5, 2]
    told = {what: n for what, n in made.counts.items() if ":" in what}
    assert told == {
        "verdict: a": 1,
        "verdict: tie": 1,
        "verdict: refused": 1,
        "verdict: error": 2,
        "rejected: identical answers": 2,
    }


def test_a_row_said_twice_is_kept_once_and_counted(tmp_path: Path) -> None:
    """An opinion repeated is not two opinions."""
    made = collected(tmp_path, lambda _: [LABEL, LABEL, LABEL])
    assert made.rows(Preference) == [LABEL]
    assert made.counts["duplicate row"] == 2


def test_two_strangers_who_say_the_same_are_two(tmp_path: Path) -> None:
    """Where nobody is named the record tells them apart; one record said twice, or one rater's two, are still one."""
    thumb = Rating(prompt=PROMPT, completion="x", up=True, objective="o")
    records = [thumb.but(origin=Origin(raw=f"votes.jsonl:{n}")) for n in (1, 2, 1)]
    named = [row.but(rater="r") for row in records]
    made = collected(tmp_path, lambda _: [*records, *named])
    assert [(row.rater, row.origin.raw) for row in made.rows(Rating)] == [
        ("", "votes.jsonl:1"), ("", "votes.jsonl:2"), ("r", "votes.jsonl:1"),
    ]  # fmt: skip
    assert made.counts["duplicate row"] == 3


def test_a_source_is_shown_rows_that_are_read_as_it_asks(tmp_path: Path) -> None:
    """As in the README: by position, in steps, again and again."""
    seen: list[FeedbackContext] = []
    prompts = [Prompt.of(f"q{n}") for n in range(9)]
    collected(tmp_path, lambda context: (seen.append(context), [LABEL])[1], prompts)  # type: ignore[func-returns-value]
    shown = seen[0].prompts
    assert (len(shown), shown[0], shown[-1], list(shown[::2])) == (9, prompts[0], prompts[-1], prompts[::2])
    assert list(zip(shown[::2], shown[1::2], strict=False)) == list(zip(prompts[::2], prompts[1::2], strict=False))
    assert list(shown) == list(shown) == prompts
    assert list(seen[0].samples) == []


def test_a_source_without_a_usable_row_fails_with_its_reasons(tmp_path: Path) -> None:
    """RELIABILITY 13: a judge that only likes a place gives ties alone, so the run stops and says so."""
    with pytest.raises(CaifError, match=r"no usable rows \(2 verdict: tie, 1 rejected: identical answers\)") as caught:
        collected(
            tmp_path,
            lambda _: [
                judgement("tie", p_a=0.5),
                judgement("tie", p_a=0.5, judge="k"),
                Rejected(where="f", reason="identical answers"),
            ],
        )
    assert caught.value.code == FAILED
    with pytest.raises(CaifError, match=r"1 verdict: invalid; the first: no letter.*take another judge or method"):
        collected(tmp_path, lambda _: [judgement("invalid", reason="no letter")])
    with pytest.raises(CaifError, match="it gave nothing"):
        collected(tmp_path, lambda _: [])


def test_a_judge_that_fails_what_is_known_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes on with `selftest = "warn"` warns: who only looks at the terminal must not miss it."""
    warned: list[str] = []
    monkeypatch.setattr(Tell, "warn", lambda _, text: warned.append(text))
    about = {"judge": "j", "asked": 3, "reason": "", "source": "mine"}
    ok, bad = (Tested(check=c, passed=p, right=0, **about) for c, p in (("swapped", True), ("garbage", False)))
    collected(tmp_path, lambda _: [ok, bad, LABEL])
    assert warned == ["my.source-2: its judge fails tests (garbage); the report says how"]


def test_a_labelers_mistakes_that_its_judgements_show_are_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it never heard of a self-test: the terminal warns, and the report has the reason."""
    warned: list[str] = []
    monkeypatch.setattr(Tell, "warn", lambda _, text: warned.append(text))
    same = Comparison(prompt=PROMPT, a="x", b="x")
    made = collected(tmp_path, lambda _: [judgement("a", p_a=0.8).but(comparison=same), LABEL])
    (test,) = made.rows(Tested)
    assert (test.check, test.passed, test.source, test.judge) == (
        "identical answers",
        False,
        "my.source-2",
        "j by logprobs",
    )
    assert warned == ["my.source-2: its judge fails tests (identical answers); the report says how"]


@pytest.mark.parametrize("row", [PROMPT, COMPARED, {"chosen": "x"}, None, "x"])
def test_a_source_may_not_yield_anything_else(tmp_path: Path, row: object) -> None:
    """A dict that looks like a preference was never checked."""
    with pytest.raises(CaifError, match=f"may not yield a {type(row).__name__}") as caught:
        collected(tmp_path, lambda _: [LABEL, row])
    assert caught.value.code == WRONG


def test_a_source_is_never_shown_a_held_out_prompt(tmp_path: Path) -> None:
    """What is evaluated on is not labelled."""
    seen: list[FeedbackContext] = []
    heldout = Prompt.of("held out").but(split="heldout")
    collected(tmp_path, lambda context: (seen.append(context), [LABEL])[1], [PROMPT, heldout])  # type: ignore[func-returns-value]
    assert list(seen[0].prompts) == [PROMPT]
    assert seen[0].constitution == LAW
    assert seen[0].source == "my.source-2"


def test_feedback_about_an_objective_that_the_constitution_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would become a reward of its own, which nobody asked for; the rows are kept, and counted in the warning."""
    warned: list[str] = []
    monkeypatch.setattr(Tell, "warn", lambda _, text: warned.append(text))
    known = next(iter(LAW.objectives))
    rows = [LABEL.but(objective=f"{known}s"), LABEL.but(objective=f"{known}s", chosen="z"), LABEL.but(objective=known)]
    made = collected(tmp_path, lambda _: rows)
    assert made.rows(Preference) == rows
    assert warned == [
        f"my.source-2: the constitution lacks objective '{known}s', which 2 of its rows are about; did you mean {known!r}?"
    ]
