"""Train the policy on the mixture's pairs by DPO, each with its soft label and weight. No reward model stands between."""

from typing import Any

from caif.data import Preference
from caif.errors import FAILED, CaifError
from caif.models import resolve
from caif.run import Work
from caif.sections.offline import Dpo
from caif.store import Artifact


def dpo(work: Work, mixture: Artifact, tuned: Artifact | None = None, *, cfg: Dpo) -> dict[str, Any]:
    """Train the policy's adapter and keep it; thumbs are for reward models and KTO, and are counted as unused here."""
    work.draft.count("thumb: not for DPO", mixture.counts.get("rating", 0))
    work.models.release()
    from caif.training import policy
    from caif.training.checkpoints import Checkpoints
    from caif.training.dpo import pair_columns, soft_dpo
    from caif.training.offline import counted
    from caif.training.options import dpo_options
    from caif.training.progress import quiet
    from caif.training.trainers import trained

    quiet()
    pairs = counted(mixture.rows(Preference), cfg.weights, "dpo", "pair")
    if not pairs:
        raise CaifError("dpo: no pair is left to train on", "see the counts: caif show", code=FAILED)
    start = tuned.model if tuned else None
    model, tokenizer = policy.started(resolve.folder(cfg.model), start, cfg.rank, work.seed, "dpo")
    columns = pair_columns(tokenizer, pairs, cfg.weights, cfg.max_length)
    work.draft.count("prompt cut to max_length", columns.cut)
    work.draft.count("answer over max_length", columns.lost)
    if not columns.rows:
        raise CaifError("dpo: every answer is longer than max_length", "raise dpo.max_length", code=FAILED)
    kept = Checkpoints.of(work)
    trainer = soft_dpo(model, tokenizer, columns.rows, options=dpo_options(cfg, work.seed, str(kept.folder)))
    steps = trained(trainer, "dpo", work.tell, kept)
    policy.save(model, work.draft.model, tokenizer)
    return {"rows": len(columns.rows), "cut": columns.cut, "dropped": columns.lost, "steps": steps}


dpo.version = 1
dpo.together = True
