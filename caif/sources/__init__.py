"""caif's own feedback sources and prompt sources, offered through the same hooks as anyone's."""

from collections.abc import Callable, Mapping

from caif.hookspecs import FeedbackSource, PromptSource, hookimpl
from caif.sources.ai_labeler import ai_labeler
from caif.sources.contrast import contrast
from caif.sources.corrections import corrections
from caif.sources.critique_revise import critique_revise
from caif.sources.mismatch import mismatch
from caif.sources.pairs import pairs
from caif.sources.prompts import from_csv, from_dataset, from_hh_rlhf, from_jsonl, from_oasst, from_parquet
from caif.sources.refusal import refusal
from caif.sources.thumbs import thumbs


@hookimpl
def caif_feedback_sources() -> Mapping[str, Callable[..., FeedbackSource]]:
    """Offer the built-in feedback sources."""
    return {
        "ai-labeler": ai_labeler,
        "contrast": contrast,
        "corrections": corrections,
        "critique-revise": critique_revise,
        "mismatch": mismatch,
        "pairs": pairs,
        "refusal": refusal,
        "thumbs": thumbs,
    }


@hookimpl
def caif_prompts() -> Mapping[str, Callable[..., PromptSource]]:
    """Offer the built-in prompt sources."""
    return {
        "csv": from_csv,
        "dataset": from_dataset,
        "hh-rlhf": from_hh_rlhf,
        "jsonl": from_jsonl,
        "oasst": from_oasst,
        "parquet": from_parquet,
    }
