"""What a reader of one sentence can see: two demands in it, words that no judge can decide, references to nowhere.

These are heuristics for English without a tagger. They look at the grammar around a word, not at the word alone, since
a false alarm teaches people to ignore the true ones: "fewer lies and claims" joins nouns, "gives facts and claims no
more" joins demands, and what tells them apart is the word that follows.
"""

import re
from collections.abc import Iterator

_VERBS = (
    "add address admit advise answer apologise apologize argue ask assume attack avoid be belittle blame break bring "
    "call care cause change cite claim clarify comfort compare condemn confirm contain correct cover create criticise "
    "criticize cut decide decline describe discuss do drop encourage end escape exaggerate exclude explain express "
    "fit flatter follow give handle harm have help hide hint hurt identify ignore improve include inform insult "
    "invent invite keep know lack leave lecture let lie list make mention mislead mock moralise moralize name need "
    "obey offend offer omit point praise preach present prevent promise promote propose protect prove provide put "
    "quote raise reach recognise recognize recommend refer refuse reject rely remain remind remove repeat replace "
    "reply report respect respond return reveal revise rewrite ridicule say serve share show sound speak state stay "
    "suggest support take talk teach tell think treat understand urge use verify warn write"
)
_ODD = {"be": "is", "do": "does", "have": "has"}
_SIBILANT = ("s", "x", "z", "ch", "sh")


def _third(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ies"
    return _ODD.get(verb) or verb + ("es" if verb.endswith(_SIBILANT) else "s")


_BASE = "|".join(_VERBS.split())
_FINITE = "|".join(map(_third, _VERBS.split()))
_AND = r"(?:,\s*)?\b(?:and|as well as)\s+(?:also\s+|then\s+|still\s+|not\s+|never\s+)*"
_ADVERB = r"(?:(?:better|best|more|less|fewer|also|only|clearly|always|never|[a-z]+ly)\s+)?"
_AFTER = (
    r"(?=\s+(?:a|an|the|no|nothing|nobody|not|its|his|her|their|them|it|this|that|these|those|all|any|every|each|what|"
    r"how|why|when|where|which|who|whether|more|less|fewer|better|only|at|by|to|from|for|with|without|in|on|out|down|"
    r"up|as|[a-z]+ly)\b)"
)
_TWO_VERBS = re.compile(rf"{_AND}{_ADVERB}(?:{_FINITE}){_AFTER}", re.IGNORECASE)
_TWO_DEGREES = re.compile(
    r"\b(?:more|less|fewer|most|least)\s+\w+[^?.!]*?\b(?:and|as well as|but also)\s+(?:also\s+)?"
    r"(?:more|less|fewer|most|least)\s+\w+",
    re.IGNORECASE,
)
_TWO_COMMANDS = re.compile(
    rf"(?:^|[.!?:;]\s+)(?:please\s+|do not\s+|never\s+|always\s+)?(?:{_BASE})\b[^.!?]*?"
    rf"{_AND}(?:do not\s+)?(?:{_BASE}){_AFTER}",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\b(?:who|whom|whose|that|what|where|when|if|because|so that)\b", re.IGNORECASE)
_WHICH = re.compile(r"\bwhich\s+(?:one|of|is|has|gives|answer|response|reply|option)\b", re.IGNORECASE)
_QUESTION = re.compile(r"[^.!?\n]*\?")

_VAGUE = (
    "acceptable adequate appropriate bad best decent desirable excellent fine good great ideal inappropriate nice "
    "optimal proper quality reasonable satisfactory suitable superb undesirable unacceptable unreasonable unsuitable"
)
_UNDECIDABLE = re.compile(
    rf"\b(?:(?:as \w+ as possible)|(?:best|worst) possible|high[- ]quality|in the right way|"
    rf"(?:{'|'.join(_VAGUE.split())}))\b"
    r"(?!\s+(?:for|to)\s+(?!be\b|do\b))",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\b(?:the\s+(?:above|below|aforementioned|previous)\b|the\s+following\b(?![^.?!]*:)|"
    r"as\s+(?:stated|described|defined|mentioned|noted|discussed|explained|listed|outlined)"
    r"(?:\s+(?:above|below|earlier|before|in)\b)?|"
    r"(?:see|listed|described|defined|stated|mentioned|given)\s+(?:above|below|earlier)|"
    r"(?:section|article|chapter|clause|paragraph|appendix|rule|principle)\s+(?:\d+|[ivx]+)\b(?![ \t]*\n))",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?:“(?P<a>[^”]{2,40})”|\"(?P<b>[^\"]{2,40})\")")
_SPEAKING = {
    "word",
    "words",
    "phrase",
    "phrases",
    "say",
    "says",
    "saying",
    "said",
    "write",
    "with",
    "like",
    "answer",
    "as",
    "or",
    "and",
}
_NAMED = re.compile(r"\bprinciples?\s+[\"'“`(]*(?P<id>[a-z0-9]+(?:-[a-z0-9]+)+)\b")
_BACKWARDS = re.compile(
    r"\bwhich\b[^?]*\b(?:worse|worst|(?:more|most)\s+(?:harmful|dangerous|toxic|offensive|dishonest|misleading|biased|"
    r"rude|insulting|evasive|unhelpful|unethical|illegal|racist|sexist)|(?:less|least)\s+(?:helpful|honest|harmless|"
    r"accurate|polite|useful|true|truthful|safe|ethical))\b",
    re.IGNORECASE,
)


def demands(text: str) -> str:
    """Return the words that make a second demand on an answer, or "": each could be met by another answer.

    Questions that choose are counted, then two verbs of one question and two degrees ("more X and more Y") are looked
    for. What stands in a clause about something else ("somebody who lies and harms others") is no demand on the
    answer.
    """
    questions: list[str] = [
        q.strip() for q in _QUESTION.findall(text) if _WHICH.search(q)
    ]  # others may be quoted from elsewhere
    if len(questions) > 1:
        return questions[1]
    sentence = questions[0] if questions else text
    for pattern in (_TWO_DEGREES, _TWO_VERBS):
        if (found := pattern.search(sentence)) and not _ASIDE.search(sentence[: found.start()]):
            return str(found.group()).strip(" ,?.!")
    return ""


def commands(text: str) -> str:
    """Return the sentence that gives two orders in one, or ""."""
    found = _TWO_COMMANDS.search(text)
    return found.group().strip(" ,.:;!?") if found else ""


def undecidable(text: str) -> list[str]:
    """Return the words about which two careful readers could disagree for good; "suitable for children" is not one."""
    return list(dict.fromkeys(found.group().lower() for found in _UNDECIDABLE.finditer(text)))


def elsewhere(text: str) -> list[str]:
    """Return references to something that is not in the text, which is all a model is shown."""
    return list(dict.fromkeys(found.group() for found in _ELSEWHERE.finditer(text)))


def quoted(text: str) -> Iterator[str]:
    """Yield the terms in quotes that are used as terms; words that an answer is to say are none."""
    for found in _QUOTED.finditer(text):
        before = text[max(0, found.start() - 30) : found.start()].split()[-1:]
        if not before or before[0].lower().strip(",.:;") not in _SPEAKING:
            yield found["a"] or found["b"]


def named(text: str) -> list[str]:
    """Return the ids of principles that a text names."""
    return [found["id"] for found in _NAMED.finditer(text)]


def backwards(text: str) -> str:
    """Return the words that ask for the worse answer, or "": the better one is what a judge's choice is taken for."""
    found = _BACKWARDS.search(text)
    return found.group().strip() if found else ""
