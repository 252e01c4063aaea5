"""A judge's temperature: fitted by `caif audit` on pairs that people have labelled, and stored beside its card."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from caif.content import Frozen
from caif.errors import CaifError, explain
from caif.files import load


class Calibration(Frozen):
    """What was fitted for one judge and method: its log-odds are divided by `temperature` (Guo et al. 2017)."""

    judge: str
    method: str
    wording: str = "paper"
    temperature: float = Field(gt=0)
    pairs: int = 0
    fitted_on: str = ""


def temperature(files: Sequence[Path], judge: str, method: str, wording: str) -> float:
    """Return the temperature that the files hold for this judge, method and wording; 1 if no file is named at all.

    A file that is named and holds another judge's temperature is worse than none, so one of them must be this one's.
    """
    known = [_read(file) for file in files]
    wanted = (judge, method, wording)
    found = next((c.temperature for c in known if (c.judge, c.method, c.wording) == wanted), None)
    if found is None and known:
        names = ", ".join(_named(c.judge, c.method, c.wording) for c in known)
        raise CaifError(f"calibration: holds {names}, not {_named(*wanted)}", "fit it: caif audit --judge … --methods …")
    return found or 1.0


def _named(judge: str, method: str, wording: str) -> str:
    return f"{judge} by {method} ({wording})"


def _read(file: Path) -> Calibration:
    try:
        return Calibration.model_validate(load(file))
    except ValidationError as error:
        raise explain(error, Calibration, file) from None
