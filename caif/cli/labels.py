"""Commands on labels that there are."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from caif.cli.options import HOME, AsJson, Debug, Home, RunFile, prepare
from caif.exits import guarded

if TYPE_CHECKING:
    from caif.relabel import Relabelled


@guarded
def relabel(
    file: RunFile,
    source: Annotated[str, typer.Argument(metavar="[SOURCE]", help="Only this feedback source.")] = "",
    *, reparse: Annotated[bool, typer.Option("--reparse", help="Read stored answers anew; no model is asked.")] = False,
    changed_only: Annotated[bool, typer.Option("--changed-only", help="Ask only what an edited principle touched.")] = False,
    home: Home = HOME, as_json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Label again what was labelled, and show which verdicts changed. All before the labels stays as it was.

    \b
    caif relabel run.toml --reparse                after an option that only says how answers are read, such as min_mass
    caif relabel run.toml ai-labeler --reparse     one source
    caif relabel run.toml --changed-only           after an edit of a principle
    """
    from caif.errors import CaifError
    from caif.relabel import relabel as label

    if reparse == changed_only:
        raise CaifError("relabel: name one of --reparse and --changed-only", "--reparse asks no model")
    done = label(prepare(file, home), source, reparse=reparse)
    if as_json:
        print(json.dumps([_plain(one) for one in done]))
    else:
        _print(done)


def _plain(one: "Relabelled") -> dict[str, object]:
    verdicts = [
        {"before": before, "after": after, "judgements": n} for (before, after), n in one.change.verdicts.items()
    ]
    return {
        "source": one.source, "folder": str(one.artifact.folder), "asked": one.asked, "reused": one.reused,
        "judgements": one.change.judgements, "changed": one.change.changed, "drift": one.change.drift,
        "preferences": list(one.preferences), "verdicts": verdicts, "outdated": list(one.outdated),
    }  # fmt: skip


def _print(done: "Sequence[Relabelled]") -> None:
    from caif.terminal import line, table

    for one in done:
        before, after = one.preferences
        drift = "" if one.change.drift is None else f" P(a) moved by {one.change.drift:.3f} on average."
        line(
            f"{one.source}: {one.asked:,} asked, {one.reused:,} reused; {before:,} -> {after:,} preferences; "
            f"{one.artifact.folder}"
        )
        rows = [(b, a, f"{n:,}") for (b, a), n in one.change.verdicts.items() if b != a]
        if rows:
            table("", ("verdict before", "after", "#judgements"), rows)
        line(f"{one.change.changed:,} of {one.change.judgements:,} verdicts changed.{drift}")
        if one.outdated:
            line(
                f"Set aside, as made from labels that are no longer there: {', '.join(one.outdated)}. "
                "caif run makes them anew."
            )
