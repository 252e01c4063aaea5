"""What can be said of a text without a model: words, sentences, whether it is a refusal, whether it can be stored."""

import re

REFUSAL = re.compile(
    r"\b(i\W?m sorry|i am sorry|i apologi[sz]e|i can\W?t (help|assist|provide|do|answer)|i cannot|i can not|i won\W?t|"
    r"i will not|i\W?m (not able|unable)|i am (not able|unable)|as an? (ai|language model)|it (is|would be) not appropriate)",
    re.IGNORECASE,
)
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
