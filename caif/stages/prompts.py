"""Read the prompts, once each, and set the held-out ones apart before anything is trained."""

from typing import Any

from caif.config import Prompts
from caif.data import Prompt, Rejected, split_of
from caif.errors import CaifError
from caif.run import Work


def prompts(work: Work, *, cfg: Prompts) -> dict[str, Any]:
    """Write every usable prompt with its split; unusable rows are counted by reason."""
    kept: dict[str, Prompt] = {}
    rejected: list[Rejected] = []
    for row in work.make(cfg)():
        if isinstance(row, Rejected):
            rejected.append(row)
            work.draft.count(f"rejected: {row.reason}")
        elif row.id in kept:
            work.draft.count("duplicate prompt")
        else:
            kept[row.id] = row.model_copy(update={"split": split_of(row, cfg.heldout, work.seed)})
    if not kept:
        why = f"; the first: {rejected[0].where}: {rejected[0].reason}" if rejected else ""
        raise CaifError(f"prompts: no usable rows in {cfg.options.get('path', cfg.use)}{why}", "check the file and its format")
    work.write(list(kept.values()), Prompt)
    work.write(rejected, Rejected)
    heldout = sum(prompt.split == "heldout" for prompt in kept.values())
    return {"train": len(kept) - heldout, "heldout": heldout}


prompts.version = 1
