"""What every way of RL begins and ends with: prompts as TRL's columns, and the policy kept with what its guards said."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caif.audit.overoptimisation import along
from caif.config import Rl
from caif.data import Prompt
from caif.errors import FAILED, CaifError
from caif.run import Work
from caif.store import Artifact
from caif.training import policy
from caif.training.reinforcing import Reinforced
from caif.training.watch import Trip

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase


def prompts_of(asked: Artifact) -> list[Prompt]:
    """Return the prompts to train on."""
    prompts = [prompt for prompt in asked.rows(Prompt) if prompt.split == "train"]
    if not prompts:
        raise CaifError("rl: there is no prompt to train on", "lower prompts.heldout or add prompts", code=FAILED)
    return prompts


def columns(prompts: Sequence[Prompt], at_least: int) -> dict[str, list[Any]]:
    """Return TRL's columns, `prompt` and what rewards may want to know of it; few prompts are asked again.

    TRL leaves out a last batch that is not full, so with fewer prompts than a step takes it would train on none.
    """
    wanted = list(prompts) * -(-at_least // len(prompts))
    return {
        "prompt": [prompt.chat for prompt in wanted],
        "prompt_id": [prompt.id for prompt in wanted],
        "tags": [list(prompt.tags) for prompt in wanted],
        "source": [prompt.source for prompt in wanted],
    }


def ended(
    work: Work, model: "PeftModel", tokenizer: "PreTrainedTokenizerBase", done: Reinforced, cfg: Rl
) -> dict[str, Any]:
    """Save the policy's adapter; return what every step was like, and which guard stopped it if one did."""
    policy.save(model, work.draft.model, tokenizer)
    pushed = along(done.steps)
    told = {"steps": done.steps, **({"overoptimisation": pushed} if pushed else {})}
    if done.trip is None:
        return told
    _tell(work, done.trip, cfg)
    return told | {"tripped": done.trip._asdict() | {"said": done.trip.said}}


def _tell(work: Work, trip: Trip, cfg: Rl) -> None:
    """Say that RL was stopped; as an error, unless the run file wants the last good policy then."""
    which = f"the policy of step {trip.kept} is kept" if trip.kept else "the policy it started from is kept"
    if cfg.guards.on_trip == "keep":
        work.tell.warn(f"{trip.said}; {which}")
        return
    remedy = f'{which} in {work.draft.model}; rl.guards.on_trip = "keep" goes on with it'
    raise CaifError(trip.said, remedy, code=FAILED)
