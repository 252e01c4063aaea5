"""Chat models by scheme, offered through the same hook as anyone's; providers are imported when they are asked for."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from caif.errors import CaifError
from caif.hookspecs import hookimpl

PROVIDERS = {
    "anthropic": ("langchain_anthropic", "ChatAnthropic"),
    "google_genai": ("langchain_google_genai", "ChatGoogleGenerativeAI"),
    "groq": ("langchain_groq", "ChatGroq"),
    "mistralai": ("langchain_mistralai", "ChatMistralAI"),
    "ollama": ("langchain_ollama", "ChatOllama"),
}
"""langchain partner packages that are used as they are, if they are installed; they sample and do not score."""


def provider(package: str, name: str) -> Callable[..., Any]:
    """Return a factory for a partner package's chat model, which says what to install if it is missing."""

    def factory(model: str, **options: Any) -> Any:
        try:
            chat = getattr(import_module(package), name)
        except ImportError:
            raise CaifError(f"{name} is not installed", f"run: pip install {package.replace('_', '-')}") from None
        return chat(model=model, **options)

    return factory


def openai(model: str, *, base_url: str | None = None, api_key: str | None = None) -> Any:
    """Return a model behind any OpenAI-compatible server; retries are caif's own, row by row."""
    try:
        from caif.models.openai_chat import ScoringChat
    except ImportError:
        raise CaifError("openai: models need langchain-openai", "run: pip install 'caif[openai]'") from None
    return ScoringChat(model=model, base_url=base_url, api_key=api_key or "none", max_retries=0)


@hookimpl
def caif_chat_models():
    """Offer the built-in schemes. `embedded:` and `hf:` are weights on this machine and resolved apart."""
    return {"openai": openai, **{name: provider(*where) for name, where in PROVIDERS.items()}}
