"""Recipes that train against rewards in another way than the main one."""

from caif.recipes.parts import labelling, needing, tuning
from caif.run import Run
from caif.sections.offline import Direct
from caif.stages.coverage import coverage
from caif.stages.evaluate import evaluate
from caif.stages.report import report
from caif.stages.reward import reward
from caif.stages.rlaif import rlaif as train_on_scores
from caif.stages.rloo import rloo as train
from caif.store import Artifact


@needing("combine", "reward", "rl")
def rloo(run: Run) -> Artifact | None:
    """RLOO in the place of GRPO: the other answers' mean is the baseline, and the KL a part of the reward."""
    c = run.config
    law, asked, drafts, _, tuned = start = tuning(run)
    said = labelling(run, start)
    rewards = run.build(reward, said.mixture, cfg=c.reward)
    covered = run.build(coverage, asked, tuned, said.mixture, rewards, cfg=c.coverage)
    policy = run.build(train, asked, tuned, rewards, covered, cfg=c.rl, name="rl")
    scores = run.build(evaluate, law, asked, drafts, tuned, policy, rewards, cfg=c.evaluate)
    return run.build(report, *start, said.samples, *said.feedback, said.mixture, rewards, covered, policy, scores,
                     cfg=c.report)  # fmt: skip


@needing("rl", "rlaif")
def rlaif(run: Run) -> Artifact | None:
    """Direct RLAIF: the judge's own expected score of each answer is the reward, with no labels and no reward model."""
    c = run.config
    law, asked, drafts, _, tuned = start = tuning(run)
    both = Direct(rl=c.rl, rlaif=c.rlaif)  # type: ignore[arg-type]
    policy = run.build(train_on_scores, asked, law, tuned, cfg=both, name="rl")
    scores = run.build(evaluate, law, asked, drafts, tuned, policy, cfg=c.evaluate)
    return run.build(report, *start, policy, scores, cfg=c.report)
