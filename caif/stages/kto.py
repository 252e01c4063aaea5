"""Train the policy on the mixture's thumbs by KTO, ups and downs balanced. No reward model stands between."""

from typing import Any

from caif.data import Rating
from caif.errors import FAILED, CaifError
from caif.models import resolve
from caif.run import Work
from caif.sections.offline import Kto
from caif.store import Artifact


def kto(work: Work, mixture: Artifact, tuned: Artifact | None = None, *, cfg: Kto) -> dict[str, Any]:
    """Train the policy's adapter and keep it; pairs are for reward models and DPO, and are counted as unused here."""
    work.draft.count("pair: not for KTO", mixture.counts.get("preference", 0))
    work.models.release()
    from caif.training import policy
    from caif.training.checkpoints import Checkpoints
    from caif.training.kto import balanced, mismatched, thumb_columns, weighed_kto
    from caif.training.offline import counted
    from caif.training.options import kto_options
    from caif.training.progress import quiet
    from caif.training.trainers import trained

    quiet()
    thumbs = counted(mixture.rows(Rating), cfg.weights, "kto", "thumb")
    start = tuned.model if tuned else None
    model, tokenizer = policy.started(resolve.folder(cfg.model), start, cfg.rank, work.seed, "kto")
    columns = thumb_columns(tokenizer, thumbs, cfg.weights, cfg.max_length)
    work.draft.count("prompt cut to max_length", columns.cut)
    work.draft.count("answer over max_length", columns.lost)
    ups = sum(row["label"] for row in columns.rows)
    if not 0 < ups < len(columns.rows):
        raise CaifError(
            f"kto: {ups} thumbs up and {len(columns.rows) - ups} down to train on, and both are needed",
            "add thumbs; combine makes pairs of an up and a down on one prompt", code=FAILED,
        )  # fmt: skip
    kept = Checkpoints.of(work)
    options = kto_options(cfg, work.seed, str(kept.folder))
    rows = mismatched(balanced(columns.rows, cfg.balance), options["per_device_train_batch_size"], work.seed)
    steps = trained(weighed_kto(model, tokenizer, rows, options=options), "kto", work.tell, kept)
    policy.save(model, work.draft.model, tokenizer)
    return {"rows": len(rows), "up": ups, "cut": columns.cut, "dropped": columns.lost, "steps": steps}


kto.version = 1
kto.together = True
