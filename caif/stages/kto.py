"""Train the policy on the mixture's thumbs by KTO, ups and downs balanced. No reward model stands between."""

from tempfile import TemporaryDirectory
from typing import Any

from caif.data import Rating
from caif.errors import FAILED, CaifError, nearest
from caif.models import resolve
from caif.run import Work
from caif.sections.offline import Kto
from caif.store import Artifact


def kto(work: Work, mixture: Artifact, tuned: Artifact | None = None, *, cfg: Kto) -> dict[str, Any]:
    """Train the policy's adapter and keep it; pairs are for reward models and DPO, and are counted as unused here."""
    every = mixture.rows(Rating)
    objectives = {thumb.objective for thumb in every}
    for name in cfg.weights:
        if name not in objectives:
            raise CaifError(f"kto.weights: no thumb is about {name!r}", nearest(name, objectives))
    thumbs = [t for t in every if t.prompt.split == "train" and t.weight * cfg.weights.get(t.objective, 1.0) > 0]
    if pairs := mixture.counts.get("preference", 0):
        work.draft.count("pair: not for KTO", pairs)
    work.models.release()
    from caif.training import policy
    from caif.training.kto import balanced, mismatched, thumb_columns, weighed_kto
    from caif.training.offline import trained
    from caif.training.options import kto_options
    from caif.training.progress import quiet

    quiet()
    folder = resolve.folder(cfg.model)
    if tuned:
        model, tokenizer = policy.tuned(folder, tuned.model, "kto")
    else:
        model, tokenizer = policy.fresh(folder, cfg.rank, work.seed)
    columns = thumb_columns(tokenizer, thumbs, cfg.weights, cfg.max_length)
    for what, how_many in (("prompt cut to max_length", columns.cut), ("answer over max_length", columns.lost)):
        if how_many:
            work.draft.count(what, how_many)
    ups = sum(row["label"] for row in columns.rows)
    if not 0 < ups < len(columns.rows):
        raise CaifError(
            f"kto: {ups} thumbs up and {len(columns.rows) - ups} down to train on, and both are needed",
            "add thumbs; combine makes pairs of an up and a down on one prompt", code=FAILED,
        )  # fmt: skip
    with TemporaryDirectory() as scratch:
        options = kto_options(cfg, work.seed, scratch)
        rows = mismatched(balanced(columns.rows, cfg.balance), options["per_device_train_batch_size"], work.seed)
        steps = trained(weighed_kto(model, tokenizer, rows, options=options), "kto", work.tell)
    policy.save(model, work.draft.model, tokenizer)
    return {"rows": len(rows), "up": ups, "cut": columns.cut, "dropped": columns.lost, "steps": steps}


kto.version = 1
