"""A transformers causal language model on this machine, as langchain chat model and `Scorer`.

Answers are sampled in left-padded batches; a batch's randomness comes from its rows' keys, so the same batch gives the
same answers in any process. Only the hidden states that are asked for are multiplied with the output matrix.
"""

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from caif.hookspecs import Answer, Params, Question, Request
from caif.models.encode import answer_ids, prompt_ids

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GENERATE_ROWS = 32
SCORE_TOKENS = 4096
SHARE_TOKENS = 16
_ROLES = {"human": "user", "ai": "assistant", "system": "system"}


def precision() -> "torch.dtype":
    """Return bfloat16 where this machine computes in it, else float32."""
    import torch

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
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=precision()).to(device()).eval()
    # On a CPU in bfloat16 a strided slice times the output matrix is up to 800 times slower than a contiguous one,
    # and a strided slice is what transformers takes for the last token of a prompt.
    head = model.get_output_embeddings()
    head.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(), *inputs[1:]))
    return model, tokenizer


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
            from caif.models.pack import pack

            for other in LocalChat._holders:
                other.release()
            LocalChat._holders[:] = [self]
            self._loaded = load(self.folder)
            pack(self._loaded[0])
        return self._loaded  # type: ignore[no-any-return]

    def release(self) -> None:
        """Give the memory back, now and not at some later collection; the next use loads again."""
        if self._loaded is not None:
            self._loaded = None
            gc.collect()

    def batches(self, items: "Sequence[Request | Question]") -> list[list[int]]:
        """Return index batches of similar length. They depend on the whole list alone, so a resumed run cuts alike."""
        tokenizer = self.parts()[1]
        lengths = [len(prompt_ids(tokenizer, item.messages)) for item in items]
        order = sorted(range(len(items)), key=lambda i: (-lengths[i], items[i].row, i))
        cuts: list[list[int]] = []
        for i in order:
            scoring = isinstance(items[i], Question)
            limit = max(1, SCORE_TOKENS // lengths[cuts[-1][0]]) if cuts and scoring else GENERATE_ROWS
            if cuts and len(cuts[-1]) < limit:
                cuts[-1].append(i)
            else:
                cuts.append([i])
        return cuts

    def reply(self, requests: Sequence[Request], params: Params, seed: int) -> list[Answer]:
        """Answer one batch of conversations. Temperature 0 takes the likeliest token each time."""
        import torch
        from transformers import GenerationConfig

        model, tokenizer = self.parts()
        prompts = [prompt_ids(tokenizer, request.messages) for request in requests]
        width = max(map(len, prompts))
        pad = tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=model.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
        sampling = {"do_sample": True, "temperature": params.temperature, "top_k": 0, "top_p": 1.0}
        config = GenerationConfig(
            max_new_tokens=params.max_tokens,
            pad_token_id=pad,
            eos_token_id=tokenizer.eos_token_id,
            **(sampling if params.temperature > 0 else {"do_sample": False}),
        )
        torch.manual_seed(seed)
        with torch.inference_mode():
            out = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
        return [
            _answer(tokenizer, row[width:].tolist(), params, len(prompt))
            for row, prompt in zip(out, prompts, strict=True)
        ]

    def score(self, questions: Sequence[Question]) -> list[Answer]:
        """Return each choice's log-probability by teacher forcing; all tokens of a choice count, and nothing after it.

        One batch. Choices that are one token long share a single pass over their prompt.
        """
        model, tokenizer = self.parts()
        contexts: dict[tuple[int, ...], int] = {}  # every context once: one-token choices all share their prompt
        wanted: list[tuple[int, int, int]] = []  # context, position, the token that should follow
        spans: list[tuple[int, list[int]]] = []
        for question in questions:
            prompt = prompt_ids(tokenizer, question.messages)
            lengths = []
            for choice in question.choices:
                ids = answer_ids(tokenizer, choice, ended=False)
                row = contexts.setdefault((*prompt, *ids[:-1]), len(contexts))
                wanted += [(row, len(prompt) - 1 + k, token) for k, token in enumerate(ids)]
                lengths.append(len(ids))
            spans.append((len(prompt), lengths))
        values = iter(_logprobs(model, list(contexts), wanted))
        return [
            Answer("", "stop", tuple(sum(next(values) for _ in range(n)) for n in lengths), tokens_in=size)
            for size, lengths in spans
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


def _logprobs(
    model: "PreTrainedModel", contexts: Sequence[tuple[int, ...]], wanted: Sequence[tuple[int, int, int]]
) -> list[float]:
    """Return log P(token | context up to position) for each (context, position, token), in one pass."""
    import torch

    shared, past = _shared_prefix(model, contexts, min(position for _, position, _ in wanted))
    rests = [context[shared:] for context in contexts]
    width = max(map(len, rests))
    ids = torch.tensor([[*rest, *[0] * (width - len(rest))] for rest in rests], device=model.device)
    real = [[1] * (shared + len(rest)) + [0] * (width - len(rest)) for rest in rests]
    mask = torch.tensor(real, device=model.device)
    # Token by token the places are few, so the output matrix, a quarter of the work, is multiplied with those alone.
    places = list(dict.fromkeys((row, position) for row, position, _ in wanted))
    index = {place: n for n, place in enumerate(places)}
    with torch.inference_mode():
        out = model.base_model(input_ids=ids, attention_mask=mask, past_key_values=past, use_cache=past is not None)
        picked = out.last_hidden_state[[row for row, _ in places], [position - shared for _, position in places]]
        logprobs = model.get_output_embeddings()(picked).float().log_softmax(-1)
    return [float(logprobs[index[row, position], token]) for row, position, token in wanted]


def _shared_prefix(model: "PreTrainedModel", contexts: Sequence[tuple[int, ...]], limit: int) -> tuple[int, Any]:
    """Return how many first tokens all contexts share, and their keys and values, computed once for all.

    A judge's rules stand first in every question, so a third of a labeler's work is the same for all rows of a batch.
    """
    import torch

    first, last = min(contexts), max(contexts)  # what these two share, all share
    same = next((n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    shared = min(same, limit)
    if len(contexts) == 1 or shared < SHARE_TOKENS:
        return 0, None
    with torch.inference_mode():
        ids = torch.tensor([first[:shared]], device=model.device)
        past = model.base_model(input_ids=ids, use_cache=True).past_key_values
    past.batch_repeat_interleave(len(contexts))
    return shared, past


def _answer(tokenizer: "PreTrainedTokenizerBase", ids: list[int], params: Params, tokens_in: int) -> Answer:
    ended = tokenizer.eos_token_id in ids
    kept = ids[: ids.index(tokenizer.eos_token_id)] if ended else ids
    text = tokenizer.decode(kept, skip_special_tokens=True)
    for stop in params.stop:
        if stop in text:
            text, ended = text.split(stop, 1)[0], True
    return Answer(text.strip(), "stop" if ended else "length", tokens_in=tokens_in, tokens_out=len(kept))
