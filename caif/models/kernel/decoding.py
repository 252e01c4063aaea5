"""Sampled answers to a batch of prompts: their trie is computed once, then all rows in step, until each has ended."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

from caif.errors import CaifError
from caif.models.kernel import head
from caif.models.kernel.attention import Rows, Tree, forward, installed
from caif.models.kernel.past import Layers, Past
from caif.models.kernel.trie import cut, lay_out

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PROMPT_TOKENS = 4096
"""How many tokens of prompts are computed at once: more only takes more memory."""

BLOCK = 512

Ended = Callable[[list[int]], bool]


def decode(
    model: "PreTrainedModel",
    prompts: Sequence[list[int]],
    tokens: int,
    temperature: float,
    seed: int,
    ended: Ended,
    past: Past | None = None,
) -> list[list[int]]:
    """Return the ids that follow each prompt: `tokens` at most, up to and with the first after which `ended` holds.

    The same batch and seed give the same answers; a row's draws do not depend on when other rows end. Temperature 0
    takes the likeliest token. No prompt may be empty. What `past` holds of the prompts is not computed again, and then
    it holds these prompts and what followed. A model that would have to go beyond its positions is refused.
    """
    refuse_too_long(model, max(map(len, prompts)) + tokens)
    if not installed(model):
        return _by_transformers(model, prompts, tokens, temperature, seed, ended)
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(tokens, len(prompts), generator=generator, dtype=torch.float64).to(model.device)
    said: list[list[int]] = [[] for _ in prompts]
    live = list(range(len(prompts)))
    left: list[tuple[list[int], Layers]] = []
    with torch.inference_mode():
        rows, states = _read(model, prompts, tokens, past)
        for n in range(tokens):
            chosen = pick(head.logits(model, states), temperature, draws[n, live])
            for row, token in zip(live, chosen, strict=True):
                said[row].append(token)
            stay = [place for place, row in enumerate(live) if n + 1 < tokens and not ended(said[row])]
            if past is not None:
                gone = [(place, row) for place, row in enumerate(live) if place not in stay]
                left += [([*prompts[row], *said[row][:-1]], rows.taken(place, row)) for place, row in gone]
            if not stay:
                break
            places = rows.keep(stay)
            live = [live[place] for place in places]
            positions = [len(prompts[row]) + n for row in live]
            states = forward(model, [chosen[place] for place in places], positions, rows)
            rows.end += 1
        if past is not None:
            past.put(left)
    return said


def refuse_too_long(model: "PreTrainedModel", wanted: int) -> None:
    """Refuse to go beyond a model's positions: there it says anything, or breaks."""
    if wanted > (most := positions(model)):
        what = f"a prompt and its answer take {wanted:,} tokens, the model takes {most:,}"
        raise CaifError(what, "leave out long prompts, or lower max_tokens")


def positions(model: "PreTrainedModel") -> float:
    """Return how many tokens a model can see, infinity if that is not limited."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or math.inf


def pick(logits: torch.Tensor, temperature: float, draws: torch.Tensor) -> list[int]:
    """Return one token a row of float32 logits [rows, vocabulary]: where a draw from [0, 1) meets the running sum.

    Sums over blocks find the block first: a running sum over a whole vocabulary takes a tenth of a decoding step.
    """
    if temperature == 0:
        return logits.argmax(-1).tolist()
    scaled = pad(logits, (0, -logits.shape[1] % BLOCK), value=-torch.inf).sub_(logits.amax(-1, keepdim=True))
    blocks = scaled.div_(temperature).exp_().view(len(logits), -1, BLOCK)
    sums = blocks.sum(-1).double().cumsum(-1)
    met = draws[:, None] * sums[:, -1:]
    block = _first_above(sums, met)
    before = pad(sums, (1, 0)).gather(1, block)
    inner = blocks.take_along_dim(block[:, :, None], 1)[:, 0].double().cumsum(-1)
    return (block * BLOCK + _first_above(inner, met - before))[:, 0].tolist()


def _first_above(sums: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return where each row's running sum first exceeds its value; rounding cannot carry a value past the last sum."""
    return torch.searchsorted(sums, torch.minimum(values, sums[:, -1:] * (1 - 1e-12)), right=True)


def _read(
    model: "PreTrainedModel", prompts: Sequence[list[int]], room: int, past: Past | None
) -> tuple[Rows, torch.Tensor]:
    """Return the keys and values of all prompts, with room for what follows, and the hidden state each one ends in."""
    rows = Rows(list(map(len, prompts)), room, model.device, model.dtype)
    last: dict[int, torch.Tensor] = {}
    for some in cut(prompts, PROMPT_TOKENS):
        trie = lay_out([prompts[row] for row in some], past)
        kept: Layers = []
        tree = Tree(trie, kept, past)
        states = forward(model, trie.tokens, trie.positions, tree)
        rows.fill(some, trie.paths, kept)
        last |= {row: states[path[-1] - tree.first] for row, path in zip(some, trie.paths, strict=True)}
    return rows, torch.stack([last[row] for row in range(len(prompts))])


def _by_transformers(
    model: "PreTrainedModel", prompts: Sequence[list[int]], tokens: int, temperature: float, seed: int, ended: Ended
) -> list[list[int]]:
    """Return the same for models that `install` left as they were.

    What is recurrent in a model takes padding for tokens, so there only prompts of one length are answered together.
    """
    torch.manual_seed(seed)
    lengths = {len(prompt) for prompt in prompts} if model._is_stateful else {0}
    said: list[list[int]] = [[] for _ in prompts]
    for length in sorted(lengths):
        rows = [row for row, prompt in enumerate(prompts) if length in (0, len(prompt))]
        answers = _generated(model, [prompts[row] for row in rows], tokens, temperature, ended)
        for row, answer in zip(rows, answers, strict=True):
            said[row] = answer
    return said


def _generated(
    model: "PreTrainedModel", prompts: Sequence[list[int]], tokens: int, temperature: float, ended: Ended
) -> list[list[int]]:
    from transformers import GenerationConfig

    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0}
    config = GenerationConfig(
        max_new_tokens=tokens, pad_token_id=0, **(sampling if temperature else {"do_sample": False})
    )

    def stop(found: torch.Tensor, _: object, **__: object) -> torch.Tensor:
        return torch.tensor([ended(row) for row in found[:, width:].tolist()], device=found.device)

    with torch.inference_mode():
        out = model.generate(  # type: ignore[operator]
            ids, attention_mask=mask, generation_config=config, stopping_criteria=[stop]
        )
    answers = out[:, width:].tolist()
    return [next((row[:n] for n in range(1, len(row)) if ended(row[:n])), row) for row in answers]
