"""A feedback source that needs no judge: of two answers the one with more words has more detail, the other more brevity."""

from itertools import combinations, groupby

import caif


def lengths():
    """Label every two answers to a prompt twice, each time by the number of their words."""

    def source(context):
        for _, own in groupby(context.samples, key=lambda sample: sample.prompt.id):
            for one, other in combinations((sample for sample in own if sample.usable), 2):
                short, long = sorted((one.text, other.text), key=lambda text: len(text.split()))
                if len(short.split()) < len(long.split()):
                    for objective, chosen, rejected in (("detail", long, short), ("brevity", short, long)):
                        yield caif.Preference(
                            prompt=one.prompt, chosen=chosen, rejected=rejected, probability=0.95,
                            objective=objective, source=context.source,
                        )  # fmt: skip

    return source


@caif.hookimpl
def caif_feedback_sources():
    return {"lengths": lengths}
