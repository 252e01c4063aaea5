"""Recipes that train the policy on feedback itself."""

from caif.recipes.parts import labelling, needing, tuning
from caif.run import Run
from caif.stages.dpo import dpo as train
from caif.stages.evaluate import evaluate
from caif.stages.kto import kto as train_on_thumbs
from caif.stages.report import report
from caif.store import Artifact


@needing("combine", "dpo")
def dpo(run: Run) -> Artifact | None:
    """DPO on the mixture's soft weighted pairs, from the tuned model: no reward model, no RL."""
    c = run.config
    law, asked, drafts, _, tuned = start = tuning(run)
    said = labelling(run, start)
    policy = run.build(train, said.mixture, tuned, cfg=c.dpo)
    scores = run.build(evaluate, law, asked, drafts, tuned, policy, cfg=c.evaluate)
    return run.build(report, *start, said.samples, *said.feedback, said.mixture, policy, scores, cfg=c.report)


@needing("combine", "kto")
def kto(run: Run) -> Artifact | None:
    """KTO on the mixture's thumbs, from the tuned model: no reward model, no RL, and no pairs."""
    c = run.config
    law, asked, drafts, _, tuned = start = tuning(run)
    said = labelling(run, start)
    policy = run.build(train_on_thumbs, said.mixture, tuned, cfg=c.kto)
    scores = run.build(evaluate, law, asked, drafts, tuned, policy, cfg=c.evaluate)
    return run.build(report, *start, said.samples, *said.feedback, said.mixture, policy, scores, cfg=c.report)
