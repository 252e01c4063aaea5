"""Sample answers: first drafts from the helpful-only model, later the pairs to compare from the tuned one."""

from typing import Any

from caif.config import Generate
from caif.data import Completion, Prompt
from caif.hookspecs import Params
from caif.run import Work
from caif.sampling import sample
from caif.store import Artifact


def generate(work: Work, asked: Artifact, tuned: Artifact | None = None, *, cfg: Generate) -> dict[str, Any]:
    """Write `samples` answers a prompt, each with its finish reason; answers that are none are kept and counted."""
    wanted = [p for p in asked.rows(Prompt) if cfg.prompts == "all" or p.split == cfg.prompts]
    model = work.models(tuned if tuned and not cfg.model else cfg.model)  # type: ignore[arg-type]
    completions = sample(work, model, wanted, cfg.samples, Params(cfg.temperature, cfg.max_tokens), cfg.system)
    work.write(completions, Completion)
    for completion in completions:
        ended = completion.finish in ("stop", "length")
        work.draft.count("empty answer" if ended and not completion.text else f"finish: {completion.finish}")
    return {"model": model.id, "answers": len(completions)}


generate.version = 2

