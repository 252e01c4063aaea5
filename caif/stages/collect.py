"""Run one feedback source and keep all it says: preferences, thumbs, every judgement behind them, and what failed."""

from collections import Counter
from contextlib import ExitStack, closing
from typing import Any

from caif.config import TUNED, ModelSpec, Source
from caif.constitution import stored
from caif.content import Row
from caif.data import FAILURES, Completion, Judgement, Preference, Prompt, Rating, Rejected, Revision, Tested
from caif.errors import FAILED, CaifError
from caif.hookspecs import FeedbackContext, Model
from caif.judge.signs import Signs
from caif.run import Work
from caif.seen import Seen
from caif.store import Artifact

KINDS: tuple[type[Row], ...] = (Preference, Rating, Judgement, Rejected, Tested)


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
    told: Counter[str] = Counter()
    failed_tests, first, signs = [], "", Signs()
    with ExitStack() as stack:
        seen = stack.enter_context(closing(Seen()))
        tables = {kind: stack.enter_context(work.draft.table(kind)) for kind in reversed(KINDS)}
        for row in work.make(cfg)(context):
            if type(row) not in tables:
                raise CaifError(f"{cfg.label}: a source may not yield a {type(row).__name__}", "see caif/hookspecs.py")
            if not seen.add(_opinion(row)):
                work.draft.count("duplicate row")
                continue
            tables[type(row)].add(row)
            if isinstance(row, Judgement):
                told[f"verdict: {row.verdict}"] += 1
                signs.add(row)
                first = first or (row.reason if row.verdict in FAILURES else "")
            elif isinstance(row, Rejected):
                told[f"rejected: {row.reason}"] += 1
            elif isinstance(row, Tested) and not row.passed:
                failed_tests.append(row.check)
        for test in signs.faults(cfg.label):
            tables[Tested].add(test)
            failed_tests.append(test.check)
    for what, number in told.items():
        work.draft.count(what, number)
    if failed_tests:
        work.tell.warn(f"{cfg.label}: its judge fails tests ({', '.join(failed_tests)}); the report says how")
    if not tables[Preference].count and not tables[Rating].count:
        reasons = ", ".join(f"{n} {what}" for what, n in work.draft.counts.items() if ":" in what) or "it gave nothing"
        why = f"{reasons}; the first: {first}" if first else reasons
        remedy = "take another judge or method" if tables[Judgement].count else "check its options"
        raise CaifError(f"feedback source {cfg.label}: no usable rows ({why})", remedy, code=FAILED)
    return {}


collect.version = 5


def _opinion(row: Row) -> str:
    """Return what tells a row from others. Where nobody is named, two records are two people's opinion, however alike."""
    if isinstance(row, (Preference, Rating)) and not row.rater:
        return f"{row.id} {row.origin.raw}"
    return row.id
