"""Train the policy on the mixture's pairs by DPO, each with its soft label and weight. No reward model stands between."""

from tempfile import TemporaryDirectory
from typing import Any

from caif.data import Preference
from caif.errors import FAILED, CaifError, nearest
from caif.models import resolve
from caif.run import Work
from caif.sections.offline import Dpo
from caif.store import Artifact


def dpo(work: Work, mixture: Artifact, tuned: Artifact | None = None, *, cfg: Dpo) -> dict[str, Any]:
    """Train the policy's adapter and keep it; thumbs are for reward models and KTO, and are counted as unused here."""
    every = mixture.rows(Preference)
    objectives = {pair.objective for pair in every}
    for name in cfg.weights:
        if name not in objectives:
            raise CaifError(f"dpo.weights: no pair is about {name!r}", nearest(name, objectives))
    pairs = [p for p in every if p.prompt.split == "train" and p.weight * cfg.weights.get(p.objective, 1.0) > 0]
    if thumbs := mixture.counts.get("rating", 0):
        work.draft.count("thumb: not for DPO", thumbs)
    if not pairs:
        raise CaifError("dpo: no pair is left to train on", "see the counts: caif show", code=FAILED)
    work.models.release()
    from caif.training import policy
    from caif.training.dpo import pair_columns, soft_dpo
    from caif.training.offline import trained
    from caif.training.options import dpo_options
    from caif.training.progress import quiet

    quiet()
    folder = resolve.folder(cfg.model)
    if tuned:
        model, tokenizer = policy.tuned(folder, tuned.model, "dpo")
    else:
        model, tokenizer = policy.fresh(folder, cfg.rank, work.seed)
    columns = pair_columns(tokenizer, pairs, cfg.weights, cfg.max_length)
    for what, how_many in (("prompt cut to max_length", columns.cut), ("answer over max_length", columns.lost)):
        if how_many:
            work.draft.count(what, how_many)
    if not columns.rows:
        raise CaifError("dpo: every answer is longer than max_length", "raise dpo.max_length", code=FAILED)
    with TemporaryDirectory() as scratch:
        trainer = soft_dpo(model, tokenizer, columns.rows, options=dpo_options(cfg, work.seed, scratch))
        steps = trained(trainer, "dpo", work.tell)
    policy.save(model, work.draft.model, tokenizer)
    return {"rows": len(columns.rows), "cut": columns.cut, "dropped": columns.lost, "steps": steps}


dpo.version = 1
