"""Revision against first answer, believed only as far as the labeler believes it.

The revision is not taken to be the better answer because it is the revision: the judge compares the two under the
principle that was last used, and its probability is the label, whichever way it falls.
"""

from collections.abc import Iterator

from caif.config import Count, ModelSpec, Share
from caif.data import Comparison, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.judge import MIN_MASS, Bench, Method, judge_all
from caif.sources.labels import preference


def critique_revise(
    *, judge: ModelSpec, method: Method = "logprobs", limit: Count | None = None, votes: Count = 4, min_mass: Share = MIN_MASS
) -> FeedbackSource:
    """Compare each chain's final revision with its first answer, `limit` of them at most."""

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        asked = []
        for revision in context.revisions:
            accepted = [turn for turn in revision.turns if not turn.rejected]
            if revision.final is None or not accepted:
                yield Rejected(where=revision.id, reason="no accepted revision")
                continue
            if revision.final == revision.first:  # turn after turn can lead back to where it began
                yield Rejected(where=revision.id, reason="identical answers")
                continue
            comparison = Comparison(prompt=revision.prompt, a=revision.final, b=revision.first)
            asked.append((comparison, context.constitution.principle(accepted[-1].principle)))
        bench = Bench(context.model(judge), context.ask, context.score, method, votes, min_mass)
        asked.sort(key=lambda pair: pair[0].id)
        for judgement in judge_all(bench, asked[:limit], context.source):
            yield judgement
            yield from preference(judgement)

    return source
