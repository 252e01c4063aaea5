"""A transformers causal language model on this machine, as langchain chat model and `Scorer`.

What it computes is in `caif.models.kernel`. A batch's randomness comes from its rows' keys, so the same batch gives the
same answers in any process.
"""

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from caif.errors import CaifError
from caif.hookspecs import Answer, Params, Question, Request
from caif.models.encode import answer_ids, prompt_ids
from caif.models.memory import give_back, hold, trim

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from caif.models.kernel.past import Past

GENERATE_ROWS = 32
SCORE_TOKENS = 4096
PRECISION = "CAIF_PRECISION"
ANOTHER = "name a causal language model (its config.json lists a …ForCausalLM)"
_ROLES = {"human": "user", "ai": "assistant", "system": "system"}


def precision() -> "torch.dtype":
    """Return bfloat16 where this machine computes in it, else float32; CAIF_PRECISION names one of them for any machine."""
    import torch

    if named := os.environ.get(PRECISION):
        if named not in ("bfloat16", "float32"):
            raise CaifError(f"{PRECISION}={named}: models are loaded in bfloat16 or float32", "name one of them, or unset it")
        return torch.bfloat16 if named == "bfloat16" else torch.float32
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - no public way
    return torch.bfloat16 if fast else torch.float32


def device() -> str:
    """Return the accelerator's name, or cpu."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def load(folder: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load a model (or an adapter with its base) and its tokenizer, made ready for caif's use."""
    from transformers import AutoTokenizer

    hold()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = _causal(folder).to(device()).eval()
    # On a CPU in bfloat16 a strided slice times the output matrix is up to 800 times slower than a contiguous one,
    # and a strided slice is what transformers takes for the last token of a prompt.
    head = model.get_output_embeddings()
    head.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(), *inputs[1:]))
    return model, tokenizer


def _causal(folder: str) -> Any:
    """Load a model that goes on from a text. Half of an encoder-decoder loads as one, and says what nobody asked."""
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=precision())
    except ValueError as error:
        raise CaifError(f"{folder}: {str(error).splitlines()[0][:200]}", ANOTHER) from None
    if model.config_class().is_encoder_decoder:  # type: ignore[misc]
        raise CaifError(f"{folder}: {type(model).__name__} is half of an encoder-decoder, and no language model alone", ANOTHER)
    return model


class LocalChat(BaseChatModel):
    """A causal language model from a folder. `folder` may hold a whole model or a peft adapter."""

    folder: str
    _loaded: Any = PrivateAttr(default=None)
    _holders: ClassVar[list["LocalChat"]] = []

    @property
    def _llm_type(self) -> str:
        return "caif-local"

    def parts(self) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
        """Return model and tokenizer, loading them on first use. One model is in memory at a time: the last one used."""
        if self._loaded is None:
            from caif.models.kernel.attention import install
            from caif.models.kernel.head import refuse_foreign
            from caif.models.pack import pack

            for other in LocalChat._holders:
                other.release()
            LocalChat._holders[:] = [self]
            loaded = load(self.folder)
            pack(loaded[0])
            refuse_foreign(loaded[0], self.folder)
            install(loaded[0])
            self._loaded = loaded
        return self._loaded  # type: ignore[no-any-return]

    def release(self) -> None:
        """Give the memory back, now and not at some later collection; the next use loads again."""
        if self._loaded is not None:
            self._loaded = None
            give_back()

    def batches(self, items: "Sequence[Request | Question]") -> list[list[int]]:
        """Return index batches. They depend on the whole list alone, so a resumed run cuts alike.

        Questions that begin alike stand together, so that what they share is computed once. Requests stand together
        by length, in batches of like size: rows are answered in step, and a small batch takes nearly as long as a large.
        """
        from caif.models.kernel.trie import cut

        tokenizer = self.parts()[1]
        ids = [prompt_ids(tokenizer, item.messages) for item in items]
        for own, item in zip(ids, items, strict=True):
            if isinstance(item, Question):
                own.extend(token for choice in item.choices for token in answer_ids(tokenizer, choice, ended=False))
        if items and isinstance(items[0], Question):
            return cut(ids, SCORE_TOKENS)
        order = sorted(range(len(items)), key=lambda i: (-len(ids[i]), ids[i], i))
        count = -(-len(order) // GENERATE_ROWS)
        ends = [len(order) * n // count for n in range(count + 1)] if count else []
        return [order[first:last] for first, last in pairwise(ends)]

    def past(self) -> "Past":
        """Return what nothing has been computed of yet, for `reply` to fill and the next turn's `reply` to use."""
        from caif.models.kernel.past import Past

        return Past()

    def reply(
        self, requests: Sequence[Request], params: Params, seed: int, past: "Past | None" = None
    ) -> list[Answer]:
        """Answer one batch of conversations. Temperature 0 takes the likeliest token each time."""
        from caif.models.kernel.decoding import decode

        model, tokenizer = self.parts()
        prompts = [_prompt(tokenizer, request.messages) for request in requests]
        ends = _ends(model, tokenizer)

        def ended(ids: list[int]) -> bool:
            return ids[-1] in ends or (bool(params.stop) and any(stop in tokenizer.decode(ids) for stop in params.stop))

        failures = [_too_long(model, len(prompt) + params.max_tokens) for prompt in prompts]
        fit = [prompt for prompt, failure in zip(prompts, failures, strict=True) if failure is None]
        said = iter(decode(model, fit, params.max_tokens, params.temperature, seed, ended, past) if fit else [])
        return [
            failure or _answer(tokenizer, next(said), ends, params, len(prompt))
            for prompt, failure in zip(prompts, failures, strict=True)
        ]

    def score(self, questions: Sequence[Question]) -> list[Answer]:
        """Return each choice's log-probability by teacher forcing; all tokens of a choice count, and nothing after it."""
        from caif.models.kernel.scoring import Reply, logprobs

        model, tokenizer = self.parts()
        prompts = [_prompt(tokenizer, question.messages) for question in questions]
        replies = [
            [Reply(p, answer_ids(tokenizer, choice, ended=False), question.temperature) for choice in question.choices]
            for question, p in zip(questions, prompts, strict=True)
        ]
        failures = [_too_long(model, max(len(p) + len(r.ids) for r in some)) for p, some in zip(prompts, replies, strict=True)]
        fit = [r for some, failure in zip(replies, failures, strict=True) if failure is None for r in some]
        values = iter(logprobs(model, fit) if fit else [])
        trim()  # else what this batch freed lies in pieces that do not fit the next one, and memory grows with every batch
        return [
            failure or Answer("", "stop", tuple(next(values) for _ in some), tokens_in=len(prompt))
            for prompt, some, failure in zip(prompts, replies, failures, strict=True)
        ]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - langchain's signature
        **kwargs: Any,
    ) -> ChatResult:
        chat = [{"role": _ROLES[m.type], "content": str(m.content)} for m in messages]
        params = Params(kwargs.get("temperature", 1.0), kwargs.get("max_tokens", 256), tuple(stop or ()))
        answer = self.reply([Request("", chat)], params, kwargs.get("seed", 0))[0]
        message = AIMessage(content=answer.text, response_metadata={"finish_reason": answer.finish})
        return ChatResult(generations=[ChatGeneration(message=message)])


def _prompt(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Return a conversation's ids, which have to be some: a model says what follows something."""
    ids = prompt_ids(tokenizer, messages)
    if not ids:
        raise CaifError("a model was asked to go on from an empty text", "give the prompt some text")
    return ids


def _too_long(model: "PreTrainedModel", tokens: int) -> Answer | None:
    """Return the failure of a row that takes more positions than the model has; beyond them it says anything, or breaks."""
    from caif.models.kernel.decoding import positions

    most = positions(model)
    return Answer("", "error", detail=f"too long: {tokens:,} tokens, the model takes {most:,}") if tokens > most else None


def _ends(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Return the tokens that end an answer: the tokenizer's own, and those the model's publisher lists."""
    listed = getattr(model.generation_config, "eos_token_id", None) or []
    return {tokenizer.eos_token_id, *(listed if isinstance(listed, list) else [listed])}


def _answer(
    tokenizer: "PreTrainedTokenizerBase", ids: list[int], ends: set[int], params: Params, tokens_in: int
) -> Answer:
    ended = bool(ids) and ids[-1] in ends
    kept = ids[:-1] if ended else ids
    text = str(tokenizer.decode(kept, skip_special_tokens=True))
    for stop in params.stop:
        if stop in text:
            text, ended = text.split(stop, 1)[0], True
    return Answer(text.strip(), "stop" if ended else "length", tokens_in=tokens_in, tokens_out=len(kept))
