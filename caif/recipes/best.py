"""Recipes that choose among answers by the reward model's heads instead of training against them."""

from caif.errors import CaifError
from caif.recipes.parts import Tuned, labelling, needing, tuning
from caif.run import Run
from caif.sections.offline import Choose
from caif.stages.chosen import chosen
from caif.stages.constitution import constitution
from caif.stages.coverage import coverage
from caif.stages.evaluate import evaluate
from caif.stages.generate import generate
from caif.stages.prompts import prompts
from caif.stages.report import report
from caif.stages.reward import reward
from caif.stages.sft import sft
from caif.store import Artifact


@needing("combine", "reward", "evaluate")
def best_of_n(run: Run) -> Artifact | None:
    """The best of `evaluate.best_of` answers by the heads, with no policy trained: the baseline that training has to beat."""
    c = run.config
    law, asked, drafts, _, tuned = start = tuning(run)
    said = labelling(run, start)
    read = [law] if c.reward and c.reward.instructed else []
    rewards = run.build(reward, said.mixture, *read, cfg=c.reward)
    covered = run.build(coverage, asked, tuned, said.mixture, rewards, cfg=c.coverage)
    scores = run.build(evaluate, law, asked, drafts, tuned, None, rewards, cfg=c.evaluate)
    return run.build(report, *start, said.samples, *said.feedback, said.mixture, rewards, covered, scores, cfg=c.report)


@needing("sample", "combine", "reward", "sft")
def rejection_sampling(run: Run) -> Artifact | None:
    """Tune `sample.model` on the best of its own answers, by the heads; the tuned model is the policy."""
    c = run.config
    if c.sample is None or c.sample.model is None:
        raise CaifError('recipe = "rejection-sampling" tunes on samples of a model', "name it: sample.model")
    law, asked = run.build(constitution, cfg=c.law), run.build(prompts, cfg=c.prompts)
    drafts = run.build(generate, asked, cfg=c.generate)
    said = labelling(run, Tuned(law, asked, drafts, None, None))
    rewards = run.build(reward, said.mixture, cfg=c.reward)
    best = run.build(chosen, said.samples, rewards, cfg=c.choose or Choose())
    policy = run.build(sft, best, cfg=c.sft)
    first = c.evaluate and c.evaluate.model_copy(update={"model": c.sample.model})
    scores = run.build(evaluate, law, asked, drafts, None, policy, rewards, cfg=first)
    return run.build(
        report,
        law,
        asked,
        drafts,
        said.samples,
        *said.feedback,
        said.mixture,
        rewards,
        best,
        policy,
        scores,
        cfg=c.report,
    )
