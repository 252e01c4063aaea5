"""What is counted in texts, and the intervals around means."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caif import metrics, text
from caif.audit.bootstrap import compare, interval, mean_by_prompt
from caif.data import Message, Prompt
from caif.errors import CaifError

PROMPT = Prompt.of("q")


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ("I'm sorry, but I can't help with that.", True), ("I\u2019m sorry, I can\u2019t do that.", True), ("I cannot give medical advice.", True),
        ("As an AI, I have no feelings.", True), ("Unfortunately, I am unable to say.", True), ("I apologize, but no.", True),
        ("It would be inappropriate.", False), ("Sorry to hear that! Here is what helps:", False), ("You can do it.", False), ("", False),
        ("Write to them: " + "dear sir, " * 30 + "I'm sorry to say that", False), ("The cannon fired.", False),
    ],
)  # fmt: skip
def test_a_refusal_is_known_by_how_it_begins(said: str, refusal: bool) -> None:
    """A later sentence may quote one."""
    assert text.refuses(said) is refusal


@pytest.mark.parametrize(
    ("said", "words", "sentences"),
    [
        ("", 0, 0),
        ("  ", 0, 0),
        ("One", 1, 1),
        ("One. Two!", 2, 2),
        ("Really?! Yes…", 2, 1),
        ("3.14 is pi.", 3, 1),
        ("No end", 2, 1),
        ("A.\nB.", 2, 2),
    ],
)
def test_words_and_sentences_are_counted(said: str, words: int, sentences: int) -> None:
    """A number is no end of a sentence; a text without an end is one sentence."""
    assert (text.words(said), text.sentences(said)) == (words, sentences)


@given(st.text(alphabet=st.characters()))
def test_any_text_can_be_made_whole(said: str) -> None:
    """The result can be written, and a text that could be written is left as it is."""
    assert text.is_whole(text.whole(said))
    if text.is_whole(said):
        assert text.whole(said) == said


def test_the_built_in_metrics_give_0_or_1() -> None:
    """Ignoring case; an empty answer keeps within no limit."""
    example = metrics.matches(pattern="for example", at_least=2)
    assert [example(PROMPT, said) for said in ("For example, for EXAMPLE", "for example", "")] == [1.0, 0.0, 0.0]
    short = metrics.at_most(words=3, sentences=1)
    assert [short(PROMPT, said) for said in ("One two three.", "One two three four.", "A. B.", " ")] == [
        1.0,
        0.0,
        0.0,
        0.0,
    ]
    assert metrics.word_count()(PROMPT, "one two") == 2.0


def test_an_answer_to_something_else_is_told_from_one_to_the_question() -> None:
    """By words that they share; common words, endings and case do not count, earlier messages do."""
    on_topic = metrics.on_topic()
    asked = Prompt.of("Where do I find good Bakeries about town?")
    assert [on_topic(asked, said) for said in ("A BAKERY by the river.", "A book is a good book about one.", "")] == [1, 0, 0]
    turns = ("user", "I spilled coffee on a book."), ("assistant", "Buy a new one."), ("user", "It was signed. What now?")
    later = Prompt(messages=[Message(role=role, content=said) for role, said in turns])
    assert [on_topic(later, said) for said in ("Wipe the coffee off.", "Take a bath.")] == [1, 0]
    assert text.topics("Loans of glass, each a gift") == text.topics("loan GLASS gifts") == {"loan", "glass", "gift"}
    assert text.topics("What makes bread rise, and what means that?") == {"bread", "rise"}


def test_what_is_said_twice_is_repeated() -> None:
    """Three of the ten runs of three words in an empty answer stood there before; in an answer that goes on, none."""
    repeats = metrics.repeats()
    assert repeats(PROMPT, "A book is a book. For example, a book is a book.") == pytest.approx(0.3)
    assert [repeats(PROMPT, said) for said in ("One two three four.", "Too short", "")] == [0, 0, 0]
    assert metrics.repeats(run=1)(PROMPT, "One, one, ONE one") == 0.75


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 4))
def test_what_is_said_again_is_counted_as_by_hand(units: list[str], run: int) -> None:
    """Run by run, beside all that came before."""
    runs = [units[n : n + run] for n in range(len(units) - run + 1)]
    again = sum(one in runs[:n] for n, one in enumerate(runs))
    assert text.said_again(units, run) == pytest.approx(again / len(runs) if runs else 0)


def test_a_pattern_that_is_none_is_one_sentence() -> None:
    """Before anything is evaluated."""
    with pytest.raises(CaifError, match="no regular expression"):
        metrics.matches(pattern="(")
    assert issubclass(re.error, Exception)


def test_an_interval_covers_its_mean_and_shrinks_with_more_prompts() -> None:
    """Four times the prompts, half the width; the same seed, the same interval."""
    few, many = [0.0, 1.0] * 25, [0.0, 1.0] * 100
    narrow, wide = interval(many, 2000, 0), interval(few, 2000, 0)
    assert wide["low"] < wide["mean"] == 0.5 < wide["high"]
    assert (wide["high"] - wide["low"]) / (narrow["high"] - narrow["low"]) == pytest.approx(2, rel=0.2)
    assert interval(few, 2000, 0) == wide
    assert wide["high"] - 0.5 == pytest.approx(1.96 * 0.5 / math.sqrt(50), rel=0.15)


def test_one_prompt_has_no_interval_but_itself() -> None:
    """No spurious width, no crash."""
    assert interval([0.3], 100, 0) == {"mean": 0.3, "low": 0.3, "high": 0.3, "n": 1}


def test_the_mean_of_nothing_is_one_sentence() -> None:
    """A policy that answers nothing usable is told, not averaged."""
    with pytest.raises(CaifError, match="nothing to average"):
        interval([], 100, 0)


def test_differences_are_paired_by_prompt() -> None:
    """A constant gain on very different prompts is a sure gain; prompts that only one side has do not count."""
    before = {f"p{n}": float(n) for n in range(50)}
    after = {prompt: value + 1 for prompt, value in before.items()} | {"other": 1000.0}
    gap = compare({"before": before, "after": after}, 500, 0)["after - before"]
    assert gap == {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 50}


def test_answers_to_one_prompt_are_one_number() -> None:
    """METHODS (b) 10: prompts are what is redrawn, so each counts once."""
    assert mean_by_prompt([("p", 1.0), ("p", 3.0), ("q", 5.0)]) == {"p": 2.0, "q": 5.0}
