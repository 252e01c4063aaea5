"""What the tests of the core share: rows by hand, chat models that are not caif's, and a run in a folder of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from caif import plugins
from caif.config import Exec, ModelSpec, Prompts, RunConfig
from caif.constitution import Constitution, Principle
from caif.content import Row
from caif.data import Prompt
from caif.hookspecs import Answer, FeedbackContext, Model, Question, Request, hookimpl
from caif.run import Run, Work

ROLES = {"human": "user", "ai": "assistant", "system": "system"}
LAW = Constitution(
    name="law",
    objectives={"honesty": "True.", "brevity": "Short."},
    principles=(
        Principle(id="true", objective="honesty", critique="Is it {true}?", revision="Make it true.", compare="Which is truer?",
                  instruct="Be true.", oppose="Be false."),
        Principle(id="short", objective="brevity", critique="Is it short?", revision="Shorten it.", compare="Which is shorter?",
                  instruct="Be short."),
    ),
)  # fmt: skip
PROMPT = Prompt.of("What is rain?")
FAKE = ModelSpec(use="fake:it")


class Scripted(BaseChatModel):
    """Someone's chat model: answers by a function of the conversation and remembers what it was asked."""

    reply: Callable[[list[dict[str, str]]], str | AIMessage]
    asked: list[list[dict[str, str]]] = []

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        del stop, run_manager
        talk = [{"role": ROLES[m.type], "content": str(m.content)} for m in messages]
        self.asked.append(talk)
        said = self.reply(talk)
        message = said if isinstance(said, AIMessage) else AIMessage(said, response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=message)])


def config(**sections: Any) -> RunConfig:
    """Return a run config with nothing in it but what every run needs."""
    needed = {"name": "test", "constitution": Path("law.toml"), "prompts": Prompts(use="jsonl")}
    return RunConfig.model_validate(needed | {"exec": Exec(backoff=0.001, patience=5.0)} | sections)


def run_with(home: Path, chat: Any = None, **sections: Any) -> Run:
    """Return a real run whose model `fake:it` is the given chat model."""

    def fake(name: str) -> Any:
        del name
        return chat

    @hookimpl
    def caif_chat_models() -> dict[str, Any]:
        return {"fake": fake}

    return Run(config(**sections), home, plugins.load(objects=[SimpleNamespace(caif_chat_models=caif_chat_models)]))


def stage(name: str, rows: Sequence[Row] = (), also: Callable[[Work], None] | None = None) -> Any:
    """Return a stage that writes these rows."""

    def build(work: Work, *inputs: Any, cfg: Any) -> dict[str, Any]:
        del inputs, cfg
        for kind in dict.fromkeys(type(row) for row in rows):
            work.write([row for row in rows if type(row) is kind], kind)
        if also:
            also(work)
        return {}

    build.__name__ = name
    build.version = 1  # type: ignore[attr-defined]
    return build


def stored_law(law: Constitution = LAW) -> Any:
    """Return the stage that stores a constitution."""
    return stage(
        "constitution",
        also=lambda work: (work.draft.folder / "constitution.json").write_text(law.model_dump_json()) and None,
    )


Ask = Callable[[Sequence[Request]], list[Answer]]


def context(
    ask: Ask | None = None, score: Callable[[Sequence[Question]], list[Answer]] | None = None, **fields: Any
) -> FeedbackContext:
    """Return what a feedback source is given, with someone's model behind `ask` and `score`."""
    given: dict[str, Any] = {
        "source": "test",
        "prompts": [],
        "samples": [],
        "revisions": [],
        "constitution": LAW,
        "seed": 0,
    }
    return FeedbackContext(
        **given | fields,
        model=lambda spec: Model(spec.use, None),  # type: ignore[arg-type]
        ask=lambda model, requests, params: ask(requests) if ask else [],
        score=lambda model, questions: score(questions) if score else [],
        read=lambda *_, **__: [],
    )
