"""The data-set card: what these labels are, who gave them, how far to trust them, and what this format does not say.

Texts of constitutions, judges and files stand in it as code: neither HTML, Markdown nor a template in them does anything.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from caif.exports.formats import as_yaml
from caif.report import show
from caif.text import brief

TEMPLATE = "card.md.j2"
LONGEST = 300
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_TICKS = re.compile("`+")


def card(facts: Mapping[str, Any]) -> str:
    """Return the card as Markdown with a YAML head, as model hubs read it."""
    return str(_environment().get_template(TEMPLATE).render(head=as_yaml(head(facts)), **facts))


def head(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a hub wants to know: licence, size, and which file is which split of what."""
    configs: dict[str, list[dict[str, str]]] = {}
    for file in facts["files"]:
        kind, name = file.split("/")
        configs.setdefault(kind, []).append({"split": name.split(".")[0], "path": file})
    rows = sum(facts["files"].values())
    law = facts["law"]
    return {
        "license": licence(facts),
        "pretty_name": f"Feedback under {law['name']}" if law else "Feedback",
        "tags": ["preference", "rlhf", "constitutional-ai", "caif"],
        "size_categories": [next((name for limit, name in SIZES if rows < limit), "n>10M")],
        "configs": [{"config_name": kind, "data_files": files} for kind, files in configs.items()],
    }


def licence(facts: Mapping[str, Any]) -> str | list[str]:
    """Return the licences of all sources, or that one of them is not known, which then holds for the whole."""
    declared = {name.lower() for names in facts["licences"].values() for name in names}
    if "" in declared:
        return "unknown"
    first, *more = sorted(declared)
    return [first, *more] if more else first


def code(value: object) -> str:
    """Return a text as inline code on one line, with more backticks around it than in it.

    A bar is written ¦: it would end the cell of a table, and what escapes it there depends on the renderer.
    """
    text = brief(str(show.visible(" ".join(str(value).split()))), LONGEST).replace("|", "¦")
    fence = "`" * (1 + max(map(len, _TICKS.findall(text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text or ' '}{space}{fence}"


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # it makes Markdown: `code` keeps what is not ours from being any
        loader=PackageLoader("caif.exports"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"code": code, "number": show.number, "percent": show.percent, "spread": show.spread}
    return environment
