"""Check before RL that the reward model knows what RL asks and what the policy writes; say what to label next if not."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from caif.config import Coverage
from caif.content import rng
from caif.coverage.compare import Checked, checked
from caif.coverage.gate import judged, verdict
from caif.coverage.monitor import Known, off_scale
from caif.coverage.novelty import novelty
from caif.coverage.proposals import Text, unasked, unlabelled
from caif.coverage.rows import Covered
from caif.coverage.space import Floats
from caif.data import Preference, Prompt, Rating
from caif.errors import FAILED, CaifError
from caif.hookspecs import Params, Request
from caif.intervals import Estimate, share
from caif.run import Work
from caif.store import Artifact
from caif.text import brief, refuses

FRESH = 1_000_000
"""The sample number of new answers, far above any that is labelled: the ledger would give those out again."""
SHOWN = 300
"""Characters of a text in the lists of what to label next."""

Answer = tuple[Prompt, str]
Rewarded = tuple[Sequence[Answer], Floats]
"""Answers, and their rewards [answers, heads]."""
T = TypeVar("T")


def coverage(
    work: Work, asked: Artifact, tuned: Artifact | None, mixture: Artifact, rewards: Artifact, *, cfg: Coverage
) -> dict[str, Any]:
    """Write how far each prompt and new answer is from the reward model's data; return shares, tests and a verdict.

    What RL's steps are measured by is kept as the artifact's model.
    """
    prompts = [prompt for prompt in asked.rows(Prompt) if prompt.split == "train"]
    if not prompts:
        raise CaifError("coverage: RL has no prompt to ask", "lower prompts.heldout or add prompts", code=FAILED)
    labelled = _labelled([*mixture.rows(Preference), *mixture.rows(Rating)])
    written = _written(work, prompts, tuned, cfg)
    work.models.release()
    from caif.training.drift import Listening, answer_side, prompt_side, readable
    from caif.training.progress import quiet
    from caif.training.reward_model import RewardModel

    quiet()
    model = RewardModel.load(rewards.model, heard := Listening())
    theirs, ours = (_some(some, cfg.most, work.seed) for some in (_unique([p for p, _ in labelled]), _unique(prompts)))
    of_theirs, of_ours = (prompt_side(model, some, work.tell.track) for some in (theirs, ours))
    told = _whole(work, "labelled", _some(labelled, cfg.most, work.seed), lambda row: readable(model, row))
    new = _whole(work, "new", written, lambda row: readable(model, row))
    of_told, of_new = answer_side(model, heard, told), answer_side(model, heard, new)
    asking, writing = checked(of_theirs, of_ours, work.seed), checked(of_told.side, of_new.side, work.seed)
    work.write([*_rows("prompt", [(p, "") for p in ours], asking), *_rows("answer", new, writing)], Covered)
    return _judged(work, cfg, {
        "prompts": asking and _of_prompts(asking, theirs, ours, work.seed),
        "written": writing and _of_answers(work, writing, model.objectives, (told, of_told.rewards), (new, of_new.rewards)),
    })  # fmt: skip


coverage.version = 1


def _of_prompts(check: Checked, theirs: Sequence[Prompt], ours: Sequence[Prompt], seed: int) -> dict[str, Any]:
    return {
        **check.numbers,
        "unlabelled": unlabelled(check.found, [_text(p) for p in ours], seed),
        "asked_nothing_like": unasked(check.found, [_text(p) for p in theirs], seed),
    }


def _of_answers(work: Work, check: Checked, heads: Sequence[str], told: Rewarded, new: Rewarded) -> dict[str, Any]:
    """Keep what RL's steps are measured by, and measure the new answers by it."""
    texts, answers = ([text for _, text in rows] for rows, _ in (told, new))
    known = Known.of(check.yardstick, texts, told[1])
    known.save(work.draft.model)
    off = off_scale(known.scale, new[1]).sum(axis=0).tolist()
    return {
        **check.numbers,
        "unlabelled": unlabelled(check.found, [_text(*row) for row in new[0]], work.seed),
        "off_scale": {name: share(n, len(answers)) for name, n in zip(heads, off, strict=True)},
        "refusals": {"labelled": _refusals(texts), "new": _refusals(answers)},
        "novelty": _mean([novelty(known.runs, text) for text in answers]),
    }


def _judged(work: Work, cfg: Coverage, found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found with the findings that follow from it, and say what is wrong."""
    asking, writing = found["prompts"] or {}, found["written"] or {}
    scales = list((writing.get("off_scale") or {}).values())
    shares = {
        "prompts": asking.get("outside"), "unasked": asking.get("unasked"), "written": writing.get("outside"),
        "off_scale": max(scales, key=lambda one: one["mean"], default=None),
    }  # fmt: skip
    findings = judged(shares, cfg)
    for finding in findings:
        if finding.level != "pass":
            work.tell.warn(f"coverage: {finding.said}; {finding.remedy}")
    return {**found, "findings": [f._asdict() for f in findings], "verdict": verdict(findings), "on_fail": cfg.on_fail}


def _labelled(rows: Sequence[Preference | Rating]) -> list[Answer]:
    """Return each answer that the reward model was trained on, once."""
    found: dict[tuple[str, str], Answer] = {}
    for row in rows:
        if row.prompt.split == "train" and row.weight > 0:
            for text in (row.chosen, row.rejected) if isinstance(row, Preference) else (row.completion,):
                found.setdefault((row.prompt.id, text), (row.prompt, text))
    return list(found.values())


def _written(work: Work, prompts: Sequence[Prompt], tuned: Artifact | None, cfg: Coverage) -> list[Answer]:
    """Return new answers of the policy that RL starts from, one a prompt; what cannot be used is counted."""
    start = work.models(tuned or cfg.model)  # type: ignore[arg-type]
    some = _some(_unique(prompts), cfg.answers, work.seed)
    answers = work.ask(start, [Request(p.id, p.chat, FRESH) for p in some], Params(cfg.temperature, cfg.max_tokens))
    usable = [
        (p, a.text) for p, a in zip(some, answers, strict=True) if a.finish in ("stop", "length") and a.text.strip()
    ]
    if len(usable) < len(some):
        work.draft.count("no answer to a prompt", len(some) - len(usable))
    return usable


def _rows(of: Literal["prompt", "answer"], texts: Sequence[Answer], check: Checked | None) -> list[Covered]:
    if check is None:
        return []
    found = check.found
    return [
        Covered(of=of, prompt=prompt, answer=text, known=True) if known else
        Covered(of=of, prompt=prompt, answer=text, neighbour=neighbour, beyond=beyond)
        for (prompt, text), known, neighbour, beyond in zip(
            texts, found.known.tolist(), found.neighbours.tolist(), found.beyond.tolist(), strict=True
        )
    ]  # fmt: skip


def _whole(work: Work, what: str, rows: Sequence[Answer], readable: Callable[[Answer], bool]) -> list[Answer]:
    kept = [row for row in rows if readable(row)]
    if len(kept) < len(rows):
        work.draft.count(f"{what} answer over max_length", len(rows) - len(kept))
    return kept


def _unique(prompts: Sequence[Prompt]) -> list[Prompt]:
    return list({prompt.id: prompt for prompt in prompts}.values())


def _some(rows: Sequence[T], most: int, seed: int) -> list[T]:
    """Return so many of the rows at most, drawn by the seed, in their order."""
    chosen = rng("coverage", seed).sample(range(len(rows)), min(most, len(rows)))
    return [rows[n] for n in sorted(chosen)]


def _text(prompt: Prompt, answer: str = "") -> Text:
    told = {"prompt": brief(prompt.text, SHOWN)}
    return {**told, "answer": brief(answer, SHOWN)} if answer else told


def _refusals(texts: Sequence[str]) -> Estimate | None:
    return share(sum(map(refuses, texts)), len(texts))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
