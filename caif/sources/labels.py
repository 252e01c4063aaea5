"""From a judgement to a preference: soft, with its principle, or nothing.

A failure says nothing. A tie says that neither answer is to be preferred: a row would have to name one all the same,
and whoever reads rows as hard pairs would take the toss for a label. Both stay in the judgements and are counted there.
"""

from collections.abc import Iterator

from caif.data import Judgement, Preference


def preference(judgement: Judgement) -> Iterator[Preference]:
    """Yield the preference a judgement supports, the likelier answer as chosen; none for a failure or a tie."""
    if judgement.p_a is None or judgement.verdict == "tie":
        return
    a, b = judgement.comparison.a, judgement.comparison.b
    chosen, rejected = (a, b) if judgement.verdict == "a" else (b, a)
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
