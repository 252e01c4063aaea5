"""Every conversation that caif puts before a model, to the letter. `pytest --golden` accepts a change; look at the diff."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fakes import FAKE, LAW, context

from caif.data import Comparison, Message, Prompt
from caif.hookspecs import Answer, Model, Question, Request
from caif.judge import Bench, judge_all, messages
from caif.sources.contrast import contrast
from caif.stages.revise import critique_messages, revision_messages

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
    same_as(GOLDEN / f"judge-{name}.txt", written(messages(prompt, "Water from clouds.", "Dust\nfrom roofs.", TRUE)))


@pytest.mark.parametrize(("first_token_only", "method"), [(True, "logprobs"), (False, "votes"), (False, "logprobs")])
def test_what_the_judge_is_really_asked(same_as: SameAs, first_token_only: bool, method: str) -> None:
    """Both orders, as they reach the model: servers and votes are asked for a letter, and shown as choices what they may say."""
    seen: list[str] = []

    def score(model: Model, questions: Sequence[Question]) -> list[Answer]:
        del model
        seen.extend(f"{written(q.messages)}===== choices =====\n{q.choices}\n" for q in questions)
        return [Answer("", "stop", (-0.7, -0.7)) for _ in questions]

    def ask(model: Model, requests: Sequence[Request], params: object) -> list[Answer]:
        del model
        seen.extend(f"{written(r.messages)}===== sampled =====\n{r.sample} {params}\n" for r in requests)
        return [Answer("A", "stop") for _ in requests]

    model = Model("m", None, None, first_token_only)  # type: ignore[arg-type]
    pair = Comparison(prompt=SHORT, a="Water from clouds.", b="Dust from roofs.")
    judge_all(Bench(model, ask, score, method=method, votes=2), [(pair, TRUE)])  # type: ignore[arg-type]
    same_as(GOLDEN / f"judge-{method}-{'server' if first_token_only else 'local'}.txt", "\n".join(seen))


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
