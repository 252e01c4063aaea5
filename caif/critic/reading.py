"""What a critique and a revision come to: whether the critic found nothing, and why a revision must not be passed on."""

import re

_NOTHING = re.compile(
    r"(?:i (?:can |could )?(?:have|see|find|found)|there(?: i|\W)s|there are|i\W?ve)? ?(?:really |absolutely )?"
    r"(?:nothing (?:at all )?(?:left )?to (?:criticise|criticize|correct|fix|improve|change|add or change)"
    r"|no (?:criticisms?|critiques?|faults?|objections?)"
    r"|no (?:further )?(?:changes?|revisions?|improvements?|corrections?) (?:(?:is|are) )?(?:needed|required|necessary)"
    r"|nothing (?:needs|has) to be (?:changed|corrected|fixed|improved)"
    r"|(?:the|this|that|my|your) (?:last |previous )?(?:answer|response|reply) (?:is (?:fine|good) as it (?:is|stands)|needs no"
    r" (?:changes?|revisions?|criticism|corrections?)))"
    r"(?: here| at all)?(?: (?:in|about|with|of|to) (?:it|this|that|(?:the|this|that|my|your) (?:last |previous |first )?"
    r"(?:answer|response|reply)))?(?: here| at all)?",
    re.IGNORECASE,
)
"""What a critic says that finds nothing, of the answer as a whole: "nothing to criticise about its tone" is no end."""
_END = re.compile(r"\W*?(?:$|[.!;:,\n\u2014-])")
_BUT = re.compile(
    r"\b(?:but|however|although|though|except|yet|still|unless|while|could|should|might|would|must|may want|needs? to|"
    r"consider|improve\w*|better|instead|lacks?|lacking|miss(?:es|ing)|unclear|wrong|incorrect|inaccura\w+|harmful|too|not)\b|\?",
    re.IGNORECASE,
)
_REST = 300
"""A critic that goes on for longer than this, in characters, has something to say."""

_LABELS = re.compile(r"^\W*(critique|revision|revised|critiquerequest|revisionrequest)\b[^\n]{0,40}:", re.IGNORECASE)
_ABOUT = re.compile(
    r"\b(assistant\W?s|my|your|the) (last|previous|original|first|new|revised) (answer|response)\b", re.IGNORECASE
)
_TEMPLATE = re.compile(r"<\|[a-z_]+\|>|\[/?INST\]|^(human|user|assistant):", re.IGNORECASE | re.MULTILINE)


def nothing_to_criticise(critique: str) -> bool:
    """Whether a critique says that there is nothing to criticise, and nothing that takes it back.

    In doubt it is a critique: a needless round costs two calls, a chain that ends too soon keeps a fault.
    """
    text = " ".join(critique.replace("\u2019", "'").split()).strip("*_\"'`#> ")
    text = re.sub(r"^critique: *", "", text, flags=re.IGNORECASE).strip("*_\"'` ")
    found = _NOTHING.match(text)
    if found is None or not _END.match(text, found.end()):
        return False
    rest = text[found.end() :]
    return len(rest) <= _REST and not _BUT.search(rest)


def fault(answer: str, revision: str, max_growth: float) -> str:
    """Return why a revision must not be passed on, or "" if it may (METHODS 1.4)."""
    if not revision.strip():
        return "empty"
    if " ".join(revision.split()) == " ".join(answer.split()):
        return "identical to the answer"
    if _LABELS.match(revision):
        return "begins with a label instead of an answer"
    if _ABOUT.search(revision[:120]):
        return "talks about the answer instead of giving one"
    if _TEMPLATE.search(revision):
        return "holds template markers"
    if len(revision) > max_growth * max(len(answer), 200):
        return "far longer than the answer"
    return ""
