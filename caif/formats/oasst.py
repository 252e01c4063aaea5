"""OpenAssistant conversation trees: one tree a line, thumbs as emoji counts, human ranks of sibling answers.

A row is `{"prompt": {"message_id", "text", "role", "deleted", "rank", "emojis": {"+1": 3, "-1": 1}, "replies": […]}}`.
Votes are anonymous, so three ups on one answer are one Rating of weight 3 with no rater. Other emojis (`_skip_reply`,
`red_flag`) do not say how good an answer is, and a thumb on a person's message says nothing of a model's.
"""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

from caif.data import Message, Origin, Preference, Prompt, Rating, Rejected
from caif.formats.fields import Unusable, each, hashed, kind, origin, prompt_of
from caif.formats.jsonl import Line, lines
from caif.hookspecs import Reader

ROLES: dict[str, Literal["user", "assistant"]] = {"prompter": "user", "assistant": "assistant"}
VOTES = {"+1": True, "-1": False}


class Node(NamedTuple):
    """A message of a tree and the messages that lead to it."""

    row: dict[str, Any]
    path: tuple[dict[str, Any], ...]


def open_assistant(objective: str = "helpfulness", ranks: bool = False, salt: str = "caif") -> Reader:
    """Read the thumbs on answers at any depth or, with `ranks`, each pair of sibling answers that people ranked."""

    def make(line: Line) -> Iterator[Rating | Preference | Rejected]:
        tree = hashed("chat", line.row.get("message_tree_id"), salt)
        for node in _nodes(line.row):
            named = origin(line, node.row.get("message_id"), conversation=tree)
            read = _pairs(node, objective, named) if ranks else _thumbs(node, objective, named)
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


def _thumbs(node: Node, objective: str, named: Origin) -> Iterator[Rating]:
    counts = {up: _count(node.row, vote) for vote, up in VOTES.items()}
    if not any(counts.values()):
        return
    if node.row.get("role") == "prompter":
        raise Unusable("thumb on a person's message")
    prompt, answer = _prompt(node.path), _message(node.row).content
    for up, count in counts.items():
        if count:
            yield Rating(
                prompt=prompt, completion=answer, up=up, weight=float(count), objective=objective, origin=named
            )


def _count(row: dict[str, Any], vote: str) -> int:
    emojis = row.get("emojis")
    count = emojis.get(vote, 0) if isinstance(emojis, dict) else 0
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 1_000_000:
        raise Unusable("a vote count is not a count", f"{vote} is {kind(count)}")
    return count


def _pairs(node: Node, objective: str, named: Origin) -> Iterator[Preference]:
    """Yield a preference for every two ranked answers to this message; the lower rank is the better answer."""
    if node.row.get("role") != "prompter":
        if _rank(node.row) is not None:
            _message(node.row)  # an answer that cannot be used is counted here; its siblings are compared without it
        return
    ranked = [(rank, reply) for reply in _replies(node.row) if (rank := _rank(reply)) is not None and not _fault(reply)]
    answers = sorted((rank, str(reply["text"])) for rank, reply in ranked)
    if len(answers) < 2:
        return
    prompt = _prompt((*node.path, node.row))
    for (above, better), (below, worse) in combinations(answers, 2):
        if above < below and better != worse:
            yield Preference(
                prompt=prompt, chosen=better, rejected=worse, probability=1.0, objective=objective, origin=named
            )
    if len({text for _, text in answers}) < len(answers):
        raise Unusable("identical answers", "they were not compared with each other")


def _rank(row: dict[str, Any]) -> int | None:
    rank = row.get("rank")
    return rank if isinstance(rank, int) and not isinstance(rank, bool) else None


def _prompt(path: tuple[dict[str, Any], ...], source: str = "") -> Prompt:
    return prompt_of(tuple(_message(row) for row in path), source=source)


def _message(row: dict[str, Any]) -> Message:
    if fault := _fault(row):
        raise Unusable(fault)
    return Message(role=ROLES[row["role"]], content=row["text"])


def _fault(row: dict[str, Any]) -> str:
    """Return why a message cannot be used, "" if it can."""
    said, role = row.get("text"), row.get("role")
    if row.get("deleted"):
        return "deleted message"
    if not isinstance(said, str) or not said.strip():
        return "empty message"
    return "" if isinstance(role, str) and role in ROLES else "unknown role"
