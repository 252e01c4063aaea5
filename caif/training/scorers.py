"""Whatever scores an answer, behind one function: caif's reward models, any sequence classifier, and what DPO learned.

None stands for an answer that the model cannot read whole; it is never a score.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from caif.data import Prompt
from caif.errors import CaifError
from caif.models.encode import inert
from caif.models.local import device, load
from caif.training.encoding import Encoded, encode, within
from caif.training.instructed import FILE, Instructed, score_under
from caif.training.reward_model import FACTS, RewardModel

TOKENS = 4096
"""How many tokens, padding included, go through a model at once."""
LONGEST = 4096
"""How many tokens a model reads that does not say so itself."""

Scores = list[list[float] | None]


class Scorer(NamedTuple):
    """`scores` takes prompts and answers and gives a row an answer, a column a name."""

    names: tuple[str, ...]
    scores: Callable[[Sequence[Prompt], Sequence[str]], Scores]


def scorer(folder: Path, reference: Path | None = None, beta: float = 0.1, principle: str = "") -> Scorer:
    """Return what scores answers in a folder: a policy against its reference, or what its files say.

    A principle's text is for caif's own models that have a head to read it.
    """
    if principle and not (folder / FILE).is_file():
        raise CaifError(f"{folder}: has no head that reads principles", "train it with reward.instructed=true")
    if (folder / FACTS).is_file():
        model = RewardModel.load(folder)
        if principle:
            return Scorer(("principle",), partial(_under, model, Instructed.load(folder), principle))
        return Scorer(model.objectives, partial(_of_heads, model))
    if reference is not None:
        return Scorer(("implicit",), partial(_implicit, str(folder), str(reference), beta))
    config = folder / "config.json"
    kind = json.loads(config.read_text(encoding="utf-8")).get("architectures") or [""] if config.is_file() else [""]
    if not kind[0].endswith("ForSequenceClassification"):
        raise CaifError(
            f"{folder}: is no reward model", "a policy that DPO trained needs --reference, what it was trained from"
        )
    return Scorer(("reward",), partial(_classified, str(folder)))


def _under(
    model: RewardModel, head: Instructed, principle: str, prompts: Sequence[Prompt], answers: Sequence[str]
) -> Scores:
    encoded = [_fitting(model, p, a) for p, a in zip(prompts, answers, strict=True)]
    return _filled(encoded, lambda rows: score_under(model, head, principle, rows)[:, None])


def _fitting(model: RewardModel, prompt: Prompt, answer: str) -> Encoded | None:
    return within(encode(model.trunk.tokenizer, prompt.chat, answer), model.max_length)


def _of_heads(model: RewardModel, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
    encoded = [_fitting(model, p, a) for p, a in zip(prompts, answers, strict=True)]
    return _filled(encoded, lambda rows: model.read(model.features(rows)))


@torch.no_grad()
def _classified(folder: str, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
    """Score by a classifier with one label, as its own chat template writes the conversation."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).to(device()).eval()
    if model.config.num_labels != 1:
        raise CaifError(f"{folder}: has {model.config.num_labels} labels", "a reward model has one")
    longest = getattr(model.config, "max_position_embeddings", LONGEST)
    rows = [_whole(tokenizer, prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
    # One at a time, without a padding token: where that is the end-of-turn token, the token before would be read.
    model.config.pad_token_id = None

    def scored(some: Sequence[Encoded]) -> Tensor:
        return torch.cat(
            [model(input_ids=torch.tensor([row.ids], device=model.device)).logits.float().cpu() for row in some]
        )

    return _filled([row if len(row.ids) <= longest else None for row in rows], scored)


def _whole(tokenizer: Any, prompt: Prompt, answer: str) -> Encoded:
    """Return the ids of a conversation that is over, by the model's template if it has one."""
    if tokenizer.chat_template is None:
        return encode(tokenizer, prompt.chat, answer)
    talk = [{"role": m["role"], "content": inert(tokenizer, m["content"])} for m in prompt.chat]
    talk.append({"role": "assistant", "content": inert(tokenizer, answer)})
    return Encoded(list(tokenizer.apply_chat_template(talk, tokenize=True, return_dict=False)), 0)


def _implicit(policy: str, reference: str, beta: float, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
    """Score by beta x log(policy / reference) of the answer, which is the reward that DPO fits (2305.18290)."""
    known = [_log_probabilities(folder, prompts, answers) for folder in (policy, reference)]
    return [None if a is None or b is None else [beta * (a[0] - b[0])] for a, b in zip(*known, strict=True)]


@torch.no_grad()
def _log_probabilities(folder: str, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
    model, tokenizer = load(folder)
    longest = getattr(model.config, "max_position_embeddings", LONGEST)
    encoded = [within(encode(tokenizer, p.chat, a), longest) for p, a in zip(prompts, answers, strict=True)]

    def scored(rows: Sequence[Encoded]) -> Tensor:
        found = torch.zeros(len(rows), 1)
        for batch in batches_by_length([len(row.ids) for row in rows], TOKENS):
            found[batch, 0] = _of_answers(model, [rows[n] for n in batch])
        return found

    return _filled(encoded, scored)


def batches_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return row numbers in batches of like length, each of at most so many tokens with padding, longest first."""
    batches: list[list[int]] = []
    for n in sorted(range(len(lengths)), key=lambda n: (-lengths[n], n)):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= budget:
            batches[-1].append(n)
        else:
            batches.append([n])
    return batches


def _of_answers(model: Any, rows: Sequence[Encoded]) -> Tensor:
    """Return the log-probability of each row's answer and its end, padded on the left so that all answers end together."""
    width, last = max(len(row.ids) for row in rows), max(row.answer for row in rows)
    padding = [width - len(row.ids) for row in rows]
    ids = torch.tensor([[0] * pad + row.ids for pad, row in zip(padding, rows, strict=True)], device=model.device)
    place = torch.arange(width, device=model.device)[None] - torch.tensor(padding, device=model.device)[:, None]
    logits = model(
        input_ids=ids, attention_mask=(place >= 0).long(), position_ids=place.clamp(min=0), logits_to_keep=last + 1,
        use_cache=False,
    ).logits[:, -last - 1 : -1]  # fmt: skip
    said = ids[:, -logits.shape[1] :]
    each = logits.float().log_softmax(-1).gather(-1, said[:, :, None])[:, :, 0].cpu()
    own = torch.arange(each.shape[1]) >= each.shape[1] - torch.tensor([row.answer for row in rows])[:, None]
    return (each * own).sum(1)


def _filled(encoded: Sequence[Encoded | None], scored: Callable[[Sequence[Encoded]], Tensor]) -> Scores:
    """Return a row of scores for everything that could be encoded, None for the rest; no number is an error."""
    rows = [one for one in encoded if one is not None]
    values = scored(rows) if rows else torch.zeros(0, 1)
    if not bool(values.isfinite().all()):
        raise CaifError(
            "the model gives a score that is no number", "its weights are broken, or its precision is too small"
        )
    known = iter(values.tolist())
    return [None if one is None else next(known) for one in encoded]
