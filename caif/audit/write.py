"""A card on disk, as a page and as the same numbers; and on a terminal, as a short table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caif.audit.card import GROUPS
from caif.intervals import CHANCE
from caif.report.page import page
from caif.report.plots import span_of
from caif.report.show import number, percent, spread
from caif.store import write_text

CARD, PAGE, TEMPLATE = "card.json", "card.html", "card.html.j2"
OPTIONAL = ("selftest", "people", "comparisons", "recommendation", "temperatures", "unavailable", "attacks")
"""What not every card has."""
TESTED = {True: "passed its self-test", False: "failed its self-test", None: "was not tested on known answers"}


def write_card(folder: Path, table: Mapping[str, Any]) -> None:
    """Write card.json, in ASCII so that printing it is safe, and card.html."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CARD, json.dumps(table, indent=1, ensure_ascii=True, allow_nan=False))
    write_text(folder / PAGE, card_page(table))


def card_page(table: Mapping[str, Any]) -> str:
    """Return the page. What a card does not have is None there."""
    whole = {**dict.fromkeys((*OPTIONAL, "gates")), **table}
    rights = [row["accuracy"] for kind in GROUPS for row in table[kind].values() if row["accuracy"]]
    gaps = [row["difference"] for row in table.get("comparisons") or [] if row["difference"]]
    return page({**whole, "this": whole, "TESTED": TESTED, "unit": span_of(rights, CHANCE), "gaps": span_of(gaps, 0.0)}, TEMPLATE)


def write_calibrations(folder: Path, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Write calibration-METHOD.json for each temperature; those of an audit before are taken away."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("calibration-*.json"):
        old.unlink()
    for method, content in found.items():
        write_text(folder / f"calibration-{method}.json", json.dumps(content, indent=1, ensure_ascii=True))


def print_card(table: Mapping[str, Any], folder: Path) -> None:
    """Print one row for each method and principle, the recommendation, the cautions, and where the card is."""
    from caif.terminal import line
    from caif.terminal import table as show

    columns = ("", "#judged", "#flips", "#first", "#no verdict", "#right", "#kappa", "#ECE", "#mass")
    groups = [("all", table["overall"])]
    for kind in ("sources", "judges", "methods", "principles"):
        groups += [(name, row) for name, row in table[kind].items() if len(table[kind]) > 1]
    show(table["title"], columns, [(name, *_cells(row)) for name, row in groups], _prevalence(table["overall"]))
    if recommended := table.get("recommendation"):
        line(f"Use: {recommended['method'] or 'none'} ({recommended['why']})")
    for method, why in (table.get("unavailable") or {}).items():
        line(f"Not asked: {method}: {why}")
    for method, tried in (table.get("attacks") or {}).items():
        families = [(family, *_attacked(tried, family)) for family in tried["flagged"]]
        right = f"{tried['defended']['clean_right']} of {tried['defended']['clean']} clean pairs judged right"
        whole = ("all", *(spread(tried[side]["all"], "%") for side in ("defended", "bare")), "")
        show(f"Attacks that succeed, {method}; {right}", ("", "#defended", "#bare", "flagged"), [whole, *families])
    for row in (table.get("selftest") or {"judges": []})["judges"]:
        line(f"Judge: {row['judge']}: {TESTED[row['passed']]}")
    for said in table["cautions"]:
        line(f"Caution: {said}")
    line(f"Card: {folder / PAGE}")


def _prevalence(row: Mapping[str, Any]) -> str:
    """Return how often each verdict was given: kappa is low where one of them prevails."""
    if not row["pairs"]:
        return "People said nothing of the answers that were judged here."
    said = (f"{who} {', '.join(f'{name} {percent(part)}' for name, part in row['prevalence'][who].items())}"
            for who in ("people", "judge") if row["prevalence"][who])  # fmt: skip
    return f"Verdicts given: {'; '.join(said)}."


def _attacked(tried: Mapping[str, Any], family: str) -> tuple[str, str, str]:
    defended, bare = (spread(tried[side]["families"][family], "%") for side in ("defended", "bare"))
    return defended, bare, "yes" if tried["flagged"][family] else ""


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    flips, first, silent = (percent((row[name] or {}).get("mean")) for name in ("flip_rate", "position_bias", "abstained"))
    mass = (row["mass"] or {}).get("median")
    judged = str(row["judgements"])
    return judged, flips, first, silent, spread(row["accuracy"], "%"), spread(row["kappa"]), number(row["ece"]), number(mass)
