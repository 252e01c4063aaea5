"""Checks of what a plugin brings: its hooks and options, and what a labeler makes of models that fail."""

import inspect
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pluggy

from caif import hookspecs
from caif.errors import CaifError
from caif.judge.bench import METHODS, Method
from caif.judge.faults import Labeler, faults
from caif.plugins import OBSERVERS, PARTS, Loaded, Plugins, _collect, _register


def check_plugin(module: ModuleType) -> dict[str, list[str]]:
    """Return the names of a plugin's parts by hook, or raise a CaifError that says what is wrong with it.

    All that loading checks is checked, and that every option of every part is typed: an option without a type cannot be
    checked, so a wrong value in a run file would only show in the results.
    """
    plugins = Plugins(pluggy.PluginManager("caif"), [])
    plugins.manager.add_hookspecs(hookspecs)
    _register(plugins, module.__name__, "check_plugin", lambda: module)
    parts = {hook: _collect(plugins, hook) for hook in PARTS}
    loaded: Loaded = plugins.loaded[0]
    if loaded.error:
        raise CaifError(f"plugin {loaded.name}: {loaded.error}", "mend it")
    if not loaded.hooks:
        raise CaifError(f"plugin {loaded.name} implements no hook", f"write one of: {', '.join((*PARTS, *OBSERVERS))}")
    for hook, offered in parts.items():
        for name, part in offered.items():
            _check_typed(f"plugin {loaded.name}: {hook}: {name}", part.factory)
    return {hook: sorted(offered) for hook, offered in parts.items() if offered}


def check_labeler(labeler: Labeler, methods: Sequence[Method] = METHODS) -> list[str]:
    """Return the faults a labeler bore, or raise a CaifError that says what it makes of the first it did not bear.

    The labeler is given a bench of models that fail, refuse, say what cannot be read, or always name the first answer
    (`caif.judge.faults`), and must abstain, each time in the right way, for the rows that failed and no others. It has the
    shape of `caif.judge.judge_all`: a bench and comparisons with their principles in, a Judgement each out. A labeler that
    reads verdicts in one way only names that method.
    """
    found = faults(labeler, methods)
    for finding in found:
        if not finding.passed:
            raise CaifError(f"the labeler {finding.reason} ({finding.check})", "make it an abstention: see caif.judge.faults")
    return [finding.check for finding in found]


def _check_typed(where: str, factory: Any) -> None:
    for option in inspect.signature(factory).parameters.values():
        if option.kind in (option.VAR_POSITIONAL, option.VAR_KEYWORD):
            raise CaifError(f"{where} takes any option ({option})", "name its options, each with a type")
        if option.annotation is option.empty:
            raise CaifError(
                f"{where}: the option {option.name!r} has no type", f"write {option.name}: str, for example"
            )
