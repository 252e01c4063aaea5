"""Choose each prompt's best answer by the reward model's heads, to tune on: rejection sampling."""

from collections import defaultdict
from typing import Any

from caif.data import Completion, Revision, Turn
from caif.errors import FAILED, CaifError
from caif.run import Work
from caif.sections.offline import Choose
from caif.store import Artifact


def chosen(work: Work, samples: Artifact, rewards: Artifact, *, cfg: Choose) -> dict[str, Any]:
    """Write each training prompt's worst and best answer as a revision, for [sft] to learn the best one.

    Best is by the weighted sum of the heads, each standardised as RL standardises them. A prompt with one answer only, or
    with equal ones, has nothing to choose among and is counted.
    """
    answers = [c for c in samples.rows(Completion) if c.usable and c.prompt.split == "train"]
    work.models.release()
    from caif.training.reward_model import RewardModel

    model = RewardModel.load(rewards.model)
    for name in cfg.weights:
        if name not in model.objectives:
            raise CaifError(f"choose.weights: there is no head {name!r}", f"there are: {', '.join(model.objectives)}")
    rewards_of = model.rewards([c.prompt for c in answers], [c.text for c in answers]).tolist()
    by_prompt: dict[str, list[tuple[float, Completion]]] = defaultdict(list)
    for answer, row in zip(answers, rewards_of, strict=True):
        parts = (cfg.weights.get(name, 1.0) * value for name, value in zip(model.objectives, row, strict=True))
        by_prompt[answer.prompt.id].append((sum(parts), answer))
    rows, gains = [], []
    for scored in by_prompt.values():
        (_, worst), (high, best) = min(scored, key=lambda s: s[0]), max(scored, key=lambda s: s[0])
        if best.text == worst.text:
            work.draft.count("nothing to choose among")
            continue
        turn = Turn(principle="", critique="", revision=best.text)
        rows.append(Revision(prompt=best.prompt, first=worst.text, turns=(turn,), final=best.text))
        gains.append(high - sum(score for score, _ in scored) / len(scored))
    if not rows:
        raise CaifError("choose: no prompt has two answers that differ", "raise sample.samples", code=FAILED)
    work.write(rows, Revision)
    return {"prompts": len(by_prompt), "chosen": len(rows), "gain": sum(gains) / len(gains)}


chosen.version = 1
