"""`caif feedback inspect`: what a file holds and what is odd about it, before anything is imported."""

import gzip
import json
from pathlib import Path

import pytest

from caif.data import Origin, Prompt, Rating
from caif.feedback.survey import survey, warnings

DATA = Path(__file__).parents[1] / "formats" / "data"
THUMB = {"prompt": "Who is ann@example.org?", "completion": "No idea.", "up": True, "rater": "ann"}


def thumb(n: int, *, up: bool = True, rater: str = "", **more) -> Rating:
    """Return a thumb on answer n."""
    return Rating(prompt=Prompt.of("a"), completion=str(n), up=up, objective="x", rater=rater, **more)


def test_the_numbers_of_a_file(write, caif):
    """Counts, polarity as read, raters, chats and time span, and the first place of each problem."""
    write(
        "in.jsonl",
        THUMB | {"at": 1700000000, "conversation": "c1", "reason": "short"},
        THUMB | {"completion": "Me.", "up": False, "at": 1700100000, "conversation": "c1", "correction": "Her."},
        THUMB | {"completion": "You.", "rater": "bob", "conversation": "c2"},
        {"prompt": "a", "chosen": "b", "rejected": "c", "rater": "ann"},
        {"prompt": "a", "chosen": "b", "rejected": "d", "probability": 0.5},
        THUMB | {"up": 0}, b"no JSON\n", THUMB | {"up": 0},
    )  # fmt: skip
    result = caif("feedback", "inspect", "in.jsonl", "--json")
    assert result.exit_code == 0, result.output
    table = json.loads(result.stdout)
    assert (table["format"], table["thumbs"], table["up"], table["down"]) == ("caif", 3, 2, 1)
    assert (table["pairs"], table["ties"], table["reasons"], table["corrections"]) == (2, 1, 1, 1)
    assert table["raters"] == {"known": 2, "rows": 4, "most_active": 0.75}
    assert (table["conversations"], table["span"]) == (2, ["2023-11-14", "2023-11-16"])
    problems = [(row["reason"], row["count"], row["first"]) for row in table["problems"]]
    assert problems == [("ambiguous polarity", 2, "in.jsonl:6"), ("not JSON", 1, "in.jsonl:7")]
    assert len(table["examples"]) == 5
    assert "ann@example.org" not in result.stdout
    assert [path.name for path in Path().iterdir()] == ["in.jsonl"], "nothing is written"


def test_what_is_shown_on_a_terminal(write, caif):
    """The same numbers as tables; what is personal, markup and escape sequences of the file do nothing there."""
    write("in.jsonl", THUMB | {"completion": "[/red] \x1b]0;owned\x07 call +49 30 1234567"}, THUMB | {"up": "[bold]"})
    said = caif("feedback", "inspect", "in.jsonl").stdout
    for word in ("caif (rows of in.jsonl have prompt, completion, up)", "1 up, 0 down (100% up)", "in.jsonl:2", "<email-1>", "[/red]",
                 "<phone-1>", "note: one person said it all"):  # fmt: skip
        assert word in " ".join(said.split()), said
    assert "\x1b" not in said
    assert "example.org" not in said


def test_ratings_of_a_table_count_as_they_were_told_and_never_as_guessed(write, caif):
    """The same file read both ways has opposite thumbs; without being told it is refused."""
    write("in.csv", b"q,a,score\nx,y,1\nx,z,0\nx,w,1\n")
    asked = ("feedback", "inspect", "in.csv", "--json", "--map", "prompt=q,response=a,rating=score")
    one, other = (json.loads(caif(*asked, "--up", up, "--down", down).stdout) for up, down in (("1", "0"), ("0", "1")))
    assert [(table["up"], table["down"]) for table in (one, other)] == [(2, 1), (1, 2)]
    for unsaid in ((), ("--up", "1"), ("--up", "1,0", "--down", "0")):
        result = caif(*asked, *unsaid)
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1), unsaid


def test_what_is_odd_is_said_with_what_to_do():
    """All thumbs one way, one rater, nobody named, and thumbs that contradict each other: warned of, nothing invented."""
    assert any("every thumb is up" in said for said in warnings(survey([thumb(1), thumb(2)])))
    assert any("every thumb is down" in said for said in warnings(survey([thumb(1, up=False), thumb(2, up=False)])))
    assert any("no row names its rater" in said for said in warnings(survey([thumb(1)])))
    assert any(
        "one person said it all" in said
        for said in warnings(survey([thumb(1, rater="a"), thumb(2, up=False, rater="a")]))
    )
    most = [thumb(n, up=n % 2 == 0, rater="a" if n else "b") for n in range(3)]
    assert [said for said in warnings(survey(most))] == [
        "one rater gave 67% of it: per_rater in [combine] caps what one counts; or ask others too"
    ]
    torn = survey([thumb(1, rater="a"), thumb(1, up=False, rater="b"), thumb(2, rater="a"), thumb(2, rater="b")])
    assert (torn.contradicted, torn.tally.pairs) == (1, 0)
    assert warnings(torn) == [
        "1 answer got thumbs up as well as down: they stay single thumbs, and no pair is made of them"
    ]
    calm = [thumb(n, up=n % 2 == 0, rater=str(n)) for n in range(4)]
    assert warnings(survey(calm)) == []


def test_examples_are_drawn_from_the_whole_file_and_always_the_same():
    """The first rows of an export are its oldest ones."""
    rows = [thumb(n, origin=Origin(raw=str(n))) for n in range(1000)]
    drawn = [int(row.origin.raw) for row in survey(rows).examples]
    assert len(set(drawn)) == 5
    assert max(drawn) > 200
    assert drawn == [int(row.origin.raw) for row in survey(rows).examples]


def test_a_file_of_unknown_keys_is_not_guessed_at(write, caif):
    """What it may be is said, and how to say it."""
    write("in.jsonl", {"question": "a", "answer": "b", "thumb": 1})
    result = caif("feedback", "inspect", "in.jsonl")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "its format cannot be told" in result.stderr
    assert "name it with --format" in result.stderr
    assert "a table needs --map" in caif("feedback", "inspect", "in.jsonl", "--format", "table").stderr
    assert "did you mean 'caif'" in caif("feedback", "inspect", "in.jsonl", "--format", "caiff").stderr
    assert "no such file" in caif("feedback", "inspect", "none.jsonl").stderr


@pytest.mark.parametrize(
    ("name", "held", "said"),
    [
        ("wide.jsonl", json.dumps(THUMB).encode("utf-16"), "save it as UTF-8"),
        ("cut.jsonl.gz", gzip.compress(json.dumps(THUMB).encode())[:-20], "broken or cut off gzip"),
        ("none.jsonl", b"", "is empty"),
    ],
    ids=["utf-16", "cut-off", "empty"],
)
def test_a_file_that_cannot_be_read_says_why_and_asks_for_no_format(write, caif, name, held, said):
    """To name a format would mend nothing."""
    write(name, held)
    result = caif("feedback", "inspect", name)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert said in result.stderr
    assert "--format" not in result.stderr


def test_a_format_whose_texts_lie_elsewhere_says_what_it_needs(write, caif):
    """Votes alone are no feedback."""
    write("votes.jsonl", {"chatId": "c", "messageId": "m", "isUpvoted": True})
    result = caif("feedback", "inspect", "votes.jsonl")
    assert result.exit_code == 2
    assert "messages" in result.stderr


def test_a_file_with_no_usable_row_is_shown_and_is_an_error(write, caif):
    """Its problems are on the screen, the exit code says that nothing can be imported."""
    write("in.jsonl", THUMB | {"up": 1}, THUMB | {"up": -1})
    result = caif("feedback", "inspect", "in.jsonl", "--format", "caif")
    assert (result.exit_code, "ambiguous polarity" in result.stdout) == (2, True)
    assert "no usable rows; the reasons are above" in result.stderr


def test_ratings_that_the_format_does_not_explain_are_told_how_to_be(write, caif):
    """Stars mean nothing until it is said which are up; a list that is none says how it is written."""
    result = {"type": "rating", "from_name": "stars", "to_name": "answer", "value": {"rating": 5}}
    write("in.json", {"data": {"prompt": "q", "answer": "a"}, "annotations": [{"completed_by": 1, "result": [result]}]})
    asked = ("feedback", "inspect", "in.json", "--json")
    untold = caif(*asked)
    assert untold.exit_code == 2
    assert "(--up 1 --down 0)" in json.loads(untold.stdout)["problems"][0]["detail"]
    assert json.loads(caif(*asked, "--up", "4,5", "--down", "1,2").stdout)["up"] == 1
    wrong = caif(*asked, "--option", "up=4", "--option", "down=[1, 2]")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "option up: should be a list, not 4; write it as [1, 2]" in wrong.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir() if path.suffix in (".json", ".jsonl")))
def test_every_golden_file_can_be_looked_into(caif, name, tmp_path, monkeypatch):
    """Either its numbers or one line that says what is missing."""
    monkeypatch.chdir(tmp_path)
    result = caif("feedback", "inspect", str(DATA / name), "--json")
    if result.exit_code:
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    else:
        assert json.loads(result.stdout)["thumbs"] + json.loads(result.stdout)["pairs"] > 0
