"""Run one feedback source and keep all it says: preferences, thumbs, every judgement behind them, and what failed."""

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import ExitStack, closing
from typing import Any

from caif.config import TUNED, ModelSpec, Source
from caif.constitution import Constitution, stored
from caif.content import Row
from caif.data import FAILURES, Completion, Judgement, Preference, Prompt, Rating, Rejected, Revision, Tested
from caif.errors import FAILED, CaifError, nearest
from caif.hookspecs import Feedback, FeedbackContext, Model
from caif.judge.signs import Signs
from caif.run import Work
from caif.seen import Seen
from caif.store import Artifact, table_name
from caif.tables import Table

KINDS: tuple[type[Row], ...] = (Preference, Rating, Judgement, Rejected, Tested)


class Said:
    """What a source has said so far, in counts: verdicts, reasons, objectives, tests that its judge failed."""

    def __init__(self, source: str) -> None:
        self.source, self.signs = source, Signs()
        self.counts, self.objectives = Counter[str](), Counter[str]()
        self.failed_tests: list[str] = []
        self.first_failure = ""

    def add(self, row: Row) -> None:
        """Take account of one row."""
        if isinstance(row, Judgement):
            self.counts[f"verdict: {row.verdict}"] += 1
            self.signs.add(row)
            self.first_failure = self.first_failure or (row.reason if row.verdict in FAILURES else "")
        elif isinstance(row, Rejected):
            self.counts[f"rejected: {row.reason}"] += 1
        elif isinstance(row, (Preference, Rating)):
            self.objectives[row.objective] += 1
        elif isinstance(row, Tested) and not row.passed:
            self.failed_tests.append(row.check)

    def foreign(self, known: Collection[str]) -> list[str]:
        """Return a line for each objective that the constitution lacks."""
        return [
            f"{self.source}: the constitution lacks objective {name!r}, which {number} of its rows are about; {nearest(name, known)}"
            for name, number in self.objectives.items()
            if name not in known
        ]


def collect(
    work: Work,
    law: Artifact,
    asked: Artifact,
    samples: Artifact | None = None,
    revised: Artifact | None = None,
    tuned: Artifact | None = None,
    *,
    cfg: Source,
) -> dict[str, Any]:
    """Write the source's rows, and count failed judgements and rejected rows by reason."""

    def model(spec: ModelSpec) -> Model:
        if spec.use != TUNED:
            return work.models(spec)
        if tuned is None:
            raise CaifError(f'{cfg.label}: model "{TUNED}" needs [sft], which is left out', "name another model")
        return work.models(tuned)

    def read(name: str, path: Any, **options: Any) -> Any:
        return work.plugins.make("caif_feedback_formats", name, options, work.base)(path)

    context = FeedbackContext(
        source=cfg.label,
        prompts=asked.lazily(Prompt).where("split", "train"),
        samples=samples.lazily(Completion).together("prompt.id") if samples else [],
        revisions=revised.lazily(Revision) if revised else [],
        constitution=stored(law),
        model=model,
        ask=work.ask,
        score=work.score,
        read=read,
        seed=work.seed,
    )
    said = _kept(work, cfg.label, work.make(cfg)(context))
    for what, number in said.counts.items():
        work.draft.count(what, number)
    _warn(work, said, context.constitution)
    if not said.objectives:
        raise _nothing_usable(work, said)
    return {}


collect.version = 10


def _kept(work: Work, source: str, rows: Iterable[Feedback]) -> Said:
    """Write every row into the table of its kind, once, as it comes; return what was said."""
    said = Said(source)
    with ExitStack() as stack:
        seen = stack.enter_context(closing(Seen()))
        tables: dict[type[Row], Table] = {kind: stack.enter_context(work.draft.table(kind)) for kind in reversed(KINDS)}
        for row in rows:
            if type(row) not in tables:
                raise CaifError(f"{source}: a source may not yield a {type(row).__name__}", "see caif/hookspecs.py")
            if seen.add(_opinion(row)):
                tables[type(row)].add(row)
                said.add(row)
            else:
                work.draft.count("duplicate row")
        for test in said.signs.faults(source):
            tables[Tested].add(test)
            said.add(test)
    return said


def _warn(work: Work, said: Said, law: Constitution) -> None:
    """Say at once what must not be missed: a judge that fails tests, and objectives that the constitution lacks."""
    if said.failed_tests:
        failed = ", ".join(said.failed_tests)
        work.tell.warn(f"{said.source}: its judge fails tests ({failed}); the report says how")
    for line in said.foreign(law.objectives):
        work.tell.warn(line)


def _nothing_usable(work: Work, said: Said) -> CaifError:
    """Return the error of a source without a preference or a thumb, with its reasons."""
    reasons = ", ".join(f"{n} {what}" for what, n in work.draft.counts.items() if ":" in what) or "it gave nothing"
    why = f"{reasons}; the first: {said.first_failure}" if said.first_failure else reasons
    remedy = "take another judge or method" if work.draft.counts[table_name(Judgement)] else "check its options"
    return CaifError(f"feedback source {said.source}: no usable rows ({why})", remedy, code=FAILED)


def _opinion(row: Row) -> str:
    """Return what tells a row from others. Where nobody is named, two records are two people's opinion, however alike."""
    if isinstance(row, (Preference, Rating)) and not row.rater:
        return f"{row.id} {row.origin.raw}"
    return row.id
