"""OpenAssistant conversation trees: one tree a line, thumbs as emoji counts, human ranks of sibling answers.

A row is `{"prompt": {"message_id", "text", "role", "deleted", "rank", "emojis": {"+1": 3, "-1": 1}, "replies": […]}}`.
Votes are anonymous, so three ups on one answer are one Rating of weight 3 with no rater. Other emojis (`_skip_reply`,
`red_flag`) do not say how good an answer is, and a thumb on a person's message says nothing of a model's.
"""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

from caif.data import Message, Preference, Prompt, Rating, Rejected
from caif.formats.fields import Unusable, each, kind, prompt_of
from caif.formats.jsonl import Line, lines
from caif.hookspecs import Reader

ROLES: dict[object, Literal["user", "assistant"]] = {"prompter": "user", "assistant": "assistant"}
VOTES = {"+1": True, "-1": False}


class Node(NamedTuple):
    """A message of a tree and the messages that lead to it."""

    row: dict[str, Any]
    path: tuple[dict[str, Any], ...]


def open_assistant(objective: str = "helpfulness", ranks: bool = False) -> Reader:
    """Read the thumbs on answers at any depth or, with `ranks`, each pair of sibling answers that people ranked."""

    def make(line: Line) -> Iterator[Rating | Preference | Rejected]:
        for node in _nodes(line.row):
            read = _pairs(node, objective) if ranks else _thumbs(node, objective)
            name = str(node.row.get("message_id", ""))[:40]
            try:
                yield from read
            except Unusable as error:
                detail = f"message {name}: {error.detail}" if error.detail else f"message {name}"
                yield Rejected(where=line.where, reason=error.reason, detail=detail)

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        return each(lines(path), make)

    return read


def prompts(path: Path) -> Iterator[Prompt | Rejected]:
    """Yield the first message of every tree."""

    def make(line: Line) -> Iterator[Prompt]:
        root = next(_nodes(line.row))
        yield _prompt((root.row,), source=path.name)

    return each(lines(path), make)


def _nodes(tree: dict[str, Any]) -> Iterator[Node]:
    """Walk a tree from its root, by a stack of our own: trees are deeper than Python's."""
    root = tree.get("prompt")
    if not isinstance(root, dict):
        raise Unusable("not a tree", "a row is {'prompt': {'text', 'role', 'replies'}}")
    waiting = [Node(root, ())]
    while waiting:
        node = waiting.pop()
        yield node
        path = (*node.path, node.row)
        waiting.extend(Node(reply, path) for reply in reversed(_replies(node.row)))


def _replies(row: dict[str, Any]) -> list[dict[str, Any]]:
    replies = row.get("replies") or []
    return [reply for reply in replies if isinstance(reply, dict)] if isinstance(replies, list) else []


def _thumbs(node: Node, objective: str) -> Iterator[Rating]:
    counts = {up: _count(node.row, vote) for vote, up in VOTES.items()}
    if not any(counts.values()):
        return
    if node.row.get("role") == "prompter":
        raise Unusable("thumb on a person's message")
    prompt, answer = _prompt(node.path), _message(node.row).content
    for up, count in counts.items():
        if count:
            yield Rating(prompt=prompt, completion=answer, up=up, weight=float(count), objective=objective)


def _count(row: dict[str, Any], vote: str) -> int:
    emojis = row.get("emojis")
    count = emojis.get(vote, 0) if isinstance(emojis, dict) else 0
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 1_000_000:
        raise Unusable("a vote count is not a count", f"{vote} is {kind(count)}")
    return count


def _pairs(node: Node, objective: str) -> Iterator[Preference | Rejected]:
    """Yield a preference for every two ranked answers to this message; the lower rank is the better answer."""
    ranked = [reply for reply in _replies(node.row) if isinstance(reply.get("rank"), int)]
    if len(ranked) < 2 or node.row.get("role") != "prompter":
        return
    prompt = _prompt((*node.path, node.row))
    for one, other in combinations(sorted(ranked, key=lambda reply: int(reply["rank"])), 2):
        if one["rank"] == other["rank"]:
            raise Unusable("two answers of one rank")
        better, worse = _message(one).content, _message(other).content
        if better == worse:
            raise Unusable("identical answers")
        yield Preference(prompt=prompt, chosen=better, rejected=worse, probability=1.0, objective=objective)


def _prompt(path: tuple[dict[str, Any], ...], source: str = "") -> Prompt:
    return prompt_of(tuple(_message(row) for row in path), source=source)


def _message(row: dict[str, Any]) -> Message:
    said, role = row.get("text"), ROLES.get(row.get("role"))
    if row.get("deleted"):
        raise Unusable("deleted message")
    if not isinstance(said, str) or not said.strip():
        raise Unusable("empty message")
    if role is None:
        raise Unusable("unknown role")
    return Message(role=role, content=said)
