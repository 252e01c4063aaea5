"""What models read, whoever has them read: one beginning, the answers' own ids, and loss on these alone (METHODS (b) 4 to 7)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rl_parts import small
from tokenizers import processors
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM, AutoTokenizer

from caif.config import ModelSpec, Reward, Sft
from caif.data import Preference, Prompt, Rating, Revision, Turn
from caif.hookspecs import Params, Question, Request
from caif.models.encode import answer_ids, prompt_ids
from caif.models.local import LocalChat
from caif.run import Run
from caif.sections.offline import Dpo, Kto
from caif.stages.dpo import dpo
from caif.stages.kto import kto
from caif.stages.reward import reward
from caif.stages.rl import rl
from caif.stages.rloo import rloo
from caif.stages.sft import sft
from caif.store import Artifact
from caif.testing import tiny_model
from caif.training import policy
from caif.training.dpo import pair_columns, soft_dpo
from caif.training.encoding import encode
from caif.training.kto import mismatched, thumb_columns, weighed_kto
from caif.training.options import dpo_options, kto_options
from caif.training.scorers import scorer

BEGINNING = "<s>"
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""As many have it: the template puts the beginning, the tokenizer would put a second one, and answers are trimmed."""
PROMPTS = [Prompt.of(f"What of number {n}?") for n in range(4)]
PAIRS = [
    Preference(prompt=p, chosen="It is fine.", rejected="no", probability=0.8, objective="clarity") for p in PROMPTS
]
THUMBS = [
    Rating(prompt=p, completion=f"It is {'good ' * n}", up=n > 1, objective="clarity") for n, p in enumerate(PROMPTS)
]
TURN = Turn(principle="p", critique="It is vague.", revision="It is fine.")
CHAINS = [Revision(prompt=p, first="no", turns=(TURN,), final="It is fine.") for p in PROMPTS]
Make = Callable[..., Artifact]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """A tiny model whose texts have a beginning token."""
    folder = tiny_model(tmp_path_factory.mktemp("begun"))
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    tokenizer.add_special_tokens({"bos_token": BEGINNING})
    first = [(BEGINNING, tokenizer.bos_token_id)]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGINNING} $A", special_tokens=first
    )
    tokenizer.chat_template = TEMPLATE
    assert tokenizer("").input_ids == [tokenizer.bos_token_id]
    model.resize_token_embeddings(len(tokenizer))
    for made in (model, tokenizer):
        made.save_pretrained(folder)
    return ModelSpec(use=f"hf:{folder}")


@contextmanager
def overheard() -> Iterator[list[Tensor]]:
    """Keep the ids that any model reads."""
    read: list[Tensor] = []

    def hook(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, torch.nn.Embedding):
            read.append(inputs[0].detach().reshape(-1, inputs[0].shape[-1]).clone())

    handle = torch.nn.modules.module.register_module_forward_pre_hook(hook)
    try:
        yield read
    finally:
        handle.remove()


def _judged(spec: ModelSpec) -> None:
    LocalChat(folder=spec.use.removeprefix("hf:")).score([Question("q", PROMPTS[0].chat, ("A", "B"))])


def _written(spec: ModelSpec) -> None:
    LocalChat(folder=spec.use.removeprefix("hf:")).reply([Request("q", PROMPTS[0].chat)], Params(1.0, 2), 0)


def _implied(spec: ModelSpec) -> None:
    folder = Path(spec.use.removeprefix("hf:"))
    scorer(folder, folder).scores(PROMPTS, ["yes"] * len(PROMPTS))


WAYS: dict[str, Callable[[Run, Make, ModelSpec], object]] = {
    "sft": lambda run, stored, spec: run.build(sft, stored("revise", CHAINS), cfg=Sft(model=spec, rank=2)),
    "reward": lambda run, stored, spec: run.build(reward, stored("combine", PAIRS), cfg=Reward(model=spec)),
    "dpo": lambda run, stored, spec: run.build(dpo, stored("combine", PAIRS), cfg=Dpo(model=spec, rank=2)),
    "kto": lambda run, stored, spec: run.build(kto, stored("combine", THUMBS), cfg=Kto(model=spec, rank=2)),
    "rl": lambda run, stored, spec: run.build(rl, stored("prompts", PROMPTS), None, None, cfg=_paid(spec)),
    "rloo": lambda run, stored, spec: run.build(rloo, stored("prompts", PROMPTS), None, None, cfg=_paid(spec)),
    "judge": lambda run, stored, spec: _judged(spec),
    "generate": lambda run, stored, spec: _written(spec),
    "implicit reward": lambda run, stored, spec: _implied(spec),
}


def _paid(spec: ModelSpec) -> Any:
    return small(spec, steps=1, rewards={"letter": {"use": "vowels"}})


@pytest.mark.parametrize("way", WAYS)
def test_every_text_has_one_beginning(run: Run, stored: Make, begun: ModelSpec, way: str) -> None:
    """Whatever trains, samples, judges or scores: what the model reads has a beginning, and never two in a row."""
    first = AutoTokenizer.from_pretrained(begun.use.removeprefix("hf:")).bos_token_id
    with overheard() as read:
        WAYS[way](run, stored, begun)
    rows = [row for ids in read for row in ids.tolist() if first in row]
    assert rows
    assert not [row for row in rows if (first, first) in pairwise(row)]


@settings(deadline=None, max_examples=30)
@given(asked=st.text(), said=st.text())
def test_what_is_asked_is_how_the_whole_begins(begun: ModelSpec, asked: str, said: str) -> None:
    """Whatever a template makes of an answer that is over (this one trims it): its ids are those that were sampled."""
    tokenizer = AutoTokenizer.from_pretrained(begun.use.removeprefix("hf:"))
    chat = [{"role": "user", "content": asked}]
    prompt, answer = prompt_ids(tokenizer, chat), answer_ids(tokenizer, said, ended=True)
    assert encode(tokenizer, chat, said).ids == [*prompt, *answer]
    assert (prompt.count(tokenizer.bos_token_id), answer.count(tokenizer.bos_token_id)) == (1, 0)


def moved(trainer: Any) -> Any:
    """Return the trainer with its adapter away from the reference."""
    draw = torch.Generator().manual_seed(7)
    for name, parameter in sorted(trainer.model.named_parameters()):
        if ".default." in name:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=draw)
    return trainer


@torch.no_grad()
def likelihood(model: Any, prompt: list[int], answer: list[int]) -> Tensor:
    """Return log P(answer | prompt) by a pass of its own."""
    logps = model(torch.tensor([[*prompt, *answer]])).logits[0, :-1].log_softmax(-1)
    return logps[len(prompt) - 1 :].gather(-1, torch.tensor(answer)[:, None]).sum()


LONG = Prompt.of("much " * 90)
LIMIT = 64


def test_dpo_has_its_loss_on_whole_answers_and_nothing_else(tiny: Path, spec: ModelSpec, tmp_path: Path) -> None:
    """By hand, from the answers' own tokens: the prompt has no part in it, and one too long costs no answer a token."""
    model, tokenizer = policy.fresh(str(tiny), 2, 0)
    pairs = [PAIRS[0], PAIRS[1].but(prompt=LONG)]
    rows = pair_columns(tokenizer, pairs, {}, LIMIT).rows
    options = dpo_options(Dpo(model=spec, beta=0.3, max_length=LIMIT), 0, str(tmp_path))
    trainer = moved(soft_dpo(model, tokenizer, rows, options=options))
    found = float(trainer.compute_loss(trainer.model, trainer.data_collator(rows)))
    before, each = policy.base(str(tiny))[0], []
    for pair, row in zip(pairs, rows, strict=True):
        asked = prompt_ids(tokenizer, pair.prompt.chat)
        assert row["prompt_ids"] == asked[len(asked) - len(row["prompt_ids"]) :] != []
        answers = [answer_ids(tokenizer, text, ended=True) for text in (pair.chosen, pair.rejected)]
        gains = [
            likelihood(trainer.model, row["prompt_ids"], a) - likelihood(before, row["prompt_ids"], a) for a in answers
        ]
        gap = 0.3 * (gains[0] - gains[1])
        each.append(float(-0.8 * logsigmoid(gap) - 0.2 * logsigmoid(-gap)))
    assert found == pytest.approx(sum(each) / len(each), abs=1e-5)


def test_kto_has_its_loss_on_whole_answers_and_nothing_else(tiny: Path, spec: ModelSpec, tmp_path: Path) -> None:
    """The same for thumbs, and for the mismatched answers that say how likely any answer has become."""
    model, tokenizer = policy.fresh(str(tiny), 2, 0)
    thumbs = [*THUMBS[1:3], THUMBS[3].but(prompt=LONG)]
    rows = mismatched(thumb_columns(tokenizer, thumbs, {}, LIMIT).rows, len(thumbs), 0)
    options = kto_options(Kto(model=spec, beta=0.3, max_length=LIMIT), 0, str(tmp_path))
    trainer = moved(weighed_kto(model, tokenizer, rows, options=options))
    found = float(trainer.compute_loss(trainer.model, trainer.data_collator(rows)))
    before = policy.base(str(tiny))[0]
    whole = {tuple(answer_ids(tokenizer, thumb.completion, ended=True)) for thumb in thumbs}
    assert {tuple(row["completion_ids"]) for row in rows} == whole
    gains = [
        [likelihood(m, row["prompt_ids"], row[which]) for m in (trainer.model, before)]
        for which in ("completion_ids", "KL_completion_ids")
        for row in rows
    ]
    gained = torch.stack([now - then for now, then in gains])
    own, usual = gained[: len(rows)], gained[len(rows) :].mean().clamp(min=0)
    sign = torch.tensor([1.0 if row["label"] else -1.0 for row in rows])
    assert found == pytest.approx(float((1 - torch.sigmoid(0.3 * sign * (own - usual))).mean()), abs=1e-5)
