"""caif turns a constitution into a trained model, and shows what each principle did.

Everything here is found when it is asked for, so that `import caif` and `caif --help` load neither torch nor pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caif.api import Results, load_run, run_file
    from caif.config import ModelSpec, RunConfig
    from caif.constitution import Constitution, Principle
    from caif.constitution import read as read_constitution
    from caif.data import Comparison, Completion, Judgement, Message, Origin, Preference, Prompt, Rating, Rejected, Revision
    from caif.errors import CaifError
    from caif.hookspecs import Answer, FeedbackContext, Params, Question, Request, StageEvent, hookimpl
    from caif.run import Run, Tell

_HOMES = {
    "caif.api": ("Results", "load_run", "run_file"),
    "caif.config": ("ModelSpec", "RunConfig"),
    "caif.constitution": ("Constitution", "Principle"),
    "caif.data": (
        "Comparison", "Completion", "Judgement", "Message", "Origin", "Preference", "Prompt", "Rating", "Rejected",
        "Revision",
    ),
    "caif.errors": ("CaifError",),
    "caif.hookspecs": ("Answer", "FeedbackContext", "Params", "Question", "Request", "StageEvent", "hookimpl"),
    "caif.run": ("Run", "Tell"),
}  # fmt: skip
_WHERE = {name: (module, name) for module, names in _HOMES.items() for name in names}
_WHERE["read_constitution"] = ("caif.constitution", "read")

__all__ = [
    "Answer", "CaifError", "Comparison", "Completion", "Constitution", "FeedbackContext", "Judgement", "Message",
    "ModelSpec", "Origin", "Params", "Preference", "Principle", "Prompt", "Question", "Rating", "Rejected", "Request",
    "Results", "Revision", "Run", "RunConfig", "StageEvent", "Tell", "hookimpl", "load_run", "read_constitution", "run_file",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("caif")
    if name not in _WHERE:
        raise AttributeError(f"module 'caif' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
