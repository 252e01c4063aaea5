"""From a judgement to a preference: soft, with its principle, or nothing."""

from collections.abc import Iterator

from caif.data import Judgement, Preference


def preference(judgement: Judgement) -> Iterator[Preference]:
    """Yield the preference a judgement supports, the likelier answer as chosen; none if it carries no probability."""
    if judgement.p_a is None:
        return
    a, b = judgement.comparison.a, judgement.comparison.b
    chosen, rejected = (a, b) if judgement.p_a >= 0.5 else (b, a)
    yield Preference(
        prompt=judgement.comparison.prompt,
        chosen=chosen,
        rejected=rejected,
        probability=max(judgement.p_a, 1 - judgement.p_a),
        objective=judgement.objective,
        principle=judgement.principle,
        source=judgement.source,
        rater=judgement.judge,
    )
