"""Run one feedback source and keep all it says: preferences, thumbs, every judgement behind them, and what failed."""

from collections import Counter
from contextlib import ExitStack
from typing import Any

from caif.config import TUNED, ModelSpec, Source
from caif.constitution import stored
from caif.content import Row
from caif.data import FAILURES, Completion, Judgement, Preference, Prompt, Rating, Rejected, Revision, Tested
from caif.errors import FAILED, CaifError
from caif.hookspecs import FeedbackContext, Model
from caif.run import Work
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
        prompts=[p for p in asked.rows(Prompt) if p.split == "train"],
        samples=samples.rows(Completion) if samples else [],
        revisions=revised.rows(Revision) if revised else [],
        constitution=stored(law),
        model=model,
        ask=work.ask,
        score=work.score,
        read=read,
        seed=work.seed,
    )
    seen: dict[type[Row], set[bytes]] = {kind: set() for kind in KINDS}
    told: Counter[str] = Counter()
    failed_tests, first = [], ""
    with ExitStack() as stack:
        tables = {kind: stack.enter_context(work.draft.table(kind)) for kind in reversed(KINDS)}
        for row in work.make(cfg)(context):
            if type(row) not in tables:
                raise CaifError(f"{cfg.label}: a source may not yield a {type(row).__name__}", "see caif/hookspecs.py")
            if (known := bytes.fromhex(row.id)) in seen[type(row)]:
                work.draft.count("duplicate row")
                continue
            seen[type(row)].add(known)
            tables[type(row)].add(row)
            if isinstance(row, Judgement):
                told[f"verdict: {row.verdict}"] += 1
                first = first or (row.reason if row.verdict in FAILURES else "")
            elif isinstance(row, Rejected):
                told[f"rejected: {row.reason}"] += 1
            elif isinstance(row, Tested) and not row.passed:
                failed_tests.append(row.check)
    for what, number in told.items():
        work.draft.count(what, number)
    if failed_tests:
        work.tell.warn(f"{cfg.label}: its judge fails on known answers ({', '.join(failed_tests)}); the report says how")
    if not seen[Preference] and not seen[Rating]:
        reasons = ", ".join(f"{n} {what}" for what, n in work.draft.counts.items() if ":" in what) or "it gave nothing"
        why = f"{reasons}; the first: {first}" if first else reasons
        remedy = "take another judge or method" if seen[Judgement] else "check its options"
        raise CaifError(f"feedback source {cfg.label}: no usable rows ({why})", remedy, code=FAILED)
    return {}


collect.version = 3
