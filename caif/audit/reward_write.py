"""A reward model's card on disk: reward_card.json, and the same numbers as the page reward_card.html."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caif.report.page import page
from caif.store import write_text

NAME, TEMPLATE = "reward_card", "reward_card.html.j2"


def write_reward_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write both, the JSON in ASCII so that printing it is safe."""
    write_text(folder / f"{NAME}.json", json.dumps(card, indent=1, ensure_ascii=True, allow_nan=False))
    write_text(folder / f"{NAME}.html", reward_page(card))


def reward_page(card: Mapping[str, Any]) -> str:
    """Return the page."""
    return page({"title": "Reward model", "card": dict(card)}, TEMPLATE)
