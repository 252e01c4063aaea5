"""Promise P1 for people's votes: each is on the disk before the next item, none is rewritten, and a failure is no label."""

import errno
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from questions import Begin, pair, thumb

from caif.data import Preference, Prompt, Rating, Rejected
from caif.errors import CaifError
from caif.formats.reviews import reviews
from caif.plugins import load
from caif.review.items import Item, item
from caif.review.session import Question, Review
from caif.review.votes import opened, rater_of


def told(path: Path) -> list[Preference | Rating | Rejected]:
    return list(reviews()(path))


def counted(path: Path) -> dict[str, int]:
    return dict(Counter(row.reason if isinstance(row, Rejected) else type(row).__name__ for row in told(path)))


def test_a_choice_becomes_a_preference_with_its_order_and_its_time(begin: Begin, tmp_path: Path) -> None:
    """What was shown first and chosen is chosen, whatever its place in the alphabet."""
    review = begin([pair(n) for n in range(12)])
    wanted = []
    for n in range(12):
        one = review.current
        assert one is not None
        first, second = review.shown(one)
        wanted.append((first, second, "first") if n % 2 else (second, first, "second"))
        assert review.say(one.id, wanted[-1][2])
    rows = told(tmp_path / "votes.jsonl")
    assert [(r.chosen, r.rejected, r.origin.order) for r in rows if isinstance(r, Preference)] == wanted
    for n, row in enumerate(rows):
        assert isinstance(row, Preference)
        assert (row.rater, row.objective, row.probability) == ("ada", "helpfulness", 1.0)
        assert row.origin.raw == f"votes.jsonl:{n + 1}"
        assert row.origin.at is not None and row.origin.at > 1.7e9
    assert {one.answers == review.shown(one) for one in review.items.values()} == {True, False}


def test_every_objective_is_a_review_of_its_own(begin: Begin, tmp_path: Path) -> None:
    """In one file: what was said for one is neither asked, taken back nor unsaid for another."""
    one = pair(0)
    assert begin([one]).say(one.id, "first")
    harmless = begin([one], objective="harmlessness")
    assert harmless.current == one and not harmless.undo()
    assert harmless.say(one.id, "second")
    assert begin([one]).current is None
    said = [row.objective for row in told(tmp_path / "votes.jsonl") if isinstance(row, Preference)]
    assert said == ["helpfulness", "harmlessness"]


def test_the_order_of_answers_is_the_raters_own_and_stays(begin: Begin) -> None:
    """A place that everyone sees the same answer in would tell the answer apart from the others."""
    found = [pair(n) for n in range(30)]
    orders = [[begin(found, rater, seed).shown(one) for one in found] for rater, seed in (("a", 0), ("b", 0), ("a", 1))]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert [begin(found, "a", 0).shown(one) for one in found] == orders[0]


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(texts, texts, texts, texts)
def test_any_text_comes_back_as_it_was(tmp_path: Path, asked: str, one: str, other: str, comment: str) -> None:
    """Line separators, quotes, control characters: what was voted on is what is read (RELIABILITY test 43)."""
    hypothesis.assume(one != other)
    file = tmp_path / "votes.jsonl"
    file.unlink(missing_ok=True)
    found = [item(Prompt.of(asked), one, other), item(Prompt.of(asked), one)]
    with opened(file, "ada", "helpfulness") as votes:
        review = Review(found, votes, Question("o"))
        review.say(found[0].id, "first")
        review.say(found[1].id, "up", comment)
        chosen, rejected = review.shown(found[0])
    pair_row, thumb_row = told(file)
    assert isinstance(pair_row, Preference)
    assert isinstance(thumb_row, Rating)
    assert (pair_row.prompt.text, pair_row.chosen, pair_row.rejected) == (asked, chosen, rejected)
    assert (thumb_row.prompt.text, thumb_row.completion, thumb_row.reason) == (asked, one, comment.strip())


def test_thumbs_carry_their_comment(begin: Begin, tmp_path: Path) -> None:
    """Up is up, down is down, and the comment is the reason."""
    review = begin([thumb(0), thumb(1)])
    for choice, comment in (("up", "  well said \n"), ("down", "")):
        assert review.current
        review.say(review.current.id, choice, comment)
    rows = told(tmp_path / "votes.jsonl")
    assert [(r.up, r.reason, r.completion) for r in rows if isinstance(r, Rating)] == [
        (True, "well said", "one answer 0"), (False, "", "one answer 1"),
    ]  # fmt: skip


def test_what_names_no_better_answer_is_kept_and_is_no_label(begin: Begin, tmp_path: Path) -> None:
    """Tie, both bad and skip are lines of their own kind, counted by their reason."""
    review = begin([pair(n) for n in range(4)])
    for choice in ("tie", "both_bad", "skip", "first"):
        assert review.current
        review.say(review.current.id, choice)
    assert counted(tmp_path / "votes.jsonl") == {"tie": 1, "both bad": 1, "skipped": 1, "Preference": 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(["first", "second", "tie", "skip", "undo"]), max_size=10))
def test_a_stopped_review_goes_on_where_it_was(tmp_path: Path, said: list[str]) -> None:
    """Votes and retractions in any order, in one session or stopped after each: the same stand, the same item is next."""

    def session(name: str, steps: list[str]) -> tuple[list[tuple[str, str]], Item | None]:
        with opened(tmp_path / name, "ada", "helpfulness") as votes:
            review = Review([pair(n) for n in range(6)], votes, Question("o"))
            for step in steps:
                if step == "undo":
                    review.undo()
                elif review.current:
                    review.say(review.current.id, step)
            return [(line["item"], line["vote"]) for line in votes.standing.values()], review.current

    for file in tmp_path.glob("*.jsonl"):
        file.unlink()
    whole = session("whole.jsonl", said)
    for step in said:
        session("parts.jsonl", [step])
    assert session("parts.jsonl", []) == whole


def test_a_vote_taken_back_is_asked_again_and_counts_no_more(begin: Begin, tmp_path: Path) -> None:
    """The file only grows: the line stays, and a later one takes it back."""
    review = begin([pair(0), pair(1)])
    first = review.current
    assert first
    review.say(first.id, "first")
    before = (tmp_path / "votes.jsonl").read_bytes()
    assert review.undo()
    assert (tmp_path / "votes.jsonl").read_bytes().startswith(before)
    assert review.current == first
    assert not review.undo(), "there is nothing left to take back"
    review.say(first.id, "second")
    assert counted(tmp_path / "votes.jsonl") == {"taken back": 1, "Preference": 1}


def test_a_vote_for_an_item_that_is_not_next_is_not_written(begin: Begin, tmp_path: Path) -> None:
    """A form sent twice, or from a page that was left open, says nothing of another item."""
    review = begin([pair(0), pair(1)])
    first = review.current
    assert first
    assert review.say(first.id, "first")
    assert not review.say(first.id, "second")
    assert not review.undo("some other item")
    assert counted(tmp_path / "votes.jsonl") == {"Preference": 1}
    with pytest.raises(ValueError, match="cannot be said"):
        review.say(pair(1).id, "up")


def test_gold_is_scored_at_the_end_and_is_no_label(begin: Begin, tmp_path: Path) -> None:
    """A tie on a gold item is neither right nor wrong."""
    review = begin([pair(n, known=f"one answer {n}") for n in range(4)])
    for right in (True, True, False, None):
        one = review.current
        assert one
        place = review.shown(one).index(one.known)
        review.say(one.id, "tie" if right is None else ("first", "second")[place if right else 1 - place])
    summary = review.summary()
    assert summary.gold is not None
    assert (summary.gold["mean"], summary.gold["n"], summary.unanswered_gold) == (pytest.approx(2 / 3), 3, 1)
    assert counted(tmp_path / "votes.jsonl") == {"gold item": 4}
    lines = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text().splitlines()]
    assert [line["gold"] for line in lines] == ["right", "right", "wrong", "open"]


def test_agreement_with_the_judges_is_told_of_the_audit_alone(begin: Begin) -> None:
    """Items that were asked because they are useful say nothing of all the others."""
    review = begin([pair(0, audit=True, leaning=0.9), pair(1, audit=True, leaning=0.1), pair(2, leaning=0.9)])
    while one := review.current:
        review.say(one.id, ("first", "second")[review.shown(one).index(one.answers[0])])
    agreement = review.summary().agreement
    assert agreement is not None
    assert (agreement["mean"], agreement["n"]) == (0.5, 2)


def test_a_line_that_was_torn_is_owed_again(begin: Begin, tmp_path: Path) -> None:
    """Half a line stays where it is; the next vote begins a line of its own."""
    review = begin([pair(0), pair(1)])
    for _ in range(2):
        assert review.current
        review.say(review.current.id, "first")
    review.votes.handle.truncate(os.fstat(review.votes.handle.fileno()).st_size - 7)
    again = begin([pair(0), pair(1)])
    assert again.current == pair(1)
    again.say(pair(1).id, "tie")
    assert counted(tmp_path / "votes.jsonl") == {"Preference": 1, "not JSON": 1, "tie": 1}


def test_a_vote_that_could_not_be_written_is_no_vote(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a full disk the item stays, and once there is room the next line is whole."""
    review = begin([pair(0)])

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr(os, "fsync", full)
        review.say(pair(0).id, "first")
    assert review.current == pair(0)
    review.say(pair(0).id, "second")
    assert begin([pair(0)]).current is None
    assert counted(tmp_path / "votes.jsonl") == {"Preference": 1, "voted again": 1}


def test_a_second_writer_is_refused(begin: Begin, tmp_path: Path) -> None:
    """Another process says so in one line; two raters in two files do not disturb each other."""
    begin([pair(0)])
    code = f"from pathlib import Path\nfrom caif.review.votes import opened\nwith opened(Path({str(tmp_path / 'votes.jsonl')!r}), 'b', 'helpfulness'): pass"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another review writes there" in done.stderr
    with opened(tmp_path / "other.jsonl", "bob", "helpfulness"):
        pass


def test_a_vote_that_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """`kill -9` right after the vote was given: it is in the file."""
    code = f"""
import os, signal
from pathlib import Path
from caif.review.votes import opened
with opened(Path({str(tmp_path / "votes.jsonl")!r}), "ada", "helpfulness") as votes:
    votes.add({{"vote": "tie", "item": "x", "answers": []}})
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    with opened(tmp_path / "votes.jsonl", "ada", "helpfulness") as votes:
        assert list(votes.standing) == ["x"]


def test_a_file_that_holds_something_else_is_not_written_to(tmp_path: Path) -> None:
    """-o onto one's data is a mistake, told with its line."""
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "p", "chosen": "a", "rejected": "b"}\n')
    with (
        pytest.raises(CaifError, match=r"pairs\.jsonl:1: is not a vote; name another file with -o"),
        opened(file, "ada", "helpfulness"),
    ):
        pass


def test_a_file_may_hold_several_raters(begin: Begin, tmp_path: Path) -> None:
    """Each goes on with their own votes, and takes back none of another's."""
    begin([pair(0)], "ada").say(pair(0).id, "first")
    bob = begin([pair(0)], "bob")
    assert bob.current == pair(0)
    assert not bob.undo()
    bob.say(pair(0).id, "tie")
    assert [r.rater for r in told(tmp_path / "votes.jsonl") if isinstance(r, Preference)] == ["ada"]


def test_nobody_learns_the_account_from_a_rater(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in one home, another in another, and only its owner reads the salt."""
    monkeypatch.setenv("LOGNAME", "ada")
    one = rater_of(tmp_path / "one")
    assert one == rater_of(tmp_path / "one") != rater_of(tmp_path / "two")
    assert "ada" not in one
    assert (tmp_path / "one" / "reviews" / "salt").stat().st_mode & 0o077 == 0


def test_reviews_that_begin_at_once_know_the_rater_as_one(tmp_path: Path) -> None:
    """None reads the home folder's secret before another has written it whole."""
    with ThreadPoolExecutor(16) as pool:
        names = {*pool.map(rater_of, [tmp_path / f"{n // 16}" for n in range(320)])}
    assert len(names) == 20


def test_the_format_is_registered_and_takes_an_objective(begin: Begin, tmp_path: Path) -> None:
    """Sources open it as they open any other; a vote's own objective stands."""
    begin([pair(0)]).say(pair(0).id, "first")
    read = load().make("caif_feedback_formats", "reviews", {"objective": "taste"})
    assert [row.objective for row in read(tmp_path / "votes.jsonl")] == ["helpfulness"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": "1"}, "missing key"), ({"vote": "maybe", "id": "1"}, "unknown kind of vote"),
        ({"vote": ["pair"], "id": "1"}, "unknown kind of vote"), ({"vote": "tie", "id": "1", "typo": 1}, "unknown key"),
        ({"vote": "pair", "id": "1", "prompt": "p", "chosen": "x", "rejected": "x"}, "identical answers"),
        ({"vote": "pair", "id": "1", "prompt": "p", "chosen": "x", "rejected": "y", "order": "both"}, "unknown order"),
        ({"vote": "thumb", "id": "1", "prompt": "p", "completion": "x", "up": 1}, "ambiguous polarity"),
        ({"vote": "thumb", "id": "1", "prompt": "p", "completion": "x", "up": True, "at": "noon"}, "at is not a number"),
    ],
)  # fmt: skip
def test_a_line_that_was_written_by_hand_is_checked(tmp_path: Path, row: dict[str, object], reason: str) -> None:
    """Each with its reason, and no other line suffers."""
    (tmp_path / "votes.jsonl").write_text(json.dumps(row) + "\n")
    assert counted(tmp_path / "votes.jsonl") == {reason: 1}
