"""Critique and revise first answers against principles drawn anew each turn (Bai et al. 2022, section 3.1).

Each revision continues from the last accepted one; the critique is dropped from the conversation before the next turn, as
in the paper. A revision that is empty, unchanged or malformed is stored with the reason and never passed on.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from pydantic import ValidationError, model_validator

from caif.config import Revise
from caif.constitution import Principle, stored
from caif.content import Frozen
from caif.data import Completion, Message, Prompt, Revision, Turn
from caif.errors import explain
from caif.files import load
from caif.hookspecs import Answer, Model, Params, Request
from caif.run import Work
from caif.store import Artifact

CRITIQUE = "{request} Do not rewrite the answer yet."
REVISION = "{request} Write only the new answer, with no comment before or after it."
_LABELS = re.compile(r"^\W*(critique|revision|revised|critiquerequest|revisionrequest)\b[^\n]{0,40}:", re.IGNORECASE)
_ABOUT = re.compile(r"\b(assistant\W?s|my|your|the) (last|previous|original|first|new|revised) (answer|response)\b", re.IGNORECASE)
_TEMPLATE = re.compile(r"<\|[a-z_]+\|>|\[/?INST\]|^(human|user|assistant):", re.IGNORECASE | re.MULTILINE)


class Examples(Frozen):
    """The examples file: user and assistant in turn, the assistant last, so that a new conversation can follow."""

    messages: tuple[Message, ...]

    @model_validator(mode="after")
    def _in_turn(self) -> Self:
        roles = [message.role for message in self.messages]
        if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
            raise ValueError("messages: must be of user and assistant in turn, the assistant's last")
        return self


class Chain(NamedTuple):
    """A prompt's answer so far and the turns that led to it."""

    prompt: Prompt
    first: str
    answer: str
    turns: tuple[Turn, ...] = ()


def revise(work: Work, law: Artifact, drafts: Artifact, *, cfg: Revise) -> dict[str, Any]:
    """Write one Revision a usable training draft, with every step of its chain."""
    principles = stored(law).only(cfg.principles)
    model = work.models(cfg.model)
    shots = _examples(cfg)
    chains = [Chain(d.prompt, d.text, d.text) for d in drafts.rows(Completion) if d.usable and d.prompt.split == "train"]
    for turn in range(cfg.turns):
        drawn = [principles.draw(c.prompt, "revise", work.seed, turn) for c in chains]
        chains = _turn(work, model, chains, drawn, shots, cfg)
    revisions = [
        Revision(prompt=c.prompt, first=c.first, turns=c.turns, final=c.answer if any(not t.rejected for t in c.turns) else None)
        for c in chains
    ]
    for turn in (t for c in chains for t in c.turns):
        work.draft.count(f"rejected: {turn.rejected}" if turn.rejected else "accepted")
    work.write(revisions, Revision)
    return {"model": model.id, "revised": sum(r.final is not None for r in revisions), "answers": len(revisions)}


revise.version = 2


def _turn(
    work: Work, model: Model, chains: list[Chain], drawn: Sequence[Principle | None], shots: list[dict[str, str]], cfg: Revise
) -> list[Chain]:
    """Ask for all critiques, then for all revisions; a chain that no principle applies to stays as it is."""
    active = [(n, chain, p) for n, (chain, p) in enumerate(zip(chains, drawn, strict=True)) if p is not None]
    talks = [critique_messages(chain.prompt, chain.answer, p, shots) for _, chain, p in active]
    asked = [Request(chain.prompt.id, talk, len(chain.turns)) for (_, chain, _), talk in zip(active, talks, strict=True)]
    critiques = work.ask(model, asked, Params(cfg.temperature, cfg.critique_tokens))
    told = [n for n, critique in enumerate(critiques) if not critique.failed and critique.text]
    talks = [revision_messages(talks[n], critiques[n].text, active[n][2]) for n in told]
    asked = [asked[n]._replace(messages=talk) for n, talk in zip(told, talks, strict=True)]
    answers = dict(zip(told, work.ask(model, asked, Params(cfg.temperature, cfg.max_tokens)), strict=True))
    after = list(chains)
    for k, (n, chain, p) in enumerate(active):
        critique, answer = critiques[k], answers.get(k)
        why = _why_not(chain.answer, critique, answer, cfg.max_growth)
        text = answer.text if answer else ""
        turn = Turn(principle=p.id, critique=critique.text, revision=text, rejected=why)
        after[n] = Chain(chain.prompt, chain.first, chain.answer if why else text, (*chain.turns, turn))
    return after


def _why_not(before: str, critique: Answer, answer: Answer | None, max_growth: float) -> str:
    """Return why a turn is not taken over, or ""."""
    if answer is None:
        return f"the model gave no critique ({critique.finish})"
    if answer.failed:
        return f"the model gave no answer ({answer.finish})"
    return fault(before, answer.text, max_growth) or ("cut off at the token limit" if answer.finish == "length" else "")


def critique_messages(
    prompt: Prompt, answer: str, principle: Principle, shots: Sequence[dict[str, str]] = ()
) -> list[dict[str, str]]:
    """Return the conversation that asks for a critique of the last answer. A system message stays the first."""
    request = CRITIQUE.format(request=principle.critique)
    system = [message for message in prompt.chat if message["role"] == "system"]
    talk = [message for message in prompt.chat if message["role"] != "system"]
    return [*system, *shots, *talk, {"role": "assistant", "content": answer}, {"role": "user", "content": request}]


def revision_messages(talk: Sequence[dict[str, str]], critique: str, principle: Principle) -> list[dict[str, str]]:
    """Return the same conversation after the critique, asking for the revision."""
    request = REVISION.format(request=principle.revision)
    return [*talk, {"role": "assistant", "content": critique}, {"role": "user", "content": request}]


def fault(answer: str, revision: str, max_growth: float) -> str:
    """Return why a revision must not be passed on, or "" if it may (METHODS 1.4)."""
    if not revision.strip():
        return "empty"
    if " ".join(revision.split()) == " ".join(answer.split()):
        return "identical to the answer"
    if _LABELS.match(revision):
        return "begins with a label instead of an answer"
    if _ABOUT.search(revision[:120]):
        return "talks about the answer instead of giving one"
    if _TEMPLATE.search(revision):
        return "holds template markers"
    if len(revision) > max_growth * max(len(answer), 200):
        return "far longer than the answer"
    return ""


def _examples(cfg: Revise) -> list[dict[str, str]]:
    """Return the few-shot turns of the examples file: a table with `messages`, whole critique–revision dialogues."""
    if cfg.examples is None:
        return []
    try:
        shots = Examples.model_validate(load(cfg.examples))
    except ValidationError as error:
        raise explain(error, Examples, cfg.examples) from None
    return [message.model_dump() for message in shots.messages]
