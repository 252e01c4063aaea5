"""What can be said of a text without a model: words, sentences, whether it is a refusal, whether it can be stored."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set

REFUSAL = re.compile(
    r"\b(i\W?m sorry|i am sorry|i apologi[sz]e|i can\W?t (help|assist|provide|do|answer)|i cannot|i can not|i won\W?t|"
    r"i will not|i\W?m (not able|unable)|i am (not able|unable)|as an? (ai|language model)|it (is|would be) not appropriate)",
    re.IGNORECASE,
)
_COMMON = frozenset(
    "about after again also always another because been before being best between both cannot could describe does doing "
    "down each even ever every explain from give given good have having help here into just know like little long look made "
    "make many mean more most much must need never only other others over please really same says should simply some "
    "something such take tell than that their them then there these they thing things think this those through time under "
    "until used using very want well were what when where which while will with without would write your yours yourself".split()
)
"""Words of four letters and more that say nothing of what a text is about."""
_SENTENCE = re.compile(r"[.!?]+(?=\s|$)")


def words(text: str) -> int:
    """Count words."""
    return len(text.split())


def brief(text: str, length: int) -> str:
    """Return a text on one line, its end left out where it is longer than that."""
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def sentences(text: str) -> int:
    """Count sentences; a text that never ends one is one sentence."""
    return max(len(_SENTENCE.findall(text)), 1 if text.strip() else 0)


def spoken(chat: Iterable[Mapping[str, str]]) -> str:
    """Return all that was said in a chat in one text, but for a system message."""
    return "\n".join(message["content"] for message in chat if message["role"] != "system")


def topics(text: str) -> set[str]:
    """Return what a text is about: its words of four letters and more, but for common ones, each by its first five letters.

    So `bakery` and `bakeries` are one, and so are `loan` and `loans`. It is for English: common words are known for no other
    language, and one that does not part its words by spaces, or writes them in fewer letters, is cut at the wrong places.
    """
    found = re.findall(r"[^\W\d_]{4,}", text.lower())
    plain = [word[:-1] if word.endswith("s") and not word.endswith("ss") else word for word in found]
    return {one[:5] for word, one in zip(found, plain, strict=True) if not {word, one} & _COMMON}


def apart(one: Set[str], other: Set[str]) -> bool:
    """Whether two texts are about different things, by their topics: a tenth of the shorter list is in both, at most.

    So short texts share nothing, while long ones may share what any two do. One that names nothing is about anything.
    """
    return bool(one and other) and 10 * len(one & other) <= min(len(one), len(other))


def said_again(units: Sequence[Hashable], run: int) -> float:
    """Return which share of a text's runs of so many units, words or tokens, stood in it before; 0 if it is too short."""
    runs = [tuple(units[n : n + run]) for n in range(len(units) - run + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def refuses(text: str) -> bool:
    """Whether an answer begins as refusals do. Only the first 200 characters count: later ones may quote one."""
    return bool(REFUSAL.search(text[:200].replace("\u2019", "'")))


def is_whole(text: str) -> bool:
    """Whether a text can be written as UTF-8: half a surrogate pair, as broken JSON escapes give it, can not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole(text: str) -> str:
    """Return the text with each half of a surrogate pair replaced, for texts that come from models as they please."""
    return text if is_whole(text) else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
