"""A whole run on the tiny model: what the recipe test and the kill test both start."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from caif.testing import tiny_model

PROMPTS = [f"What is number {n} good for?" for n in range(12)]

RUN = """
name = "tiny"
constitution = "{quickstart}/constitution.toml"
[models]
tiny = "hf:{model}"
[prompts]
use = "jsonl"
path = "prompts.jsonl"
heldout = 0.3
[generate]
model = "tiny"
max_tokens = 200
[revise]
model = "tiny"
turns = 2
critique_tokens = 12
max_tokens = 200
max_growth = 100.0
[sft]
model = "tiny"
rank = 2
[sample]
prompts = "train"
samples = 2
max_tokens = 24
[[feedback]]
use = "ai-labeler"
judge = "tiny"
min_mass = 0.0
dead_band = 0.0 # what a random model says is all near one half
selftest = "warn"
[[feedback]]
use = "critique-revise"
judge = "tiny"
min_mass = 0.0
dead_band = 0.0
selftest = "warn"
[[feedback]]
use = "contrast"
model = "tuned"
max_tokens = 24
[[feedback]]
use = "thumbs"
path = "thumbs.jsonl"
[combine]
[reward]
model = "tiny"
epochs = 5
[rl]
model = "tiny"
steps = 2
prompts_per_step = 2
generations = 2
max_tokens = 8
truncated = "keep"
rank = 2
[evaluate]
judge = "tiny"
best_of = 2
max_tokens = 16
bootstrap = 200
metrics = {{ ends = {{ use = "at-most", words = 20 }} }}
"""


def run_file(folder: Path) -> Path:
    """Write the run file, its data and its model into a folder, and return the run file."""
    import caif.quickstart

    quickstart = Path(next(iter(caif.quickstart.__path__)))
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model"
    if not model.is_dir():
        tiny_model(model)
    (folder / "prompts.jsonl").write_text("".join(json.dumps({"prompt": p}) + "\n" for p in PROMPTS))
    thumbs = [{"prompt": p, "completion": f"It is {w}.", "up": w == "good", "rater": "r", "objective": "clarity"}
              for p in PROMPTS[:6] for w in ("good", "bad")]  # fmt: skip
    (folder / "thumbs.jsonl").write_text("".join(json.dumps(t) + "\n" for t in thumbs))
    file = folder / "run.toml"
    file.write_text(RUN.format(quickstart=quickstart, model=model))
    return file


def tables(home: Path) -> dict[str, bytes]:
    """Return every table of every artifact by its path inside the store: with one ledger, equal runs share it to the byte."""
    return {str(f.relative_to(home)): f.read_bytes() for f in sorted((home / "store").rglob("*.parquet"))}


def timeless(home: Path) -> dict[str, Any]:
    """Return the rows of every table without when answers were given: what equal runs share that asked at other times."""
    return {name: _without(pq.read_table(home / name).to_pylist()) for name in tables(home)}


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner) for name, inner in value.items() if name != "at"}
    return [_without(inner) for inner in value] if isinstance(value, list) else value
