"""What RL's trainers have in common: prompts encoded as everywhere in caif, and answers sampled by caif's own decoding."""

from collections.abc import Sequence
from typing import Any

import torch

from caif.models.encode import prompt_ids
from caif.models.kernel.attention import attending
from caif.models.kernel.decoding import decode
from caif.models.pack import packed
from caif.training.encoding import Chat
from caif.training.trainers import Quiet


class Answering(Quiet):
    """A trainer of TRL's that samples answers; it stands before TRL's class.

    TRL's sampler draws an order of prompts each epoch, one after the other.
    """

    @property
    def paid(self) -> dict[str, float]:
        """The weight of each reward now."""
        names, weights = self.reward_func_names, self.reward_weights.tolist()  # type: ignore[attr-defined]
        return dict(zip(names, weights, strict=True))

    def answers(self, chats: Sequence[Chat]) -> list[str]:
        """Return an answer to each conversation, sampled apart: the training draws as if nobody had asked."""
        tokenizer: Any = self._tokenizer  # type: ignore[attr-defined]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.args.seed)
            ids = self.said([prompt_ids(tokenizer, chat) for chat in chats])
        return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]

    def said(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """Return an answer's ids to each prompt's; the draws come from the trainer's seed, by way of torch's own generator."""
        trainer: Any = self  # what TRL's class has beside a Trainer
        inner = trainer.accelerator.unwrap_model(trainer.model_wrapped).get_base_model()
        seed, ends, training = int(torch.randint(2**31, (1,))), set(trainer.eos_token_ids), inner.training
        inner.eval()
        with packed(inner), attending(inner):
            limit = trainer.max_completion_length
            said = decode(inner, prompts, limit, trainer.temperature, seed, lambda ids: ids[-1] in ends)
        inner.train(training)
        return said

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """Encode prompts as for every other question to the model, with control tokens in them made inert."""
        return [prompt_ids(self._tokenizer, prompt) for prompt in prompts], None, {}  # type: ignore[attr-defined]

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        """Return TRL's sampler, with the orders of the epochs drawn that lie behind."""
        sampler: Any = super()._get_train_sampler(dataset)
        steps = sampler.num_samples // sampler.batch_size * self.args.num_iterations  # type: ignore[attr-defined]
        for _ in range(self.behind // steps):
            next(iter(sampler))
        return sampler
