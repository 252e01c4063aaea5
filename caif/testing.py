"""For the tests of caif and of plugins: a tiny model made on the spot, a chat model that echoes, and a check of plugins.

Nothing here is downloaded. The tiny model is random: it trains and answers like any causal language model and knows nothing.
"""

import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from caif import hookspecs
from caif.errors import CaifError
from caif.judge.bench import METHODS, Method
from caif.judge.faults import Labeler, faults
from caif.plugins import OBSERVERS, PARTS, Loaded, Plugins, _collect, _register

END, PAD = "<|im_end|>", "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_CORPUS = (
    "the user asks and the assistant answers",
    "thank you, that is a good question",
    "I am sorry, but I can not do that",
)


def tiny_model(folder: Path, seed: int = 0) -> Path:
    """Write a random Qwen2 model of two layers and its tokenizer into a folder, and return the folder."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = _tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    """Return a byte-level tokenizer that knows every byte, a few merges, and the tokens that turns are made of."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[PAD, "<|im_start|>", END],
    )  # fmt: skip
    inner.train_from_iterator(_CORPUS, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=END, pad_token=PAD, additional_special_tokens=["<|im_start|>"]
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


class EchoChat(BaseChatModel):
    """A chat model without a model: the same conversation always gets the same answer.

    The reply is that of the first key of `replies` that occurs in the last message, else the message itself after `prefix`.
    """

    prefix: str = "You said: "
    replies: dict[str, str] = {}

    @property
    def _llm_type(self) -> str:
        return "caif-echo"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        said = str(messages[-1].content)
        reply = next((reply for key, reply in self.replies.items() if key in said), self.prefix + said)
        cost = {"input_tokens": len(said.split()), "output_tokens": len(reply.split())}
        message = AIMessage(
            content=reply,
            response_metadata={"finish_reason": "stop"},
            usage_metadata={**cost, "total_tokens": sum(cost.values())},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


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
