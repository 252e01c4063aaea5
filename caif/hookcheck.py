"""What a plugin's hooks must look like: what pluggy would take in silence and never call, or call wrongly, is refused."""

import inspect
from collections.abc import Mapping
from typing import Any

from caif import hookspecs
from caif.errors import CaifError, nearest

PARTS = tuple(name for name in vars(hookspecs) if name.startswith("caif_") and "stage" not in name)
OBSERVERS = ("caif_stage_started", "caif_stage_finished")


def marked(value: Any) -> bool:
    """Whether a value is a hook implementation."""
    return callable(value) and isinstance(getattr(value, "caif_impl", None), dict)


def check_arguments(module: Any) -> None:
    """Refuse a hook whose arguments are not those it will be called with."""
    for hook in (*PARTS, *OBSERVERS):
        given = vars(module).get(hook)
        wanted = inspect.signature(vars(hookspecs)[hook]).parameters
        takes = inspect.signature(given).parameters if marked(given) else wanted
        if list(takes) != list(wanted):
            raise TypeError(f"{hook} takes ({', '.join(takes)}) and must take ({', '.join(wanted)})")


def refuse_mistakes(name: str, module: Any) -> None:
    """Refuse what pluggy would take in silence: hooks that nobody calls, and arguments that are never passed."""
    for attribute, value in vars(module).items():
        known = attribute in (*PARTS, *OBSERVERS)
        if known and callable(value) and not marked(value):
            raise CaifError(f"plugin {name}: {attribute} is not marked as a hook", "write @hookimpl over it")
        if not marked(value):
            continue
        if not known:
            raise CaifError(f"plugin {name}: {attribute} is no hook of caif", nearest(attribute, (*PARTS, *OBSERVERS)))
        if any(p.default is not p.empty for p in inspect.signature(value).parameters.values()):
            raise CaifError(f"plugin {name}: {attribute} has a default argument", "hooks take none: remove the default")


def factories(offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a hook offers, if all of it is factories."""
    for name, factory in offered.items():
        if not callable(factory) or inspect.isclass(factory):
            raise TypeError(f"{name!r} is not a factory but {factory!r:.60}; give a function that returns the part")
    return dict(offered)
