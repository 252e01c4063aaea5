"""Real feedback, as published, goes through `caif run` from prompts to reward model with nothing edited by hand."""

from pathlib import Path

import pytest

from caif import config, plugins
from caif.data import Preference, Rating, Rejected
from caif.recipe import constitutional
from caif.run import Run
from caif.testing import tiny_model

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data in ../shared/data is not here")

RUN = """
name = "real"
constitution = "{root}/constitutions/general.toml"
report = {{}}
[models]
tiny = "hf:{model}"
[prompts]
{prompts}
limit = 8
[sample]
model = "tiny"
prompts = "train"
samples = 2
max_tokens = 12
[[feedback]]
use = "ai-labeler"
judge = "tiny"
min_mass = 0.0
dead_band = 0.0
selftest = "off"
[[feedback]]
use = "pairs"
name = "hh"
format = "hh-rlhf"
objective = "harmlessness"
path = "{data}/hh_rlhf_harmless/harmless-base-dev.jsonl.gz"
[[feedback]]
use = "thumbs"
format = "oasst"
path = "{data}/oasst_en100_thumbs/trees.jsonl"
[combine]
caps = {{ hh = 60, thumbs = 60 }}
[reward]
model = "tiny"
epochs = 3
"""
SOURCES = {
    "hh-rlhf": 'use = "hh-rlhf"\npath = "{data}/hh_rlhf_harmless/harmless-base-dev.jsonl.gz"',
    "xstest": 'use = "csv"\npath = "{data}/xstest/xstest_prompts.csv"\ntags_column = ["type", "label"]',
    "oasst": 'use = "oasst"\npath = "{data}/oasst_en100_thumbs/trees.jsonl"',
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("source", SOURCES)
def test_real_feedback_becomes_a_reward_model(source: str, model: Path, tmp_path: Path) -> None:
    """Prompts, pairs and thumbs of real people end in one reward model; what could not be used is counted by reason."""
    file = tmp_path / "run.toml"
    prompts = SOURCES[source].format(data=DATA)
    file.write_text(RUN.format(root=ROOT, data=DATA, model=model, prompts=prompts), encoding="utf-8")
    run = Run(config.read(file), tmp_path / "home", plugins.load(), tmp_path)
    constitutional(run)
    made = {artifact.stage: artifact for artifact in run.built}
    assert {row.reason: 1 for row in made["hh"].rows(Rejected)} == {"prompts differ": 1}
    assert made["hh"].counts["preference"] == 354
    mixture = made["combine"]
    assert {row.source for row in mixture.rows(Preference)} >= {"hh", "ai-labeler"}
    assert {row.source for row in [*mixture.rows(Rating), *mixture.rows(Preference)]} >= {"hh", "thumbs"}
    assert {row.prompt.split for row in mixture.rows(Preference)} == {"train", "heldout"}
    assert set(made["reward"].metrics["objectives"]) >= {"harmlessness", "helpfulness"}
