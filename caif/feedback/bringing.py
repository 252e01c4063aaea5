"""Bring people's feedback in: usable rows as caif's own JSON lines, the others set aside with file, line and reason."""

from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Literal, cast, get_args

from caif.data import Preference, Rating, Rejected
from caif.errors import CaifError, nearest
from caif.feedback.aside import Raw, quarantined
from caif.feedback.outfile import Put, rows_of
from caif.feedback.tally import Tally
from caif.formats.caif_rows import as_line
from caif.formats.fields import at_least_one

Policy = Literal["fail", "skip", "quarantine"]


def checked(policy: str) -> Policy:
    """Return a policy, if there is one of that name."""
    if policy not in get_args(Policy):
        raise CaifError(f"--policy: there is no {policy!r}", nearest(policy, get_args(Policy)))
    return cast(Policy, policy)


def aside(out: Path) -> Path:
    """Return where the rows go that `out` could not take."""
    return out.with_suffix(f".quarantine{out.suffix}")


def bring(rows: Iterable[Rating | Preference | Rejected], path: Path, out: Path, policy: Policy) -> Tally:
    """Write the usable rows of a file to `out`, in one pass and in flat memory; return what was counted.

    Unusable rows stop it, are skipped, or go to `aside(out)`; they are counted in any case. Neither file takes its place
    before both are whole, and a file without any usable row is an error.
    """
    tally = Tally()
    put_aside: Put | None = None
    with ExitStack() as stack:
        put, raw = stack.enter_context(rows_of(out)), stack.enter_context(closing(Raw(path)))
        counted: Iterable[Rating | Preference | Rejected] = at_least_one(rows, path, "feedback")
        for row in counted:
            tally.add(row)
            if not isinstance(row, Rejected):
                put(as_line(row))
            elif policy == "fail":
                why = ": ".join(filter(None, [row.where, row.reason, row.detail]))
                raise CaifError(why, "mend it, or set such rows aside with --policy quarantine")
            elif policy == "quarantine":
                put_aside = put_aside or stack.enter_context(rows_of(aside(out)))
                put_aside(quarantined(row, raw))
    if put_aside is None:
        aside(out).unlink(missing_ok=True)  # what an earlier import set aside is not of this one
    return tally


def stanzas(out: Path, tally: Tally) -> str:
    """Return what to write into a run file to use what was brought in."""
    kinds = {"thumbs": tally.thumbs, "pairs": tally.pairs}
    path = str(out).replace("\\", "\\\\").replace('"', '\\"')
    return "\n\n".join(f'[[feedback]]\nuse = "{use}"\npath = "{path}"' for use, count in kinds.items() if count)
