"""Every conversation that caif puts before a model, to the letter. `pytest --golden` accepts a change; look at the diff."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fakes import FAKE, LAW, context

from caif.constitution import Check
from caif.critic import critique_messages, direct_messages, revision_messages
from caif.data import Comparison, Message, Prompt
from caif.hookspecs import Answer, Model, Question, Request
from caif.judge import METHODS, Bench, judge_all
from caif.judge.wording import COMPLETE, pair
from caif.sources.contrast import contrast

GOLDEN = Path(__file__).parent / "golden"
TRUE = LAW.principles[0]
SHORT = Prompt.of("What is rain?")
LONG = Prompt(
    messages=(
        Message(role="system", content="Be kind."), Message(role="user", content="What is rain?"),
        Message(role="assistant", content="Water.\n\nIt falls."), Message(role="user", content="Why {does} it fall?"),
    )
)  # fmt: skip
SHOTS = [{"role": "user", "content": "An example?"}, {"role": "assistant", "content": "An example."}]
SameAs = Callable[[Path, str], None]


def written(talk: Sequence[object]) -> str:
    """Return a conversation as a person reads it, with every role on a line of its own."""
    return "".join(f"===== {m['role']} =====\n{m['content']}\n" for m in talk)  # type: ignore[index]


@pytest.mark.parametrize(("name", "prompt"), [("one-turn", SHORT), ("conversation", LONG)])
def test_the_judges_question(same_as: SameAs, name: str, prompt: Prompt) -> None:
    """A model whose whole replies can be scored is left where the verdict begins."""
    same_as(GOLDEN / f"judge-{name}.txt", written(pair(prompt, "Water from clouds.", "Dust\nfrom roofs.", TRUE, "paper", COMPLETE, False)))


WAYS = [(method, {}) for method in METHODS] + [
    ("logprobs", {"wording": "principle-last"}), ("logprobs", {"wording": "raw"}), ("logprobs", {"not_applicable": True}),
    ("votes", {"not_applicable": True}),
]  # fmt: skip


@pytest.mark.parametrize("server", [False, True])
@pytest.mark.parametrize(("method", "more"), WAYS)
def test_what_the_judge_is_really_asked(same_as: SameAs, method: str, more: dict[str, object], server: bool) -> None:
    """All that reaches the model: servers and votes are asked for a letter, and shown as choices what they may say."""
    if server and (method == "likelihood" or more.get("wording") == "raw"):
        return  # refused: tests/core/test_judge_methods.py
    seen: list[str] = []

    def score(model: Model, questions: Sequence[Question]) -> list[Answer]:
        del model
        seen.extend(f"{written(q.messages)}===== choices =====\n{q.choices}\n" for q in questions)
        return [Answer("", "stop", (-2.5,) * len(q.choices)) for q in questions]

    def ask(model: Model, requests: Sequence[Request], params: object) -> list[Answer]:
        del model
        seen.extend(f"{written(r.messages)}===== sampled =====\n{r.sample} {params}\n" for r in requests)
        return [Answer("A" if method == "votes" else "Both say something.", "stop") for _ in requests]

    model = Model("m", None, None, server)  # type: ignore[arg-type]
    asked = Comparison(prompt=SHORT, a="Water from clouds.", b="Dust from roofs.")
    rule = TRUE.model_copy(update={"checks": (Check(text="Is every word true?"),)})
    judge_all(Bench(model, ask, score, method=method, votes=2, **more), [(asked, rule)])  # type: ignore[arg-type]
    name = "-".join([method, *map(str, more.values()), "server" if server else "local"]).replace("True", "c")
    same_as(GOLDEN / f"judge-{name}.txt", "\n".join(seen))


@pytest.mark.parametrize(
    ("name", "prompt", "shots"), [("one-turn", SHORT, []), ("conversation", LONG, []), ("with-examples", LONG, SHOTS)]
)
def test_the_critics_and_the_revisers_question(
    same_as: SameAs, name: str, prompt: Prompt, shots: list[dict[str, str]]
) -> None:
    """The revision's conversation is the critique's, the critique, and one request more."""
    critique = critique_messages(prompt, "It falls {from} clouds.", TRUE, shots)
    revision = revision_messages(critique, "It says nothing of why.", TRUE)
    assert revision[: len(critique)] == critique
    same_as(GOLDEN / f"critique-{name}.txt", written(critique))
    same_as(GOLDEN / f"revision-{name}.txt", written(revision))
    without_end = critique_messages(prompt, "It falls {from} clouds.", TRUE, shots, may_end=False)
    same_as(GOLDEN / f"critique-endless-{name}.txt", written(without_end))
    same_as(GOLDEN / f"revision-direct-{name}.txt", written(direct_messages(prompt, "It falls {from} clouds.", TRUE, shots)))


def test_what_contrast_pairs_are_sampled_under(same_as: SameAs) -> None:
    """The principle's `instruct` for one answer, its `oppose` or nothing for the other; one system message at most."""
    seen: list[str] = []

    def ask(requests: Sequence[Request]) -> list[Answer]:
        for request in requests:
            assert [m["role"] for m in request.messages].count("system") <= 1
        seen.extend(written(r.messages) for r in requests)
        return [Answer("", "error") for _ in requests]

    for principle in ("true", "short"):
        list(contrast(model=FAKE, principles=(principle,))(context(ask, prompts=[SHORT, LONG])))
    same_as(GOLDEN / "contrast.txt", "\n".join(seen))
