"""Rewarded soups: a policy for each objective, averaged. Other weights need no other training."""

from caif.recipes.parts import labelling, needing, tuning
from caif.run import Run
from caif.stages.coverage import coverage
from caif.stages.evaluate import evaluate
from caif.stages.report import report
from caif.stages.reward import reward
from caif.stages.rl import rl
from caif.stages.soup import soup as average
from caif.store import Artifact


@needing("combine", "reward", "rl", "soup")
def soup(run: Run) -> Artifact | None:
    """One GRPO policy a reward, from the same tuned model; what they change is averaged by `soup.weights`."""
    c = run.config
    law, asked, drafts, _, tuned = start = tuning(run)
    said = labelling(run, start)
    rewards = run.build(reward, said.mixture, cfg=c.reward)
    covered = run.build(coverage, asked, tuned, said.mixture, rewards, cfg=c.coverage)
    names = list(c.soup.weights) if c.soup else []
    alone = [
        c.rl and c.rl.model_copy(update={"weights": {name: float(name == own) for name in names}}) for own in names
    ]
    policies = [run.build(rl, asked, tuned, rewards, law, covered, cfg=cfg, name=f"rl-{own}")
                for own, cfg in zip(names, alone, strict=True)]  # fmt: skip
    policy = run.build(average, *policies, cfg=c.soup)
    scores = run.build(evaluate, law, asked, drafts, tuned, policy, rewards, cfg=c.evaluate)
    return run.build(report, *start, said.samples, *said.feedback, said.mixture, rewards, covered, *policies, policy,
                     scores, cfg=c.report)  # fmt: skip
