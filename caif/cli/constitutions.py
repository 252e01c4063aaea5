"""Commands on constitution files."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from caif.cli.options import HOME, AsJson, Debug, Home
from caif.exits import guarded

File = Annotated[Path, typer.Argument(metavar="FILE", help="A constitution (.toml, .yaml, .json).")]
Judge = Annotated[str, typer.Option(metavar="MODEL", help="embedded:1.5b, or a TOML table of a model.")]
Method = Annotated[str, typer.Option(metavar="METHOD", help="How the judge is asked: logprobs, reasoned, votes, pointwise, rubric, score or likelihood.")]
Samples = Annotated[int | None, typer.Option(min=1, help="Answers an order, for methods that sample.")]
Out = Annotated[
    Path | None, typer.Option("-o", "--out", metavar="OUT", help="A new file; without it, standard output.")
]


@guarded
def check(file: File, *, debug: Debug = False) -> None:
    """Check a constitution and show its principles by objective.

    \b
    caif constitution check law.toml
    """
    from caif.constitution import read
    from caif.terminal import table

    law = read(file)
    ordered = sorted(law.principles, key=lambda p: list(law.objectives).index(p.objective))
    rows = [
        (p.objective, p.id, f"{p.weight:g}", p.authority, ", ".join(p.applies_to) or "all", len(p.cases), p.digest[:8])
        for p in ordered
    ]
    columns = ("objective", "principle", "#weight", "#authority", "applies to", "#cases", "digest")
    about = f"{_count(len(law.principles), 'principle')} for {_count(len(law.objectives), 'objective')}; digest {law.digest}"
    table(f"{law.name} {law.version}", columns, rows, about)


@guarded
def lint(
    file: File,
    *,
    budget: Annotated[int, typer.Option(min=1, help="Tokens that a judge's rules and a principle may take.")] = 512,
    debug: Debug = False,
) -> None:
    """Look for wording that makes labels wrong or noise. Exit code 1 if there is a warning; notes alone are none.

    \b
    caif constitution lint law.toml
    caif constitution lint law.toml --budget 200
    """
    from caif.constitution import read
    from caif.errors import FAILED
    from caif.laws.lint import lint as look
    from caif.terminal import line

    found = look(read(file), budget)
    for finding in found:
        line(f"{file}: {finding.key}: {finding.severity}: {finding.text}")
    warnings = sum(finding.severity == "warning" for finding in found)
    line(f"{_count(warnings, 'warning')}, {_count(len(found) - warnings, 'note')}")
    if warnings:
        raise SystemExit(FAILED)


@guarded
def test(
    file: File,
    *,
    judge: Judge,
    method: Method = "logprobs",
    samples: Samples = None,
    principles: Annotated[str, typer.Option(metavar="A,B", help="Only the cases of these.")] = "",
    fail_under: Annotated[float, typer.Option(min=0, max=1, help="The least share of cases to pass.")] = 1.0,
    home: Home = HOME,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Test whether a judge understands the constitution: its cases are judged, each in both orders.

    Exit code 1 if the share of cases that pass is under --fail-under; by default one case that does not pass is enough.
    A case without a verdict is counted apart by its kind, and is no pass. What was asked before is found in the ledger.

    \b
    caif constitution test law.toml --judge embedded:1.5b
    caif constitution test law.toml --judge embedded:1.5b --method votes --samples 8 --fail-under 0.9
    caif constitution test law.toml --judge '{use = "openai:m", base_url = "http://localhost:8000/v1"}' --json
    """
    from caif import desk
    from caif.constitution import read
    from caif.errors import FAILED
    from caif.laws import cases
    from caif.terminal import Terminal

    law, names = read(file), [name for name in principles.split(",") if name]
    with desk.at(home, "constitution test", Terminal()) as here:
        tried = cases.try_all(here.bench(judge, method, samples), law, names)
        table = cases.numbers(tried, law, names) | {"judge": judge, "method": method, "asked": here.paid}
    print(json.dumps(table)) if as_json else _print_cases(table)
    if table["overall"]["passed"] < fail_under * table["overall"]["cases"]:
        raise SystemExit(FAILED)


@guarded
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Markdown, HTML, text or JSON of another project.")],
    *,
    out: Out = None,
    objective: Annotated[
        str, typer.Option(metavar="NAME", help="What its principles serve; else the file's name.")
    ] = "",
    examples: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Examples in files of their own, by the footnotes they belong to.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Make a constitution of another project's principles: a heading is a principle, or an item of a JSON list.

    In a text without headings an item of a list is one, or a paragraph. Nothing is lost: `export` gives the file back.
    What models are asked is made from each text by a template, as far as the file does not say it. Examples in the form
    of the OpenAI Model Spec become cases where they hold one question, a good and a bad answer; the others are counted.
    Go over it, and write cases.

    \b
    caif constitution import policy.txt -o policy.toml --objective conduct
    caif constitution import model_spec.md -o spec.toml --objective conduct --examples examples
    caif constitution import principles.json > law.toml
    """
    from caif.laws.examples import left_out, with_files
    from caif.laws.ways import bring
    from caif.laws.writing import as_toml, save_constitution
    from caif.terminal import Terminal, line

    law = bring(file, objective)
    without = left_out(law)
    if examples is not None:
        law, more = with_files(law, examples)
        without += more
    for reason, number in without.most_common():
        Terminal().say(f"{_count(number, 'example')} no case: {reason}")
    if out is None:
        typer.echo(as_toml(law), nl=False)
        return
    save_constitution(law, out)
    idle = sum(not p.weight for p in law.principles)
    cases = _count(sum(len(p.cases) for p in law.principles), "case")
    rest = f", {idle} of them headings that demand nothing" if idle else ""
    line(f"{out}: {_count(len(law.principles), 'principle')}{rest}; {cases}")
    line(f"Look it over: caif constitution lint {out}")


@guarded
def export(
    file: File,
    *,
    to: Annotated[str, typer.Option(metavar="FORMAT", help="markdown or json; else what it was imported from.")] = "",
    out: Out = None,
    debug: Debug = False,
) -> None:
    """Write a constitution in another format; one that was imported becomes what it was.

    \b
    caif constitution export spec.toml -o model_spec.md
    caif constitution export law.toml --to markdown
    """
    from caif.constitution import read
    from caif.laws.ways import lost, take
    from caif.laws.writing import save
    from caif.terminal import Terminal

    law = read(file)
    text = take(law, to)
    if law.origin and to in ("", law.origin.kind) and (left := lost(law)):
        Terminal().warn(
            f"that format has no place for what was changed in {', '.join(left[:5])}{' …' * (len(left) > 5)}"
        )
    if out is None:
        typer.echo(text, nl=False)
    else:
        save(text, out)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _print_cases(table: dict[str, Any]) -> None:
    from caif.terminal import line
    from caif.terminal import table as show

    rows = [_case_row(name, some) for name, some in table["principles"].items()]
    columns = (
        "principle",
        "#passed",
        "#of",
        "95 % interval",
        "#failed",
        "#tie",
        "#not applicable",
        "#flipped",
        "no verdict",
    )
    show(
        f"{table['constitution']} {table['version']}, judged by {table['judge']}",
        columns,
        [*rows, _case_row("all", table["overall"])],
    )
    for case in table["not_passed"]:
        sure = "" if case["probability"] is None else f", P(better) {case['probability']:.2f}"
        orders = ", the orders disagree" if case["flipped"] else ""
        why = f" ({case['reason']})" if case["reason"] else ""
        line(f"\n{case['principle']}.cases[{case['case']}]: {case['outcome']}{sure}{orders}{why}")
        line("\n".join(f"  {name}: {case[name]}" for name in ("prompt", "better", "worse")))
    if table["without_cases"]:
        line(f"\nWithout cases: {', '.join(table['without_cases'])}")
    line(f"\n{table['asked']} answers were asked for now; the rest was in the ledger.")


def _case_row(name: str, counts: dict[str, Any]) -> tuple[object, ...]:
    rate, kinds = counts["pass_rate"], ", ".join(f"{n} {kind}" for kind, n in counts["no_verdict"].items())
    interval = f"{rate['low']:.2f} to {rate['high']:.2f}"
    return (
        name,
        counts["passed"],
        counts["cases"],
        interval,
        *(counts[k] for k in ("failed", "tie", "not_applicable", "flipped")),
        kinds,
    )
