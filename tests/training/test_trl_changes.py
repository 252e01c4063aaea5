"""What caif's trainers override of TRL's is as it was when they were written: where TRL changes it, look before you go on."""

import inspect
from hashlib import sha256

import pytest
import trl
from trl import GRPOTrainer, RLOOTrainer

from caif.training.reinforcing import Grpo
from caif.training.rloo import Rloo

SEEN = "1.16.0"
"""The version of TRL that the digests below were taken from."""

LOOK_AT = {
    "_send_telemetry": "is it still all that TRL sends anywhere?",
    "_tokenize_prompts": "does it still give ids, images and further columns?",
    "_generate_single_turn": "are the arguments still ids first, and is nothing but ids and log-probabilities returned?",
    "_get_per_token_logps_and_entropies": "are the values still those of the last `logits_to_keep` tokens? If TRL no longer "
    "scores every position without Triton, measure whether the override still pays (tests/bench/bench_grpo.py)",
    "_calculate_rewards": "are the rewards still [answers of all processes, functions], NaN where one is missing?",
    "_generate_and_score_completions": "is `advantages` still one number an answer, the reference scored before rewards, "
    "and RLOO's `kl` still a mean over the tokens of `completion_mask`?",
    "_compute_loss": "is `ref_per_token_logps` still in the batch, and are log-probabilities still asked for once a batch?",
    "_get_train_sampler": "does it still draw one order of the prompts an epoch, each prompt as often as before?",
    "create_model_card": "is it still all that writes a card into checkpoints?",
}
"""What to look at when a method has changed."""

BOTH = {
    "_get_train_sampler": "36497afb4d311dc9",
    "_send_telemetry": "3e012069065d03d1",
    "create_model_card": "4f8a407fd9fd3f6e",
}
GRPO = {
    **BOTH,
    "_calculate_rewards": "736ae29b083840b5",
    "_compute_loss": "80295546bbdbf6f7",
    "_generate_and_score_completions": "1fa48922792dcd5c",
    "_generate_single_turn": "e0f02e4fc094cefd",
    "_get_per_token_logps_and_entropies": "ea73c3909275851d",
    "_tokenize_prompts": "d2d27f7c9bfda85f",
}
RLOO = {
    **BOTH,
    "_calculate_rewards": "81ef76d93756be6f",
    "_generate_and_score_completions": "93ebbf5e70d31778",
    "_generate_single_turn": "c68ae4ca477d5382",
    "_tokenize_prompts": "da688fca7ff22f2d",
}


def overridden(ours: type, theirs: type) -> dict[str, str]:
    """Return the digest of each method of TRL's trainer that a trainer of caif's has its own of."""
    own = {name for kind in ours.__mro__ if kind.__module__.startswith("caif.") for name in vars(kind)}
    methods = [(name, inspect.getattr_static(theirs, name, None)) for name in sorted(own) if not name.startswith("__")]
    found = {name: inspect.unwrap(method) for name, method in methods if inspect.isfunction(method)}
    return {
        name: sha256(inspect.getsource(method).encode()).hexdigest()[:16]
        for name, method in found.items()
        if method.__module__.startswith("trl.")
    }


@pytest.mark.parametrize(("ours", "theirs", "known"), [(Grpo, GRPOTrainer, GRPO), (Rloo, RLOOTrainer, RLOO)])
def test_what_is_overridden_is_what_it_was(ours: type, theirs: type, known: dict[str, str]) -> None:
    """The source of every overridden method is the one that was read; the message says what to look at."""
    found = overridden(ours, theirs)
    assert found.keys() == known.keys(), (
        f"{ours.__name__} overrides other methods of TRL's than this test knows: {found}"
    )
    changed = [name for name in found if found[name] != known[name]]
    told = "\n".join(f"  {name} ({found[name]}): {LOOK_AT[name]}" for name in changed)
    assert not changed, (
        f"TRL {trl.__version__} is not TRL {SEEN} in {theirs.__name__}:\n{told}\nthen write its digests here"
    )
