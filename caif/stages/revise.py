"""Critique and revise first answers, round after round, each under another principle (Bai et al. 2022, section 3.1).

Each revision continues from the last accepted one; the critique is dropped from the conversation before the next round,
as in the paper. A revision that is empty, unchanged or malformed is stored with the reason and never passed on. A
critic that finds nothing to criticise ends the chain, and the answer so far is its final one. The paper draws each
round's principle independently; here none comes twice in a chain while others apply, and then they come again in the
same order.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from caif import critic
from caif.config import Revise
from caif.constitution import Constitution, Principle, stored
from caif.critic.talk import Talk
from caif.data import NOTHING_FOUND, Completion, Prompt, Revision, Turn
from caif.hookspecs import Answer, Model, Params, Request
from caif.run import Work
from caif.store import Artifact


class Chain(NamedTuple):
    """A prompt's answer so far and the turns that led to it. `deal` is the principles, in the order of their rounds."""

    prompt: Prompt
    first: str
    answer: str
    deal: tuple[Principle, ...]
    turns: tuple[Turn, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the critic found nothing any more."""
        return bool(self.turns) and self.turns[-1].rejected == NOTHING_FOUND

    @property
    def principle(self) -> Principle:
        """The principle of the next round."""
        return self.deal[len(self.turns) % len(self.deal)]

    def after(self, critique: str, revision: str, why_not: str) -> "Chain":
        """Return the chain with one turn more."""
        turn = Turn(principle=self.principle.id, critique=critique, revision=revision, rejected=why_not)
        return self._replace(answer=self.answer if why_not else revision, turns=(*self.turns, turn))

    def row(self) -> Revision:
        """Return the chain as it is kept: no final answer if no revision was accepted and the critic found fault."""
        passed = self.ended or any(not turn.rejected for turn in self.turns)
        return Revision(prompt=self.prompt, first=self.first, turns=self.turns, final=self.answer if passed else None)


def revise(work: Work, law: Artifact, drafts: Artifact, *, cfg: Revise) -> dict[str, Any]:
    """Write one Revision a usable training draft, with every step of its chain."""
    principles = stored(law).only(cfg.principles)
    model, examples = work.models(cfg.model), _examples(work, stored(law), cfg)
    chains = [
        Chain(d.prompt, d.text, d.text, tuple(principles.order(d.prompt, "revise", work.seed)))
        for d in drafts.rows(Completion) if d.usable and d.prompt.split == "train"
    ]  # fmt: skip
    for _ in range(cfg.turns):
        going = [n for n, chain in enumerate(chains) if chain.deal and not chain.ended]
        for n, chain in zip(going, _round(work, model, [chains[n] for n in going], examples, cfg), strict=True):
            chains[n] = chain
    revisions = [chain.row() for chain in chains]
    for turn in (turn for row in revisions for turn in row.turns):
        work.draft.count(_counted(turn))
    work.write(revisions, Revision)
    changed = sum(any(not turn.rejected for turn in row.turns) for row in revisions)
    ended = sum(chain.ended for chain in chains)
    return {"model": model.id, "revised": changed, "ended": ended, "answers": len(revisions)}


revise.version = 3


def _round(work: Work, model: Model, chains: Sequence[Chain], examples: Talk, cfg: Revise) -> list[Chain]:
    """Return each chain after one more turn: a critique, and a revision if there is something to revise."""
    params = Params(cfg.temperature, cfg.max_tokens)
    if not cfg.critique:
        talks = [critic.direct_messages(c.prompt, c.answer, c.principle, examples) for c in chains]
        revised = work.ask(model, _requests(chains, talks), params)
        return [_after(c, Answer("", "stop"), answer, cfg) for c, answer in zip(chains, revised, strict=True)]
    talks = [critic.critique_messages(c.prompt, c.answer, c.principle, examples, may_end=cfg.may_end) for c in chains]
    asked = _requests(chains, talks)

    def revision(n: int, critique: Answer) -> Request | None:
        talk = critic.revision_messages(talks[n], critique.text, chains[n].principle)
        return None if _stop(critique, cfg) else asked[n]._replace(messages=talk)

    critiques, revised = work.ask_on(model, asked, Params(cfg.temperature, cfg.critique_tokens), revision, params)
    return [_after(c, one, other, cfg) for c, one, other in zip(chains, critiques, revised, strict=True)]


def _requests(chains: Sequence[Chain], talks: Sequence[Talk]) -> list[Request]:
    return [Request(c.prompt.id, talk, len(c.turns)) for c, talk in zip(chains, talks, strict=True)]


def _after(chain: Chain, critique: Answer, revised: Answer | None, cfg: Revise) -> Chain:
    """Return the chain after a turn; the revision is None where none was asked for."""
    if revised is None:
        return chain.after(critique.text, "", _stop(critique, cfg))
    return chain.after(critique.text, revised.text, _why_not(chain.answer, revised, cfg.max_growth))


def _stop(critique: Answer, cfg: Revise) -> str:
    """Return why no revision is asked for after this critique, or ""."""
    if critique.failed or not critique.text.strip():
        return f"the model gave no critique ({critique.finish})"
    return NOTHING_FOUND if cfg.may_end and critic.nothing_to_criticise(critique.text) else ""


def _why_not(before: str, answer: Answer, max_growth: float) -> str:
    """Return why a revision is not taken over, or ""."""
    if answer.failed:
        return f"the model gave no answer ({answer.finish})"
    return critic.fault(before, answer.text, max_growth) or (
        "cut off at the token limit" if answer.finish == "length" else ""
    )


def _counted(turn: Turn) -> str:
    if turn.rejected == NOTHING_FOUND:
        return f"ended: {NOTHING_FOUND}"
    return f"rejected: {turn.rejected}" if turn.rejected else "accepted"


def _examples(work: Work, law: Constitution, cfg: Revise) -> Talk:
    """Return the few-shot dialogues that fit `example_tokens`, and count those that do not."""
    if cfg.examples is None:
        return []
    dialogues = [
        critic.shots(e, law, critique=cfg.critique, may_end=cfg.may_end) for e in critic.read_examples(cfg.examples)
    ]
    kept, dropped = critic.fitting([dialogue for dialogue in dialogues if dialogue], cfg.example_tokens)
    if dropped:
        work.draft.count("examples over example_tokens", dropped)
        work.tell.warn(
            f"{work.stage}: {dropped} of {len(dialogues)} examples do not fit example_tokens = {cfg.example_tokens}"
        )
    return kept
