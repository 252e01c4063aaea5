"""Recipes without RL and without labels of any kind: what critique and revision alone give."""

from caif.recipes.parts import needing, tuning
from caif.run import Run
from caif.stages.evaluate import evaluate
from caif.stages.report import report
from caif.store import Artifact


@needing("generate", "revise", "sft")
def sl_cai(run: Run) -> Artifact | None:
    """The paper's SL-CAI alone: critique, revise, tune; the tuned model is the policy, and measured against the first one."""
    c = run.config
    law, asked, drafts, revised, tuned = tuning(run)
    first = c.evaluate and c.evaluate.model_copy(update={"model": c.generate.model})  # type: ignore[union-attr]
    scores = run.build(evaluate, law, asked, None, None, tuned, cfg=first)
    return run.build(report, law, asked, drafts, revised, tuned, scores, cfg=c.report)
