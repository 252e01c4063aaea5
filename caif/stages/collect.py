"""Run one feedback source and keep all it says: preferences, thumbs, every judgement behind them, and what failed."""

from typing import Any

from caif.config import TUNED, ModelSpec, Source
from caif.constitution import stored
from caif.content import Row
from caif.data import Completion, Judgement, Preference, Prompt, Rating, Rejected, Revision, Tested
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
    rows: dict[type[Row], dict[str, Row]] = {kind: {} for kind in KINDS}
    for row in work.make(cfg)(context):
        if type(row) not in rows:
            raise CaifError(f"{cfg.label}: a source may not yield a {type(row).__name__}", "see caif/hookspecs.py")
        if row.id in rows[type(row)]:
            work.draft.count("duplicate row")
        rows[type(row)][row.id] = row
    for kind in KINDS:
        work.write(list(rows[kind].values()), kind)
    for row in rows[Judgement].values():
        work.draft.count(f"verdict: {row.verdict}")  # type: ignore[attr-defined]
    for row in rows[Rejected].values():
        work.draft.count(f"rejected: {row.reason}")  # type: ignore[attr-defined]
    if not rows[Preference] and not rows[Rating]:
        reasons = ", ".join(f"{n} {what}" for what, n in work.draft.counts.items() if ":" in what) or "it gave nothing"
        raise CaifError(f"feedback source {cfg.label}: no usable rows ({reasons})", "check its options", code=FAILED)
    return {}


collect.version = 2
