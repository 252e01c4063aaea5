"""Thumbs and pairs as feedback sources: named, weighted, of one kind, and never silently nothing."""

from types import SimpleNamespace

import pytest

from caif.data import Preference, Rating, Rejected
from caif.errors import CaifError, nearest
from caif.formats import caif_feedback_formats
from caif.sources.pairs import pairs
from caif.sources.thumbs import thumbs


@pytest.fixture
def context():
    """Return what these two sources use of a context: the source's name and the registered formats."""

    def read(name, path, **options):
        formats = caif_feedback_formats()
        if name not in formats:
            raise CaifError(f"no format {name!r}", nearest(name, formats))
        return formats[name](**options)(path)

    return SimpleNamespace(source="forum", read=read)


def test_thumbs_let_thumbs_through_with_their_source_and_weight(golden, context):
    """The weight multiplies that of the row, and a new content has a new id."""
    rows = list(thumbs(golden("thumbs.jsonl"), weight=2.0)(context))
    ratings = [row for row in rows if isinstance(row, Rating)]
    assert [(row.source, row.weight) for row in ratings] == [("forum", 2.0), ("forum", 1.0), ("forum", 2.0)]
    assert all(Rating.model_validate(row.model_dump()) == row for row in ratings)
    assert not any(isinstance(row, Preference) for row in rows)
    assert sum(isinstance(row, Rejected) and row.reason == "not a thumb" for row in rows) == 1


def test_pairs_let_pairs_through_and_turn_thumbs_away(golden, context):
    """What the file holds besides is counted, once a row."""
    rows = list(pairs(golden("thumbs.jsonl"), weight=0.5)(context))
    assert [(row.source, row.weight) for row in rows if isinstance(row, Preference)] == [("forum", 0.5)]
    assert len({row.id for row in rows if getattr(row, "reason", "") == "not a pair"}) == 3


def test_options_of_a_format_reach_its_reader(golden, context):
    """Ranks of OpenAssistant are pairs, on request."""
    rows = list(pairs(golden("oasst.jsonl"), format="oasst", objective="taste", reader={"ranks": True})(context))
    assert {row.objective for row in rows if isinstance(row, Preference)} == {"taste"}
    assert sum(isinstance(row, Preference) for row in rows) == 3


def test_a_file_of_the_other_kind_is_an_error_that_says_so(golden, context):
    """A pairs file given as thumbs does not look like people who said nothing."""
    with pytest.raises(CaifError, match=r"no usable rows; turned away: .*not a thumb \(1\)"):
        list(thumbs(golden("hh.jsonl"), format="hh-rlhf")(context))


def test_an_empty_file_is_an_error(write, context):
    """Nothing to learn from is told, with the file's name."""
    with pytest.raises(CaifError, match=r"in\.jsonl: no usable rows; put feedback in it"):
        list(thumbs(write("in.jsonl", "\n\n"))(context))


def test_a_table_of_a_header_alone_is_an_error_too(write, context):
    """With the exit code of wrong input, and not an error of Python's."""
    reader = {"map": {"prompt": "q", "response": "a", "rating": "r"}, "up": (1,), "down": (0,)}
    with pytest.raises(CaifError, match=r"in\.csv: no usable rows; put feedback in it") as raised:
        list(thumbs(write("in.csv", "q,a,r\n"), format="table", reader=reader)(context))
    assert raised.value.code == 2


def test_the_export_of_another_product_is_named(golden, context):
    """In the one line that says what is wrong."""
    with pytest.raises(CaifError, match="no usable rows; it looks like vercel: rows of vercel.jsonl have"):
        list(thumbs(golden("vercel.jsonl"), format="librechat")(context))


def test_only_thumbs_up_give_only_thumbs_up(write, context):
    """No pair and no thumb down is invented to go with them."""
    path = write("in.jsonl", "".join(f'{{"prompt": "p", "completion": "c{n}", "up": true}}\n' for n in range(9)))
    rows = list(thumbs(path)(context))
    assert len(rows) == 9
    assert all(isinstance(row, Rating) and row.up for row in rows)


@pytest.mark.parametrize("weight", [-1.0, 1e300, float("nan"), float("inf")])
def test_an_impossible_weight_is_refused_at_once(golden, weight):
    """Before any file is read."""
    with pytest.raises(CaifError, match="weight must be a number in"):
        thumbs(golden("thumbs.jsonl"), weight=weight)


def test_an_objective_that_no_row_takes_over_is_refused(write, context):
    """Rows that name theirs keep it; then what the run file says would be passed over in silence."""
    row = '{"prompt": "a", "completion": "b", "up": true%s}\n'
    named, open_ = row % ', "objective": "taste"', row % ""
    with pytest.raises(CaifError, match=r"own objective \(taste\), none is about 'honesty'"):
        list(thumbs(write("named.jsonl", named), objective="honesty")(context))
    both = thumbs(write("both.jsonl", named + open_), objective="honesty")(context)
    assert [row.objective for row in both] == ["taste", "honesty"]
    assert [row.objective for row in thumbs(write("named.jsonl", named), objective="taste")(context)] == ["taste"]
