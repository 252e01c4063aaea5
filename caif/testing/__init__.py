"""For the tests of caif and of plugins: models made on the spot or none at all, and checks of what a plugin brings.

Nothing here is downloaded.
"""

from caif.testing.chats import EchoChat, FlakyChat, KeyedChat, ServerFault
from caif.testing.checks import check_labeler, check_plugin
from caif.testing.tiny import CHAT_TEMPLATE, END, PAD, _tokenizer, tiny_model

__all__ = [
    "CHAT_TEMPLATE", "END", "PAD", "EchoChat", "FlakyChat", "KeyedChat", "ServerFault", "_tokenizer", "check_labeler",
    "check_plugin", "tiny_model",
]  # fmt: skip
