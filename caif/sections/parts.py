"""What sections are made of: names that are safe as folders, paths beside the run file, models, parts of plugins."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from caif.content import Frozen
from caif.data import Weight
from caif.errors import explain

TUNED = "tuned"
"""The model that [sft] makes, where a feedback source asks for a model by name."""

_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def _no_device(name: str) -> str:
    if _DEVICE.match(name):
        raise ValueError(f"{name!r} is a device on Windows, so no folder can be called so")
    return name


SafeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"), AfterValidator(_no_device)]
"""A name that is safe as a folder's."""


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")  # noqa: TRY004 - pydantic takes a ValueError
    return value


Number = BeforeValidator(_no_flag)
"""Refuses true and false, which would be taken for 1 and 0."""
Count = Annotated[int, Number, Field(ge=1)]
Whole = Annotated[int, Number, Field(ge=0)]
Positive = Annotated[float, Number, Field(gt=0, allow_inf_nan=False)]


def _beside_run_file(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return (base / path.expanduser()) if base else path


FilePath = Annotated[Path, AfterValidator(_beside_run_file)]
"""A path as written, taken from the run file's folder. In a key it stands for the content of the file."""


class ModelSpec(Frozen):
    """A model: `embedded:0.5b`, `hf:FOLDER`, `openai:NAME` with `base_url`, or any scheme a plugin brings."""

    use: str
    base_url: str = ""
    api_key_env: Annotated[str, StringConstraints(pattern=r"^([A-Z_][A-Z0-9_]*)?$")] = ""
    """The name of the variable that holds the key, in capitals as they are, so that a key itself is refused here."""
    revision: str = ""
    price_in: Weight | None = None
    """Price of a million tokens that the model reads, in any one currency; `price_out` of those it writes. 0 is free."""
    price_out: Weight | None = None


class Part(Frozen):
    """A part by name with its options, which are checked against the plugin's own signature. `hook` says of which kind."""

    hook: ClassVar[str] = ""
    use: SafeName
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _rest_are_options(cls, given: Any) -> Any:
        """Take every key that is not the part's own as an option of the part."""
        if isinstance(given, str):
            return {"use": given}
        if isinstance(given, dict) and "options" not in given:
            known = set(cls.model_fields) - {"options"}
            own = {key: value for key, value in given.items() if key in known}
            rest = {key: value for key, value in given.items() if key not in known}
            models = {key: _spec(key, rest[key]) for key in ("model", "judge") if isinstance(rest.get(key), dict)}
            return own | {"options": rest | models}
        return given


def _spec(key: str, table: dict[str, Any]) -> ModelSpec:
    try:
        return ModelSpec.model_validate(table)
    except ValidationError as error:
        raise ValueError(str(explain(error, ModelSpec, key))) from None
