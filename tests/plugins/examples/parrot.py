"""A chat model: `use = "parrot:Aye, "` repeats what it is told after those words. Any langchain-core chat model will do."""

from langchain_core.language_models import BaseChatModel

import caif
from caif.testing import EchoChat


def parrot(prefix: str) -> BaseChatModel:
    return EchoChat(prefix=prefix)


@caif.hookimpl
def caif_chat_models():
    return {"parrot": parrot}
