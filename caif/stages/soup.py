"""Average policies that were each trained on one reward: a policy between them, for weights that nobody trained with."""

import shutil
from typing import Any

from caif.errors import CaifError
from caif.run import Work
from caif.sections.offline import Soup
from caif.store import Artifact


def soup(work: Work, *policies: Artifact, cfg: Soup) -> dict[str, Any]:
    """Write the adapter that changes each matrix by the weighted mean of what the policies' adapters change."""
    total = sum(cfg.weights.values())
    shares = {name: weight / total for name, weight in cfg.weights.items()}
    for name, policy in zip(shares, policies, strict=True):
        others = [other for other, weight in policy.metrics["rewards"].items() if weight and other != name]
        if others:
            raise CaifError(
                f"soup: the policy for {name} was paid for {others[0]} too", f"name it: soup.weights.{others[0]} = 0"
            )
    from caif.training.soup import CONFIG, WEIGHTS
    from caif.training.soup import soup as merge

    merge([policy.model for policy in policies], list(shares.values()), work.draft.model)
    for file in policies[0].model.iterdir():
        if file.name not in (CONFIG, WEIGHTS):
            shutil.copyfile(file, work.draft.model / file.name)
    return {"shares": shares}


soup.version = 1
