"""Published feedback goes through inspect, import and scrub as it is, and loses nothing but what is personal."""

import json
from pathlib import Path

import pytest

from caif.feedback.personal import Mask
from caif.feedback.scrub import texts
from caif.formats import caif_feedback_formats
from caif.formats.caif_rows import caif_rows
from caif.formats.jsonl import Line, lines

DATA = Path(__file__).parents[2].parent / "shared" / "data"
HH, TREES = DATA / "hh_rlhf_harmless" / "harmless-base-dev.jsonl.gz", DATA / "oasst_en100_thumbs" / "trees.jsonl"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data in ../shared/data is not here")


@pytest.mark.parametrize(("file", "format"), [(HH, "hh-rlhf"), (TREES, "oasst")])
def test_what_is_imported_is_what_the_reader_reads(caif, tmp_path, monkeypatch, file, format):
    """The format is recognised, every usable row is there with its id, and every other one is counted and set aside."""
    monkeypatch.chdir(tmp_path)
    table = json.loads(caif("feedback", "inspect", str(file), "--json").stdout)
    assert table["format"] == format
    result = caif("feedback", "import", str(file), "-o", "out.jsonl")
    assert result.exit_code == 0, result.output
    read = [row for row in caif_feedback_formats()[format]()(file)]
    usable = [row for row in read if type(row).__name__ != "Rejected"]
    assert [row.id for row in caif_rows()(Path("out.jsonl"))] == [row.id for row in usable]
    aside = Path("out.quarantine.jsonl")
    unusable = len(aside.read_text(encoding="utf-8").splitlines()) if aside.exists() else 0
    assert unusable == len(read) - len(usable) == sum(problem["count"] for problem in table["problems"])
    assert len(usable) == table["thumbs"] + table["pairs"]


def test_in_thousands_of_real_texts_only_addresses_and_phone_numbers_are_masked():
    """Each of the 23 finds was looked at: all are what they are taken for, so nothing else in 900,000 characters was touched."""
    kinds: list[str] = []
    for file in (HH, TREES):
        for line in lines(file):
            if isinstance(line, Line):
                texts(line.row, lambda text, _: str(kinds.extend(Mask()(text)[1])), "row")
    assert (kinds.count("address"), kinds.count("phone"), len(kinds)) == (20, 3, 23)
