"""The command `caif audit`: what labels are worth, of a run or of a judge on people's pairs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from caif.cli.options import HOME, Debug, Home, key_value, prepare
from caif.exits import guarded

if TYPE_CHECKING:
    from caif.constitution import Constitution

FailOn = Annotated[list[str] | None, typer.Option(metavar="EXPR", help="Exit code 1 if this holds of the card; repeatable.")]
Out = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where the card goes; a run has a place for it: audit/.")]
Pairs = Annotated[list[str] | None, typer.Option(metavar="FORMAT:PATH", help="People's pairs; repeatable.")]
Reader = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="An option of the format; repeatable.")]
Ceiling = Annotated[float | None, typer.Option(min=0, max=1, help="How often people agree, where it is known.")]


class Wanted(NamedTuple):
    """A judge to audit, and on what."""

    judge: str
    constitution: Path
    pairs: list[str]
    reader: dict[str, Any]
    methods: list[str]
    principles: list[str]
    objective: str
    limit: int | None
    seed: int
    ceiling: float | None
    attacks: bool


@guarded
def audit(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="A run's folder, its name, or a run file.")] = "",
    *,
    stage: Annotated[str, typer.Option(metavar="NAME", help="Only this feedback source of the run.")] = "",
    judge: Annotated[str, typer.Option(metavar="MODEL", help="A judge to ask: embedded:1.5b, or a TOML table.")] = "",
    constitution: Annotated[Path | None, typer.Option(metavar="FILE", help="By whose principles it judges.")] = None,
    pairs: Pairs = None,
    reader: Reader = None,
    methods: Annotated[str, typer.Option(metavar="A,B", help="Ways to ask the judge.")] = "logprobs,pointwise",
    principles: Annotated[str, typer.Option(metavar="A,B", help="By default those of the pairs' objective.")] = "",
    objective: Annotated[str, typer.Option(metavar="NAME", help="What the pairs are about.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Pairs of each file at most; which is drawn.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws pairs, their order and the intervals.")] = 0,
    ceiling: Ceiling = None,
    attacks: Annotated[bool, typer.Option("--attacks", help="Also try answers that steer the judge.")] = False,
    fail_on: FailOn = None,
    out: Out = None,
    home: Home = HOME,
    debug: Debug = False,
) -> None:
    """Measure what labels are worth, and whether their judge passed its self-test: card.html and card.json.

    Of a run: its stored judgements, beside what people said of the same answers in the same run. Of a judge: people's
    pairs, judged blind and in both orders by each method, and which method to use, or none. It is asked through the
    ledger of the home folder: nothing is paid for twice, and an audit that was stopped goes on. A temperature that can be
    fitted is written beside the card, as calibration-METHOD.json, for `calibration` of ai-labeler.

    `--attacks` sets answers that try to steer the judge against good ones, with and without caif's defences: the share of
    each family that succeeds. These are known attacks; a low share says nothing of others.

    A gate that holds, or whose number is missing, is exit code 1.

    \b
    caif audit quickstart --fail-on "flip_rate>0.15" --fail-on "selftest.failed>0"
    caif audit run.toml --stage ai-labeler --fail-on "accuracy.low<0.5" --fail-on "abstained>0.05"
    caif audit --judge embedded:1.5b --constitution law.toml --pairs hh-rlhf:pairs.jsonl --objective harmlessness --out card
    caif audit --judge embedded:1.5b --constitution law.toml --pairs llmbar:pairs.json --methods logprobs,score --out card
    caif audit --judge embedded:1.5b --constitution law.toml --pairs hh-rlhf:pairs.jsonl --limit 20 --attacks --out card
    """
    from caif.audit.gates import check, parse
    from caif.audit.write import print_card, write_card
    from caif.errors import FAILED, CaifError
    from caif.terminal import line

    gates = [parse(text) for text in fail_on or []]
    if attacks and not judge:
        raise CaifError("--attacks: a judge has to be asked", "name it with --judge")
    if bool(run) == bool(judge):
        raise CaifError("audit: name either a run or a judge, with --judge", "see caif audit --help")
    idle = {"--pairs": pairs, "--principles": principles, "--objective": objective, "--limit": limit, "--constitution": constitution}
    _refuse_idle("judge" if judge else "run", {"--stage": stage} if judge else idle)
    _refuse_file(out)
    if judge:
        if constitution is None or not pairs or out is None:
            raise CaifError("--judge: needs --constitution, --pairs and --out too", "see caif audit --help")
        options = dict(key_value(text, "--reader") for text in reader or []) | ({"objective": objective} if objective else {})
        split = methods.split(","), [name for name in principles.split(",") if name]
        wanted = Wanted(judge, constitution, pairs, options, *split, objective, limit, seed, ceiling, attacks)
        table = _of_judge(wanted, home, out)
    else:
        table, folder = _of_run(run, stage, seed, home)
        out = out or folder / "audit"
    try:
        outcomes = check(table, gates)
    except CaifError:
        write_card(out, table | {"gates": []})  # what was asked is paid for
        raise
    write_card(out, table | {"gates": [outcome._asdict() for outcome in outcomes]})
    print_card(table, out)
    for outcome in outcomes:
        line(f"{'failed' if outcome.failed else 'passed'}  {outcome.gate}: {outcome.said}")
    if any(outcome.failed for outcome in outcomes):
        raise SystemExit(FAILED)


def _refuse_idle(subject: str, options: dict[str, Any]) -> None:
    """Refuse options that say nothing of what is audited: whoever gives one believes that it does."""
    from caif.errors import CaifError

    for name, given in options.items():
        if given:
            raise CaifError(f"{name}: says nothing of a {subject}", "see caif audit --help")


def _refuse_file(out: Path | None) -> None:
    """Refuse a folder for the card that cannot be made, before anything is asked."""
    from caif.errors import CaifError

    for part in (out, *out.parents) if out else ():
        if part.is_file():
            raise CaifError(f"--out {out}: {part} is a file", "name a folder, which is made if it is not there")


def _of_judge(wanted: Wanted, home: Path, out: Path) -> dict[str, Any]:
    from caif import desk
    from caif.audit.attacks import attack_report
    from caif.audit.judges import Asked, ask, calibrations, judge_card
    from caif.audit.people import called, read_pairs, refuse_empty
    from caif.audit.tested import of_findings, sentences
    from caif.audit.write import write_calibrations
    from caif.judge import Bench, judge_all
    from caif.judge.selftest import selftest
    from caif.models.account import prices
    from caif.terminal import Terminal

    law, tell = _law(wanted), Terminal()
    with desk.at(home, "audit", tell) as at:
        files = {
            name: read_pairs(at.read(named, **wanted.reader), wanted.seed, wanted.limit)
            for named, name in called(wanted.pairs).items()
        }
        refuse_empty(files)
        asked = Asked(files, law, tuple(wanted.principles))
        model = at.model(wanted.judge)
        bench = Bench(model, at.ask, at.score)
        modes = ask(bench, wanted.methods, asked, tell.say)  # type: ignore[arg-type]
        tried = modes.evidence if wanted.attacks else {}
        attacks = {method: attack_report(bench._replace(method=method), wanted.seed) for method in tried}  # type: ignore[arg-type]
        tests = of_findings([
            (f"{model.id} by {method}, wording {bench.wording}", selftest(partial(judge_all, bench._replace(method=method)), law, wanted.seed))  # type: ignore[arg-type]
            for method in modes.evidence
        ])  # fmt: skip
    table = judge_card(modes, asked, wanted.seed, given_ceiling=wanted.ceiling, prices=prices(desk.spec(wanted.judge)))
    found = calibrations(table, model.id, ", ".join(files))
    write_calibrations(out, found)
    subject = {"judge": wanted.judge, "model": model.id, "constitution": f"{law.name} {law.version}", "digest": law.digest,
               "calibrations": [f"calibration-{method}.json" for method in found]}  # fmt: skip
    table |= {"attacks": attacks} if attacks else {}
    table |= {"selftest": tests, "cautions": [*sentences(tests), *table["cautions"]]}
    return {"title": f"The judge {wanted.judge}", "subject": subject, **table}


def _law(wanted: Wanted) -> "Constitution":
    """Return the constitution; a method or an objective that there is not is an error."""
    from caif.constitution import read
    from caif.errors import CaifError, nearest
    from caif.judge import METHODS

    law = read(wanted.constitution)
    for method in wanted.methods:
        if method not in METHODS:
            raise CaifError(f"--methods: no method {method!r}", nearest(method, METHODS))
    if wanted.objective and wanted.objective not in law.objectives:
        raise CaifError(f"--objective: {law.name} has no {wanted.objective!r}", nearest(wanted.objective, law.objectives))
    return law


def _of_run(run: str, stage: str, seed: int, home: Path) -> tuple[dict[str, Any], Path]:
    from caif import config as config_files
    from caif import show
    from caif.audit.agreement import ceiling
    from caif.audit.card import DRAWS, card
    from caif.audit.runs import stored
    from caif.audit.tested import of_sources, sentences
    from caif.models.account import prices
    from caif.plan import steps
    from caif.record import CONFIG

    folder = show.find(run, home)
    prepared = None if folder else prepare(run, home, quiet=True)
    stages = show.listed(folder) if folder else [(s.name, s.artifact.folder) for s in steps(prepared)] if prepared else []
    made = [line.artifact for line in show.lines(stages, home) if line.artifact]
    evidence, pairs, sources = stored(made, stage)
    written = folder / CONFIG if folder else None
    config = prepared.config if prepared else config_files.read(written) if written and written.is_file() else None
    table = card(evidence, seed, prices=prices(config) if config else {})
    tests = of_sources(sources)
    table |= {"selftest": tests, "cautions": [*sentences(tests), *table["cautions"]]}
    people = {"ceiling": ceiling([(p.comparison.prompt.opening, p.people) for p in pairs], DRAWS, seed), "pairs": len(pairs)}
    folder = folder or (prepared.folder if prepared else home)
    return {"title": f"The labels of {folder.name}", "subject": {"run": str(folder), "stage": stage}, **table, "people": people}, folder
