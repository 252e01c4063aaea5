"""The command `caif review`: people's word on the answers of a run, or of a feedback file."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from caif.cli.options import HOME, Debug, Home, made
from caif.exits import guarded

if TYPE_CHECKING:
    from caif.data import Preference, Rating
    from caif.review.items import Item
    from caif.review.material import Material
    from caif.review.session import Question, Review, Summary

What = Annotated[
    str, typer.Argument(metavar="WHAT", help="A run (its file, name or folder), or a file as FORMAT:PATH.")
]
Audit = Annotated[
    float, typer.Option("--audit", min=0, max=1, help="Share of items that is drawn at random, however useful.")
]
Gold = Annotated[
    str, typer.Option(metavar="FORMAT:PATH", help="Items whose right answer is known, asked now and then.")
]
Out = Annotated[
    Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where the votes go; there is a place for them.")
]
JSON_LINES = (".jsonl", ".jsonl.gz")


class Wanted(NamedTuple):
    """How items are put in order."""

    order: Literal["unlabelled", "useful"]
    audit: float
    seed: int


@guarded
def review(
    what: What,
    *,
    thumbs: Annotated[bool, typer.Option("--thumbs", help="Ask about one answer at a time.")] = False,
    web: Annotated[bool, typer.Option("--web", help="As a page in the browser of this machine.")] = False,
    order: Annotated[Literal["unlabelled", "useful"], typer.Option(help="What comes first.")] = "unlabelled",
    audit: Audit = 0.1,
    limit: Annotated[int | None, typer.Option(min=1, help="Items at most.")] = None,
    objective: Annotated[
        str, typer.Option(metavar="NAME", help="What to judge by; helpfulness, or the first one.")
    ] = "",
    rater: Annotated[str, typer.Option(metavar="NAME", help="Your name on the votes; without it, a salted hash.")] = "",
    gold: Gold = "",
    gold_share: Annotated[float, typer.Option(min=0.01, max=0.5, help="Share of gold items.")] = 0.1,
    out: Out = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of --web; 0 is any that is free.")] = 0,
    seed: Annotated[int, typer.Option(help="Draws the audit and the order of items and answers.")] = 0,
    home: Home = HOME,
    debug: Debug = False,
) -> None:
    """Ask a person which of two answers is better, or with --thumbs whether one is good: blind, by keyboard.

    Of a run, finished or not, its samples are asked about. Nobody is told which model wrote an answer or what a judge said
    of it; the order of two answers is drawn and recorded. A vote is on the disk before the next item shows, in a file that
    only grows, one a rater; the same command goes on where it stopped, and another --objective begins anew. Feedback
    sources `pairs` and `thumbs` read it with format = "reviews".

    --order useful asks first where a person's word helps most: the two orders flipped, judges disagree, principles
    conflict, the judges' mean or the reward model is undecided. The audit share is drawn apart from that and marked, so
    that what is measured on it holds for all items.

    \b
    caif review run.toml
    caif review quickstart --web --order useful --limit 50
    caif review run.toml --thumbs --rater ada
    caif review pairs.jsonl --gold known.jsonl
    caif review hh-rlhf:pairs.jsonl -o votes.jsonl
    """
    from caif.errors import CaifError
    from caif.review import material, votes
    from caif.review.items import with_gold
    from caif.review.session import Review

    source, place = _material(what, home)
    name = _name(rater) if rater else votes.rater_of(home)
    file = out or place / f"{name}.jsonl"
    source = source._replace(people=[*source.people, *material.votes_of_others(place, file)])
    question = material.question(source.law, objective)
    if not (found := _items(source, question, Wanted(order, audit, seed), thumbs=thumbs)):
        kind = "answers" if thumbs else "pairs of different answers"
        remedy = "a run has them once [sample] is done" + ("" if thumbs else "; or ask about one answer with --thumbs")
        raise CaifError(f"{what}: there are no {kind} to review", remedy)
    known = _known(gold, thumbs=thumbs) if gold else []
    ask = _on_a_page(port) if web else _here
    with votes.opened(file, name, question.objective) as opened:
        session = Review(with_gold(found, known, gold_share, seed)[:limit], opened, question, seed)
        try:
            ask(session)
        finally:
            _print(session.summary(), file, thumbs=thumbs)


def _known(gold: str, *, thumbs: bool) -> "list[Item]":
    """Return the items of a file whose right answer is known."""
    from caif.errors import CaifError
    from caif.review.items import gold as known_items

    if not (known := known_items(_rows(gold), thumb=thumbs)):
        raise CaifError(f"--gold {gold}: holds no {'thumbs' if thumbs else 'pairs'} to ask", "see caif review --help")
    return known


def _items(source: "Material", question: "Question", wanted: Wanted, *, thumbs: bool) -> "list[Item]":
    from caif.review.items import ordered
    from caif.review.unsure import unsure
    from caif.terminal import Terminal

    asked = source.pairs(question.objective)
    if wanted.order == "useful" and source.reward:
        Terminal().say("Asking the reward model what it is unsure of …")
        asked = unsure(source.reward, asked, question.objective)
    return ordered(source.thumbs(asked) if thumbs else asked, *wanted)


def _here(session: "Review") -> None:
    from rich.console import Console

    from caif.cli.screen import go_through, keyboard

    go_through(session, Console(highlight=False), keyboard())


def _on_a_page(port: int) -> "Callable[[Review], None]":
    from caif.errors import CaifError
    from caif.terminal import line

    try:
        from caif.review.serve import bound, serve
    except ModuleNotFoundError as error:
        raise CaifError(f"--web needs {error.name}", "pip install 'caif[web]'") from None
    at = bound(port)
    return lambda session: serve(session, at, line)


def _material(what: str, home: Path) -> "tuple[Material, Path]":
    from caif.content import digest
    from caif.review.material import of_rows, of_run

    if what.endswith(JSON_LINES) or (":" in what and not Path(what).exists()):
        path = Path(what.partition(":")[2] or what)
        name = f"{path.name.partition('.')[0]}-{digest(str(path.resolve()))[:8]}"
        return of_rows(_rows(what)), home / "reviews" / name
    folder, artifacts = made(what, home)
    return of_run(artifacts), folder / "reviews"


def _rows(named: str) -> "list[Preference | Rating]":
    """Return the usable rows of a feedback file, and say of the others how many there are, by reason."""
    from caif import desk
    from caif.data import Rejected
    from caif.formats.fields import at_least_one
    from caif.plugins import load
    from caif.terminal import Terminal

    source = named if ":" in named else f"caif:{named}"
    path = Path(source.partition(":")[2])
    given: Iterable[Preference | Rating | Rejected] = desk.read(load(folders=[Path("plugins")]), source)
    rows: list[Preference | Rating | Rejected] = list(at_least_one(given, path, "feedback"))
    if reasons := Counter(row.reason for row in rows if isinstance(row, Rejected)):
        Terminal().say(f"{path.name}: turned away: {', '.join(f'{n} {why}' for why, n in reasons.most_common())}")
    return [row for row in rows if not isinstance(row, Rejected)]


def _name(rater: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from caif.errors import CaifError
    from caif.sections.parts import SafeName

    try:
        return TypeAdapter(SafeName).validate_python(rater)
    except ValidationError:
        raise CaifError(f"--rater {rater!r}: is no name for a file", "take letters, digits, and . _ - inside") from None


def _print(summary: "Summary", file: Path, *, thumbs: bool) -> None:
    from caif.report.show import counted, spread
    from caif.terminal import line

    said = ", ".join(f"{n} {what}" for what, n in summary.said.items()) or "none"
    line(f"Votes: {said}; {counted(summary.left, 'item')} left. {file}")
    if summary.gold or summary.unanswered_gold:
        line(f"Right on items whose answer is known: {spread(summary.gold, '%')}, {summary.unanswered_gold} left open.")
    if summary.agreement:
        n = summary.agreement["n"]
        line(f"Agreement with the AI's judges on {n} pairs drawn at random: {spread(summary.agreement, '%')}.")
    if summary.said:
        use = "thumbs" if thumbs else "pairs"
        line(f'To use them:\n[[feedback]]\nuse = "{use}"\nformat = "reviews"\npath = "{file.resolve()}"')
