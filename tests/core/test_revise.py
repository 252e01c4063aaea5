"""Critique and revision: a bad revision is never passed on, the next turn sees answers and no critique."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import FAKE, LAW, PROMPT, Scripted, context, run_with, stage, stored_law
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from caif.config import Generate, Law, Revise
from caif.critic import critique_messages, fault, revision_messages
from caif.data import Completion, Preference, Prompt, Revision
from caif.errors import CaifError
from caif.hookspecs import Answer, Question
from caif.sources.critique_revise import critique_revise
from caif.stages.revise import revise
from caif.stages.sft import targets
from caif.store import Artifact

TRUE = LAW.principles[0]
Reply = Callable[[list[dict[str, str]]], str | AIMessage]


def revised(
    home: Path, chat: Scripted, *texts: str, prompt: Prompt = PROMPT, **options: Any
) -> tuple[list[Revision], Artifact]:
    """Run the stage for real on these first answers, and return its rows and its artifact."""
    run = run_with(home, chat)
    drafts = [
        Completion(prompt=prompt, text=text, model="m", sample=n) for n, text in enumerate(texts or ("first answer",))
    ]
    law = run.build(stored_law(), cfg=Law(path=home / "law.toml"))
    made = run.build(stage("generate", drafts), cfg=Generate())
    artifact = run.build(revise, law, made, cfg=Revise(model=FAKE, **options))
    assert artifact is not None
    return artifact.rows(Revision), artifact


def asks_for_critique(talk: list[dict[str, str]]) -> bool:
    return "Do not rewrite" in talk[-1]["content"]


def replies(critique: str | AIMessage, *revisions: str | AIMessage) -> Scripted:
    """Return a model that gives one critique always and one revision after the other."""
    left = iter(revisions)
    return Scripted(reply=lambda talk: critique if asks_for_critique(talk) else next(left), asked=[])


@pytest.mark.parametrize(
    ("answer", "revision", "why"),
    [
        ("An answer.", "A better answer.", ""), ("An answer.", "", "empty"), ("An answer.", " \n ", "empty"),
        ("An answer.", "An answer.", "identical to the answer"), ("An  answer.\n", "An answer.", "identical to the answer"),
        ("An answer.", "Revision: a better one.", "begins with a label instead of an answer"),
        ("An answer.", "**Revised answer:** better", "begins with a label instead of an answer"),
        ("An answer.", "Critique: it is bad", "begins with a label instead of an answer"),
        ("An answer.", "CritiqueRequest: what", "begins with a label instead of an answer"),
        ("An answer.", "Revision is needed in schools.", ""), ("An answer.", "Criticism: some say so.", ""),
        ("An answer.", "Better.<|im_end|>", "holds template markers"), ("An answer.", "[INST] go on [/INST]", "holds template markers"),
        ("An answer.", "Better.\n\nHuman: and now?", "holds template markers"), ("An answer.", "Tell the user: no.", ""),
        ("An answer.", "x" * 900, "far longer than the answer"), ("An answer.", "x" * 700, ""), ("y" * 1000, "x" * 3900, ""),
        ("y" * 1000, "x" * 4100, "far longer than the answer"), ("", "Something.", ""),
    ],
)  # fmt: skip
def test_a_bad_revision_is_told_by_its_fault(answer: str, revision: str, why: str) -> None:
    """METHODS 1.4: empty, unchanged, labelled, with template markers, far too long; and what only looks so passes."""
    assert fault(answer, revision, 4.0) == why


@given(st.text(), st.text())
def test_every_pair_of_texts_has_a_fault_or_none(answer: str, revision: str) -> None:
    """The check itself never fails, and never passes an answer that says nothing new."""
    why = fault(answer, revision, 4.0)
    assert why or (revision.strip() and revision.split() != answer.split())


def test_a_chain_continues_from_the_last_accepted_answer(tmp_path: Path) -> None:
    """A rejected turn is kept with its reason and skipped: the next one starts where the one before it left."""
    chat = replies("too vague", "second answer", "", "Revision: nothing", "third answer")
    (row,), _ = revised(tmp_path, chat, turns=4)
    assert [turn.rejected for turn in row.turns] == ["", "empty", "begins with a label instead of an answer", ""]
    assert (row.first, row.final) == ("first answer", "third answer")
    shown = [talk[-2]["content"] for talk in chat.asked if asks_for_critique(talk)]
    assert shown == ["first answer", "second answer", "second answer", "second answer"]


def test_no_critique_is_in_a_later_conversation(tmp_path: Path) -> None:
    """The paper drops it: each turn sees the conversation, the answer so far and one critique at most, its own."""
    chat = Scripted(
        reply=lambda talk: f"CRITIQUE-{len(talk)}" if asks_for_critique(talk) else f"answer {len(chat.asked)}", asked=[]
    )
    (row,), _ = revised(tmp_path, chat, turns=3)
    assert len(row.turns) == 3
    for talk in chat.asked:
        assert sum("CRITIQUE" in message["content"] for message in talk) == (not asks_for_critique(talk))
        assert [message["role"] for message in talk] == ["user", "assistant", "user"] + ["assistant", "user"] * (
            not asks_for_critique(talk)
        )


def test_a_final_answer_holds_no_critique(tmp_path: Path) -> None:
    """METHODS (b) 6: what is trained on is answers."""
    (row,), _ = revised(tmp_path, replies("it is vague", "a clear answer"), turns=1)
    assert row.final == "a clear answer"
    assert row.turns[0].critique == "it is vague"


@pytest.mark.parametrize("which", ["all", "final"])
def test_no_critique_reaches_what_is_learnt(tmp_path: Path, which: str) -> None:
    """METHODS (b) 6: tuning's targets and the pairs of critique-revise hold answers, under the prompt as it was asked."""
    chat = Scripted(
        reply=lambda talk: "CRITIQUE: vague" if asks_for_critique(talk) else f"answer {len(chat.asked)}", asked=[]
    )
    chains, _ = revised(tmp_path, chat, turns=2)

    def score(questions: Sequence[Question]) -> list[Answer]:
        first = [str(q.messages[-1]["content"]) for q in questions]
        best = chains[0].final or ""
        return [Answer("", "stop", (-0.1, -2.4) if t.rfind(best) < t.rfind("first") else (-2.4, -0.1)) for t in first]

    labels = list(critique_revise(judge=FAKE, selftest="off")(context(score=score, revisions=chains)))
    pairs = [row for row in labels if isinstance(row, Preference)]
    assert [(row.chosen, row.rejected, row.prompt) for row in pairs] == [("answer 4", "first answer", PROMPT)]
    assert targets(chains, which) == [(PROMPT, text) for text in ("answer 2", "answer 4")[0 if which == "all" else 1 :]]


def test_a_chain_without_an_accepted_turn_has_no_final_answer(tmp_path: Path) -> None:
    """The first answer is not passed off as a revision."""
    rows, artifact = revised(tmp_path, replies("fine", "first answer", ""), turns=2)
    assert rows[0].final is None
    assert artifact.counts["rejected: identical to the answer"] == artifact.counts["rejected: empty"] == 1
    assert artifact.metrics["revised"] == 0


@pytest.mark.parametrize("said", ["", AIMessage("", additional_kwargs={"refusal": "no"})])
def test_without_a_critique_no_revision_is_asked_for(tmp_path: Path, said: str | AIMessage) -> None:
    """A revision of nothing would be a guess, and would cost a call."""
    chat = replies(said, "a guess")
    (row,), artifact = revised(tmp_path, chat)
    assert len(chat.asked) == 1
    assert row.final is None
    assert row.turns[0].rejected.startswith("the model gave no critique")
    assert artifact.counts[f"rejected: {row.turns[0].rejected}"] == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (AIMessage("", additional_kwargs={"refusal": "no"}), "the model gave no answer (refused)"),
        (AIMessage("", response_metadata={"finish_reason": "content_filter"}), "the model gave no answer (filtered)"),
        (AIMessage("Half an answ", response_metadata={"finish_reason": "length"}), "cut off at the token limit"),
    ],
)
def test_a_revision_that_failed_is_told_by_its_kind(tmp_path: Path, said: AIMessage, why: str) -> None:
    """A refusal to revise is not a revision, nor is half a one."""
    (row,), _ = revised(tmp_path, replies("vague", said))
    assert (row.turns[0].rejected, row.final) == (why, None)


def test_one_chain_failing_does_not_shift_the_others(tmp_path: Path) -> None:
    """Every critique and revision goes to the chain that it was asked for."""

    def reply(talk: list[dict[str, str]]) -> str:
        number = talk[1]["content"].removeprefix("draft ")
        return (
            ("" if number == "1" else f"critique {number}")
            if asks_for_critique(talk)
            else f"revision {number} of {talk[-2]['content']}"
        )

    rows, _ = revised(tmp_path, Scripted(reply=reply, asked=[]), *(f"draft {n}" for n in range(4)))
    finals = {row.first: row.final for row in rows}
    assert finals == {f"draft {n}": None if n == 1 else f"revision {n} of critique {n}" for n in range(4)}


def test_held_out_prompts_and_failed_drafts_are_not_revised(tmp_path: Path) -> None:
    """Nothing that is trained on comes from a held-out prompt."""
    rows, _ = revised(tmp_path, replies("x", "y"), prompt=PROMPT.but(split="heldout"))
    assert rows == []
    rows, _ = revised(tmp_path / "2", replies("x", "y"), "   ")
    assert rows == []


def test_only_named_principles_are_used(tmp_path: Path) -> None:
    """`principles` narrows the draw; a wrong name is refused with a hint."""
    rows, _ = revised(tmp_path, replies("c", "a", "b", "d"), turns=3, principles=("short",))
    assert [turn.principle for turn in rows[0].turns] == ["short"] * 3
    with pytest.raises(CaifError, match="did you mean 'short'"):
        revised(tmp_path, replies("c", "a"), principles=("shorts",))


@pytest.mark.parametrize("text", ["{request}", "{principle.critique}", "{0}", "{", "}}", "%s", "\\1"])
def test_texts_with_braces_pass_unread(text: str) -> None:
    """P4: an answer, a prompt or a principle is never taken for a template."""
    principle = TRUE.model_copy(update={"critique": text, "revision": text})
    talk = critique_messages(Prompt.of(text), text, principle, may_end=False)
    assert [m["content"] for m in talk] == [text, text, f"{text} Do not rewrite the answer yet."]
    assert revision_messages(talk, text, principle)[-2]["content"] == text


def test_the_stage_gives_the_same_rows_from_the_ledger_alone(tmp_path: Path) -> None:
    """P2: made again from the answers on disk, with a model that would say something else now."""
    first, _ = revised(tmp_path, replies("vague", "a clear answer", "a clearer answer"), turns=2)
    for folder in (tmp_path / "store").iterdir():
        folder.rename(tmp_path / f"gone-{folder.name}")
    silent = replies("never asked")
    second, _ = revised(tmp_path, silent, turns=2)
    assert second == first
    assert silent.asked == []
