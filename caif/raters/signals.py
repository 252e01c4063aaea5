"""What about a rater's way of voting is unusual, whatever the votes say. A signal drops nothing: it is told.

Each is a rule of its own: too many votes in a minute, all votes one way, the same question over and over, and almost all
votes of a long time within an hour.
"""

import math
import re
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from caif.raters.votes import Floats, Ints

FAST = 15
"""More votes than this within a minute are hardly read."""
ONE_WAY, CHANCE = 10, 0.001
"""All votes one way are a signal from so many on, if chance alone does that to fewer raters than this share."""
ALIKE, SHARE = 5, 0.5
"""So many near-duplicate prompts are a signal, if they are this share of the rater's."""
BURST, HOUR, LONG = 10, 3600.0, 7 * 86400.0
"""So many votes within an hour are a burst where they are nearly all of the rater's and the votes of all span this long."""
NEARLY = 0.9
_WORD = re.compile(r"\w+")
_HASHES, _BAND = 16, 4


class Cast(NamedTuple):
    """Votes as they were cast: who, when (seconds, NaN where unknown), up or down (for pairs NaN), on which prompt."""

    rater: Ints
    at: Floats
    up: Floats
    prompt: Sequence[str]


def signals(cast: Cast, raters: int) -> list[tuple[str, ...]]:
    """Return each rater's signals, in words."""
    order = np.argsort(cast.rater, kind="stable")
    ends = np.searchsorted(cast.rater[order], np.arange(raters + 1))
    ups, span = cast.up[~np.isnan(cast.up)], _span(cast.at)
    usual = (ups.sum() + 1) / (len(ups) + 2)
    found = []
    for rater in range(raters):
        mine = order[ends[rater] : ends[rater + 1]]
        times = np.sort(cast.at[mine][~np.isnan(cast.at[mine])])
        prompts = [cast.prompt[n] for n in mine]
        said = (_fast(times), _one_way(cast.up[mine], usual), _alike(prompts), _burst(times, span))
        found.append(tuple(filter(None, said)))
    return found


def _span(at: Floats) -> float:
    known = at[~np.isnan(at)]
    return float(np.ptp(known)) if len(known) else 0.0


def _within(times: Floats, seconds: float) -> int:
    """Return the most votes that fall into any window of this length."""
    return int((np.arange(1, len(times) + 1) - np.searchsorted(times, times - seconds)).max(initial=0))


def _fast(times: Floats) -> str:
    most = _within(times, 60.0)
    return f"{most} votes in a minute" if most > FAST else ""


def _one_way(up: Floats, usual: float) -> str:
    up = up[~np.isnan(up)]
    if len(up) < ONE_WAY or 0 < up.sum() < len(up):
        return ""
    way, chance = ("up", usual) if up.all() else ("down", 1 - usual)
    return f"all {len(up)} thumbs {way}" if len(up) * math.log(chance) < math.log(CHANCE) else ""


def _alike(prompts: Sequence[str]) -> str:
    different = list(dict.fromkeys(prompts))
    same = len(different) - len(set(_groups(different)))
    return f"{same} of {len(different)} prompts near-duplicates" if same >= max(ALIKE, SHARE * len(different)) else ""


def _groups(texts: Sequence[str]) -> list[int]:
    """Return which group of near-duplicates each text is in: texts that share a band of smallest hashes."""
    groups: list[int] = []
    seen: dict[tuple[int, ...], int] = {}
    for n, text in enumerate(texts):
        bands = [(k, *pair) for k, pair in enumerate(_sketch(text))]
        found = next((seen[band] for band in bands if band in seen), n)
        groups.append(found)
        for band in bands:
            seen.setdefault(band, found)
    return groups


def _sketch(text: str) -> list[tuple[int, ...]]:
    """Return the smallest of several hashes over a text's runs of three words, numbers counting as one word, in bands."""
    words = [re.sub(r"\d+", "0", word) for word in _WORD.findall(text.casefold())]
    runs = {" ".join(words[k : k + 3]) for k in range(max(1, len(words) - 2))}
    least = [min(zlib.crc32(run.encode(), 0x9E3779B1 * k & 0xFFFFFFFF) for run in runs) for k in range(_HASHES)]
    return [tuple(least[k : k + _BAND]) for k in range(0, _HASHES, _BAND)]


def _burst(times: Floats, span: float) -> str:
    most = _within(times, HOUR)
    if most < BURST or span < LONG or most < NEARLY * len(times):
        return ""
    return f"{most} of {len(times)} votes within an hour"
