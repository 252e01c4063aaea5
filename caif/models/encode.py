"""One way from messages to token ids, for generation, scoring, reward training and reward serving alike.

The completion's ids are appended to the prompt's ids, never re-tokenised together with them, so the prompt is always an
exact prefix, there is one beginning-of-text token at most, and the end-of-turn token that is scored is the completion's
own (METHODS (b) 4, 5 and 7: the commonest silent faults of reward models).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from caif.errors import CaifError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

RAW = "raw"
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ '\n\n' + message['role'].capitalize() + ': ' + message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\n\nAssistant:' }}{% endif %}"
)
"""For tokenizers that bring no chat template of their own."""


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Return the ids of a conversation up to where the assistant's answer begins.

    One message of the role "raw" is a text to go on with: its own tokens, after the tokenizer's first one if it has one.
    """
    if [m["role"] for m in messages] == [RAW]:
        return [*_first(tokenizer), *answer_ids(tokenizer, messages[0]["content"], ended=False)]
    safe = [{"role": m["role"], "content": inert(tokenizer, m["content"])} for m in messages]
    if tokenizer.chat_template is None:
        return [*_first(tokenizer), *_templated(tokenizer, safe, PLAIN_TEMPLATE)]
    from jinja2 import TemplateError

    try:
        return _templated(tokenizer, safe, tokenizer.chat_template)
    except TemplateError as error:
        if safe[0]["role"] != "system" or len(safe) == 1:
            raise CaifError(f"the model's chat template refuses a conversation: {error}", "use another model") from None
    # Some templates take no system message: what it says then stands before the first turn.
    before, first, *rest = safe
    return prompt_ids(tokenizer, [{**first, "content": f"{before['content']}\n\n{first['content']}"}, *rest])


def _templated(tokenizer: "PreTrainedTokenizerBase", talk: list[dict[str, str]], template: Any) -> list[int]:
    told: Any = {"chat_template": template, "add_generation_prompt": True, "tokenize": True, "return_dict": False}
    return list(tokenizer.apply_chat_template(talk, **told))


def _first(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Return the token that a tokenizer puts before every text, if it has one: some base models say nonsense without."""
    first = list(tokenizer("")["input_ids"])[:1]
    return first if first == [tokenizer.bos_token_id] else []


def answer_ids(tokenizer: "PreTrainedTokenizerBase", text: str, *, ended: bool) -> list[int]:
    """Return the ids of an answer, with the end-of-turn token if the answer had come to its end."""
    ids = list(tokenizer(inert(tokenizer, text), add_special_tokens=False)["input_ids"])
    return [*ids, tokenizer.eos_token_id] if ended else ids


def inert(tokenizer: "PreTrainedTokenizerBase", text: str) -> str:
    """Return the text with control tokens spelled apart, so that no text can pretend to be a turn of its own."""
    for token in tokenizer.all_special_tokens + list(tokenizer.get_added_vocab()):
        if len(token.strip()) > 1 and token in text:  # some tokenizers add runs of spaces, which are no control
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text
