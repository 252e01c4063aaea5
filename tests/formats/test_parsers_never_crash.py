"""Whatever a file holds, a reader gives rows or a CaifError, never another error."""

import copy
import json

import pytest
from damage import damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import EXPORTS

from caif.content import Row
from caif.data import Rejected
from caif.errors import CaifError
from caif.formats import caif_feedback_formats
from caif.sources.prompts import from_csv, from_hh_rlhf, from_jsonl, from_oasst, from_parquet

READERS = {
    **{name: export.reader() for name, export in EXPORTS.items()},
    "reviews": caif_feedback_formats()["reviews"](),
    "prompts: jsonl": lambda path: from_jsonl(path)(),
    "prompts: jsonl by column": lambda path: from_jsonl(path, column="prompt", tags_column="tags")(),
    "prompts: csv": lambda path: from_csv(path)(),
    "prompts: parquet": lambda path: from_parquet(path)(),
    "prompts: hh-rlhf": lambda path: from_hh_rlhf(path)(),
    "prompts: oasst": lambda path: from_oasst(path)(),
}
OF_FILE = {
    **{export.file: (name,) for name, export in EXPORTS.items() if not export.file.endswith(".csv")},
    "hh.jsonl": ("hh-rlhf", "prompts: hh-rlhf"),
    "oasst.jsonl": ("oasst", "oasst ranks", "prompts: oasst"),
    "prompts.jsonl": ("prompts: jsonl", "prompts: jsonl by column"),
}
EXAMPLES = 40
"""A file; 1000 of each were run when the readers were written."""
quick = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def reads(name, path):
    """Assert that a reader gives rows, each with a place if it is rejected, or stops with a CaifError."""
    try:
        for row in READERS[name](path):
            assert isinstance(row, Row)
            assert not isinstance(row, Rejected) or (row.where.startswith(path.name) and row.reason)
            row.model_dump_json()
    except CaifError as error:
        assert "\n" not in str(error)


@quick
@given(content=st.binary(max_size=300))
def test_any_bytes(tmp_path, content):
    """Bytes of any kind, as they come."""
    path = tmp_path / "in.file"
    path.write_bytes(content)
    for name in READERS:
        reads(name, path)


@pytest.mark.parametrize("file", OF_FILE)
@settings(quick, max_examples=EXAMPLES)
@given(data=st.data())
def test_a_row_with_any_of_its_values_replaced(file, golden, tmp_path, data):
    """Every field of every format, at any depth, with a value of every type."""
    rows = _rows(golden(file))
    row = copy.deepcopy(data.draw(st.sampled_from(rows)))
    for _ in range(data.draw(st.integers(1, 3))):
        damage(row, data)
    path = tmp_path / "in.file"
    path.write_text(json.dumps([row]) if file.endswith(".json") else json.dumps(row), encoding="utf-8")
    for name in OF_FILE[file]:
        reads(name, path)


def _rows(path):
    texts = [path.read_text()] if path.suffix == ".json" else path.read_text().splitlines()
    values = []
    for text in texts:
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            continue
        values.extend(value if isinstance(value, list) else [value])
    return [value for value in values if isinstance(value, dict)]


@pytest.mark.parametrize("name", READERS)
def test_the_file_of_another_product(name, golden):
    """A wrong format is told, not read as something else."""
    for file in (*OF_FILE, "prompts.csv"):
        reads(name, golden(file))


@pytest.mark.parametrize("file", [*OF_FILE, "prompts.csv"])
def test_a_file_cut_anywhere(file, golden, tmp_path):
    """A torn file is a shorter one or an error."""
    content = golden(file).read_bytes()
    path = tmp_path / "in.file"
    for end in range(1, len(content), 1 + len(content) // 60):
        path.write_bytes(content[:end])
        for name in OF_FILE.get(file, ("prompts: csv",)):
            reads(name, path)
