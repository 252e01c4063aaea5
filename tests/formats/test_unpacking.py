"""Packed files are told by their first bytes, unpacked as they are read, and capped whoever reads them."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from caif.data import Rejected
from caif.errors import CaifError
from caif.formats import unpacking
from caif.formats.json_array import records
from caif.formats.jsonl import lines
from caif.formats.tables import csv_rows, parquet_rows
from caif.formats.unpacking import opened

GOOD = b'{"n": 1}\n'
LONG = b'{"t": "' + b"x" * 1000 + b'"}\n'


def zstd(content: bytes) -> bytes:
    """Pack some bytes."""
    return pa.compress(content, codec="zstd", asbytes=True)


PACKED = pytest.mark.parametrize("pack", [gzip.compress, zstd])


@PACKED
def test_a_packed_file_is_read_line_by_line_whatever_its_name(write, pack):
    """The next row is there before the file is unpacked to its end."""
    rows = list(lines(write("in.jsonl", pack(GOOD + b"broken\n"))))
    assert rows[0] == ("in.jsonl:1", {"n": 1})
    assert isinstance(rows[1], Rejected)
    assert rows[1].where == "in.jsonl:2"


@PACKED
def test_files_packed_one_behind_the_other_are_one_file(write, pack):
    """That is how logs of several days are put together."""
    assert len(list(lines(write("in.jsonl", pack(GOOD * 3) + pack(GOOD * 2))))) == 5


@PACKED
def test_a_bomb_stops_at_the_cap(write, pack):
    """A file that unpacks 200 times over stops with an error before it fills memory or time."""
    with pytest.raises(CaifError, match="in.jsonl: unpacks to more than 64000000 bytes"):
        list(lines(write("in.jsonl", pack(b"0" * 100_000_000))))


@PACKED
@pytest.mark.parametrize(
    ("read", "content"),
    [
        (lines, LONG * 300),
        (records, b"[" + b",".join([LONG] * 300) + b"]"),
        (lambda path: csv_rows(path, []), b"a,b\n" + (b"x," + b"y" * 1000 + b"\n") * 300),
    ],
    ids=["lines", "array", "csv"],
)
def test_the_cap_holds_for_every_reader(write, pack, read, content, monkeypatch):
    """It stands where a file is opened, so that no reader can forget it."""
    monkeypatch.setattr(unpacking, "MAX_UNPACKED", 200_000)
    with pytest.raises(CaifError, match="in.file: unpacks to more than 200000 bytes"):
        list(read(write("in.file", pack(content))))
    assert list(read(write("plain.file", content)))


def test_a_parquet_file_that_unpacks_out_of_all_proportion_is_refused_before_it_is_read(tmp_path):
    """Its own figures say what it unpacks to."""
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"a": ["0" * 900_000] * 100}), path, compression="zstd", use_dictionary=False)
    with pytest.raises(CaifError, match="in.parquet: unpacks to more than 64000000 bytes"):
        next(iter(parquet_rows(path, ["a"])))


@PACKED
def test_the_cap_grows_with_the_packed_size_up_to_two_gigabytes(write, pack, monkeypatch):
    """An honest large file is read; the cap is a ratio, with a floor and a ceiling."""
    content = b"".join(b'{"n": %d}\n' % n for n in range(1000))
    path = write("in.jsonl", pack(content))
    monkeypatch.setattr(unpacking, "FREE_UNPACKED", 0)
    assert len(list(lines(path))) == 1000
    monkeypatch.setattr(unpacking, "MAX_RATIO", 1)
    with pytest.raises(CaifError, match="unpacks to more than"):
        list(lines(path))


@PACKED
@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-12], lambda packed: packed[:12] + b"\xff" * 40, lambda packed: packed[:4]]
)
def test_a_broken_packed_file_is_an_error_with_its_name(write, pack, damage):
    """A download that broke off is not a shorter data set."""
    with pytest.raises(CaifError, match=r"in\.jsonl: broken or cut off (gzip|zstd); fetch the file again"):
        list(lines(write("in.jsonl", damage(pack(GOOD * 1000)))))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04 and so on", "is a zip archive"),
        (b"\xfd7zXZ\x00 and so on", "is an xz file"),
        (gzip.compress(gzip.compress(GOOD)), "unpacks to a gzip file"),
        (gzip.compress(zstd(GOOD)), "unpacks to a zstd file"),
        (zstd(b"PK\x03\x04 and so on"), "unpacks to a zip archive"),
    ],
    ids=["zip", "xz", "gzip in gzip", "zstd in gzip", "zip in zstd"],
)
def test_archives_and_what_is_packed_twice_are_refused(write, content, says):
    """Nothing is unpacked in turn: each turn would have a cap of its own."""
    with pytest.raises(CaifError, match=f"in.jsonl: {says}; unpack it yourself"):
        list(lines(write("in.jsonl", content)))


@PACKED
def test_an_empty_packed_file_is_an_empty_file(write, pack):
    """It has no rows, and that is no error of unpacking."""
    assert list(lines(write("in.jsonl", pack(b"")))) == []


@PACKED
def test_a_stream_is_closed_when_its_reader_stops_early(write, pack):
    """Whoever looks at the first row only leaves nothing open."""
    with opened(write("in.jsonl", pack(GOOD * 10))) as handle:
        assert handle.readline() == GOOD
