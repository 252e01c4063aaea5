"""The command `caif export`: a run's labels for another training tool, and where it is named, on a hub."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caif.cli.options import HOME, AsJson, Debug, Home, made
from caif.exits import guarded

if TYPE_CHECKING:
    from caif.exports.hub import Target
    from caif.exports.whole import Exported

To = Annotated[
    str, typer.Option("--to", metavar="FORMAT", help="trl, openai, llama-factory, axolotl, verl, openrlhf or caif.")
]
Out = Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where to write; it must be new or empty.")]
Licence = Annotated[
    list[str] | None,
    typer.Option("--licence", metavar="SOURCE=SPDX", help="A source's licence, for the card; repeatable."),
]


@guarded
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, or a run file.")],
    *,
    to: To,
    out: Out,
    stage: Annotated[
        str, typer.Option(metavar="STAGE", help="Whose labels: combine, or a feedback source.")
    ] = "combine",
    licence: Licence = None,
    raters: Annotated[
        bool, typer.Option("--raters", help="Keep who gave each label, in which chat and record.")
    ] = False,
    push: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="Upload it to this data set of the hub, private.")
    ] = "",
    public: Annotated[bool, typer.Option("--public", help="Let everyone read what is pushed.")] = False,
    home: Home = HOME,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write a run's labels for another training tool, with a data-set card that says what they are.

    Most tools take pairs as certain: the likelier answer is the chosen one, ties and rows of weight 0 are left out and
    counted, and probability and weight stand beside the texts where the tool bears other columns. Nothing leaves this
    machine without --push; then the token is that of HF_TOKEN.

    \b
    caif export run.toml --to trl -o labels
    caif export run.toml --to llama-factory -o labels --licence thumbs=cc-by-4.0
    caif export run.toml --to trl -o labels --push OWNER/NAME
    """
    from caif.cli.options import key_value
    from caif.exports.hub import push as upload
    from caif.exports.hub import target
    from caif.exports.whole import export as written

    where = target(push, public=public)
    _, artifacts = made(run, home)
    licences = {source: str(name) for source, name in (key_value(text, "--licence") for text in licence or [])}
    done = written(artifacts, to, out, stage=stage, licences=licences, raters=raters)
    print(json.dumps(done.table)) if as_json else _print(done)
    if where:
        _announce(done, where)
        address = upload(done.folder, where)
        _say(f"Uploaded to {address}")


def _print(done: "Exported") -> None:
    from caif.terminal import line, table

    tally = done.tally
    table("", ("file", "#rows"), [(name, f"{rows:,}") for name, rows in tally.files.items()])
    if tally.left_out:
        table("Left out", ("why", "#rows"), [(why, f"{n:,}") for why, n in tally.left_out.most_common()])
    for what, n in done.table["coarser"].items():
        line(f"{n:,} {what}")
    if tally.personal:
        found = ", ".join(f"{kind} in {n:,}" for kind, n in sorted(tally.personal.items()))
        line(f"What looks personal, in {tally.looked:,} rows looked at: {found}. Mask it: caif feedback scrub")
    line(f"{done.folder}: see its README.md")


def _announce(done: "Exported", where: "Target") -> None:
    """Say what is uploaded before it is."""
    files = sorted(file for file in done.folder.rglob("*") if file.is_file())
    _say(f"Uploading to {where.repo}, {where.seen}:")
    for file in files:
        _say(f"  {file.relative_to(done.folder)}  {file.stat().st_size:,} bytes")
    if not where.public:
        return
    _say("  Everyone will be able to read this.")


def _say(text: str) -> None:
    from caif.terminal import Terminal

    Terminal().say(text)
