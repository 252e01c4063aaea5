"""The commands `caif feedback inspect`, `import` and `scrub`: people's feedback, before a run takes it."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caif.cli.exports import (
    Down,
    Export,
    Force,
    Format,
    Map,
    Options,
    Out,
    SaltEnv,
    Up,
    choose,
    followed,
    print_problems,
    salt_of,
)
from caif.cli.options import AsJson, Debug
from caif.exits import guarded

if TYPE_CHECKING:
    from caif.feedback.survey import Survey


@guarded
def inspect(
    file: Export,
    *,
    format: Format = "",
    option: Options = None,
    map: Map = "",
    up: Up = "",
    down: Down = "",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Look into a feedback file before it is brought in: nothing is written.

    Shows what format it has and how that was told, thumbs and pairs and which way they were read, raters, chats, time
    span, what cannot be used and where, and five rows drawn by chance with what is personal masked. What a rating means
    is never guessed: for a table of your own, and for stars, choices and numeric scores, it is said with --up and --down.

    \b
    caif feedback inspect feedback-history-export.json
    caif feedback inspect votes.csv --map prompt=question,response=answer,rating=score,rater=user --up 1 --down 0,-1
    caif feedback inspect scores.jsonl --option traces=traces.jsonl --json
    """
    from caif.errors import CaifError
    from caif.feedback.survey import survey

    chosen = choose(file, format, option, (map, up, down))
    found = survey(followed(chosen.rows(file)))
    table = {"file": str(file), "format": chosen.format, "why": chosen.why, **found.table}
    print(json.dumps(table)) if as_json else _print_survey(table, found)
    if not found.tally.usable:
        unsure = "is this the whole file, and the right --format?"
        raise CaifError(f"{file}: no usable rows", "the reasons are above" if table["problems"] else unsure)


@guarded
def import_(
    file: Export,
    *,
    out: Out,
    format: Format = "",
    option: Options = None,
    map: Map = "",
    up: Up = "",
    down: Down = "",
    policy: Annotated[
        str, typer.Option(metavar="fail|skip|quarantine", help="What becomes of unusable rows.")
    ] = "quarantine",
    salt_env: SaltEnv = "",
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Bring a feedback file in: caif's own JSON lines, one thumb or pair a row, and how to use them in a run file.

    Rows that cannot be used are counted by reason, and by policy stop the import (exit code 2, nothing is written), are
    skipped, or go to OUT.quarantine.jsonl with file, line, reason and the row itself: who people are is hidden there, the
    product's ids of chats and messages stay, so that a row can be found. In OUT rater and chat ids become hashes; with
    --salt-env nobody who knows an id can find its votes. Those of caif's own lines stay as they were written. A row that
    names no objective is left without one, for the run file to say, unless --option objective=… names it.

    \b
    caif feedback import feedback-history-export.json -o thumbs.jsonl --salt-env MY_SALT
    caif feedback import hh.jsonl.gz -o pairs.jsonl --option objective=harmlessness --policy fail
    caif feedback import votes.csv -o votes.jsonl --map prompt=q,response=a,rating=score --up 1 --down 0
    """
    from caif.feedback.bringing import aside, bring, checked, stanzas
    from caif.feedback.outfile import refuse_existing
    from caif.report.show import counted
    from caif.terminal import line

    what = checked(policy)
    for written in (out, aside(out)):
        refuse_existing(written, file, force=force)
    chosen = choose(file, format, option, (map, up, down), salt_env)
    tally = bring(followed(chosen.rows(file)), file, out, what)
    thumbs = f"{counted(tally.thumbs, 'thumb')} ({tally.up:,} up, {tally.down:,} down)"
    line(f"{out}: {thumbs} and {counted(tally.pairs, 'pair')}, read as {chosen.format} ({chosen.why})")
    if unusable := tally.problems.counts.total():
        print_problems(tally.problems)
        line(f"{counted(unusable, 'row')} {'set aside in ' + str(aside(out)) if what == 'quarantine' else 'skipped'}")
    if chosen.salted is False:
        line("raters are hashed with caif's own salt, which everybody knows: for one of your own use --salt-env")
    line(tally.about)
    line(f"what is personal in the texts stays in them until: caif feedback scrub {out} -o scrubbed.jsonl")
    line(f"to use it, write into a run file:\n\n{stanzas(out, tally)}")


@guarded
def scrub(
    file: Export,
    *,
    out: Out,
    salt_env: SaltEnv = "",
    force: Force = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Mask what is personal in every text of a JSON-lines file, and say what was found by kind and field.

    Found by their form are e-mail and IP addresses, phone, card and IBAN numbers and street addresses. Within a row, and
    within the rows of one `conversation`, the same find has the same placeholder: <email-1>. Names of people have no form
    and stay. What was found is counted, never shown.

    \b
    caif feedback scrub thumbs.jsonl -o scrubbed.jsonl
    caif feedback scrub prompts.jsonl.zst -o prompts-scrubbed.jsonl --json
    """
    from caif.errors import CaifError
    from caif.feedback.outfile import refuse_existing, rows_of
    from caif.feedback.scrub import Scrubbed
    from caif.feedback.scrub import scrub as scrubbed
    from caif.formats.rows import json_rows
    from caif.report.show import counted
    from caif.terminal import line
    from caif.terminal import table as print_table

    refuse_existing(out, file, force=force)
    report, salt = Scrubbed(), salt_of(salt_env)
    with rows_of(out) as put:
        for row in scrubbed(followed(json_rows(file)), report, salt):
            put(row)
        if not report.rows:
            raise CaifError(f"{file}: no usable rows", "is it JSON lines? caif feedback import makes them of an export")
    if as_json:
        print(json.dumps({"file": str(file), "out": str(out), **report.table}))
        return
    if report.found:
        rows = [(kind, where, f"{count:,}") for (kind, where), count in sorted(report.found.items())]
        print_table("Found and masked", ("kind", "field", "#count"), rows)
    if report.left_out.counts:
        print_problems(report.left_out)
    line(f"{out}: {counted(report.rows, 'row')}, {report.changed:,} of them changed")


def _print_survey(table: dict[str, Any], found: "Survey") -> None:
    from caif.terminal import line
    from caif.terminal import table as print_table

    raters, tally = table["raters"], found.tally
    share = f" ({tally.up / tally.thumbs:.0%} up)" if tally.thumbs else ""
    facts = {
        "thumbs": f"{tally.thumbs:,}",
        "polarity as read": f"{tally.up:,} up, {tally.down:,} down{share}" if tally.thumbs else "",
        "with a reason": f"{table['reasons']:,}" if tally.thumbs else "",
        "with a correction": f"{table['corrections']:,}" if tally.thumbs else "",
        "pairs": f"{tally.pairs:,}",
        "ties among them": f"{tally.ties:,}" if tally.pairs else "",
        "raters": f"{raters['known']:,}, the most active gave {raters['most_active']:.0%}"
        if raters["known"]
        else "none named",
        "conversations": f"{table['conversations']:,}" if table["conversations"] else "none named",
        "time": " to ".join(table["span"]) if table["span"] else "not told",
    }
    line(f"{table['file']}: {table['format']} ({table['why']})")
    print_table("", ("what", "there is"), [(what, said) for what, said in facts.items() if said])
    if table["problems"]:
        print_problems(tally.problems)
    if table["examples"]:
        examples = [
            [row.get(name, "") for name in ("from", "read as", "prompt", "answer")] for row in table["examples"]
        ]
        print_table("Drawn by chance, what is personal masked", ("from", "read as", "prompt", "answer"), examples)
    for warning in table["warnings"]:
        line(f"note: {warning}")
