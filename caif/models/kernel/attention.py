"""Attention over packed tokens, given to transformers' own modules through its interface for attention functions.

All linear layers see one row of tokens without padding; only attention knows which of them belong together. A model
for which that does not hold (recurrent layers, biases in its attention) keeps transformers' own: `install` compares the
two before anything is asked of them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from caif.models.kernel.past import Layers, Past
from caif.models.kernel.trie import Trie, lay_out, pieces

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FITS: "WeakKeyDictionary[PreTrainedModel, bool]" = WeakKeyDictionary()
NAME = "caif"
FOREIGN = ("softcap", "s_aux", "position_bias")
"""What some models add to their attention, and the functions below do not."""


class Plan(Protocol):
    """Which keys the packed tokens of one pass attend to."""

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """Return [tokens, heads, size], from queries [heads, tokens, size] and keys and values [fewer heads, ...]."""
        ...


class Tree:
    """One pass over a trie: each token attends to its path. `kept` receives every layer's keys and values.

    Those of `past`, which the trie's paths begin with, come first.
    """

    def __init__(self, trie: Trie, kept: Layers | None = None, past: Past | None = None):
        self.kept, self.past = kept, past
        self.first = past.size if past else 0
        self.runs = [(run, pieces(run.path)) for run in trie.runs]
        self.masks: dict[int | None, list[torch.Tensor | None]] = {}

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """See `Plan`."""
        if self.past is not None and self.first:
            keys, values = self.past.layers[layer]
            key, value = torch.cat([keys, key], 1), torch.cat([values, value], 1)
        if self.kept is not None:
            self.kept.append((key, value))
        if window not in self.masks:
            self.masks[window] = [_mask(run.stop - run.start, len(run.path), window, query) for run, _ in self.runs]
        out = query.new_empty(query.shape[1], query.shape[0], value.shape[2])
        for (run, seen), mask in zip(self.runs, self.masks[window], strict=True):
            own = slice(run.start, run.stop)
            mixed = scaled_dot_product_attention(
                query[None, :, own], _along(key, seen)[None], _along(value, seen)[None], mask,
                is_causal=mask is None, scale=scale, enable_gqa=key.shape[0] < query.shape[0],
            )  # fmt: skip
            out[own] = mixed[0].transpose(0, 1)
        return out


class Rows:
    """The keys and values of rows that are being answered, right-aligned, with room for what they will say.

    Rows that have ended leave, and the last ones take their places, so that nothing is computed for them.
    """

    def __init__(self, lengths: Sequence[int], room: int, device: torch.device, dtype: torch.dtype):
        self.end = max(lengths)
        self.pads = [self.end - length for length in lengths]
        self.room = self.end + room
        self.mask = torch.zeros(len(lengths), 1, 1, self.room, dtype=dtype, device=device)
        for row, pad in enumerate(self.pads):
            self.mask[row, ..., :pad] = -torch.inf
        self.layers: Layers = []

    def fill(self, rows: Sequence[int], paths: Sequence[Sequence[int]], kept: Layers) -> None:
        """Take the prompts of some rows over from a pass over their trie."""
        if not self.layers:
            sizes = [[(len(self.pads), x.shape[0], self.room, x.shape[2]) for x in pair] for pair in kept]
            self.layers = [(kept[0][0].new_empty(k), kept[0][0].new_empty(v)) for k, v in sizes]
        for row, path in zip(rows, paths, strict=True):
            where = torch.tensor(path, device=self.mask.device)
            for pair, found in zip(self.layers, kept, strict=True):
                for cache, new in zip(pair, found, strict=True):
                    cache[row, :, : self.pads[row]] = 0  # masked, but no number is no number times zero
                    cache[row, :, self.pads[row] : self.end] = new[:, where]

    def taken(self, place: int, row: int) -> Layers:
        """Return a copy of all that is held for a row, which stands in this place now."""
        own = slice(self.pads[row], self.end)
        return [(keys[place, :, own].clone(), values[place, :, own].clone()) for keys, values in self.layers]

    def keep(self, stay: Sequence[int]) -> list[int]:
        """Let all rows but some leave, and return which row now stands in each place."""
        places = [place if place in stay else -1 for place in range(len(stay))]
        movers = [row for row in stay if row >= len(stay)]
        for place in [place for place, row in enumerate(places) if row < 0]:
            places[place] = row = movers.pop()
            for cache in (self.mask, *(part for pair in self.layers for part in pair)):
                cache[place] = cache[row]
        return places

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """See `Plan`: one token a row, which is kept. Heads that share a key stand together, so none is repeated."""
        rows = query.shape[1]
        seen = slice(0 if window is None else max(0, self.end + 1 - window), self.end + 1)
        keys, values = self.layers[layer]
        keys[:rows, :, self.end], values[:rows, :, self.end] = key.transpose(0, 1), value.transpose(0, 1)
        grouped = query.transpose(0, 1).reshape(rows, key.shape[0], -1, query.shape[2])
        mask = self.mask[:rows, ..., seen]
        mixed = scaled_dot_product_attention(grouped, keys[:rows, :, seen], values[:rows, :, seen], mask, scale=scale)
        return mixed.reshape(rows, query.shape[0], -1)


def forward(model: "PreTrainedModel", tokens: Sequence[int], positions: Sequence[int], plan: Plan) -> torch.Tensor:
    """Return the hidden states [tokens, size] of packed tokens."""
    ids, places = (torch.tensor([numbers], device=model.device) for numbers in (tokens, positions))
    out = model.base_model(input_ids=ids, position_ids=places, use_cache=False, plan=plan)
    states: torch.Tensor = out.last_hidden_state[0]
    return states


def hidden(model: "PreTrainedModel", sequences: Sequence[Sequence[int]]) -> tuple[torch.Tensor, list[list[int]]]:
    """Return the hidden states of some sequences, and where in them every token of each sequence is found."""
    if installed(model):
        trie = lay_out(sequences)
        return forward(model, trie.tokens, trie.positions, Tree(trie)), trie.paths
    parts = [model.base_model(torch.tensor([[*ids]], device=model.device)).last_hidden_state[0] for ids in sequences]
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + len(part))
    return torch.cat(parts), [[*range(a, b)] for a, b in pairwise(ends)]


def installed(model: "PreTrainedModel") -> bool:
    """Whether a model attends as written here."""
    return bool(model.config._attn_implementation == NAME)


def install(model: "PreTrainedModel") -> None:
    """Let a model attend as written here if that changes nothing, which a few tokens show; else leave it as it is."""
    if model not in _FITS:
        _FITS[model] = _fits(model)
    if _FITS[model]:
        model.set_attn_implementation(NAME)


@contextmanager
def attending(model: "PreTrainedModel") -> Iterator[None]:
    """Install for a while: in training, transformers' and TRL's own code runs on the same model in between."""
    own = model.config._attn_implementation
    install(model)
    try:
        yield
    finally:
        model.set_attn_implementation(own)


def _fits(model: "PreTrainedModel") -> bool:
    """Whether hidden states of sequences that part, and of a token that follows, are those of the model's own attention."""
    kinds = set(getattr(model.config, "layer_types", None) or ["full_attention"])
    if not model._supports_attention_backend or kinds - {"full_attention", "sliding_attention"}:
        return False
    own = model.config._attn_implementation
    tokens = torch.arange(1, 8).remainder(model.config.vocab_size).tolist()
    asked = [tokens, tokens[:4], [*tokens[:2], *tokens[4:]]]
    with torch.no_grad():
        wanted = torch.cat([*(hidden(model, [ids])[0] for ids in asked), hidden(model, [tokens])[0][-1:]])
        near = (1e-3 if model.dtype == torch.float32 else 0.05) * float(wanted.abs().max())
        model.set_attn_implementation(NAME)
        try:
            trie = lay_out(asked)
            states = forward(model, trie.tokens, trie.positions, tree := Tree(trie))
            given = torch.cat([*(states[[*path]] for path in trie.paths), _followed(model, tokens)])
            return torch.allclose(given, wanted, rtol=0, atol=near) and _windows(model) <= tree.masks.keys()
        except (NotImplementedError, LookupError, TypeError, RuntimeError):
            return False
        finally:
            model.set_attn_implementation(own)


def _windows(model: "PreTrainedModel") -> set[int]:
    """Return how far layers look back, by the config: some models tell their masks alone, which are not used here."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    slides = "sliding_attention" in kinds if kinds else getattr(config, "use_sliding_window", True)
    return {window} if slides and (window := getattr(config, "sliding_window", None)) else set()


def _followed(model: "PreTrainedModel", tokens: list[int]) -> torch.Tensor:
    """Return the last token's hidden state [1, size], computed after the others were kept."""
    trie, kept = lay_out([tokens[:-1]]), Layers()
    forward(model, trie.tokens, trie.positions, Tree(trie, kept))
    rows = Rows([len(tokens) - 1], 1, model.device, model.dtype)
    rows.fill([0], trie.paths, kept)
    return forward(model, tokens[-1:], [len(tokens) - 1], rows)


def _along(part: torch.Tensor, seen: Sequence[slice]) -> torch.Tensor:
    """Return keys or values [heads, tokens, size] along a path; pieces are copied at a third of what single tokens take."""
    return part[:, seen[0]] if len(seen) == 1 else torch.cat([part[:, piece] for piece in seen], 1)


def _mask(own: int, seen: int, window: int | None, like: torch.Tensor) -> torch.Tensor | None:
    """Return what is added to the scores of a run's last tokens, or None where they simply see all before them."""
    if own == seen and (window is None or seen <= window):
        return None
    distance = torch.arange(seen - own, seen)[:, None] - torch.arange(seen)
    hidden_from = (distance < 0) | (distance >= (window or seen + 1))
    return torch.zeros(own, seen).masked_fill(hidden_from, -torch.inf).to(like)


def _attend(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> tuple[torch.Tensor, None]:
    if any(options.get(name) is not None for name in FOREIGN):
        raise NotImplementedError
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    plan: Plan = options["plan"]
    out = plan.attend(module.layer_idx, query[0], key[0], value[0], scale, options.get("sliding_window"))
    return out[None], None


AttentionInterface.register(NAME, _attend)
