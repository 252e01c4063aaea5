"""The tools for plugin authors do what they promise."""

from pathlib import Path
from types import ModuleType

import pytest

from caif import hookspecs
from caif.errors import CaifError
from caif.models.encode import answer_ids, prompt_ids
from caif.testing import EchoChat, check_plugin, tiny_model


def test_the_tiny_model_loads_and_is_the_same_every_time(tiny: Path, tmp_path: Path) -> None:
    """The same seed writes the same weights, another seed others; what draws were made before is nobody's matter."""
    weights = [tiny_model(tmp_path / str(n), seed=n % 2) / "model.safetensors" for n in range(2)]
    assert weights[0].read_bytes() == (tiny / "model.safetensors").read_bytes()
    assert weights[1].read_bytes() != weights[0].read_bytes()


def test_the_tiny_tokenizer_knows_every_text_and_its_own_turns(tiny: Path) -> None:
    """Any text comes back unchanged; a turn ends with one token, which is not the padding."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    text = "Grüße, 世界! \x00 \U0001f600\n\ttabs"
    assert tokenizer.decode(answer_ids(tokenizer, text, ended=False)) == text
    ids = prompt_ids(tokenizer, [{"role": "user", "content": "hi"}])
    assert tokenizer.decode(ids) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert len(tokenizer) <= 320


def test_echo_answers_the_same_every_time() -> None:
    """The reply depends on the last message alone; `replies` pick by what it holds."""
    chat = EchoChat(replies={"better": "A"})
    assert chat.invoke([{"role": "user", "content": "which is better?"}]).content == "A"
    said = [chat.invoke([{"role": "user", "content": "hello"}]) for _ in range(2)]
    assert said[0].content == said[1].content == "You said: hello"
    assert said[0].response_metadata["finish_reason"] == "stop"


def module(**members: object) -> ModuleType:
    made = ModuleType("example")
    vars(made).update({"__file__": __file__, **members})
    return made


def test_a_sound_plugin_is_told_its_parts() -> None:
    """What a plugin offers is listed by hook."""

    def polite(weight: float = 1.0) -> object:
        return weight

    def caif_rewards() -> object:
        return {"polite": polite}

    assert check_plugin(module(caif_rewards=hookspecs.hookimpl(caif_rewards))) == {"caif_rewards": ["polite"]}


def untyped(weight=1.0):
    return weight


def anything(**options: object) -> object:
    return options


@pytest.mark.parametrize(
    ("factory", "complaint"), [(untyped, "has no type"), (anything, "takes any option"), (3, "not a factory")]
)
def test_an_option_that_cannot_be_checked_is_refused(factory: object, complaint: str) -> None:
    """Every option of every part is named and typed."""

    def caif_rewards() -> object:
        return {"part": factory}

    with pytest.raises(CaifError, match=complaint):
        check_plugin(module(caif_rewards=hookspecs.hookimpl(caif_rewards)))


def test_a_plugin_that_would_do_nothing_is_refused() -> None:
    """No hook at all, a hook without its mark, a misspelt hook, and a hook that raises: each is an error."""

    def caif_rewards() -> object:
        return {}

    def caif_reward() -> object:
        return {}

    def broken() -> object:
        raise RuntimeError("no")

    broken.__name__ = "caif_metrics"
    for members, complaint in [
        ({}, "implements no hook"),
        ({"caif_rewards": caif_rewards}, "not marked"),
        ({"caif_reward": hookspecs.hookimpl(caif_reward)}, "no hook of caif"),
        ({"caif_metrics": hookspecs.hookimpl(broken)}, "RuntimeError: no"),
    ]:
        with pytest.raises(CaifError, match=complaint):
            check_plugin(module(**members))
