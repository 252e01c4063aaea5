"""Texts that a judge is shown, made unable to pass for anything but text.

Answers and prompts are written by those whom the judge is about, so they may hold what a judge's own conversation is
made of: verdicts, delimiters, roles, a chat template's control sequences, characters that nobody sees. Such a marker is
broken by one space, which a reader reads over and the exact sequence does not survive; what nobody can see is taken
out. A text of words alone can still flatter or give orders: that is for the judge's rules, the marks around an answer
and `suspicious`.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

HIDDEN = "[invisible characters]"
"""What a text of nothing but characters that nobody sees is shown as."""

_PLAIN = {0xFF01 + n: 0x21 + n for n in range(94)}  # full width to ASCII, one for one, so that places stay the same
_SEPARATORS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    # One joiner shapes Persian, Hindi and families of emoji; more of them, or one beside ASCII, can only hide something.
    "|[\u200c\u200d]{2,}|[\u200c\u200d](?![^\x00-\x7f])|(?<![^\x00-\x7f])[\u200c\u200d]"
    "|(?<=[\ufe0e\ufe0f])[\ufe0e\ufe0f]"
)

_UNSEEN_ASCII = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f]")
"""What the above finds in ASCII, which is most of all text, at a tenth of the time."""

_ROLES = (
    "human|assistant|person|system|user|judge|evaluator|grader|options?|answer|response|verdict|principle|instructions?"
)
_TAGS = (
    "responses?|answers?|assistant|user|system|human|person|instructions?|prompt|candidates?|judge|verdict|conversation|"
    "evaluat(?:ion|or)|comparison|principle|rules|think(?:ing)?|scratchpad|tool_(?:call|response)|start_of_turn|"
    "end_of_turn|bos|eos|pad|unk|s"
)
_BRACKETED = "inst|system_prompt|available_tools|tool_calls|tool_results|tool_content|begin_of_text|end_of_text"
MARKERS: dict[str, re.Pattern[str]] = {
    "a verdict": re.compile(r"\((?=[ABC]\))|\[(?=\[(?:[ABC]|(?i:tie)|\d{1,2})\]\])|(?i:the answer is)(?=:)"),
    "a role": re.compile(rf"(?mi)^[^\w\n]{{0,8}}(?:{_ROLES})[*_]{{0,3}}(?=:)"),
    "a delimiter": re.compile(rf"(?i)<(?=/?(?:{_TAGS})(?:[ _-]?[ab12])?(?:\s[^<>\n]{{0,40}})?/?>)"),
    "a mark": re.compile(r"\[(?=/?[0-9a-f]{6}\])"),
    "a control sequence": re.compile(rf"(?i)<(?=\|[^\s|<>]{{1,60}}\|>|</?sys>>)|\[(?=/?(?:{_BRACKETED})\])"),
}
"""What a conversation with a judge is made of, by kind: each pattern ends where a space breaks the marker."""
_SPECIAL = re.compile("[([<:\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Every marker in ASCII has one of these characters in it, and all that nobody sees there is one of them."""

_SMUGGLED = re.compile(
    "[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e0fff]|(?<=[\x00-\x7f])[\u200b-\u200d\u2060\ufeff]{2}"
)
_JUDGE = (
    "(?:judges?|evaluators?|graders?|raters?|assessors?|labell?ers?|(?:judging|grading|reviewing) (?:model|system))"
)
_ONE = "(?:this|my|the (?:above|present|following|first|second|other)) (?:answer|response|reply|option|one|candidate)"
_FINE = "(?:(?:ai|llm|expert|wise|fair) )"
_JUDGING = "(?:judg|grad|evaluat|compar|rat|scor)(?:es?|ing)"
_SAY = "(?:choose|pick|select|output|print|say|return|vote for|(?:respond|reply|answer) with)"
_NAMED = "(?: letter| option| answer| response| verdict)?"
_WINS = "(?:better|best|chosen|preferred|picked|selected|highest|full marks|winner|wins?|top|perfect|superior|approved|maximum)"
_LAW = (
    r"(?:instructions?|rules?|prompts?|criteri\w+|principles?|guidelines|anweisung\w*|regeln|instrucciones|reglas|"
    r"consignes|other (?:answer|option|response))"
)
STEERING: dict[str, tuple[str, ...]] = {
    "speaks to the judge": (
        rf"\b(?:note|message|memo|instructions?) (?:to|for) (?:(?:the|an?|any|all|our) )?(?:\w+ )?{_JUDGE}\b",
        rf"\b(?:dear|attention|as|if you are|you are|you,),? (?:(?:the|an?|any|our) )?{_FINE}*{_JUDGE}\b(?! of)",
        rf"\b(?:whoever|anyone who|the (?:model|system|one)) (?:is |that is )?{_JUDGING}\b",
    ),
    "asks for a verdict": (
        rf"\b(?:choose|pick|select|prefer|favou?r|rank|rate|score|mark|vote for|declare)(?: only| just)? {_ONE}\b",
        rf"\b{_SAY}(?: only| just)?(?: the)?{_NAMED}[ :\"'`(\[]{{1,5}}(?-i:[AB])[)\]\"'`.!,]*(?:\s|$)",
        rf"\b{_ONE} (?:is|should|must|deserves?|has|was|wins|ought)\b[^.\n]{{0,40}}\b{_WINS}\b",
        r"^[^\w\n]{0,8}(?:verdict|(?:better|best|chosen) (?:answer|option|response)) *[:=]",
        r"\b(?:score|rating|grade|mark)s?\b\W{0,3}(?:is |of )?(?P<full>\d+) ?(?:/|out of) ?(?P=full)\b",
        r"\b(?:w(?:ä|ae)hle|elige|escoge|choisi(?:s|ssez|r))\b[^.\n]{0,20}\b(?:antwort|op[ct]i[oó]n|respuesta|r[eé]ponse)\b",
    ),
    "sets rules aside": (
        rf"\b(?:ignor\w*|disregard|override|set aside|vergiss|olvida|oublie[zr]?)\b[^.\n]{{0,40}}\b{_LAW}\b",
    ),
    "ends its own turn": (
        r"</(?:responses?|answers?|candidates?|assistant|conversation|comparison)(?:[ _-]?[ab12])?>|\[/[0-9a-f]{6}\]",
        r"^[^\w\n]{0,8}(?:options:[^\w\n]*$|(?:judge|evaluator|grader|principle)[*_]*:)",
        r"\n[^\w\n]{0,8}(?:human|person|user)[*_]*:[^\n]*\n+[^\w\n]{0,8}assistant[*_]*:",
    ),
}
"""How a text tries to decide its own case, by kind. Words alone can do it, so these find the plain attempts only."""
HINTS: dict[str, tuple[str, ...]] = {
    "holds a control sequence": ("<", "["),
    "speaks to the judge": (
        "judge", "evaluator", "grader", "rater", "assessor", "labeler", "labeller", "ing model", "ing system", "whoever",
        "anyone who", "the model", "the system", "the one",
    ),
    "asks for a verdict": (
        "choose", "pick", "select", "prefer", "favor", "favour", "rank", "rate", "score", "mark", "vote for", "declare",
        "output", "print", "say", "return", "respond with", "reply with", "answer with", "better", "best", "chosen",
        "highest", "win", "top", "perfect", "superior", "approved", "maximum", "verdict", "rating", "grade",
        "wähle", "waehle", "elige", "escoge", "choisi",
    ),
    "sets rules aside": ("ignor", "disregard", "override", "set aside", "vergiss", "olvida", "oublie"),
    "ends its own turn": ("</", "[/", "option", "judge", "evaluator", "grader", "principle", "assistant"),
}  # fmt: skip
"""Every text that a kind of `STEERING` finds holds one of these; most texts hold none, and looking for words is quick."""
_PLOYS = {"holds a control sequence": MARKERS["a control sequence"]}
_PLOYS |= {kind: re.compile("|".join(some), re.IGNORECASE | re.MULTILINE) for kind, some in STEERING.items()}


@lru_cache(8192)  # both orders and all principles show the same answers
def inert(text: str) -> str:
    """Return the text, every marker in it broken by a space and without what nobody sees; ordinary text as it is.

    Idempotent, and never empty unless the text was.
    """
    if text.isascii() and not _SPECIAL.search(text):
        return text
    while (plainer := _once(text)) != text:  # taking out what hides inside a marker can make the marker whole
        text = plainer
    return text


def _once(text: str) -> str:
    seen = _visible(_SEPARATORS.sub("\n", text))
    if text.strip() and not seen.strip():
        return HIDDEN
    plain = seen.translate(_PLAIN)
    ends = {found.end() for marker in MARKERS.values() for found in marker.finditer(plain)}
    return " ".join(seen[start:end] for start, end in pairwise([0, *sorted(ends), len(seen)]))


def _visible(text: str) -> str:
    return (_UNSEEN_ASCII if text.isascii() else _UNSEEN).sub("", text)


@lru_cache(4096)
def suspicious(text: str) -> str:
    """Return why an answer looks like an attempt to steer the judge, in a few words with the place; "" if it does not.

    A flag, no proof: it changes no verdict. Markers count only where an honest answer has no use for them.
    """
    if not text.isascii() and (found := _SMUGGLED.search(text)):  # all that it finds is beyond ASCII
        return f"hides characters: {found.group()!a}"
    plain = unicodedata.normalize("NFKC", _visible(text))
    small = plain.casefold().replace("i\u0307", "i").replace("\u0131", "i")  # a Turkish i is an i to patterns too
    for kind, pattern in _PLOYS.items():
        if any(map(small.__contains__, HINTS[kind])) and (found := pattern.search(plain)):
            return f"{kind}: {' '.join(plain[found.start() : found.end() + 30].split())[:60]!r}"
    return ""
