"""Votes of Chatbot Arena (FastChat): the released table, and the raw log lines of an arena of your own.

Released rows are `{conversation_a, conversation_b, winner, judge, tstamp, …}`; log lines are `{type, states, ip, tstamp}`
with `leftvote`, `rightvote`, `tievote` or `bothbad_vote`, or `upvote` or `downvote` on one `state`. Two bad answers are
not a tie, so such a vote is turned away. An IP address never enters a row, not even hashed: log lines have no rater.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from caif.data import Message, Preference, Rating, Rejected
from caif.formats.fields import Unusable, conversation, each, hashed, kind, origin, pair, prompt_of, rated, required
from caif.formats.jsonl import Line
from caif.formats.rows import any_rows
from caif.hookspecs import Reader

WINNERS = {"model_a": "a", "model_b": "b", "tie": "tie", "tie (bothbad)": "both bad"}
VOTES = {"leftvote": "a", "rightvote": "b", "tievote": "tie", "bothbad_vote": "both bad"}
THUMBS = {"upvote": True, "downvote": False}


def chatbot_arena(objective: str = "helpfulness", salt: str = "caif") -> Reader:
    """Read votes between two answers as pairs, a tie as one of probability one half, and votes on one answer as thumbs.

    Of a longer chat only the last answers are compared, and only where all that went before was the same on both sides.
    """

    def make(line: Line) -> Iterator[Rating | Preference]:
        if "winner" in line.row:
            sides = [conversation(required(line.row, f"conversation_{side}"), f"conversation_{side}") for side in "ab"]
            yield _pair(line, sides, _said(line.row["winner"], WINNERS, "winner"), objective, salt)
        elif str(line.row.get("type")) in THUMBS:
            yield _thumb(line, objective, salt)
        else:
            verdict = _said(required(line.row, "type"), VOTES, "type")
            states = required(line.row, "states")
            if not isinstance(states, list) or len(states) != 2:
                raise Unusable("not two states", f"it is {kind(states)}")
            yield _pair(line, [_state(state) for state in states], verdict, objective, salt)

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        return each(any_rows(path), make)

    return read


def _said(value: object, known: Mapping[str, str], key: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise Unusable("not a vote", f"{key} is {value!r:.40}" if isinstance(value, str) else f"{key} is {kind(value)}")
    if known[value] == "both bad":
        raise Unusable("both answers are bad", "which is not a tie")
    return known[value]


def _pair(line: Line, sides: Sequence[tuple[Message, ...]], verdict: str, objective: str, salt: str) -> Preference:
    (*before, a), (*other, b) = map(_ended, sides)
    if before != other:
        raise Unusable("prompts differ", "the chats part before the last answer")
    chosen, rejected = pair(*((b.content, a.content) if verdict == "b" else (a.content, b.content)))
    return Preference(
        prompt=prompt_of(tuple(before)),
        chosen=chosen,
        rejected=rejected,
        probability=0.5 if verdict == "tie" else 1.0,
        objective=objective,
        rater=hashed("user", line.row.get("judge"), salt),
        origin=origin(line, line.row.get("question_id"), line.row.get("tstamp")),
    )


def _thumb(line: Line, objective: str, salt: str) -> Rating:
    state = required(line.row, "state")
    *before, answer = _ended(_state(state))
    return Rating(
        prompt=prompt_of(tuple(before)),
        completion=rated(answer.content),
        up=THUMBS[line.row["type"]],
        objective=objective,
        origin=origin(line, "", line.row.get("tstamp"), hashed("chat", state.get("conv_id"), salt)),
    )


def _ended(chat: tuple[Message, ...]) -> tuple[Message, ...]:
    if not chat or chat[-1].role != "assistant":
        raise Unusable("the chat does not end with an answer")
    return chat


def _state(state: object) -> tuple[Message, ...]:
    """Return what was said on one side, without the template's examples before `offset`."""
    if not isinstance(state, dict) or not isinstance(said := state.get("messages"), list):
        raise Unusable("a state has no messages")
    roles, offset = state.get("roles"), state.get("offset", 0)
    if not isinstance(roles, list) or len(roles) != 2 or type(offset) is not int or offset < 0:
        raise Unusable("a state has no roles")
    return tuple(_message(item, roles) for item in said[offset:])


def _message(item: object, roles: Sequence[Any]) -> Message:
    if not isinstance(item, list) or len(item) != 2 or item[0] not in roles:
        raise Unusable("not a message")
    if not isinstance(item[1], str):
        raise Unusable("more than text in the conversation", f"a message is {kind(item[1])}")
    return Message(role="user" if item[0] == roles[0] else "assistant", content=item[1])
