"""What TRL's trainers are told, from the run file's values; and what TRL has to say against them, before a run."""

from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

from caif import processes
from caif.config import Rl, RunConfig, Sft
from caif.sections.offline import Dpo, Kto


def _shared(seed: int, folder: str) -> dict[str, Any]:
    """Return what all trainers are told: nothing reported, nothing saved on the way, the same draws every time."""
    import torch

    from caif.models.local import device, precision

    on_cpu = device() == "cpu"
    return {
        "output_dir": folder,
        "seed": seed % 2**31,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # it would show the last good loss in place of a NaN
        "disable_tqdm": True,
        "lr_scheduler_type": "constant",
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
        "ddp_find_unused_parameters": False,  # every step uses the whole adapter
        "use_cpu": on_cpu,
        "bf16": precision() == torch.bfloat16,
        "gradient_checkpointing": not on_cpu,  # on a CPU memory is cheaper than a second forward pass
    }


def sft_options(cfg: Sft, seed: int, folder: str) -> dict[str, Any]:
    """Return the arguments of TRL's SFTConfig."""
    return _shared(seed, folder) | {
        **_batches(processes.part(cfg.batch, "sft.batch"), cfg.at_once),
        "num_train_epochs": cfg.epochs,
        "learning_rate": cfg.learning_rate,
        "max_length": cfg.max_length,
        "completion_only_loss": True,
    }


def dpo_options(cfg: Dpo, seed: int, folder: str) -> dict[str, Any]:
    """Return the arguments of TRL's DPOConfig."""
    return _offline(cfg, "dpo.batch", 1, seed, folder)


def kto_options(cfg: Kto, seed: int, folder: str) -> dict[str, Any]:
    """Return the arguments of TRL's KTOConfig. Rows are taken as they lie, at least two at once."""
    return _offline(cfg, "kto.batch", 2, seed, folder) | {"train_sampling_strategy": "sequential"}


def _offline(cfg: Dpo | Kto, what: str, at_least: int, seed: int, folder: str) -> dict[str, Any]:
    return _shared(seed, folder) | {
        **_batches(processes.part(cfg.batch, what), cfg.at_once, at_least),
        "num_train_epochs": cfg.epochs,
        "learning_rate": cfg.learning_rate,
        "max_length": cfg.max_length,
        "beta": cfg.beta,
        "remove_unused_columns": False,
        "disable_dropout": True,
    }


def rl_options(cfg: Rl, seed: int, folder: str) -> dict[str, Any]:
    """Return the arguments of TRL's GRPOConfig. Each process samples a batch of whole groups, then takes it in equal parts.

    What TRL would make of the rewards is not used (`caif.training.payment`), so nothing is normalised there.
    """
    answers = cfg.generations * processes.part(cfg.prompts_per_step, "rl.prompts_per_step")
    return _shared(seed, folder) | {
        **_batches(answers, cfg.at_once),
        "max_steps": cfg.steps,
        "learning_rate": cfg.learning_rate,
        "num_generations": cfg.generations,
        "num_iterations": cfg.updates,
        "beta": cfg.beta,
        "temperature": cfg.temperature,
        "max_completion_length": cfg.max_tokens,
        "multi_objective_aggregation": "sum_then_normalize",
        "scale_rewards": "none",
        "mask_truncated_completions": cfg.truncated == "mask",
        "disable_dropout": True,
    }


def rloo_options(cfg: Rl, names: Sequence[str], seed: int, folder: str) -> dict[str, Any]:
    """Return the arguments of TRL's RLOOConfig: those of GRPO that it has, and each reward's weight."""
    grpos = ("multi_objective_aggregation", "scale_rewards")
    given = {name: value for name, value in rl_options(cfg, seed, folder).items() if name not in grpos}
    return given | {"reward_weights": [cfg.weights.get(name, 1.0) for name in names], "normalize_advantages": False}


def _batches(rows: int, limit: int, at_least: int = 1) -> dict[str, int]:
    """Return how a step's rows of one process are taken: so many at once, so many times."""
    at_once = max(share(rows, limit), at_least)
    return {"per_device_train_batch_size": at_once, "gradient_accumulation_steps": rows // at_once}


def share(rows: int, limit: int) -> int:
    """Return the largest equal part of so many rows that is within the limit."""
    return max(part for part in range(1, min(rows, limit) + 1) if rows % part == 0)


def check(config: RunConfig) -> list[str]:
    """Return TRL's complaints about the run file's values, one line each."""
    try:
        from trl import DPOConfig, GRPOConfig, KTOConfig, SFTConfig
    except ImportError as error:
        return [f"training needs torch, transformers, trl and peft: {error}"]
    found: list[str] = []
    with TemporaryDirectory() as folder:
        if config.sft:
            found += _complaint("sft", SFTConfig, sft_options(config.sft, config.seed, folder))
        if config.dpo:
            found += _complaint("dpo", DPOConfig, dpo_options(config.dpo, config.seed, folder))
        if config.kto:
            found += _complaint("kto", KTOConfig, kto_options(config.kto, config.seed, folder))
        if config.rl:
            found += _complaint("rl", GRPOConfig, rl_options(config.rl, config.seed, folder))
    return found


def _complaint(section: str, make: Callable[..., Any], options: dict[str, Any]) -> list[str]:
    try:
        make(**options)
    except (ValueError, TypeError, NotImplementedError, ImportError) as error:
        return [f"[{section}]: {' '.join(str(error).split())}"]
    return []
