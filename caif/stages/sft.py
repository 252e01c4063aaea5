"""Tune the model on revised answers (SL-CAI): the loss is on the answer alone, never on prompt or critique."""

from typing import Any

from caif.config import Sft
from caif.data import Prompt, Revision
from caif.errors import FAILED, CaifError
from caif.models import resolve
from caif.run import Work
from caif.store import Artifact


def sft(work: Work, revised: Artifact, *, cfg: Sft) -> dict[str, Any]:
    """Train a LoRA adapter on what the chains came to and keep it with its tokenizer."""
    if "revision" not in revised.counts and revised.counts.get("preference"):
        raise CaifError(
            f"sft: {revised.stage} holds preferences, and the better of two answers need not be a good one",
            "tune on revisions: [revise]",
        )
    wanted = targets(revised.rows(Revision), cfg.targets)
    if not wanted:
        raise CaifError(
            "sft: no revision was accepted, so there is nothing to learn from", "see caif show", code=FAILED
        )
    work.models.release()
    from caif.training import policy
    from caif.training.checkpoints import Checkpoints
    from caif.training.options import sft_options
    from caif.training.progress import quiet
    from caif.training.trainers import trained
    from caif.training.tuning import columns, tuner

    quiet()
    model, tokenizer = policy.fresh(resolve.folder(cfg.model), cfg.rank, work.seed)
    rows = columns(tokenizer, [(prompt.chat, answer) for prompt, answer in wanted])
    long = [n for n, ids in enumerate(rows["input_ids"]) if len(ids) > cfg.max_length]
    lost = [n for n in long if not any(rows["completion_mask"][n][: cfg.max_length])]
    work.draft.count("cut to max_length", len(long) - len(lost))
    work.draft.count("prompt alone over max_length", len(lost))
    if len(lost) == len(wanted):
        raise CaifError("sft: every prompt alone is longer than max_length", "raise sft.max_length", code=FAILED)
    kept = Checkpoints.of(work)
    trainer = tuner(model, tokenizer, rows, options=sft_options(cfg, work.seed, str(kept.folder)))
    steps = trained(trainer, "sft", work.tell, kept)
    policy.save(model, work.draft.model, tokenizer)
    return {"rows": len(wanted) - len(lost), "cut": len(long) - len(lost), "dropped": len(lost), "steps": steps}


sft.version = 1
sft.together = True


def targets(revisions: list[Revision], which: str) -> list[tuple[Prompt, str]]:
    """Return each prompt with the answers to learn: every accepted revision of its chain, or the final one.

    A first answer in which the critic found nothing to criticise is the final one, and the only one of its chain.
    """
    wanted = []
    for row in revisions:
        accepted = [turn.revision for turn in row.turns if not turn.rejected]
        final = [row.final] if row.final is not None else []
        wanted += [(row.prompt, answer) for answer in (accepted or final if which == "all" else final)]
    return wanted
