"""The plugins that come with caif: each passes the check, and turns away what it cannot use."""

import gzip
import importlib.util
import json
import sys
import tracemalloc
from pathlib import Path

import pytest

import caif
from caif.testing import check_plugin

ESCALATIONS = '[[feedback]]\nuse = "escalations"\npath = "escalations.jsonl"\n'
HELP_DESK = '[[feedback]]\nuse = "support-tickets"\npath = "tickets.csv"\n'
HEADER = "question,answer,resolved,agent\n"


def module(file: Path):
    """Import a plugin from where it lies."""
    spec = importlib.util.spec_from_file_location(file.parent.name if file.stem == "__init__" else file.stem, file)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


# -- start: a test of a plugin --
def test_support_tickets_offer_a_source():
    """All options are typed, all hooks are real, and the part has the name that the README says."""
    assert check_plugin(module(PLUGINS / "support_tickets.py")) == {"caif_feedback_sources": ["support-tickets"]}


def test_plain_words_pay_the_share_of_short_words():
    """An answer without a word gets None: it is neither plain nor not."""
    reward = module(PLUGINS / "plain_words.py").reward(longest=4)
    answers = ["a dog ran home", "extraordinarily good", "...", ""]
    assert reward(["?"] * 4, answers) == [1.0, 0.5, None, None]


# -- end --
PLUGINS = Path(__file__).parents[2] / "plugins"
FILES = sorted([*PLUGINS.glob("*.py"), *PLUGINS.glob("*/*/__init__.py"), *Path(__file__).parent.glob("examples/*.py")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PLUGINS.parent)))
def test_every_plugin_passes_the_check(file):
    """Examples are copied, so they keep to the rules; the shipped ones are small enough to be read at a glance."""
    check_plugin(module(file))
    assert len(file.read_text().splitlines()) < 60


def test_a_ticket_that_is_neither_resolved_nor_not_is_turned_away_with_its_line(folder, run, shipped):
    """Every ticket is a thumb or a counted rejection; nothing is guessed at."""
    rows = [
        "Q1,A1, YES ,kim",
        "Q2,A2,no,",
        "Q3,A3,1,kim",
        "Q4,A4,,kim",
        ",A5,yes,kim",
        '"Q6\nmore",A6,yes,kim',
        "Q7,A7,no",
    ]
    (folder / "tickets.csv").write_text(HEADER + "\n".join(rows) + "\n")
    done = run(HELP_DESK, shipped / "support_tickets.py")
    assert [(r.prompt.text, r.up, r.rater) for r in done.rows("support-tickets", caif.Rating)] == [
        ("Q1", True, "kim"),
        ("Q2", False, ""),
        ("Q6\nmore", True, "kim"),
    ]
    assert [(r.where, r.reason) for r in done.rows("support-tickets", caif.Rejected)] == [
        ("tickets.csv:4", "ambiguous polarity"),
        ("tickets.csv:5", "resolved is empty"),
        ("tickets.csv:6", "question is empty"),
        ("tickets.csv:9", "wrong number of cells"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEADER, "no usable rows"),
        (HEADER + "Q,A,perhaps,kim\n", "ambiguous polarity"),
        ("question,answer,solved,agent\nQ,A,yes,kim\n", "no column 'resolved'"),
    ],
)
def test_an_export_without_one_usable_ticket_is_an_error(folder, run, shipped, text, says):
    """A file of another shape is not an empty data set."""
    (folder / "tickets.csv").write_text(text)
    with pytest.raises(caif.CaifError, match=says):
        run(HELP_DESK, shipped / "support_tickets.py")


def test_plain_words_reads_answers_as_chats_too():
    """TRL hands over a list of messages where the prompt is one."""
    plugin = module(PLUGINS / "plain_words.py")
    said = [[{"role": "assistant", "content": "plain words only, d'accord"}], "Überraschungen"]
    assert plugin.reward(longest=6)(prompts=[[], ""], completions=said, tags=[[], []]) == [1.0, 0.0]
    assert plugin.metric(longest=7)(caif.Prompt.of("?"), "") == 0.0


@pytest.fixture
def escalations(shipped, monkeypatch):
    """The packaged plugin as a module, as a program hands it over."""
    monkeypatch.syspath_prepend(str(shipped / "caif-escalations"))
    yield importlib.import_module("caif_escalations")
    del sys.modules["caif_escalations"]


def escalated(**changes):
    """One line of an export."""
    return {"prompt": "Where is it?", "bot_answer": "No idea.", "agent_answer": "On its way.", "agent": "kim"} | changes


def test_an_escalation_prefers_the_persons_answer(folder, run, escalations):
    """Chats keep their earlier turns; a line that cannot be used is turned away by number, and reading goes on."""
    talk = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Well?"},
    ]
    lines = [
        json.dumps(escalated()),
        '{"prompt": "cut off',
        json.dumps(escalated(agent_answer=" No idea. ")),
        json.dumps({k: v for k, v in escalated(prompt=talk, ticket=7).items() if k != "agent"}),
        json.dumps(escalated(prompt=talk[:2])),
        json.dumps(escalated(bot_answer=None)),
    ]
    (folder / "escalations.jsonl").write_bytes(gzip.compress("\n".join(lines).encode()))
    done = run(ESCALATIONS + "probability = 0.9\n", escalations)
    rows = done.rows("escalations", caif.Preference)
    assert [(r.chosen, r.rejected, r.probability, r.rater) for r in rows] == [
        ("On its way.", "No idea.", 0.9, "kim"),
        ("On its way.", "No idea.", 0.9, ""),
    ]
    assert len(rows[1].prompt.messages) == 3
    assert [(r.where, r.reason) for r in done.rows("escalations", caif.Rejected)] == [
        ("escalations.jsonl:2", "not JSON"),
        ("escalations.jsonl:3", "identical answers"),
        ("escalations.jsonl:5", "a prompt ends with a user message"),
        ("escalations.jsonl:6", "bot_answer is not text"),
    ]


@pytest.mark.parametrize("probability", [0.4, 1.2, "high"])
def test_a_probability_out_of_range_is_refused(folder, run, escalations, probability):
    """Below one half the bot's answer would be the better one."""
    (folder / "escalations.jsonl").write_text(json.dumps(escalated()))
    with pytest.raises(caif.CaifError, match="escalations: option probability: input should be"):
        run(f"{ESCALATIONS}probability = {json.dumps(probability)}\n", escalations)


def test_escalations_are_read_line_by_line(tmp_path, escalations):
    """The first pair is there before the second line is looked at, so no file is too large."""
    file = tmp_path / "escalations.jsonl"
    file.write_text(json.dumps(escalated()) + "\n" + "x" * 50_000_000)
    context = caif.FeedbackContext(
        source="s",
        prompts=[],
        samples=[],
        revisions=[],
        constitution=None,
        model=None,
        ask=None,
        score=None,
        read=None,
        seed=0,
    )
    tracemalloc.start()
    first = next(iter(escalations.escalations(file)(context)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert first.chosen == "On its way."
    assert peak < 5_000_000
