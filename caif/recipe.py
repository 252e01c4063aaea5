"""The whole way, top to bottom: from a constitution and people's thumbs to a trained policy and a report."""

from functools import partial

from caif.config import Reward, Rl
from caif.content import digest
from caif.hookspecs import hookimpl
from caif.run import Run, Stage
from caif.stages.collect import collect
from caif.stages.combine import combine
from caif.stages.constitution import constitution
from caif.stages.coverage import coverage
from caif.stages.evaluate import evaluate
from caif.stages.generate import generate
from caif.stages.prompts import prompts
from caif.stages.report import report
from caif.stages.revise import revise
from caif.stages.reward import reward
from caif.stages.rl import rl
from caif.stages.sft import sft
from caif.store import Artifact


def constitutional(run: Run) -> Artifact | None:
    """Constitutional AI with human feedback: revise, tune, collect feedback, combine, reward, reinforce, report.

    The order follows Bai et al. 2022: pairs are sampled from the tuned model, so the reward model knows the kind of text
    that RL starts from. A stage that the run file leaves out is None, here and in the inputs of the stages after it.
    """
    c = run.config
    law      = run.build(constitution, cfg=c.law)                                    # the principles
    asked    = run.build(prompts, cfg=c.prompts)
    drafts   = run.build(generate, asked, cfg=c.generate)                            # the helpful-only model
    revised  = run.build(revise, law, drafts, cfg=c.revise)                          # critique -> revision, n turns
    tuned    = run.build(sft, revised, cfg=c.sft)                                    # SL-CAI
    samples  = run.build(generate, asked, tuned, cfg=c.sample, name="sample")        # two or more answers a prompt
    feedback = [run.build(collect, law, asked, samples, revised, tuned, cfg=source, name=source.label)
                for source in c.feedback]
    mixture  = run.build(combine, asked, *feedback, cfg=c.combine)                   # AI labels + people
    read     = [law] if c.reward and c.reward.instructed else []                     # a head may read the principles
    rewards  = run.build(trainer(run, reward, c.reward), mixture, *read, cfg=c.reward)   # one head per objective
    covered  = run.build(coverage, asked, tuned, mixture, rewards, cfg=c.coverage)   # does that know what RL asks?
    checked  = [covered] if covered else []                                          # a plugin's trainer need not take it
    policy   = run.build(trainer(run, rl, c.rl), asked, tuned, rewards, law, *checked, cfg=c.rl)
    scores   = run.build(evaluate, law, asked, drafts, tuned, policy, rewards, cfg=c.evaluate)
    return     run.build(report, law, asked, drafts, revised, tuned, samples, *feedback, mixture, rewards, covered,
                         policy, scores, cfg=c.report)


def trainer(run: Run, stage: Stage, cfg: Reward | Rl | None) -> Stage:
    """Return the stage, or the plugin's trainer that its section names, in the stage's place and under its name.

    The plugin's code is the trainer's version, so an edited trainer trains anew.
    """
    if cfg is None or not cfg.trainer:
        return stage
    chosen = partial(run.plugins.make("caif_trainers", cfg.trainer, {}))
    code = run.plugins.identity("caif_trainers", cfg.trainer, {})
    chosen.together = True  # type: ignore[attr-defined]
    chosen.__name__, chosen.version = stage.__name__, int(digest(code)[:12], 16)  # type: ignore[attr-defined]
    return chosen  # type: ignore[return-value]


@hookimpl
def caif_recipes():
    """The recipes that come with caif."""
    return {"constitutional": constitutional}
