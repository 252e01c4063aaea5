"""Pairs from escalations: where a person took a chat over, their answer is preferred to the bot's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

import caif
from caif.formats.fields import Unusable, at_least_one, conversation, each, prompt_of, required, text
from caif.formats.jsonl import Line, lines
from caif.hookspecs import FeedbackSource


def escalations(
    path: Path, objective: str = "helpfulness", probability: Annotated[float, Field(ge=0.5, le=1)] = 0.95
) -> FeedbackSource:
    """Take one pair an escalation. `probability` is how sure it is that the person's answer is the better one."""

    def source(context: caif.FeedbackContext) -> Iterator[caif.Preference | caif.Rejected]:
        def pair(line: Line) -> Iterator[caif.Preference]:
            person, bot = text(line.row, "agent_answer"), text(line.row, "bot_answer")
            if person.strip() == bot.strip():
                raise Unusable("identical answers")
            yield caif.Preference(
                prompt=prompt_of(conversation(required(line.row, "prompt"))),
                chosen=person,
                rejected=bot,
                probability=probability,
                objective=objective,
                source=context.source,
                rater=text(line.row, "agent", ""),
            )

        return at_least_one(each(lines(path), pair), path, "escalations")

    return source


@caif.hookimpl
def caif_feedback_sources():
    return {"escalations": escalations}
