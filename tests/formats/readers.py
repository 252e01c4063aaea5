"""The readers of products and the files written by hand to their documented schemas, with the options each needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from caif.formats import caif_feedback_formats
from caif.hookspecs import Reader

DATA = Path(__file__).parent / "data"


class Export(NamedTuple):
    """A format, a file of it, and what the reader must be told to read that."""

    format: str
    file: str
    options: Mapping[str, Any] = {}

    def reader(self, **more: Any) -> Reader:
        """Return the reader of this file."""
        return caif_feedback_formats()[self.format](**self.options, **more)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return DATA / self.file


COLUMNS = {
    "prompt": "question", "response": "reply", "rating": "stars", "rater": "who", "reason": "why",
    "correction": "wanted", "at": "when", "conversation": "chat",
}  # fmt: skip
EXPORTS = {
    "argilla": Export("argilla", "argilla.json", {"question": "quality", "up": ("good",), "down": ("bad",)}),
    "argilla ranking": Export(
        "argilla", "argilla_ranking.json",
        {"question": "order", "answers": ("one", "two", "three"), "ties": ("none is better",)},
    ),
    "axolotl": Export("axolotl", "axolotl.jsonl"),
    "caif": Export("caif", "thumbs.jsonl"),
    "chainlit": Export("chainlit", "chainlit.jsonl", {"steps": DATA / "chainlit_steps.jsonl"}),
    "chatbot-arena": Export("chatbot-arena", "arena.jsonl"),
    "chatbot-arena log": Export("chatbot-arena", "arena_log.jsonl"),
    "fine-grained": Export("fine-grained", "fine_grained.json"),
    "gradio": Export("gradio", "gradio_log.csv"),
    "hh-rlhf": Export("hh-rlhf", "hh.jsonl"),
    "icai": Export("icai", "icai.csv"),
    "label-studio": Export(
        "label-studio", "label_studio.json", {"up": ("Good", 5), "down": ("Bad", 1), "reason": "why", "correction": "better"}
    ),
    "langfuse": Export("langfuse", "langfuse.jsonl", {"traces": DATA / "langfuse_traces.jsonl"}),
    "langsmith": Export("langsmith", "langsmith.jsonl", {"runs": DATA / "langsmith_runs.jsonl"}),
    "librechat": Export("librechat", "librechat.jsonl"),
    "llama-factory": Export("llama-factory", "llama_factory.jsonl"),
    "llmbar": Export("llmbar", "llmbar.json"),
    "oasst": Export("oasst", "oasst.jsonl"),
    "oasst ranks": Export("oasst", "oasst.jsonl", {"ranks": True}),
    "open-webui": Export("open-webui", "open_webui_export.json"),
    "open-webui siblings": Export("open-webui", "open_webui_arena.json", {"siblings": True}),
    "openai-preference": Export("openai-preference", "openai_preference.jsonl"),
    "phoenix": Export("phoenix", "phoenix.jsonl", {"spans": DATA / "phoenix_spans.jsonl"}),
    "table": Export("table", "table.csv", {"map": COLUMNS, "up": (4, 5), "down": (1, 2)}),
    "table of pairs": Export(
        "table", "table_pairs.jsonl", {"map": {"prompt": "q", "chosen": "good", "rejected": "bad", "rater": "by"}}
    ),
    "trl": Export("trl", "trl.jsonl"),
    "trl-unpaired": Export("trl-unpaired", "trl_unpaired.jsonl"),
    "vercel": Export("vercel", "vercel.jsonl", {"messages": DATA / "vercel_messages.jsonl"}),
}  # fmt: skip
