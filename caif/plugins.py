"""Load plugins one by one, look parts up by name, and say what is wrong with a part's options.

A broken plugin costs its own parts and a loud warning, never the run; with CAIF_STRICT_PLUGINS=1 it is an error. A
misspelt hook, a default argument in a hook and a name offered twice are errors always: they would change results in silence.
"""

import importlib
import importlib.util
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

import pluggy
from pydantic import ConfigDict, ValidationError, validate_call

from caif import hookspecs
from caif.errors import CaifError, nearest

BUILT_IN = ("caif.sources", "caif.formats", "caif.models", "caif.metrics", "caif.recipe")
"""Modules with caif's own parts; light to import, since their parts import what is heavy when made."""

PARTS = tuple(name for name in vars(hookspecs) if name.startswith("caif_") and "stage" not in name)
OBSERVERS = ("caif_stage_started", "caif_stage_finished")


class Part(NamedTuple):
    """A factory and the plugin that offers it."""

    factory: Callable[..., Any]
    plugin: str


@dataclass
class Loaded:
    """One plugin: where it comes from, what it implements, and why it failed if it did."""

    name: str
    origin: str
    hooks: tuple[str, ...] = ()
    error: str = ""


@dataclass
class Plugins:
    """All plugins of a run."""

    manager: pluggy.PluginManager
    loaded: list[Loaded]
    parts: Mapping[str, Mapping[str, Part]] = field(default_factory=dict)

    def names(self, hook: str) -> list[str]:
        """Return the names of all parts of a kind."""
        return sorted(self.parts[hook])

    def factories(self, hook: str) -> dict[str, Callable[..., Any]]:
        """Return the factories of a kind by name."""
        return {name: part.factory for name, part in self.parts[hook].items()}

    def make(self, hook: str, name: str, options: Mapping[str, Any], base: Path | None = None) -> Any:
        """Return the part of that name made with these options; relative paths start at `base`."""
        part = self._part(hook, name)
        given = {key: _placed(part.factory, key, value, base) for key, value in options.items()}
        checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(part.factory)
        try:
            return checked(**given)
        except ValidationError as error:
            raise _wrong_option(error, name, part) from None

    def identity(self, hook: str, name: str, options: Mapping[str, Any], base: Path | None = None) -> object:
        """Return what tells this part's results from others': plugin, options, and files by their content."""
        part = self._part(hook, name)
        said = {key: _content(_placed(part.factory, key, value, base)) for key, value in sorted(options.items())}
        return [name, part.plugin, _code(part), said]

    def _part(self, hook: str, name: str) -> Part:
        if name not in self.parts[hook]:
            raise CaifError(f"{name!r} is not offered by {hook}", nearest(name, self.parts[hook]))
        return self.parts[hook][name]


def load(files: Sequence[Path] = (), folders: Sequence[Path] = ()) -> Plugins:
    """Load caif's own parts, installed plugins, and single files. CAIF_PLUGINS=none leaves installed ones out."""
    manager = pluggy.PluginManager("caif")
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager, [])
    for module in BUILT_IN:
        _register(plugins, module, "built in", lambda module=module: importlib.import_module(module))
    allowed = os.environ.get("CAIF_PLUGINS", "all").split(",")
    for entry in entry_points(group="caif"):
        if "all" in allowed or entry.name in allowed:
            dist = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown distribution"
            _register(plugins, entry.name, dist, entry.load)
    singles = [file for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.py"))]
    for file in dict.fromkeys(path.resolve() for path in (*singles, *files)):
        _register(plugins, file.stem, str(file), lambda file=file: _import_file(file))
    plugins.parts = {hook: _collect(plugins, hook) for hook in PARTS}
    return plugins


def _register(plugins: Plugins, name: str, origin: str, importer: Callable[[], Any]) -> None:
    loaded = Loaded(name, origin)
    plugins.loaded.append(loaded)
    try:
        module = importer()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one plugin, the others work
        loaded.error = f"{type(error).__name__}: {error}"
        if os.environ.get("CAIF_STRICT_PLUGINS") == "1":
            raise CaifError(f"plugin {name} ({origin}) cannot be loaded: {loaded.error}", "mend or remove it") from error
        return
    _refuse_mistakes(name, module)
    plugins.manager.register(module, f"{name}:{origin}")
    loaded.hooks = tuple(sorted(hook for hook in vars(module) if hook in (*PARTS, *OBSERVERS)))


def _refuse_mistakes(name: str, module: Any) -> None:
    """Refuse what pluggy would take in silence: a hook nobody calls, and arguments that are never passed."""
    for attribute, value in vars(module).items():
        if not (callable(value) and hasattr(value, "caif_impl")):
            continue
        if attribute not in (*PARTS, *OBSERVERS):
            raise CaifError(f"plugin {name}: {attribute} is no hook of caif", nearest(attribute, (*PARTS, *OBSERVERS)))
        if any(p.default is not p.empty for p in inspect.signature(value).parameters.values()):
            raise CaifError(f"plugin {name}: {attribute} has a default argument", "hooks take none: remove the default")


def _collect(plugins: Plugins, hook: str) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    for implementation in getattr(plugins.manager.hook, hook).get_hookimpls():
        try:
            offered = dict(implementation.function())
        except Exception as error:  # noqa: BLE001 - isolation, as above
            _broken(plugins, implementation.plugin_name, f"{hook}: {type(error).__name__}: {error}")
            continue
        for name, factory in offered.items():
            if name in parts:
                both = f"{parts[name].plugin} and {implementation.plugin_name}"
                raise CaifError(f"{name!r} is offered twice by {hook}: by {both}", "rename or remove one")
            parts[name] = Part(factory, implementation.plugin_name)
    return parts


def _broken(plugins: Plugins, plugin: str, why: str) -> None:
    if os.environ.get("CAIF_STRICT_PLUGINS") == "1":
        raise CaifError(f"plugin {plugin}: {why}", "mend or remove it")
    for loaded in plugins.loaded:
        if plugin == f"{loaded.name}:{loaded.origin}":
            loaded.error = why


def _import_file(file: Path) -> Any:
    if not file.is_file():
        raise FileNotFoundError(f"no such file: {file}")
    spec = importlib.util.spec_from_file_location(f"caif_plugin_{file.stem}", file)
    assert spec is not None  # noqa: S101 - it is a .py file
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _wrong_option(error: ValidationError, name: str, part: Part) -> CaifError:
    first = error.errors(include_url=False)[0]
    option = str(first["loc"][0]) if first["loc"] else "?"
    known = [p for p in inspect.signature(part.factory).parameters]
    if first["type"] == "unexpected_keyword_argument":
        return CaifError(f"{name} has no option {option!r}", nearest(option, known))
    if first["type"] in ("missing_argument", "missing_keyword_only_argument"):
        return CaifError(f"{name} needs the option {option!r}", "add it to the run file")
    return CaifError(f"{name}: option {option}: {first['msg'].lower()}, not {first['input']!r:.80}")


def _placed(factory: Callable[..., Any], key: str, value: Any, base: Path | None) -> Any:
    """Turn a path option into a path that starts at the run file's folder."""
    parameter = inspect.signature(factory).parameters.get(key)
    if parameter is None or "Path" not in str(parameter.annotation) or not isinstance(value, str):
        return value
    return (base or Path()) / Path(value).expanduser()


def _content(value: Any) -> object:
    if not isinstance(value, Path):
        return value
    return content_digest(value)


def content_digest(path: Path) -> str:
    """Return the digest of a file's content, or of a folder's files in order; "missing" if there is nothing."""
    if path.is_dir():
        return blake2b("".join(content_digest(f) for f in sorted(path.rglob("*")) if f.is_file()).encode()).hexdigest()[:32]
    if not path.is_file():
        return "missing"
    state = blake2b(digest_size=16)
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def _code(part: Part) -> str:
    """Return the digest of a single-file plugin's code: edit it and its results are others. Packages have versions."""
    file = Path(inspect.getsourcefile(part.factory) or "")
    return content_digest(file) if part.plugin.endswith(".py") else ""
