"""What of two answers a source may be biased by: seen from the texts alone, signed, and 0 for what they share."""

import math
import re

NAMES = ("length", "lists", "refusal")
ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)]|#{1,6})\s", re.MULTILINE)


def style(a: str, b: str) -> tuple[float, float, float]:
    """Return how much longer a is than b, how much more of it is lists and headings, and whether it refuses; all as logs."""
    from caif.text import refuses

    lengths = math.log((len(a) + 1) / (len(b) + 1))
    lists = math.log((len(ITEM.findall(a)) + 1) / (len(ITEM.findall(b)) + 1))
    return lengths, lists, float(refuses(a)) - float(refuses(b))
