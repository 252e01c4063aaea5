"""The sections of the run file: one frozen model a stage, named like the stage.

What can change a result belongs to a stage; what cannot (concurrency, budget) is in `limits.py` and never enters a key.
"""

from caif.data import Share, Weight
from caif.sections.answers import Generate, Law, Prompts, Revise
from caif.sections.coverage import Coverage
from caif.sections.feedback import Combine, Source
from caif.sections.parts import TUNED, Count, FilePath, ModelSpec, Part, Positive, SafeName
from caif.sections.reading import Evaluate, PluginMetric, Report
from caif.sections.reward import Reward
from caif.sections.rl import PluginReward, Rl
from caif.sections.training import Sft

__all__ = [
    "TUNED", "Combine", "Count", "Coverage", "Evaluate", "FilePath", "Generate", "Law", "ModelSpec", "Part", "PluginMetric",
    "PluginReward", "Positive", "Prompts", "Report", "Revise", "Reward", "Rl", "SafeName", "Sft", "Share", "Source", "Weight",
]  # fmt: skip
