"""Pairs whose better answer is known, and judges that know it so and so often."""

import math
from collections.abc import Sequence

from caif.constitution import Constitution, Principle
from caif.content import rng
from caif.data import Comparison, Judgement, Preference, Prompt
from caif.hookspecs import Answer, Model, Question
from caif.judge import Bench

TRUE = Principle(id="true", objective="honesty", critique="Is it true?", revision="Make it true.", compare="Which is truer?",
                 instruct="Be true.", oppose="Be false.")  # fmt: skip
LAW = Constitution(name="law", objectives={"honesty": "True.", "brevity": "Short."}, principles=(
    TRUE, TRUE.model_copy(update={"id": "short", "objective": "brevity", "compare": "Which is shorter?"}),
))  # fmt: skip


def pairs(n: int, per_prompt: int = 1) -> list[Preference]:
    """Return pairs as files hold them: the better answer first. Lengths say nothing."""
    rows = []
    for i in range(n):
        pad = ["x" * (5 + rng("length", i, side).randrange(40)) for side in (0, 1)]
        prompt = Prompt.of(f"Question {i // per_prompt}?")
        rows.append(Preference(prompt=prompt, chosen=f"right answer {i} {pad[0]}", rejected=f"wrong answer {i} {pad[1]}",
                               probability=1.0, objective="honesty"))  # fmt: skip
    return rows


def knowing(right: float, strength: float = 1.0, lean: float = 0.0, mass: float = 0.9) -> Bench:
    """Return a judge that is right about a share of the pairs, is so sure of it, and leans to the first place."""

    def score(model: Model, questions: Sequence[Question]) -> list[Answer]:
        del model
        return [_said(question, right, strength, lean, mass) for question in questions]

    return Bench(Model("fake:judge", None), lambda *_: [], score)  # type: ignore[arg-type]


def _said(question: Question, right: float, strength: float, lean: float, mass: float) -> Answer:
    text = question.messages[-1]["content"]
    if "right answer" not in text:  # it knows nothing else, as its self-test shows
        return Answer("", "stop", (math.log(mass / 2),) * 2, tokens_in=100, tokens_out=1)
    good, bad = text.index("right answer"), text.index("wrong answer")
    number = int(text[good:].split()[2])
    knows = number * 7 % 10 < 10 * right  # of any ten pairs in a row exactly so many
    content = strength * (1 if knows == (good < bad) else -1) + lean
    p = 1 / (1 + math.exp(-content))
    return Answer("", "stop", (math.log(mass * p), math.log(mass * (1 - p))), tokens_in=100, tokens_out=1)


def judgement(verdict: str = "a", **fields: object) -> Judgement:
    """Return a judgement with a probability that fits its verdict."""
    sure = {"a": 0.8, "b": 0.2, "tie": 0.5}.get(verdict)
    opening = str(fields.pop("prompt", "Why?"))
    given: dict[str, object] = {
        "comparison": Comparison(prompt=Prompt.of(opening), a=str(fields.pop("a", "one")), b=str(fields.pop("b", "two"))),
        "principle": "true", "objective": "honesty", "judge": "fake:judge", "p_a": sure,
    }  # fmt: skip
    return Judgement.model_validate({**given, "verdict": verdict, **fields})
