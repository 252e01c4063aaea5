"""Revision against first answer, believed only as far as the labeler believes it.

The revision is not taken to be the better answer because it is the revision: the judge compares the two under the
principle that was last used, and its probability is the label. A revision that it does not prefer is counted and,
unless all are kept, left out: what critique made worse is no example of an answer without critique being better.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from caif.config import Count, ModelSpec, Share
from caif.data import NOTHING_FOUND, Comparison, Rejected, Revision
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.judge import DEAD_BAND, MIN_MASS, Bench, Method, judge_all
from caif.judge.watch import Selftest, Watch
from caif.sources.labels import preference


def critique_revise(
    *,
    judge: ModelSpec,
    method: Method = "logprobs",
    limit: Count | None = None,
    votes: Count | None = None,
    min_mass: Share = MIN_MASS,
    dead_band: Annotated[float, Field(ge=0, lt=0.5)] = DEAD_BAND,
    keep: Literal["preferred", "all"] = "preferred",
    selftest: Selftest = "stop",
) -> FeedbackSource:
    """Compare each chain's final revision with its first answer, `limit` of them at most.

    A probability within `dead_band` of one half is a tie. `keep` says whether revisions that the judge does not prefer
    become preferences too, for the first answer.
    """

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        asked = []
        for revision in context.revisions:
            if why := _unusable(revision):
                yield Rejected(where=revision.id, reason=why)
                continue
            last = [turn.principle for turn in revision.turns if not turn.rejected][-1]
            comparison = Comparison(prompt=revision.prompt, a=revision.final or "", b=revision.first)
            asked.append((comparison, context.constitution.principle(last)))
        bench = Bench(context.model(judge), context.ask, context.score, method, votes, min_mass, dead_band=dead_band)
        yield from Watch(bench, context.constitution, context.source, context.seed, selftest).before()
        asked.sort(key=lambda pair: pair[0].id)
        for judgement in judge_all(bench, asked[:limit], context.source):
            yield judgement
            if judgement.verdict == "b" and keep == "preferred":
                where, detail = (
                    judgement.comparison.id,
                    f"{judgement.principle}: P(revision is better) = {judgement.p_a:.2f}",
                )
                yield Rejected(where=where, reason="the labeler prefers the first answer", detail=detail)
            else:
                yield from preference(judgement)

    return source


def _unusable(revision: Revision) -> str:
    """Return why a chain has no revision to compare, or ""."""
    if all(turn.rejected for turn in revision.turns):
        return "no accepted revision" if revision.final is None else NOTHING_FOUND
    # turn after turn can lead back to where it began
    return "identical answers" if revision.final == revision.first else ""
