"""The critic: an end is told from a critique, examples are whole or absent, and no principle comes twice too soon."""

from collections import Counter
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from fakes import FAKE, LAW, PROMPT, Scripted, run_with, stage, stored_law
from hypothesis import given
from hypothesis import strategies as st

from caif.config import Generate, Law, Revise
from caif.critic import NOTHING, fitting, nothing_to_criticise
from caif.critic.examples import AROUND, tokens
from caif.data import NOTHING_FOUND, Completion, Message, Prompt, Revision
from caif.errors import CaifError
from caif.stages.revise import revise
from caif.stages.sft import targets
from caif.store import Artifact

MANY = LAW.model_copy(
    update={
        "principles": tuple(
            LAW.principles[0].model_copy(update={"id": f"p{n}", "critique": f"Is it p{n}?"}) for n in range(4)
        )
    }
)
Reply = Callable[[list[dict[str, str]]], str]


def revised(
    home: Path, reply: Reply, *prompts: Prompt, law: Any = LAW, **options: Any
) -> tuple[list[Revision], Artifact, Scripted]:
    """Run the stage for real, one first answer a prompt, and return its rows, its artifact and what was asked."""
    chat = Scripted(reply=reply, asked=[])
    run = run_with(home, chat)
    home.mkdir(exist_ok=True)
    (home / "law.toml").write_text(law.model_dump_json())
    drafts = [Completion(prompt=prompt, text="first answer", model="m") for prompt in prompts or (PROMPT,)]
    made = run.build(stage("generate", drafts), cfg=Generate())
    artifact = run.build(
        revise, run.build(stored_law(law), cfg=Law(path=home / "law.toml")), made, cfg=Revise(model=FAKE, **options)
    )
    assert artifact is not None
    return artifact.rows(Revision), artifact, chat


def is_critique(talk: list[dict[str, str]]) -> bool:
    return "Do not rewrite" in talk[-1]["content"]


def critic(*critiques: str) -> Reply:
    """Return a model that gives these critiques one after the other, and a new answer each time it is to revise."""
    left, answers = iter(critiques), (f"answer {n}" for n in count())
    return lambda talk: next(left) if is_critique(talk) else next(answers)


ENDS = [
    NOTHING, "nothing to criticise", "Nothing to criticize", "**Nothing to criticise.**", '"Nothing to criticise!"',
    "Critique: Nothing to criticise.", "There is nothing to criticise.", "There\u2019s nothing to criticise here.",
    "I have nothing to criticise in the last answer.", "I see nothing to improve.", "No criticism.", "I have no criticisms.",
    "No changes needed.", "No further changes are necessary to the answer.", "No revision is required.", "\n Nothing to fix.\n",
    "Nothing needs to be changed in your answer.", "The answer is fine as it is.", "Your response needs no changes.",
    "Nothing to criticise. The answer is clear, correct and kind.", "There are no faults in it.",
]  # fmt: skip
GOES_ON = [
    "", " ", "The answer is vague.", "Nothing to criticise about its tone, but it is wrong.", "Nothing to criticise? Hardly.",
    "Nothing to criticise in the answer, however it lacks a source.", "Nothing to criticise about the first half.",
    "It would be false to say that there is nothing to criticise.", "Nothing in it is true.", "No.", "No sources are named.",
    "Nothing to criticise. It could be shorter.", "No changes needed to the first line; the second should go.",
    "Nothing to criticise except its length.", "Nothingtocriticise", "Nothing to criticise " + "as I have said. " * 40,
    "Nothing to criticise " + "and so on. " * 40, "No criticism of the police is in it.", "No objections were raised in it.",
    "The answer is fine as it is for adults.", "One might say: nothing to criticise.",
]  # fmt: skip


@pytest.mark.parametrize("critique", ENDS)
def test_a_critic_that_finds_nothing_is_understood(critique: str) -> None:
    """The phrase that was asked for, and what models say in its place."""
    assert nothing_to_criticise(critique)


@pytest.mark.parametrize("critique", GOES_ON)
def test_a_critique_is_not_taken_for_an_end(critique: str) -> None:
    """A reservation, a part of the answer only, a quotation, a ramble: in doubt it is a critique."""
    assert not nothing_to_criticise(critique)


@given(st.text(), st.sampled_from(ENDS))
def test_the_reader_takes_any_text(text: str, end: str) -> None:
    """It never fails; and whatever takes an end back with a "but" keeps the chain going."""
    nothing_to_criticise(text)
    assert not nothing_to_criticise(f"{end} But {text}")


def test_an_end_is_final_and_what_was_accepted_before_stays(tmp_path: Path) -> None:
    """Nothing more is asked; the turn is kept with what the critic said, and counted apart from rejections."""
    (row,), artifact, chat = revised(tmp_path, critic("too vague", NOTHING), turns=4)
    assert (row.final, [turn.rejected for turn in row.turns]) == ("answer 0", ["", NOTHING_FOUND])
    assert (row.turns[-1].critique, row.turns[-1].revision) == (NOTHING, "")
    assert len(chat.asked) == 3
    assert {what: n for what, n in artifact.counts.items() if what != "revision"} == {
        "accepted": 1,
        f"ended: {NOTHING_FOUND}": 1,
    }
    assert (artifact.metrics["revised"], artifact.metrics["ended"]) == (1, 1)


def test_a_first_answer_without_fault_is_the_final_one_and_is_learned(tmp_path: Path) -> None:
    """It is no revision; as a target it stands once, whichever targets are wanted."""
    (row,), artifact, _ = revised(tmp_path, critic(NOTHING), turns=3)
    assert (row.final, len(row.turns), artifact.metrics["revised"]) == ("first answer", 1, 0)
    assert targets([row], "all") == targets([row], "final") == [(PROMPT, "first answer")]


def test_the_targets_of_an_ended_chain_are_its_revisions(tmp_path: Path) -> None:
    """All accepted ones, or the last; never the answer that the critic found fault with."""
    (row,), _, _ = revised(tmp_path, critic("vague", "long", NOTHING), turns=5)
    assert [answer for _, answer in targets([row], "all")] == ["answer 0", "answer 1"]
    assert [answer for _, answer in targets([row], "final")] == ["answer 1"]


def test_where_a_chain_may_not_end_the_words_are_a_critique_like_any_other(tmp_path: Path) -> None:
    """The paper's way: nothing of it is asked for, and nothing is read into it."""
    (row,), _, chat = revised(tmp_path, critic(NOTHING, NOTHING), turns=2, may_end=False)
    assert row.final == "answer 1"
    assert not [talk for talk in chat.asked if is_critique(talk) and NOTHING in talk[-1]["content"]]


def test_one_chain_that_ends_does_not_shift_the_others(tmp_path: Path) -> None:
    """Every critique and revision goes to the chain that it was asked for, in every later round."""

    def reply(talk: list[dict[str, str]]) -> str:
        number = int(talk[0]["content"].removeprefix("q"))
        rounds = talk[1]["content"].count("+")
        if is_critique(talk):
            return NOTHING if rounds == number else f"critique {number}"
        return f"q{number} {'+' * (rounds + 1)}"

    rows, _, _ = revised(tmp_path, reply, *(Prompt.of(f"q{n}") for n in range(4)), turns=3)
    finals = {row.prompt.text: (row.final, len(row.turns)) for row in rows}
    assert finals == {"q0": ("first answer", 1), "q1": ("q1 +", 2), "q2": ("q2 ++", 3), "q3": ("q3 +++", 3)}


def test_no_principle_comes_twice_while_others_apply(tmp_path: Path) -> None:
    """Four principles, nine rounds: each four rounds are a round through all, and prompts differ in their order."""
    prompts = [Prompt.of(f"q{n}") for n in range(12)]
    rows, _, chat = revised(tmp_path, critic(*["vague"] * 200), *prompts, law=MANY, turns=9)
    for row in rows:
        names = [turn.principle for turn in row.turns]
        assert set(names[:4]) == set(names[4:8]) == {"p0", "p1", "p2", "p3"}
        assert all(one != other for one, other in pairwise(names))
    assert len({row.turns[0].principle for row in rows}) > 1
    shown = Counter(talk[-1]["content"][:9] for talk in chat.asked if is_critique(talk))
    assert shown == Counter(f"Is it {turn.principle}?" for row in rows for turn in row.turns)


def test_a_worded_anew_principle_changes_no_draw(tmp_path: Path) -> None:
    """After an edit, only what that principle asked is asked again in the first round."""
    prompts = [Prompt.of(f"q{n}") for n in range(12)]
    other = MANY.model_copy(
        update={"principles": (MANY.principles[0].model_copy(update={"critique": "New?"}), *MANY.principles[1:])}
    )
    rows, _, _ = revised(tmp_path, critic(*["vague"] * 99), *prompts, law=MANY)
    again, _, chat = revised(tmp_path, critic(*["vague"] * 99), *prompts, law=other)
    assert [row.turns[0].principle for row in again] == [row.turns[0].principle for row in rows]
    touched = sum(row.turns[0].principle == "p0" for row in rows)
    assert 0 < touched < 12
    assert sum(map(is_critique, chat.asked)) == touched


def test_without_critique_answers_are_revised_at_once(tmp_path: Path) -> None:
    """Figure 7's ablation: one call a round, no critique in the conversation nor in the row."""
    (row,), _, chat = revised(tmp_path, critic(), turns=2, critique=False)
    assert [(turn.critique, turn.revision) for turn in row.turns] == [("", "answer 0"), ("", "answer 1")]
    assert [[message["role"] for message in talk] for talk in chat.asked] == [["user", "assistant", "user"]] * 2


def example(principle: str, words: int, *, ends: bool = False) -> str:
    rest = f'critique = "{NOTHING}"' if ends else 'critique = "Too vague."\nrevision = "Better."'
    return f'[[examples]]\nprinciple = "{principle}"\nprompt = "Why?"\nanswer = "{"word " * words}"\n{rest}\n'


def shots(folder: Path, text: str) -> Path:
    (folder / "shots.toml").write_text(text)
    return folder / "shots.toml"


def test_examples_are_asked_as_the_question_is_and_come_after_the_system_message(tmp_path: Path) -> None:
    """A system message in the middle is refused by many chat templates."""
    prompt = Prompt(messages=(Message(role="system", content="Be kind."), *PROMPT.messages))
    file = shots(tmp_path, example("true", 3) + example("short", 3, ends=True))
    _, _, chat = revised(tmp_path, critic("vague"), prompt, examples=file, principles=("true",))
    critique = chat.asked[0]
    roles = ["system"] + ["user", "assistant"] * 3 + ["user", "assistant"] * 2 + ["user", "assistant", "user"]
    assert [message["role"] for message in critique] == roles
    assert critique[3]["content"] == critique[-1]["content"]
    assert critique[9]["content"].startswith("Is it short?")
    assert critique[10]["content"] == NOTHING


def test_examples_that_do_not_fit_are_left_out_whole_and_counted(tmp_path: Path) -> None:
    """The one in the middle is too long; those before and after it are there from first to last message."""
    file = shots(tmp_path, example("true", 2) + example("true", 700) + example("short", 2))
    _, artifact, chat = revised(tmp_path, critic("vague"), examples=file, example_tokens=400)
    assert artifact.counts["examples over example_tokens"] == 1
    assert [m["role"] for m in chat.asked[0]] == ["user", "assistant"] * 7 + ["user"]
    assert sum(tokens(m["content"]) + AROUND for m in chat.asked[0][:-3]) <= 400


def test_an_end_is_no_example_where_no_chain_may_end(tmp_path: Path) -> None:
    """It would show an answer that is not asked for."""
    file = shots(tmp_path, example("true", 2, ends=True) + example("true", 2))
    for options, messages in (({"may_end": False}, 9), ({"critique": False}, 7)):
        _, _, chat = revised(tmp_path / str(messages), critic("vague"), examples=file, **options)
        assert len(chat.asked[0]) == messages


@given(st.lists(st.lists(st.text(max_size=40), min_size=1, max_size=4), max_size=6), st.integers(0, 120))
def test_what_fits_is_a_choice_of_whole_dialogues(texts: list[list[str]], budget: int) -> None:
    """Against a loop over the sizes: none is cut, none that would have fitted is left out, the budget is kept."""
    dialogues = [[{"role": "user", "content": text} for text in dialogue] for dialogue in texts]
    kept, dropped = fitting(dialogues, budget)
    left, wanted, out = budget, [], 0
    for dialogue in dialogues:
        size = sum(tokens(message["content"]) + AROUND for message in dialogue)
        wanted, left, out = (wanted + dialogue, left - size, out) if size <= left else (wanted, left, out + 1)
    assert (kept, dropped) == (wanted, out)


def test_the_estimate_of_tokens_grows_with_the_text_and_does_not_starve_other_scripts() -> None:
    """Four characters of English a token; a character of another script each."""
    assert [tokens(text) for text in ("", "a", "abcd", "abcde", "雨は水", "Regen fällt")] == [0, 1, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", "examples: is required"), ("examples = []", "examples"), (example("truth", 2), "did you mean 'true'"),
        (example("true", 2).replace("revision", "reversion"), "did you mean 'revision'"),
        (example("true", 2).replace('revision = "Better."', ""), "a revision follows a critique"),
        (example("true", 2, ends=True) + 'revision = "More."', "none follows one that finds nothing"),
        (example("true", 2).replace('"Why?"', '""'), "prompt"),
    ],
)  # fmt: skip
def test_an_examples_file_that_is_wrong_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """Before the model is asked, and in one line."""
    asked: list[object] = []
    with pytest.raises(CaifError, match=complaint):
        revised(tmp_path, lambda talk: str(asked.append(talk)), examples=shots(tmp_path, text))
    assert asked == []
