"""Audit the judgements that a run has stored, with what people said in the same run of the same answers as the reference."""

from collections.abc import Sequence
from typing import NamedTuple

from caif.audit.agreement import A, B
from caif.audit.honesty import Evidence
from caif.audit.people import Pair, read_pairs
from caif.data import Judgement
from caif.errors import CaifError, nearest
from caif.report.agreement import People
from caif.report.gather import SourceRows, gather
from caif.store import Artifact


class Stored(NamedTuple):
    """What a run holds for a card: judgements beside people's word, people's pairs, and the sources that judged."""

    evidence: list[Evidence]
    pairs: list[Pair]
    sources: list[SourceRows]


def stored(artifacts: Sequence[Artifact], stage: str = "") -> Stored:
    """Return every judgement of a run's feedback, or of one source of it, beside people's word; and people's pairs.

    People are those of all sources of the run. Their pairs come first, and where there are none opposite thumbs on the
    two answers; of the principle's own objective, either way.
    """
    sources = gather([artifact for artifact in artifacts if artifact.by == "collect"]).sources
    judging = {source.label: source for source in sources if source.judgements}
    if stage and stage not in judging:
        raise CaifError(f"--stage: no feedback source {stage!r} with judgements", nearest(stage, judging))
    if not judging:
        raise CaifError("this run has no judgements to audit", "run a source that asks a judge, such as ai-labeler")
    pairs = read_pairs([row for source in sources for row in source.peoples], 0).pairs
    known = {_answers(p.comparison.prompt.id, p.comparison.a, p.comparison.b, p.objective): p for p in pairs}
    thumbs = People([SourceRows(s.artifact, [], s.ratings, []) for s in sources])
    chosen = [judging[stage]] if stage else list(judging.values())
    return Stored([Evidence(j, _said(j, known, thumbs)) for source in chosen for j in source.judgements], pairs, chosen)


def _answers(prompt: str, one: str, other: str, objective: str) -> tuple[object, ...]:
    return prompt, frozenset((one, other)), objective


def _said(j: Judgement, known: dict[tuple[object, ...], Pair], thumbs: People) -> tuple[int, ...]:
    c = j.comparison
    if pair := known.get(_answers(c.prompt.id, c.a, c.b, j.objective)):
        if pair.comparison.a == c.a:
            return pair.people
        return tuple({A: B, B: A}.get(code, code) for code in pair.people)
    better = thumbs.prefer(c.prompt.id, c.a, c.b, j.objective)
    return () if better is None else (A if better else B,)
