"""Which reader a file wants: the one that is named, or the one whose keys its first rows surely have."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from caif.data import Preference, Rating, Rejected
from caif.errors import CaifError
from caif.formats.recognise import hinted, recognise, unreadable
from caif.hookspecs import Reader
from caif.options import defaults
from caif.plugins import Plugins

SURE = 0.5
FORMATS = "caif_feedback_formats"


class Chosen(NamedTuple):
    """A format, by what it was told, and its reader with its options."""

    format: str
    why: str
    reader: Reader
    salted: bool | None
    """Whether raters are hashed with a salt of one's own; None where the format hashes none."""

    def rows(self, path: Path) -> Iterable[Rating | Preference | Rejected]:
        """Return the rows of a file; an error about a file that looks like another format's says so."""
        return hinted(self.reader(path), path, self.format)


def choose(plugins: Plugins, path: Path, named: str, options: Mapping[str, Any], salt: str = "") -> Chosen:
    """Return the reader of a file. A format is recognised by keys alone; what its values mean has to be told.

    A row that names no objective stays without one, unless `options` name it: what it is about is for the run file to say.
    """
    format, why, needs = (named, "as told", "") if named else _recognised(plugins, path)
    part = plugins.parts[FORMATS].get(format)
    known = defaults(part.factory) if part is not None else {}
    salts = "salt" in known
    if salt and not salts:
        raise CaifError(f"{format}: hashes no raters, so it takes no salt", "leave --salt-env out")
    given = {**({"objective": ""} if "objective" in known else {}), **options, **({"salt": salt} if salt else {})}
    try:
        reader = plugins.make(FORMATS, format, given, Path())
    except CaifError as error:
        if needs:
            raise CaifError(error.message, f"tell it with --option {needs}") from None
        raise
    return Chosen(format, why, reader, ("salt" in given) if salts else None)


def _recognised(plugins: Plugins, path: Path) -> tuple[str, str, str]:
    guesses = [guess for guess in recognise(path) if guess.format in plugins.parts[FORMATS]]
    likely = [guess for guess in guesses if guess.sure > SURE and guess.sure == guesses[0].sure]
    if len(likely) == 1:
        return likely[0].format, likely[0].why, likely[0].needs
    if not guesses and path.is_file() and (why := unreadable(path)):
        raise why
    like = "; ".join(f"perhaps {guess.format}: {guess.why}" for guess in guesses[:3])
    raise CaifError(
        f"{path}: its format cannot be told{f' ({like})' if like else ''}",
        "name it with --format, or with --map the columns of a table",
    )
