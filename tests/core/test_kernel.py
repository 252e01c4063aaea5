"""What the packed kernel computes is what one plain pass a sequence computes, whatever the batch looks like."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caif.errors import CaifError
from caif.hookspecs import Params, Question, Request
from caif.models.kernel.attention import NAME, install, installed
from caif.models.kernel.decoding import decode, pick
from caif.models.kernel.head import refuse_foreign
from caif.models.kernel.past import Past
from caif.models.kernel.scoring import Reply, logprobs
from caif.models.kernel.trie import cut, lay_out
from caif.models.local import LocalChat, load
from caif.models.pack import pack
from caif.testing import tiny_model

IDS = st.lists(st.integers(0, 6), max_size=9)
BATCH = st.lists(IDS, min_size=1, max_size=8)
MADE = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
LONGER = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the tiny model."""
    return tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def plain(folder: Path) -> Any:
    """Return the tiny model as transformers has it."""
    return load(str(folder))[0]


@pytest.fixture(scope="module")
def fast(folder: Path) -> Any:
    """Return the tiny model as caif uses it."""
    model = load(str(folder))[0]
    pack(model)
    install(model)
    assert installed(model)
    return model


def one_by_one(model: Any, prompt: Sequence[int], reply: Sequence[int], temperature: float = 1.0) -> float:
    """Return log P(reply | prompt) from a pass of its own."""
    with torch.inference_mode():
        logits = model(torch.tensor([[*prompt, *reply]])).logits[0].double() / temperature
    said = logits.log_softmax(-1)
    return sum(float(said[len(prompt) - 1 + n, token]) for n, token in enumerate(reply))


def by_generate(model: Any, prompt: list[int], tokens: int, end: int) -> list[int]:
    """Return the likeliest answer to one prompt by transformers' own loop."""
    ids = torch.tensor([prompt])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=tokens,
        do_sample=False,
        eos_token_id=end,
        pad_token_id=0,
    )
    return out[0, len(prompt) :].tolist()


@given(sequences=BATCH)
def test_a_trie_holds_every_beginning_once(sequences: list[list[int]]) -> None:
    """As many tokens as there are different beginnings; each sequence is found along its path; a run sees just its own."""
    trie = lay_out(sequences)
    assert len(trie.tokens) == len({(*ids[: n + 1],) for ids in sequences for n in range(len(ids))})
    for ids, path in zip(sequences, trie.paths, strict=True):
        assert [trie.tokens[at] for at in path] == ids
        assert [trie.positions[at] for at in path] == list(range(len(ids)))
    assert [at for run in trie.runs for at in range(run.start, run.stop)] == list(range(len(trie.tokens)))
    for run in trie.runs:
        assert run.path in [path[: len(run.path)] for path in trie.paths]
        assert run.path[-(run.stop - run.start) :] == list(range(run.start, run.stop))


@given(sequences=BATCH, limit=st.integers(1, 30))
def test_batches_hold_every_row_once_and_no_more_than_fits(sequences: list[list[int]], limit: int) -> None:
    """A batch of one may be longer; nothing else may."""
    batches = cut(sequences, limit)
    assert sorted(row for batch in batches for row in batch) == list(range(len(sequences)))
    for batch in batches:
        assert len(batch) == 1 or len(lay_out([sequences[row] for row in batch]).tokens) <= limit


def test_families_are_not_torn_apart() -> None:
    """What shares a long beginning is asked together, though more would fit into the first batch."""
    families = [[family, *range(20), n] for family in range(4) for n in range(9)]
    batches = cut(families, 50)
    assert [{families[row][0] for row in batch} for batch in batches] == [{0}, {1}, {2}, {3}]


@MADE
@given(
    questions=st.lists(st.tuples(IDS, st.lists(IDS, min_size=1, max_size=3)), min_size=1, max_size=6),
    shared=IDS,
    temperature=st.sampled_from([1.0, 0.5, 2.0]),
)
def test_scores_equal_a_pass_of_their_own(
    fast: Any, plain: Any, questions: list, shared: list, temperature: float
) -> None:
    """Any prompts, shared or not, the same or not, with replies of any length, none at all among them."""
    asked = [([7, *shared, *prompt], reply) for prompt, replies in questions for reply in replies]
    found = logprobs(fast, [Reply(prompt, reply, temperature) for prompt, reply in asked])
    wanted = [one_by_one(plain, prompt, reply, temperature) for prompt, reply in asked]
    assert found == pytest.approx(wanted, abs=1e-4, rel=1e-5)


@settings(MADE, max_examples=15)
@given(
    prompts=st.lists(st.lists(st.integers(0, 300), min_size=1, max_size=30), min_size=1, max_size=7),
    tokens=st.integers(1, 8),
)
def test_greedy_answers_are_those_of_transformers(fast: Any, plain: Any, prompts: list, tokens: int) -> None:
    """Token for token, in any batch, with rows that end early: the end is the commonest token of these answers."""
    whole = [by_generate(plain, prompt, tokens, -1) for prompt in prompts]
    end = Counter(token for ids in whole for token in ids).most_common(1)[0][0]
    found = decode(fast, prompts, tokens, 0, 0, lambda ids: ids[-1] == end)
    assert found == [ids[: ids.index(end) + 1] if end in ids else ids for ids in whole]


def test_long_prompts_are_read_in_parts(fast: Any, plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many tokens are computed at once changes no answer."""
    monkeypatch.setattr("caif.models.kernel.decoding.PROMPT_TOKENS", 16)
    prompts = [[5, 6, 7, n, *range(10, 10 + n)] for n in range(9)]
    found = decode(fast, prompts, 5, 0, 0, lambda _: False)
    assert found == [by_generate(plain, prompt, 5, -1) for prompt in prompts]


def config(name: str, **more: Any) -> Any:
    """Return a tiny configuration of another architecture."""
    import transformers

    sizes = {
        "vocab_size": 64,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
    }
    return getattr(transformers, f"{name}Config")(**sizes | more)


OTHERS = {
    "llama": (lambda: config("Llama", num_key_value_heads=1), True),
    "sliding": (lambda: config("Mistral", num_key_value_heads=2, sliding_window=4), True),
    "gpt2": (lambda: config("GPT2", n_inner=48), True),
    "sliding by layers": (
        lambda: config("Qwen2", num_key_value_heads=2, use_sliding_window=True, sliding_window=3, max_window_layers=1),
        True,
    ),
    "soft cap": (lambda: config("Gemma2", num_key_value_heads=2, head_dim=8, attn_logit_softcapping=1.0,
                                final_logit_softcapping=0.5), False),
    "logits multiplied": (lambda: config("Cohere", num_key_value_heads=2, logit_scale=8.0), True),
    "logits divided": (lambda: config("Granite", num_key_value_heads=2, logits_scaling=0.125), True),
    "sliding by its masks": (lambda: config("Phimoe", num_key_value_heads=2, num_local_experts=2, sliding_window=4), False),
    "two attentions a layer": (lambda: config("DiffLlama", num_key_value_heads=2), False),
    "position bias": (lambda: config("Bloom"), False),
    "recurrent": (lambda: config("Mamba", state_size=4), False),
    "partly recurrent": (lambda: config("Jamba", num_key_value_heads=2, num_experts=1, attn_layer_period=2, attn_layer_offset=1,
                                        use_mamba_kernels=False), False),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_architectures_answer_as_transformers_says(name: str) -> None:
    """With this attention where it is theirs, with their own where it is not: the numbers are the same."""
    from transformers import AutoModelForCausalLM

    make, can = OTHERS[name]
    torch.manual_seed(0)
    plain = AutoModelForCausalLM.from_config(make()).eval()
    fast = AutoModelForCausalLM.from_config(make()).eval()
    fast.load_state_dict(plain.state_dict())
    install(fast)
    assert installed(fast) == can
    replies = [Reply(LONGER[:9], LONGER[9:]), Reply(LONGER[:6], [1, 2]), Reply(LONGER[:9], [7])]
    found = logprobs(fast, replies)
    assert found == pytest.approx([one_by_one(plain, r.prompt, r.ids) for r in replies], abs=1e-4)
    prompts = [LONGER, LONGER[:9], LONGER[:9]]
    assert decode(fast, prompts, 6, 0, 0, lambda _: False) == [by_generate(plain, p, 6, -1) for p in prompts]


def test_a_model_whose_logits_are_made_in_an_unknown_way_is_refused() -> None:
    """Between its hidden states and its output matrix this one has a layer that nothing here knows of."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    foreign = AutoModelForCausalLM.from_config(config("Bert", is_decoder=True)).eval()
    with pytest.raises(CaifError, match="BertLMHeadModel makes its logits in a way that caif does not know"):
        refuse_foreign(foreign, "hf:it")
    refuse_foreign(AutoModelForCausalLM.from_config(OTHERS["logits multiplied"][0]()).eval(), "hf:it")


def test_a_model_whose_attention_is_not_this_one_is_left_alone(plain: Any, folder: Path, monkeypatch: Any) -> None:
    """The comparison decides, not a list of names: were the masks wrong, transformers' own attention would stay."""
    monkeypatch.setattr("caif.models.kernel.attention._mask", lambda *_: None)
    model = load(str(folder))[0]
    install(model)
    assert not installed(model)
    assert model.config._attn_implementation == plain.config._attn_implementation != NAME


def test_tokens_are_drawn_as_often_as_the_model_says(fast: Any, plain: Any) -> None:
    """Chi-square of 4,000 first tokens against the model's own probabilities at that temperature."""
    prompt, temperature = [5, 6, 7], 0.3
    found = Counter(ids[0] for ids in decode(fast, [prompt] * 4000, 1, temperature, 1, lambda _: False))
    with torch.inference_mode():
        chances = (plain(torch.tensor([prompt])).logits[0, -1].double() / temperature).softmax(-1)
    common = [n for n in range(len(chances)) if 4000 * chances[n] >= 5]
    observed = [found[n] for n in common] + [4000 - sum(found[n] for n in common)]
    expected = [4000 * float(chances[n]) for n in common]
    expected.append(4000 - sum(expected))
    square = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))
    freedom = len(expected) - 1
    assert square < freedom + 4 * math.sqrt(2 * freedom)


def test_the_likelihood_of_a_later_token_is_the_models_own_too(fast: Any, plain: Any) -> None:
    """Second tokens come from the cache: given the first, they follow the model's probabilities."""
    prompt = [5, 6, 7]
    pairs = [tuple(ids) for ids in decode(fast, [prompt] * 3000, 2, 0.3, 2, lambda _: False)]
    first = Counter(pair[0] for pair in pairs).most_common(1)[0][0]
    seconds = Counter(pair[1] for pair in pairs if pair[0] == first)
    with torch.inference_mode():
        chances = (plain(torch.tensor([[*prompt, first]])).logits[0, -1].double() / 0.3).softmax(-1)
    likeliest = int(chances.argmax())
    share, wanted, n = seconds[likeliest] / seconds.total(), float(chances[likeliest]), seconds.total()
    assert n > 30
    assert abs(share - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / n)


@given(draw=st.floats(0, 1, exclude_max=True))
def test_what_cannot_be_said_is_never_drawn(draw: float) -> None:
    """A token without probability is not chosen, whatever the draw."""
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 1.0, -torch.inf]])
    assert pick(logits, 1.0, torch.tensor([draw], dtype=torch.float64))[0] in (1, 3)


def test_rows_that_end_change_no_other_row(fast: Any) -> None:
    """Their places are taken by others, whose draws stay their own."""
    prompts = [[n, n + 1, n + 2] for n in range(12)]
    whole = decode(fast, prompts, 8, 1.0, 3, lambda _: False)
    ends = {row[2] for row in whole[::2]}
    cut_short = decode(fast, prompts, 8, 1.0, 3, lambda ids: ids[-1] in ends)
    for full, short in zip(whole, cut_short, strict=True):
        assert short == full[: len(short)]
        assert len(short) == next((n + 1 for n, token in enumerate(full) if token in ends), 8)
    assert decode(fast, prompts, 8, 1.0, 3, lambda _: False) == whole
    assert decode(fast, prompts, 8, 1.0, 4, lambda _: False) != whole


def test_a_chat_model_answers_and_scores_as_its_parts_do(folder: Path, plain: Any) -> None:
    """Whole strings, by their own tokens, at the temperature that the question asks for."""
    from caif.models.encode import answer_ids, prompt_ids

    chat = LocalChat(folder=str(folder))
    tokenizer = chat.parts()[1]
    talk = [{"role": "user", "content": "hello"}]
    choices = ("(A)", "(B)", " a good question, thank you")
    for temperature in (1.0, 0.7):
        (answer,) = chat.score([Question("r", talk, choices, temperature)])
        prompt = prompt_ids(tokenizer, talk)
        wanted = [one_by_one(plain, prompt, answer_ids(tokenizer, c, ended=False), temperature) for c in choices]
        assert answer.logprobs == pytest.approx(wanted, abs=1e-4)
        assert answer.tokens_in == len(prompt)


def test_an_answer_stops_at_its_stop_string_and_not_later(folder: Path) -> None:
    """What follows is neither kept nor computed."""
    chat = LocalChat(folder=str(folder))
    talk = [{"role": "user", "content": "hello"}]
    (free,) = chat.reply([Request("r", talk)], Params(1.0, 30), 5)
    stop = free.text[3:5]
    (short,) = chat.reply([Request("r", talk)], Params(1.0, 30, (stop,)), 5)
    assert short.finish == "stop"
    assert short.text == free.text.split(stop, 1)[0].strip()
    assert short.tokens_out < free.tokens_out


def test_batches_are_of_like_size_and_like_length(folder: Path) -> None:
    """44 rows are two batches of 22, not of 32 and 12; one row is one batch and none is none."""
    chat = LocalChat(folder=str(folder))
    requests = [Request(str(n), [{"role": "user", "content": "a" * (n % 7)}]) for n in range(44)]
    batches = chat.batches(requests)
    assert [len(batch) for batch in batches] == [22, 22]
    assert sorted(row for batch in batches for row in batch) == list(range(44))
    lengths = [len(requests[row].messages[0]["content"]) for batch in batches for row in batch]
    assert lengths == sorted(lengths, reverse=True)
    assert chat.batches(requests[:1]) == [[0]]
    assert chat.batches([]) == []


def test_an_empty_text_cannot_be_gone_on_from(folder: Path) -> None:
    """It says so, where a position before the first would silently be the last."""
    from caif.errors import CaifError

    chat = LocalChat(folder=str(folder))
    with pytest.raises(CaifError, match="empty"):
        chat.score([Question("r", [{"role": "raw", "content": ""}], ("a",))])


def test_a_row_that_is_longer_than_the_model_fails_alone(tmp_path: Path) -> None:
    """A model with learned positions breaks beyond them and others say anything; the other rows are answered."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model(tmp_path / "tiny"))
    torch.manual_seed(0)
    small = AutoModelForCausalLM.from_config(config("GPT2", n_inner=48, n_positions=64, vocab_size=len(tokenizer)))
    small.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    chat = LocalChat(folder=str(tmp_path))
    talks = [[{"role": "user", "content": text}] for text in ("hello", "word " * 50)]
    for answers in (
        chat.score([Question(str(n), talk, ("a", "b")) for n, talk in enumerate(talks)]),
        chat.reply([Request(str(n), talk) for n, talk in enumerate(talks)], Params(1.0, 8), 0),
    ):
        assert [answer.failed for answer in answers] == [False, True]
        assert answers[1].detail.startswith("too long: ") and answers[1].detail.endswith("the model takes 64")


@settings(MADE, max_examples=12)
@given(
    prompts=st.lists(st.lists(st.integers(0, 300), min_size=1, max_size=20), min_size=1, max_size=6),
    more=st.lists(st.lists(st.integers(0, 300), max_size=6), min_size=6, max_size=6),
    dropped=st.integers(0, 3),
    tokens=st.integers(1, 6),
)
def test_what_was_computed_for_a_turn_serves_the_next(
    fast: Any, plain: Any, prompts: list, more: list, dropped: int, tokens: int
) -> None:
    """Whether a prompt goes on where the turn before ended, parts from it, or is the very same: as if read from scratch."""
    past = Past()
    first = decode(fast, prompts, tokens, 0, 0, lambda ids: ids[-1] % 2 == 0, past)
    assert first == decode(fast, prompts, tokens, 0, 0, lambda ids: ids[-1] % 2 == 0)
    talks = [[*p, *said[: len(said) - dropped], *then] for p, said, then in zip(prompts, first, more, strict=False)]
    second = decode(fast, talks[::-1], tokens, 0, 0, lambda _: False, past)
    assert second == [by_generate(plain, talk, tokens, -1) for talk in talks[::-1]]
    third = decode(fast, prompts, tokens, 0, 0, lambda _: False, past)
    assert third == [by_generate(plain, prompt, tokens, -1) for prompt in prompts]


def test_only_what_is_new_is_computed(fast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next turn reads what was said last, which was drawn and not yet read, and what comes after it."""
    from caif.models.kernel import decoding

    read: list[int] = []
    own = decoding.forward

    def counted(model: Any, tokens: Sequence[int], *rest: Any) -> Any:
        read.append(len(tokens))
        return own(model, tokens, *rest)

    monkeypatch.setattr(decoding, "forward", counted)
    past, prompts = Past(), [[n, *range(20, 40)] for n in range(4)]
    said = decode(fast, prompts, 5, 1.0, 0, lambda _: False, past)
    assert read == [4 * 21, 4, 4, 4, 4]
    del read[:]
    decode(fast, [[*p, *s, 7, 8] for p, s in zip(prompts, said, strict=True)], 1, 1.0, 0, lambda _: False, past)
    assert read == [4 * 3]


def test_a_conversation_that_goes_on_says_what_it_would_say_from_scratch(folder: Path) -> None:
    """Through the chat model: the template puts a new turn after what was said, whose tokens may be others now."""
    chat = LocalChat(folder=str(folder))
    talks = [[{"role": "user", "content": text}] for text in ("hello", "what is rain?", "hello")]
    past = chat.past()
    said = chat.reply([Request(str(n), t) for n, t in enumerate(talks)], Params(1.0, 12), 3, past)
    more = [
        Request("r", [*talk, {"role": "assistant", "content": answer.text}, {"role": "user", "content": "And then?"}])
        for talk, answer in zip(talks, said, strict=True)
    ]
    for params in (Params(0.0, 12), Params(1.0, 12)):
        assert chat.reply(more, params, 4, past) == chat.reply(more, params, 4)


@pytest.mark.parametrize(("name", "why"), [("Bart", "BartForCausalLM is half of an encoder-decoder"), ("T5", "T5Config")])
def test_an_encoder_decoder_is_refused_in_one_line(tmp_path: Path, folder: Path, name: str, why: str) -> None:
    """One half of it would load and answer without having read the question; the other kind does not load at all."""
    import transformers

    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes |= {"num_layers": 1, "num_heads": 2, "d_kv": 8, "d_ff": 16, "vocab_size": 64}
    made = getattr(transformers, f"{name}ForConditionalGeneration")(getattr(transformers, f"{name}Config")(**sizes))
    made.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    with pytest.raises(CaifError, match=why) as caught:
        LocalChat(folder=str(tmp_path)).parts()
    assert "\n" not in str(caught.value)


def test_decoding_beyond_a_models_positions_is_refused(fast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls it: reinforcement learning does not go by the chat model, which fails such rows one by one."""
    monkeypatch.setattr(fast.config, "max_position_embeddings", 8)
    assert len(decode(fast, [[1, 2, 3]], 5, 1.0, 0, lambda _: False)[0]) == 5
    with pytest.raises(CaifError, match="take 9 tokens, the model takes 8"):
        decode(fast, [[1, 2, 3], [1, 2, 3, 4]], 5, 1.0, 0, lambda _: False)
