"""From hidden states to logits, as a model's own forward pass makes them: some scale or cap what the output matrix gives."""

from typing import TYPE_CHECKING

import torch

from caif.errors import CaifError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def logits(model: "PreTrainedModel", states: torch.Tensor) -> torch.Tensor:
    """Return float32 logits [places, vocabulary] of hidden states [places, size].

    Cohere's models multiply them, Granite's divide them, Gemma 2 caps them; without it log-odds would be many times too
    large or too small, and samples too hot or too cold.
    """
    config = model.config.get_text_config()
    found: torch.Tensor = model.get_output_embeddings()(states).float()  # type: ignore[no-untyped-call]
    scale = float(getattr(model, "logit_scale", None) or 1) / float(getattr(config, "logits_scaling", None) or 1)
    found = found if scale == 1 else found * scale
    cap = getattr(config, "final_logit_softcapping", None)
    return found if not cap else torch.tanh(found / cap) * cap


def refuse_foreign(model: "PreTrainedModel", name: str) -> None:
    """Refuse a model whose logits are not what `logits` makes of its hidden states, which a few tokens show."""
    ids = torch.arange(1, 8, device=model.device).remainder(model.config.get_text_config().vocab_size)[None]
    with torch.inference_mode():
        own = model(input_ids=ids).logits[0].float()
        try:
            ours = logits(model, model.base_model(input_ids=ids).last_hidden_state[0])
            near = (1e-3 if model.dtype == torch.float32 else 0.05) * float(own.abs().nan_to_num().max())
            same = torch.allclose(ours, own, rtol=0, atol=near, equal_nan=True)  # a broken weight is another complaint
        except (RuntimeError, TypeError, AttributeError):
            same = False
    if not same:
        what = f"{name}: {type(model).__name__} makes its logits in a way that caif does not know"
        raise CaifError(what, "use another model, or serve this one and name the server (openai:NAME with base_url)")
