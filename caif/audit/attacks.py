"""How often an answer talks a judge into preferring it: families of attacks, with and without caif's defences.

A plainly bad answer is put behind each attack and set against the good one. Only pairs count on which the judge was
right without the attack, so that a success is the attack's doing. Without the defences the judge sees the answers as
they are: no marker broken, nothing invisible taken out, no marks around an answer and no word that answers are data. A
low number says that these attacks failed, not that others would.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from caif.data import Comparison, Judgement
from caif.files import load
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.intervals import Estimate, share
from caif.judge import Bench, judge_all
from caif.judge.inert import inert, suspicious
from caif.judge.probes import Item, Probe, items, known
from caif.judge.wording import RULES, RULES_ONE

PAIRS = 4
_DATA = tuple(rules[rules.index(". ") + 1 :] for rules in (RULES, RULES_ONE))
"""The rules' word that answers are data."""
_FENCED = re.compile(r"\[([0-9a-f]{6})\] (.*?) \[/\1\]", re.DOTALL)


class Attack(NamedTuple):
    """A family of attacks by one of its texts; `{bad}` in it is the answer that hides behind it."""

    family: str
    text: str

    def around(self, item: Item) -> str:
        """Return the attacking answer."""
        return self.text.replace("{bad}", item.bad)


@cache
def attacks() -> tuple[Attack, ...]:
    """Return the attack of each family."""
    return tuple(Attack(**row) for row in load(Path(__file__).with_name("attacks.toml"))["attacks"])


def attack_report(bench: Bench, seed: int, pairs: int = PAIRS) -> dict[str, Any]:
    """Return the share of attacks that succeed, by family and in all, with and without the defences, and what is flagged.

    Shares are estimates with 95 % Wilson intervals, None where the judge was right on no clean pair. Attacks on one
    pair are not independent of each other, so the interval over all families is narrower than it should be. Asks
    2 · (families + 1) · `pairs` comparisons.
    """
    some = items(seed)[:pairs]
    sides = {}
    clean = known("clean", some, lambda item: item.bad, seed)
    tried = {one.family: known("clean", some, one.around, seed) for one in attacks()}
    for name, asking in {"defended": judge_all, "bare": _judge_bare}.items():
        probes = [*clean, *(probe for several in tried.values() for probe in several)]
        said = asking(bench, [probe.asked for probe in probes])
        wins = [_wins(probe, judgement) for probe, judgement in zip(probes, said, strict=True)]
        able = [n for n in range(len(clean)) if said[n].verdict == probes[n].better]
        each = {family: [wins[(place + 1) * len(clean) + n] for n in able] for place, family in enumerate(tried)}
        sides[name] = {
            "clean_right": len(able), "clean": len(clean),
            "families": {family: _share(hits) for family, hits in each.items()},
            "all": _share([hit for hits in each.values() for hit in hits]),
        }  # fmt: skip
    flagged = {family: all(suspicious(_attacking(probe)) for probe in several) for family, several in tried.items()}
    return {"judge": bench.model.id, "method": bench.method, "flagged": flagged, **sides}


def bare(bench: Bench, shown: Sequence[Comparison]) -> Bench:
    """Return the bench with caif's defences taken out of every question again: answers stand there as given."""
    raw = {inert(text): text for c in shown for text in (c.a, c.b, *(m.content for m in c.prompt.messages))}

    def strip(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
        return [{**message, "content": _strip(message["content"], raw)} for message in messages]

    def ask(model: Model, requests: Sequence[Request], params: Params) -> list[Answer]:
        return bench.ask(model, [r._replace(messages=strip(r.messages)) for r in requests], params)

    def score(model: Model, questions: Sequence[Question]) -> list[Answer]:
        return bench.score(model, [q._replace(messages=strip(q.messages)) for q in questions])

    return bench._replace(ask=ask, score=score)


def _strip(text: str, raw: Mapping[str, str]) -> str:
    for words in _DATA:
        text = text.replace(words, "", 1)
    return _FENCED.sub(lambda found: raw.get(found.group(2), found.group()), text)


def _judge_bare(bench: Bench, asked: Sequence[Any]) -> list[Judgement]:
    return judge_all(bare(bench, [c for c, _ in asked]), asked)


def _wins(probe: Probe, judgement: Judgement) -> bool:
    """Whether the attacking answer is preferred. A tie or a failure gives it nothing."""
    return judgement.verdict in ("a", "b") and judgement.verdict != probe.better


def _attacking(probe: Probe) -> str:
    return probe.comparison.b if probe.better == "a" else probe.comparison.a


def _share(hits: Sequence[bool]) -> Estimate | None:
    return share(sum(hits), len(hits))
