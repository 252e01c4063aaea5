"""What each stage of the made-up run made: who made it, its rows, its counts and its metrics, `config` among them."""

import math
from typing import Any

from made_up_metrics import JUDGE, POLICY, START, combined, evaluated, reinforced, rewarded

from caif.constitution import Constitution
from caif.content import Row
from caif.data import Comparison, Completion, Judgement, Preference, Prompt, Rating, Rejected, Revision, Tested, Turn
from caif.sources.labels import preference

LAW = Constitution.model_validate({
    "name": "short-and-true",
    "objectives": {"honesty": "The answer is true.", "brevity": "The answer is short."},
    "principles": [
        {"id": name, "objective": objective, "compare": compare, "critique": "Find the fault.", "revision": "Mend it."}
        for name, objective, compare in (
            ("sure", "honesty", "Which answer is surer only where it may be?"),
            ("short", "brevity", "Which answer is shorter?"),
            ("plain", "brevity", "Which answer has the plainer words?"),
        )
    ],
})  # fmt: skip
TRAIN = [Prompt.of(f"How does thing {n} work?", ["things"], "hand") for n in range(4)]
HELDOUT = [Prompt.of(f"What is number {n}?", [], "hand").model_copy(update={"split": "heldout"}) for n in range(3)]
LONG, SHORT = "It works in a way that takes a great many words to tell. ", "It just works."

Part = tuple[str, dict[type[Row], list[Row]], dict[str, int], dict[str, Any]]


def _constitution() -> Part:
    return "constitution", {}, {"principles": 3}, {"name": LAW.name}


def _prompts() -> Part:
    bad = [Rejected(where="prompts.jsonl:3", reason="empty prompt")]
    return (
        "prompts",
        {Prompt: [*TRAIN, *HELDOUT], Rejected: bad},
        {"rejected: empty prompt": 1},
        {"train": 4, "heldout": 3},
    )


def _answers(prompts: list[Prompt], model: str, *texts: str) -> list[Completion]:
    return [
        Completion(
            prompt=p, text=f"{text}({p.text})", model=model, sample=n, finish="length" if text == LONG else "stop"
        )
        for p in prompts for n, text in enumerate(texts)
    ]  # fmt: skip


def _generate() -> Part:
    return "generate", {Completion: _answers([*TRAIN, *HELDOUT], "m", LONG)}, {"finish: length": 7}, {"model": "m"}


def _revise() -> Part:
    def chain(prompt: Prompt, *turns: tuple[str, str]) -> Revision:
        made = tuple(
            Turn(principle=name, critique="Too long.", revision=f"{SHORT} {k}", rejected=why)
            for k, (name, why) in enumerate(turns)
        )
        kept = [turn.revision for turn in made if not turn.rejected]
        return Revision(prompt=prompt, first=f"{LONG}({prompt.text})", turns=made, final=kept[-1] if kept else None)

    rows = [
        chain(TRAIN[0], ("short", ""), ("sure", "identical to the answer")), chain(TRAIN[1], ("short", "")),
        chain(TRAIN[2], ("sure", "empty")), chain(TRAIN[3], ("short", "")),
    ]  # fmt: skip
    counts = {"accepted": 3, "rejected: empty": 1, "rejected: identical to the answer": 1}
    return "revise", {Revision: rows}, counts, {"model": "m", "revised": 3, "answers": 4}


def _sft() -> Part:
    return "sft", {}, {"cut to max_length": 1}, {"rows": 3, "steps": [{"loss": 2.0}]}


def _sample() -> Part:
    counts = {"finish: length": 4, "finish: stop": 4}
    return "generate", {Completion: _answers(TRAIN, START, LONG, SHORT)}, counts, {"model": START}


def _judgement(pair: Comparison, principle: str, logits: tuple[float, float] | None, source: str) -> Judgement:
    objective = LAW.principle(principle).objective
    about = {"comparison": pair, "principle": principle, "objective": objective, "judge": JUDGE, "source": source}
    if logits is None:
        return Judgement(**about, verdict="invalid", reason="mass 0.01 on the options")
    mean = sum(logits) / 2
    return Judgement(
        **about, verdict="tie" if mean == 0 else "a" if mean > 0 else "b", p_a=1 / (1 + math.exp(-mean)),
        logit_ab=logits[0], logit_ba=logits[1], mass=0.9, flipped=logits[0] * logits[1] < 0,
    )  # fmt: skip


def _pair(prompt: Prompt) -> Comparison:
    return Comparison(prompt=prompt, a=f"{LONG}({prompt.text})", b=f"{SHORT}({prompt.text})")


def _ai() -> Part:
    said = [("short", (-2.0, -1.0)), ("short", (1.0, -2.0)), ("sure", (1.0, 3.0)), ("sure", None)]
    judged = [_judgement(_pair(p), name, logits, "ai-labeler") for p, (name, logits) in zip(TRAIN, said, strict=True)]
    labels = [row for judgement in judged for row in preference(judgement)]
    counts = {"verdict: a": 1, "verdict: b": 2, "verdict: invalid": 1}
    config = {"use": "ai-labeler", "judge": {"use": JUDGE}}
    about = {"judge": JUDGE, "source": "ai-labeler"}
    tested = [
        Tested(**about, check="empty", passed=True, right=2, asked=2, reason="2 of 2 right, 1 needed"),
        Tested(**about, check="injected", passed=False, right=1, asked=4, reason="1 of 4 right, 2 needed (<b>orders</b>)"),
    ]
    return "collect", {Judgement: [*judged], Preference: [*labels], Tested: [*tested]}, counts, {"config": config}


def _contrast() -> Part:
    made: list[Row] = []
    judged: list[Row] = []
    for prompt, name, logit in zip(TRAIN, ("short", "sure", "short"), (2.0, -1.0, 0.0), strict=False):
        good, bad = f"Brief ({prompt.text})", f"Lengthy ({prompt.text})"
        made.append(Preference(
            prompt=prompt, chosen=good, rejected=bad, probability=0.9, objective=LAW.principle(name).objective,
            principle=name, source="contrast", rater="construction",
        ))  # fmt: skip
        judged.append(_judgement(Comparison(prompt=prompt, a=good, b=bad), name, (logit, logit), "contrast"))
    bad_row = [Rejected(where=TRAIN[3].id, reason="identical answers")]
    counts = {"verdict: a": 1, "verdict: b": 1, "verdict: tie": 1, "rejected: identical answers": 1}
    return "collect", {Preference: made, Judgement: judged, Rejected: bad_row}, counts, {"config": {"use": "contrast"}}


def _people() -> Part:
    def pair(prompt: Prompt, objective: str, *, short_wins: bool) -> Row:
        long, short = _pair(prompt).a, _pair(prompt).b
        chosen, rejected = (short, long) if short_wins else (long, short)
        return Preference(
            prompt=prompt, chosen=chosen, rejected=rejected, probability=1, objective=objective, source="people",
            rater="r1",
        )  # fmt: skip

    rows = [pair(TRAIN[0], "brevity", short_wins=True), pair(TRAIN[1], "honesty", short_wins=False)]
    return "collect", {Preference: rows}, {}, {"config": {"use": "pairs"}}


def _thumbs() -> Part:
    def thumb(prompt: Prompt, text: str, *, up: bool, reason: str = "") -> Row:
        return Rating(
            prompt=prompt, completion=f"{text}({prompt.text})", up=up, objective="honesty", source="thumbs",
            rater="r2", reason=reason,
        )  # fmt: skip

    rows = [
        thumb(TRAIN[2], LONG, up=True),
        thumb(TRAIN[2], SHORT, up=False, reason="Says nothing."),
        thumb(TRAIN[3], SHORT, up=True),
    ]
    return "collect", {Rating: rows}, {}, {"config": {"use": "thumbs"}}


def _combine() -> Part:
    return "combine", {}, {"preference": 9, "rating": 1, "pairs from thumbs": 1, "duplicate merged": 2}, combined()


def _reward() -> Part:
    return "reward", {}, {}, rewarded()


def _rl() -> Part:
    return "rl", {}, {}, reinforced()


def _evaluate() -> Part:
    before, after = _answers(HELDOUT, START, LONG, SHORT), _answers(HELDOUT, POLICY, f"{SHORT} Truly. ")
    said = [(1.0, 2.0), (2.0, 2.0), (-1.0, 2.0), (1.0, 1.0), None, (-1.0, -3.0)]
    asked = [(name, *row) for name in ("short", "sure") for row in zip(HELDOUT, before[::2], after, strict=True)]
    judged: list[Row] = [
        _judgement(Comparison(prompt=p, a=new.text, b=old.text), name, logits, "evaluate")
        for (name, p, old, new), logits in zip(asked, said, strict=True)
    ]
    return "evaluate", {Completion: [*before, *after], Judgement: judged}, {}, evaluated()


PARTS = {
    "constitution": _constitution, "prompts": _prompts, "generate": _generate, "revise": _revise, "sft": _sft,
    "sample": _sample, "ai-labeler": _ai,
    "contrast": _contrast, "people": _people, "thumbs": _thumbs, "combine": _combine, "reward": _reward, "rl": _rl,
    "evaluate": _evaluate,
}  # fmt: skip
