"""The whole chain of some prompts: from the question over draft, revision and labels to the policy's answer."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from caif.content import Row
from caif.data import Completion, Judgement, Preference, Prompt, Rating, Revision
from caif.report.gather import BUILT, Made

R = TypeVar("R", bound=Row)

SHOWN = 40
"""Of one kind of row, how many are shown of one prompt: a popular question can have a thousand thumbs."""


class Index:
    """A run's rows by prompt."""

    def __init__(self, made: Made) -> None:
        self.start = str(made.stages["evaluate"].metrics.get("start") or "") if "evaluate" in made.stages else ""
        self.prompts: dict[str, Prompt] = {}
        self.drafts = self._by_prompt(made.drafts, lambda row: row.prompt)
        self.revisions = self._by_prompt(made.revisions, lambda row: row.prompt)
        self.samples = self._by_prompt(made.samples, lambda row: row.prompt)
        self.judgements = self._by_prompt(
            (j for s in made.sources for j in s.judgements), lambda row: row.comparison.prompt
        )
        self.pairs = self._by_prompt((p for s in made.sources for p in (*s.built, *s.ruled, *s.peoples)), lambda row: row.prompt)
        self.thumbs = self._by_prompt((t for s in made.sources for t in s.ratings), lambda row: row.prompt)
        self.answers = self._by_prompt((c for c in made.answers if c.sample == 0), lambda row: row.prompt)
        self.verdicts = self._by_prompt(made.verdicts, lambda row: row.comparison.prompt)
        self.prompts |= {prompt.id: prompt for prompt in made.prompts}  # theirs is the split that counts

    def _by_prompt(self, rows: Iterable[R], prompt: Callable[[R], Prompt]) -> dict[str, list[R]]:
        table: dict[str, list[R]] = defaultdict(list)
        for row in rows:
            self.prompts.setdefault(prompt(row).id, prompt(row))
            table[prompt(row).id].append(row)
        return dict(table)

    def material(self, prompt: str) -> tuple[int, int, str]:
        """Return how many steps of its chain a prompt has, and how many rows; its id makes the order certain."""
        tables = (
            self.drafts,
            self.revisions,
            self.samples,
            self.judgements,
            self.pairs,
            self.thumbs,
            self.answers,
            self.verdicts,
        )
        sizes = [len(table.get(prompt, ())) for table in tables]
        return -sum(size > 0 for size in sizes), -sum(sizes), prompt

    def verdict(self, row: Judgement) -> dict[str, Any]:
        """Return a judgement of the evaluation, in which `a` is the policy's answer."""
        return _judgement(row, {row.comparison.a: "policy", row.comparison.b: "before RL"})

    def answer(self, row: Completion) -> dict[str, Any]:
        """Return an answer of the evaluation under the name of its model."""
        return _answer(row, "before RL" if row.model == self.start else "policy")


def _some(table: dict[str, list[R]], prompt: Prompt) -> list[R]:
    return table.get(prompt.id, [])[:SHOWN]


def chains(made: Made, examples: int) -> list[dict[str, Any]]:
    """Return the chains of the prompts with the most material, half of them held out: only those have a new answer."""
    index = Index(made)
    ranked = sorted((p for p in index.prompts if index.material(p)[1]), key=index.material)
    heldout = [p for p in ranked if index.prompts[p].split == "heldout"]
    train = [p for p in ranked if index.prompts[p].split == "train"]
    kept = train[: max(examples - len(heldout), (examples + 1) // 2)]
    return [_chain(index, index.prompts[p]) for p in [*kept, *heldout[: examples - len(kept)]]]


def _chain(index: Index, prompt: Prompt) -> dict[str, Any]:
    samples, revisions = _some(index.samples, prompt), _some(index.revisions, prompt)
    pairs = _some(index.pairs, prompt)
    names = _names(samples, revisions, pairs)
    return {
        "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
        "split": prompt.split,
        "tags": list(prompt.tags),
        "source": prompt.source,
        "drafts": [_answer(c, "draft") for c in _some(index.drafts, prompt)],
        "revisions": [_revision(r) for r in revisions],
        "samples": [_answer(c, f"sample {c.sample}") for c in samples],
        "judgements": [_judgement(j, names) for j in _some(index.judgements, prompt)],
        "pairs": [_pair(p, names) for p in pairs],
        "thumbs": [_thumb(t, names) for t in _some(index.thumbs, prompt)],
        "answers": [index.answer(c) for c in _some(index.answers, prompt)],
        "verdicts": [index.verdict(j) for j in _some(index.verdicts, prompt)],
    }


def _names(samples: list[Completion], revisions: list[Revision], pairs: list[Preference]) -> dict[str, str]:
    """Return what to call each answer, so that a label can say which one it means without repeating it."""
    names: dict[str, str] = {}
    for sample in samples:
        names.setdefault(sample.text, f"sample {sample.sample}")
    for revision in revisions:
        names.setdefault(revision.first, "draft")
        names.setdefault(revision.final or "", "revision")
    for pair in pairs:
        if pair.rater == BUILT:
            names.setdefault(pair.chosen, f"made to follow {pair.principle}")
            names.setdefault(pair.rejected, f"made without or against {pair.principle}")
    return names


def _answer(row: Completion, name: str) -> dict[str, Any]:
    return {"name": name, "text": row.text, "model": row.model, "finish": row.finish, "usable": row.usable}


def _revision(row: Revision) -> dict[str, Any]:
    turns = [
        {"principle": t.principle, "critique": t.critique, "revision": t.revision, "rejected": t.rejected}
        for t in row.turns
    ]
    return {"first": row.first, "turns": turns, "accepted": row.final is not None}


def _judgement(row: Judgement, names: dict[str, str]) -> dict[str, Any]:
    a, b = row.comparison.a, row.comparison.b
    return {
        "source": row.source, "principle": row.principle, "objective": row.objective, "judge": row.judge,
        "verdict": row.verdict, "reason": row.reason, "flipped": row.flipped, "mass": row.mass,
        "a": names.get(a, ""), "b": names.get(b, ""), "texts": [t for t in (a, b) if t not in names],
        "p": row.p_a, "p_first": _share(row.logit_ab), "p_second": _share(row.logit_ba),
    }  # fmt: skip


def _share(logit: float | None) -> float | None:
    return None if logit is None else 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


def _pair(row: Preference, names: dict[str, str]) -> dict[str, Any]:
    """Who the rater was is left out here and of thumbs: a page is passed on more freely than a data set."""
    texts = {"chosen": row.chosen, "rejected": row.rejected}
    told = {name: text for name, text in texts.items() if row.rater == BUILT or text not in names}
    return {
        "source": row.source, "principle": row.principle, "objective": row.objective, "built": row.rater == BUILT,
        "probability": row.probability, "weight": row.weight, "names": [names.get(text, "") for text in texts.values()],
        "texts": [{"name": name, "text": text} for name, text in told.items()],
    }  # fmt: skip


def _thumb(row: Rating, names: dict[str, str]) -> dict[str, Any]:
    name = names.get(row.completion, "")
    return {
        "source": row.source, "objective": row.objective, "up": row.up, "reason": row.reason,
        "name": name, "text": "" if name else row.completion,
    }  # fmt: skip
