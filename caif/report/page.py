"""Render the numbers as one HTML file that opens offline and in which nothing from data can run, load or hide.

Every value is escaped by Jinja and passed through `visible` before; the only markup let through is what `plots` drew
from numbers. The content security policy allows one style sheet, by its digest, and nothing else: no script, no link.
"""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from caif.report import plots, show

TEMPLATE, STYLE = "page.html.j2", "style.css"


def page(numbers: dict[str, Any], name: str = TEMPLATE) -> str:
    """Return the page of a template as HTML."""
    from markupsafe import Markup

    style = (files("caif.report") / "templates" / STYLE).read_text(encoding="utf-8")
    checksum = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{checksum}'; base-uri 'none'; form-action 'none'"
    template = _environment().get_template(name)
    return str(template.render(**numbers, style=Markup(style), policy=policy))  # noqa: S704 - our own file


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def drawn(plot: Callable[..., str]) -> Callable[..., Any]:
        return lambda *values: Markup(plot(*values))  # noqa: S704 - plots escape what they are given

    environment = Environment(
        loader=PackageLoader("caif.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=show.visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("number", "signed", "percent", "spread", "seconds", "listed", "counted", "cut"):
        environment.filters[name] = getattr(show, name)
    for name in ("strip", "axis", "lines", "reliability", "bar", "gains", "trail"):
        environment.globals[name] = drawn(getattr(plots, name))
    environment.globals["span_of"] = plots.span_of
    return environment
