"""Load plugins one by one, look parts up by name, and make them with their options.

A broken plugin costs its own parts and a complaint, never the run; with CAIF_STRICT_PLUGINS=1 it is an error. A misspelt
or unmarked hook, a default argument in a hook and a name offered twice are errors always: they would change results in
silence.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pluggy
from pydantic import ConfigDict, ValidationError, validate_call

from caif import hookspecs
from caif.content import digest
from caif.errors import CaifError, nearest
from caif.hookcheck import OBSERVERS, PARTS, check_arguments, factories, refuse_mistakes
from caif.options import content, content_digest, defaults, typed, wrong_option

BUILT_IN = ("caif.sources", "caif.formats", "caif.models", "caif.metrics", "caif.recipe", "caif.recipes")
"""Modules with caif's own parts; light to import, since their parts import what is heavy when made."""




class Part(NamedTuple):
    """A factory, the plugin that offers it, and what tells that plugin's code from other code."""

    factory: Callable[..., Any]
    plugin: str
    code: object = ""


@dataclass
class Loaded:
    """One plugin: where it comes from, what it implements, and why it failed if it did."""

    name: str
    origin: str
    hooks: tuple[str, ...] = ()
    error: str = ""
    code: object = ""

    @property
    def id(self) -> str:
        """The plugin's name and where it comes from: a file, or a distribution and its version."""
        return f"{self.name}:{self.origin}"


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

    def complaints(self) -> list[str]:
        """Return one line for each broken plugin: its name, where it comes from, and what is wrong."""
        return [f"plugin {one.name} ({one.origin}) is broken: {one.error}" for one in self.loaded if one.error]

    def make(self, hook: str, name: str, options: Mapping[str, Any], base: Path | None = None) -> Any:
        """Return the part of that name made with these options; relative paths start at `base`."""
        part, given = self._part(hook, name), self.typed(hook, name, options, base)
        try:
            checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(part.factory)
        except NameError as error:
            raise CaifError(f"{name}: an annotation is not known: {error}", "import it, not under TYPE_CHECKING") from None
        try:
            return checked(**given)
        except ValidationError as error:
            raise wrong_option(error, name, part.factory) from None

    def typed(self, hook: str, name: str, options: Mapping[str, Any], base: Path | None = None) -> dict[str, Any]:
        """Return a part's options with its models as specs and its paths starting at `base`."""
        factory = self._part(hook, name).factory
        return {key: typed(factory, key, value, base) for key, value in options.items()}

    def identity(self, hook: str, name: str, options: Mapping[str, Any], base: Path | None = None) -> object:
        """Return what tells this part's results from others': code, options with defaults, and files by content.

        The option `format` names a part too: its code is then part of what the feedback is, and so are the files that the
        options in `reader` name.
        """
        part, given = self._part(hook, name), self.typed(hook, name, options, base)
        said = {key: content(value) for key, value in (defaults(part.factory) | given).items()}
        reader = self.parts["caif_feedback_formats"].get(format := str(said.get("format")))
        if reader and isinstance(more := said.get("reader"), dict):
            told = self.typed("caif_feedback_formats", format, more, base)
            said["reader"] = {key: content(value) for key, value in told.items()}
        return [name, part.code, said, reader.code if reader else ""]

    def _part(self, hook: str, name: str) -> Part:
        if name not in self.parts[hook]:
            remedy = "; ".join([nearest(name, self.parts[hook]), *self.complaints()])
            raise CaifError(f"{name!r} is not offered by {hook}", remedy)
        return self.parts[hook][name]


def load(files: Sequence[Path] = (), folders: Sequence[Path] = (), objects: Sequence[Any] = ()) -> Plugins:
    """Load caif's own parts, installed plugins, single files, and modules or namespaces that a program gives.

    CAIF_PLUGINS=none leaves installed ones out.
    """
    manager = pluggy.PluginManager("caif")
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager, [])
    for module in BUILT_IN:
        _register(plugins, module, "built in", lambda module=module: importlib.import_module(module))
    for entry in _installed():
        dist = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown distribution"
        _register(plugins, entry.name, dist, entry.load)
    singles = [file for folder in folders if folder.is_dir() for file in sorted(folder.glob("[!._]*.py"))]
    for file in files:
        if not file.is_file():
            raise CaifError(f"plugin {file}: no such file", "mend `plugins` in the run file")
    for file in dict.fromkeys(path.resolve() for path in (*singles, *files)):
        _register(plugins, file.stem, str(file), lambda file=file: _import_file(file))
    for n, given in enumerate(objects):
        name = getattr(given, "__name__", f"object-{n}")
        _register(plugins, name, "given in Python", lambda given=given: given)
    plugins.parts = {hook: _collect(plugins, hook) for hook in PARTS}
    return plugins


def _installed() -> list[Any]:
    """Return the entry points that CAIF_PLUGINS allows: `all`, `none`, or names with commas between them."""
    found = list(entry_points(group="caif"))
    allowed = [name.strip() for name in (os.environ.get("CAIF_PLUGINS") or "all").split(",")]
    for name in allowed:
        if name not in (known := ["all", "none", *(entry.name for entry in found)]):
            raise CaifError(f"CAIF_PLUGINS: no plugin {name!r} is installed", nearest(name, known))
    return [entry for entry in found if "all" in allowed or entry.name in allowed]


def _register(plugins: Plugins, name: str, origin: str, importer: Callable[[], Any]) -> None:
    loaded = Loaded(name, origin)
    plugins.loaded.append(loaded)
    module: Any = None
    with _isolated(loaded):
        module = importer()
        check_arguments(module)
    if loaded.error:
        return
    refuse_mistakes(name, module)
    loaded.code = [name, origin] if origin == "built in" else _code(loaded, module)
    loaded.hooks = tuple(sorted(hook for hook in vars(module) if hook in (*PARTS, *OBSERVERS)))
    with _isolated(loaded):
        plugins.manager.register(module, loaded.id)


@contextmanager
def _isolated(loaded: Loaded, what: str = "") -> Iterator[None]:
    """Keep what goes wrong in one plugin from the others, unless CAIF_STRICT_PLUGINS=1."""
    try:
        yield
    except (Exception, SystemExit) as error:  # whatever is wrong with one plugin, the others work
        why = " ".join(f"{what}{type(error).__name__}: {error}".split())
        loaded.error = f"{loaded.error}; {why}" if loaded.error else why
        if os.environ.get("CAIF_STRICT_PLUGINS") == "1":
            raise CaifError(f"plugin {loaded.name} ({loaded.origin}) is broken: {why}", "mend or remove it") from error


def _collect(plugins: Plugins, hook: str) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    by_id = {loaded.id: loaded for loaded in plugins.loaded}
    for implementation in getattr(plugins.manager.hook, hook).get_hookimpls():
        loaded = by_id[implementation.plugin_name]
        offered: dict[str, Any] = {}
        with _isolated(loaded, f"{hook}: "):
            offered = factories(implementation.function())
        for name, factory in offered.items():
            if name in parts:
                both = f"{parts[name].plugin} and {loaded.id}"
                raise CaifError(f"{name!r} is offered twice by {hook}: by {both}", "rename or remove one")
            parts[name] = Part(factory, loaded.id, loaded.code)
    return parts


def _import_file(file: Path) -> ModuleType:
    """Run a file as a module. It is compiled as it stands, since a stale .pyc would run under the new file's key."""
    module = ModuleType(f"caif_plugin_{file.stem}_{digest(str(file))[:8]}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # where dataclasses and pickle look for it
    try:
        exec(compile(file.read_bytes(), str(file), "exec", dont_inherit=True), vars(module))  # noqa: S102 - a plugin
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def _code(loaded: Loaded, module: Any) -> object:
    """Return what stands for a plugin's code in a key: a file's content, or a package's version and content."""
    if not vars(module).get("__file__"):
        return [loaded.name, _sources(loaded, module)]
    file = Path(vars(module)["__file__"])
    if str(file) == loaded.origin:  # a single file is the same plugin wherever it lies
        return [loaded.name, content_digest(file)]
    files = sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
    return [loaded.id, *map(content_digest, files)]


def _sources(loaded: Loaded, module: Any) -> list[str]:
    """Return the source of the factories that a program gives; what is wrong with a hook is said when it is collected."""
    offered: list[Any] = []
    for hook in PARTS:
        with suppress(Exception):
            offered += vars(module)[hook]().values()
    try:
        return [inspect.getsource(factory) for factory in offered]
    except (OSError, TypeError):
        raise CaifError(f"the code of plugin {loaded.name} cannot be read", "write it into a file") from None
