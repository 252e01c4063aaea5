"""Readers of feedback files, one small module a product, offered through the same hook as anyone's."""

from collections.abc import Callable, Mapping

from caif.formats.caif_rows import caif_rows
from caif.formats.finegrained import fine_grained
from caif.formats.hh import hh_rlhf
from caif.formats.icai import icai
from caif.formats.llmbar import llmbar
from caif.formats.oasst import open_assistant
from caif.formats.openwebui import open_webui
from caif.hookspecs import Reader, hookimpl


@hookimpl
def caif_feedback_formats() -> Mapping[str, Callable[..., Reader]]:
    """Offer the built-in formats."""
    return {
        "caif": caif_rows,
        "fine-grained": fine_grained,
        "hh-rlhf": hh_rlhf,
        "icai": icai,
        "llmbar": llmbar,
        "oasst": open_assistant,
        "open-webui": open_webui,
    }
