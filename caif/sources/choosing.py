"""Which principles judge a comparison, and what becomes of their verdicts where principles of unequal authority differ."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from caif.constitution import Constitution, Principle
from caif.content import digest, rng
from caif.data import Comparison, Judgement

Choose = Literal["one", "balanced", "all"]


class Chosen(NamedTuple):
    """A comparison under a principle; `resolution` says how the two came together, `share` what the label weighs."""

    comparison: Comparison
    principle: Principle
    resolution: str
    share: float = 1.0


def choose(
    law: Constitution, comparisons: Sequence[Comparison], how: Choose, source: str, seed: int
) -> tuple[list[Chosen], list[Comparison]]:
    """Return the comparisons with their principles, and those that no principle applies to.

    "one" draws by weight for each comparison alone (Bai et al. 2022); "all" asks every principle that applies, and their
    labels share one comparison's weight as the principles' weights say; "balanced" gives each comparison the principle
    that is furthest behind its share so far, so that each is used; the draws then depend on the whole set of comparisons.
    """
    picked = {"one": _drawn, "balanced": _balanced, "all": _all}[how](law, comparisons, source, seed)
    found = {chosen.comparison.id for chosen in picked}
    return picked, [comparison for comparison in comparisons if comparison.id not in found]


def _drawn(law: Constitution, comparisons: Sequence[Comparison], source: str, seed: int) -> list[Chosen]:
    drawn = [(c, law.draw(c.prompt, source, seed, *sorted((c.a, c.b)))) for c in comparisons]
    return [Chosen(c, p, "drawn") for c, p in drawn if p is not None]


def _balanced(law: Constitution, comparisons: Sequence[Comparison], source: str, seed: int) -> list[Chosen]:
    used: Counter[str] = Counter()
    picked = []
    for c in sorted(comparisons, key=lambda c: digest([source, seed, *sorted((c.a, c.b)), c.prompt.id])):
        fit = law.applying(c.prompt)
        rng(source, seed, c.prompt.id).shuffle(fit)
        if fit:
            behind = min(fit, key=lambda p: used[p.id] / p.weight)
            used[behind.id] += 1
            picked.append(Chosen(c, behind, "balanced"))
    return picked


def _all(law: Constitution, comparisons: Sequence[Comparison], source: str, seed: int) -> list[Chosen]:
    del source, seed
    picked = []
    for c in comparisons:
        fit = law.applying(c.prompt)
        total = sum(p.weight for p in fit)
        picked += [Chosen(c, p, f"one of {len(fit)} that apply", p.weight / total) for p in fit]
    return picked


def overrule(judged: Sequence[tuple[Chosen, Judgement]], margin: float) -> list[Judgement]:
    """Return the judgements, each with its resolution; one is overruled where a principle of higher authority is sure.

    Sure is a probability of `margin` at least. What agrees with it, and what is of the same authority, stands; of several
    such principles those of the highest authority decide.
    """
    sure: dict[tuple[str, str, str], list[tuple[int, str, str]]] = {}
    for chosen, judgement in judged:
        if judgement.p_a is not None and max(judgement.p_a, 1 - judgement.p_a) >= margin:
            voice = (chosen.principle.authority, judgement.verdict, judgement.principle)
            sure.setdefault(_about(judgement), []).append(voice)
    return [
        judgement.noting(resolution=_resolution(chosen, judgement, sure.get(_about(judgement), []))) for chosen, judgement in judged
    ]


def is_overruled(judgement: Judgement) -> bool:
    """Whether a principle of higher authority stood against it."""
    return judgement.resolution.startswith("overruled")


def _about(judgement: Judgement) -> tuple[str, str, str]:
    return judgement.comparison.id, judgement.judge, judgement.method


def _resolution(chosen: Chosen, judgement: Judgement, voices: Sequence[tuple[int, str, str]]) -> str:
    above = sorted((voice for voice in voices if voice[0] > chosen.principle.authority), reverse=True)
    highest = [voice for voice in above if voice[0] == above[0][0]]  # what these overrule overrules nothing itself
    for _, verdict, principle in highest:
        if judgement.verdict in ("a", "b") and verdict != judgement.verdict:
            return f"overruled by {principle}"
    return chosen.resolution
