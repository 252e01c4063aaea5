"""What recipes share: the way to tuned model and labels, and which sections of the run file a recipe cannot do without."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from caif.run import Run
from caif.stages.collect import collect
from caif.stages.combine import combine
from caif.stages.constitution import constitution
from caif.stages.generate import generate
from caif.stages.prompts import prompts
from caif.stages.revise import revise
from caif.stages.sft import sft
from caif.store import Artifact

R = TypeVar("R", bound=Callable[[Run], Any])


def needing(*sections: str) -> Callable[[R], R]:
    """Mark a recipe with the sections that it needs; a run file without one is refused before anything is made."""

    def mark(recipe: R) -> R:
        recipe.needs = sections  # type: ignore[attr-defined]
        return recipe

    return mark


class Tuned(NamedTuple):
    """What the way up to the tuned model has made, as far as the run file has sections for it."""

    law: Artifact | None
    asked: Artifact | None
    drafts: Artifact | None
    revised: Artifact | None
    tuned: Artifact | None


class Labelled(NamedTuple):
    """What was sampled from the tuned model, what was said of it, and that put together."""

    samples: Artifact | None
    feedback: tuple[Artifact | None, ...]
    mixture: Artifact | None


def tuning(run: Run) -> Tuned:
    """Build what the main recipe builds up to the tuned model: same sections, same keys, so runs share it."""
    c = run.config
    law = run.build(constitution, cfg=c.law)
    asked = run.build(prompts, cfg=c.prompts)
    drafts = run.build(generate, asked, cfg=c.generate)
    revised = run.build(revise, law, drafts, cfg=c.revise)
    return Tuned(law, asked, drafts, revised, run.build(sft, revised, cfg=c.sft))


def labelling(run: Run, so_far: Tuned) -> Labelled:
    """Build what the main recipe builds from there up to the mixture."""
    c, (law, asked, _, revised, tuned) = run.config, so_far
    samples = run.build(generate, asked, tuned, cfg=c.sample, name="sample")
    feedback = [run.build(collect, law, asked, samples, revised, tuned, cfg=s, name=s.label) for s in c.feedback]
    return Labelled(samples, tuple(feedback), run.build(combine, asked, *feedback, cfg=c.combine))
