"""From a judgement to a preference: soft, with its principle, or nothing.

A failure says nothing. A tie says that neither answer is to be preferred: a row would have to name one all the same,
and whoever reads rows as hard pairs would take the toss for a label. Both stay in the judgements and are counted there.
An answer that tries to steer the judge is not trusted to have failed: its label is kept out, and counted.
"""

from collections.abc import Iterator

from caif.data import Judgement, Origin, Preference, Rejected


def preference(judgement: Judgement, weight: float = 1.0) -> Iterator[Preference | Rejected]:
    """Yield the preference a judgement supports, the likelier answer as chosen; none for a failure or a tie."""
    if judgement.p_a is None or judgement.verdict == "tie":
        return
    if judgement.suspected_injection:
        yield Rejected(where=judgement.comparison.id, reason="suspected injection", detail=judgement.principle)
        return
    a, b = judgement.comparison.a, judgement.comparison.b
    chosen, rejected = (a, b) if judgement.verdict == "a" else (b, a)
    yield Preference(
        prompt=judgement.comparison.prompt,
        chosen=chosen,
        rejected=rejected,
        probability=max(judgement.p_a, 1 - judgement.p_a),
        weight=weight,
        objective=judgement.objective,
        principle=judgement.principle,
        source=judgement.source,
        rater=judgement.judge,
        resolution=judgement.resolution,
        origin=origin(judgement),
    )


def origin(judgement: Judgement) -> Origin:
    """Return how a label came about: by which judgement, when, under which wording of the principle, in which order, for what.

    Its time is that of the answers, by the ledger: not when they were read again, so the same ledger gives the same rows.
    """
    return Origin(
        raw=f"judgement {judgement.id}",
        at=judgement.at,
        law=judgement.law,
        order="" if judgement.logit_ba is None else "both",
        tokens_in=judgement.tokens_in,
        tokens_out=judgement.tokens_out,
        price=judgement.price,
    )
