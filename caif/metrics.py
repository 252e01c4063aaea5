"""Metrics that come with caif: what a program can count in one answer, so that a principle's effect can be measured."""

import re

from caif import text
from caif.data import Prompt
from caif.errors import CaifError
from caif.hookspecs import Metric, hookimpl
from caif.sections.parts import Count


def matches(*, pattern: str, at_least: int = 1) -> Metric:
    """Whether a regular expression is found at least so often, as 0 or 1, ignoring case."""
    try:
        compiled = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    except re.error as error:
        raise CaifError(f"matches: {pattern!r} is no regular expression: {error}", "mend the pattern") from None
    return lambda _, answer: float(len(compiled.findall(answer)) >= at_least)


def at_most(*, words: int | None = None, sentences: int | None = None) -> Metric:
    """Whether an answer keeps within a number of words and of sentences, as 0 or 1. An empty answer does not."""

    def metric(_: Prompt, answer: str) -> float:
        fits_words = words is None or text.words(answer) <= words
        fits_sentences = sentences is None or text.sentences(answer) <= sentences
        return float(bool(answer.strip()) and fits_words and fits_sentences)

    return metric


def on_topic() -> Metric:
    """Whether an answer names anything that the conversation is about, as 0 or 1: a word of it that is no common one.

    For short answers in English, and many of them: a good answer may fail, one about something else passes if it is long
    enough to have a word in common, and where the conversation names nothing all fail.
    """
    return lambda prompt, answer: float(bool(text.topics(text.spoken(prompt.chat)) & text.topics(answer)))


def repeats(*, run: Count = 3) -> Metric:
    """Which share of an answer's runs of so many words stood in it before: much of an answer that says nothing.

    Words are runs of letters and digits, of which a language without spaces has few.
    """
    return lambda _, answer: text.said_again(re.findall(r"\w+", answer.lower()), run)


def word_count() -> Metric:
    """How many words an answer has."""
    return lambda _, answer: float(text.words(answer))


@hookimpl
def caif_metrics():
    """Offer the built-in metrics."""
    return {"matches": matches, "at-most": at_most, "words": word_count, "on-topic": on_topic, "repeats": repeats}
