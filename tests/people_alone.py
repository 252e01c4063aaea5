"""A run file with people's feedback alone, so that no judge is asked: what recipes and sweeps are tried on."""

import json
from pathlib import Path

from whole import PROMPTS

import caif.quickstart

RUN = """
name = "tiny"
constitution = "{law}"
[models]
tiny = "hf:{model}"
[prompts]
use = "jsonl"
path = "prompts.jsonl"
heldout = 0.3
[[feedback]]
use = "pairs"
path = "pairs.jsonl"
[[feedback]]
use = "thumbs"
path = "thumbs.jsonl"
[combine]
near_duplicates = "off"
[evaluate]
model = "tiny"
best_of = 2
max_tokens = 12
bootstrap = 50
"""


def run_file(folder: Path, tiny: Path) -> Path:
    """Write the run file and its data: pairs about two objectives, and a thumb a prompt."""
    law = Path(next(iter(caif.quickstart.__path__))) / "constitution.toml"
    pairs = [{"prompt": p, "chosen": "It is short.", "rejected": "It is long, " * 4, "probability": 0.8, "objective": o}
             for p in PROMPTS for o in ("clarity", "brevity")]  # fmt: skip
    thumbs = [{"prompt": p, "completion": f"It is number {n}.", "up": n % 3 == 0, "rater": "r", "objective": "clarity"}
              for n, p in enumerate(PROMPTS)]  # fmt: skip
    for name, rows in (("prompts", [{"prompt": p} for p in PROMPTS]), ("pairs", pairs), ("thumbs", thumbs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = folder / "run.toml"
    file.write_text(RUN.format(law=law, model=tiny))
    return file
