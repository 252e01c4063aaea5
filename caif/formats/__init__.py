"""Readers of feedback files, one small module a product, offered through the same hook as anyone's."""

from collections.abc import Callable, Mapping

from caif.formats.arena import chatbot_arena
from caif.formats.argilla import argilla
from caif.formats.axolotl import axolotl
from caif.formats.caif_rows import caif_rows
from caif.formats.chainlit import chainlit
from caif.formats.finegrained import fine_grained
from caif.formats.gradio import gradio
from caif.formats.hh import hh_rlhf
from caif.formats.icai import icai
from caif.formats.labelstudio import label_studio
from caif.formats.langfuse import langfuse
from caif.formats.langsmith import langsmith
from caif.formats.librechat import librechat
from caif.formats.llama_factory import llama_factory
from caif.formats.llmbar import llmbar
from caif.formats.oasst import open_assistant
from caif.formats.openai_preference import openai_preference
from caif.formats.openwebui import open_webui
from caif.formats.phoenix import phoenix
from caif.formats.reviews import reviews
from caif.formats.table import table
from caif.formats.trl import trl, trl_unpaired
from caif.formats.vercel import vercel
from caif.hookspecs import Reader, hookimpl


@hookimpl
def caif_feedback_formats() -> Mapping[str, Callable[..., Reader]]:
    """Offer the built-in formats."""
    return {
        "argilla": argilla,
        "axolotl": axolotl,
        "caif": caif_rows,
        "chainlit": chainlit,
        "chatbot-arena": chatbot_arena,
        "fine-grained": fine_grained,
        "gradio": gradio,
        "hh-rlhf": hh_rlhf,
        "icai": icai,
        "label-studio": label_studio,
        "langfuse": langfuse,
        "langsmith": langsmith,
        "librechat": librechat,
        "llama-factory": llama_factory,
        "llmbar": llmbar,
        "oasst": open_assistant,
        "open-webui": open_webui,
        "openai-preference": openai_preference,
        "phoenix": phoenix,
        "reviews": reviews,
        "table": table,
        "trl": trl,
        "trl-unpaired": trl_unpaired,
        "vercel": vercel,
    }
