"""Find what is personal in a text by its form, and mask it: cards, IBANs, e-mail, IP and phone numbers, street addresses.

A form is not enough where digits mean many things, so cards must pass the Luhn sum, IBANs their check digits, IP
addresses Python's own reading, and a number without a country code must be written as phone numbers are. Names of people
have no form and are not found.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

Ends = Callable[[re.Match[str]], int | None]
"""Where a find really ends, which may be before the match does; None if it is none."""

_VERSION = re.compile(r"\b(?:version|release|build|firmware|ver\.?|v\.?|section|chapter)[ :=]{0,2}$", re.IGNORECASE)
_WHEN = re.compile(r"\b(?:in|the|of|since|by|from|until|during|after|before)\s$", re.IGNORECASE)
_CALL = re.compile(
    r"\b(?:tel|telephone|phone|mobile|cell|whatsapp|fax|call me (?:at|on)|dial)\b[^\d\n]{0,16}$", re.IGNORECASE
)
_NAME = r"[A-ZÄÖÜÉ][\w.'’-]{0,30}"
_NUMBER_ENDS = r"(?!\w|[-.,]\d)"
_HINT = re.compile(r"[@\d]")


def _whole(match: re.Match[str]) -> int | None:
    return match.end()


def _digits(low: int, high: int) -> Ends:
    return lambda match: match.end() if low <= sum(map(str.isdigit, match[0])) <= high else None


def _before(match: re.Match[str], words: re.Pattern[str], reach: int = 36) -> bool:
    """Whether such words stand right before a match."""
    return words.search(match.string, max(0, match.start() - reach), match.start()) is not None


def _card(match: re.Match[str]) -> int | None:
    digits = [int(digit) for digit in match[0] if digit.isdigit()][::-1]
    total = sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return match.end() if total % 10 == 0 else None


def _iban(match: re.Match[str]) -> int | None:
    """Return the last end at which the check digits are right (ISO 7064): words in capitals may follow the number."""
    text = match[0]
    for end in range(len(text), 14, -1):
        compact = text[:end].replace(" ", "")
        breaks = text[end - 1] != " " and not text[end : end + 1].isalnum()
        if breaks and len(compact) >= 15 and int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1:
            return match.start() + end
    return None


def _ipv4(match: re.Match[str]) -> int | None:
    """Leave versions alone, and addresses that are nobody's: 0.0.0.0, the loopback and netmasks."""
    try:
        address = IPv4Address(match[0])
    except AddressValueError:
        return None
    nobodys = address.is_unspecified or address.is_loopback or match[0].startswith("255.")
    return None if nobodys or _before(match, _VERSION) else match.end()


def _ipv6(match: re.Match[str]) -> int | None:
    try:
        IPv6Address(match[0])
    except AddressValueError:
        return None
    return match.end()


def _called(match: re.Match[str]) -> int | None:
    return match.end() if _before(match, _CALL) else None


def _street(match: re.Match[str]) -> int | None:
    """Tell a house number from a year: people speak of the 2008 Wall Street crash."""
    return None if 1800 <= int(match[1]) < 2100 and _before(match, _WHEN) else match.end()


FORMS: tuple[tuple[str, re.Pattern[str], Ends], ...] = (
    ("iban", re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Z0-9])", re.ASCII), _iban),
    ("card", re.compile(rf"(?<![\w.,+-])[2-6]\d{{3}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}{_NUMBER_ENDS}"), _card),
    ("card", re.compile(rf"(?<![\w.,+-])3\d{{3}}([ -])\d{{6}}\1\d{{4,5}}{_NUMBER_ENDS}"), _card),
    ("card", re.compile(rf"(?<![\w.,+-])[2-6]\d{{12,18}}{_NUMBER_ENDS}"), _card),
    ("email", re.compile(r"(?<![\w.+-])(?!git@)[\w.+-]+@(?:[\w-]+\.)+[^\W\d_]{2,24}(?![\w-])"), _whole),
    ("ip", re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)", re.ASCII), _ipv4),
    ("ip", re.compile(r"(?<![\w:.])[23f][0-9a-f]{3}:(?:[0-9a-f]{0,4}:){1,6}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE), _ipv6),
    # With a country code; in North America; in France; elsewhere with a leading 0; behind a word that says it is one.
    ("phone", re.compile(rf"(?<![\w.+])\+[1-9](?:[ .\-/()]{{0,2}}\d){{7,14}}{_NUMBER_ENDS}"), _digits(8, 15)),
    ("phone", re.compile(rf"(?<![\w.,+/-])00[1-9]\d{{0,2}}[ /-](?:[ /()-]{{0,2}}\d){{6,12}}{_NUMBER_ENDS}"), _digits(10, 17)),
    ("phone", re.compile(
        rf"(?<![\w.,+/-])(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[ .-]\d{{4}}{_NUMBER_ENDS}"), _whole),
    ("phone", re.compile(rf"(?<![\w.,+/-])0[1-9]([ .-])\d\d(?:\1\d\d){{3}}(?!\1(?:\d|<phone)){_NUMBER_ENDS}"), _whole),
    ("phone", re.compile(
        r"(?<![\w.,+/-])(?!\d\d[ /-]\d\d[ /-]\d{4})(?:\(0[1-9]\d{1,4}\) ?|0[1-9]\d{1,4}[ /-])"
        rf"\d{{3,8}}(?:[ -]\d{{2,5}})?{_NUMBER_ENDS}"), _digits(9, 12)),
    ("phone", re.compile(rf"(?<=[ :])(?!\d{{4}}-\d\d-\d\d)(?:\d[ .\-/()]{{0,2}}){{6,13}}\d{_NUMBER_ENDS}"), _called),
    ("address", re.compile(
        rf"(?<![\w.,$€£-])(\d{{1,5}})[A-Za-z]?,? (?:{_NAME} ){{1,4}}?"
        r"(?:Street|Avenue|Road|Boulevard|Lane|Drive|Parkway|Highway|Terrace|Crescent|St|Ave|Rd|Blvd|Ln|Dr|Pkwy|Hwy)\b\.?"
        r"(?:,? (?:Apt|Apartment|Unit|Suite|Ste|#)\.? ?\w{1,5}\b)?"), _street),
    ("address", re.compile(
        rf"(?<!\w)(?:{_NAME} ){{0,2}}[A-ZÄÖÜ]\w{{0,40}}(?:straße|strasse|str\.|gasse|allee) ?\d{{1,4}} ?[a-z]?(?!\w)"), _whole),
    ("address", re.compile(
        r"(?<![\w.,-])\d{1,4}(?: ?(?:bis|ter))?,? (?:rue|avenue|boulevard|chemin|impasse|quai)"
        rf"(?: (?:de|du|des|la|le|les)){{0,3}} (?:[dl]['’])?{_NAME}(?: {_NAME}){{0,3}}"), _whole),
    ("address", re.compile(r"(?<!\w)(?:P\.? ?O\.? ?Box|Postfach) \d{2,6}(?!\w)", re.IGNORECASE), _whole),
)  # fmt: skip
"""What to look for, in this order. Every repetition is bounded or starts at one place only, so that none runs away."""


class Mask:
    """Masks the texts of one conversation: what is the same gets the same placeholder everywhere, such as `<email-1>`."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {}

    def __call__(self, text: str) -> tuple[str, list[str]]:
        """Return the text with each find replaced, and the kinds of what was found."""
        kinds: list[str] = []
        before = ""
        while text != before and _HINT.search(text):  # what stood beside a find may be one too, once that is gone
            before = text
            for kind, form, ends in FORMS:
                text = "".join(self._pieces(text, kind, form, ends, kinds))
        return text, kinds

    def _pieces(self, text: str, kind: str, form: re.Pattern[str], ends: Ends, kinds: list[str]) -> Iterator[str]:
        done = look = 0
        while match := form.search(text, look):
            if (end := ends(match)) is None:
                look = match.start() + 1  # what only looked like one may overlap one
                continue
            same = "".join(filter(str.isalnum, text[match.start() : end])).casefold()
            known = self._numbers.setdefault(kind, {})
            yield text[done : match.start()]
            yield f"<{kind}-{known.setdefault(same, len(known) + 1)}>"
            kinds.append(kind)
            done = look = end
        yield text[done:]


def masked(text: str) -> str:
    """Return a text with what is personal masked, each kind numbered from 1."""
    return Mask()(text)[0]
