"""Recipes that choose among answers by the reward model's heads instead of training against them."""

from caif.recipes.parts import labelling, needing, tuning
from caif.run import Run
from caif.stages.evaluate import evaluate
from caif.stages.report import report
from caif.stages.reward import reward
from caif.store import Artifact


@needing("combine", "reward", "evaluate")
def best_of_n(run: Run) -> Artifact | None:
    """The best of `evaluate.best_of` answers by the heads, with no policy trained: the baseline that training has to beat."""
    c = run.config
    law, asked, drafts, _, tuned = start = tuning(run)
    said = labelling(run, start)
    rewards = run.build(reward, said.mixture, cfg=c.reward)
    scores = run.build(evaluate, law, asked, drafts, tuned, None, rewards, cfg=c.evaluate)
    return run.build(report, *start, said.samples, *said.feedback, said.mixture, rewards, scores, cfg=c.report)
