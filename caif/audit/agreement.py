"""How far two or more raters agree on nominal verdicts: accuracy, Cohen's kappa, Krippendorff's alpha.

Each is a function of counts that add up over prompts, so that each gets its interval by redrawing prompts. Verdicts are
coded 0, 1, 2 (a, b, tie); accuracy is about pairs on which people decided, and a tie of the judge is half right there.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from caif.audit.bootstrap import LEVEL, of_share, of_sums, ratio, redraw

A, B, TIE = 0, 1, 2
CODES = 3


class Labelled(NamedTuple):
    """One judgement beside what people say: verdict codes, None where the judge abstained; `people` one code a rater."""

    prompt: str
    judge: int | None
    people: tuple[int, ...]


def majority(codes: Sequence[int]) -> int:
    """Return what more raters say than not: a tie where as many say a as b."""
    balance = codes.count(A) - codes.count(B)
    return TIE if balance == 0 else A if balance > 0 else B


def kappa(table: Any) -> Any:
    """Return Cohen's kappa (1960), (observed - chance) / (1 - chance), of tables of counts [..., k, k].

    NaN where chance agreement is 1 or there is nothing. It falls as one verdict prevails, at the same accuracy: state
    how often each verdict was given beside it.
    """
    import numpy as np

    table = np.asarray(table, dtype=float)
    total = table.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.trace(table, axis1=-2, axis2=-1) / total
        chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / total**2
        return np.where(1 - chance > 1e-12, (observed - chance) / (1 - chance), np.nan)


def coincidences(unit: Sequence[int], codes: int = CODES) -> list[float]:
    """Return one thing's coincidence matrix, flat: its pairs of raters, each rater weighing 1 whatever their number.

    Missing raters are simply not in `unit`; a thing with fewer than two raters adds nothing (Krippendorff 2011).
    """
    flat = [0.0] * (codes * codes)
    if len(unit) > 1:
        for n, one in enumerate(unit):
            for m, other in enumerate(unit):
                if n != m:
                    flat[one * codes + other] += 1 / (len(unit) - 1)
    return flat


def alpha(matrix: Any) -> Any:
    """Return Krippendorff's alpha for nominal data, 1 - D_o / D_e, of coincidence matrices [..., k, k].

    NaN where all values are the same, so that no disagreement could have been expected.
    """
    import numpy as np

    matrix = np.asarray(matrix, dtype=float)
    each = matrix.sum(axis=-1)
    total = each.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        disagree = (total - np.trace(matrix, axis1=-2, axis2=-1)) * (total - 1)
        expected = total**2 - (each**2).sum(axis=-1)
        return np.where(expected > 1e-9, 1 - disagree / expected, np.nan)


def grouped(rows: Sequence[tuple[str, Sequence[float]]]) -> Any:
    """Return the sums of (prompt, numbers) rows by prompt, [prompts, k], in the order in which prompts come first."""
    import numpy as np

    places: dict[str, int] = {}
    numbers = [places.setdefault(prompt, len(places)) for prompt, _ in rows]
    sums = np.zeros((len(places), len(rows[0][1]) if rows else 0))
    np.add.at(sums, numbers, np.asarray([values for _, values in rows], dtype=float).reshape(len(rows), -1))
    return sums


def _parts(row: Labelled) -> list[float]:
    """Return what one judgement adds to: right, decided, the judged, all, kappa's table, and alpha's matrix."""
    truth, table = majority(row.people), [0.0] * (CODES * CODES)
    if row.judge is None:
        return [0.0, 0.0, 0.0, 1.0, *table, *coincidences(row.people)]
    decided = float(truth != TIE)
    right = 0.5 if row.judge == TIE else float(row.judge == truth)
    table[row.judge * CODES + truth] = 1.0
    return [right * decided, decided, 1.0, 1.0, *table, *coincidences((row.judge, *row.people))]


def _table(start: int) -> Callable[[Any], Any]:
    return lambda sums: sums[..., start : start + CODES * CODES].reshape(*sums.shape[:-1], CODES, CODES)


def agreement(rows: Sequence[Labelled], draws: int, seed: int, level: float = LEVEL) -> dict[str, Any]:
    """Return accuracy, coverage, kappa and alpha with intervals over prompts, and how often each verdict was given.

    Accuracy and kappa are against the majority of the people who judged a pair; alpha takes every rater as one of many.
    An abstention is out of accuracy and kappa, is counted by `coverage`, and is a missing value to alpha.
    """
    if not rows:
        return {"pairs": 0, "decided": 0, "accuracy": None, "coverage": None, "kappa": None, "alpha": None, "prevalence": None}
    parts = grouped([(row.prompt, _parts(row)) for row in rows])
    redrawn = redraw(parts, draws, seed)
    table, matrix = _table(4), _table(4 + CODES * CODES)
    return {
        "pairs": len(rows),
        "decided": int(parts[:, 1].sum()),
        "accuracy": of_share(0, 1, parts, redrawn, level),
        "coverage": of_share(2, 3, parts, redrawn, level),
        "kappa": of_sums(lambda sums: kappa(table(sums)), parts, redrawn, level),
        "alpha": of_sums(lambda sums: alpha(matrix(sums)), parts, redrawn, level),
        "prevalence": {
            "people": _shares([majority(row.people) for row in rows]),
            "judge": _shares([row.judge for row in rows if row.judge is not None]),
        },
    }


def difference(one: Sequence[Labelled], other: Sequence[Labelled], draws: int, seed: int) -> dict[str, Any] | None:
    """Return by how much the accuracy of the one exceeds the other's on the same pairs, paired by redrawing prompts.

    The lists hold the same pairs in the same order; pairs on which either abstained are left out.
    """
    rows = []
    for first, second in zip(one, other, strict=True):
        x, y = _parts(first), _parts(second)
        if x[1] and y[1]:
            rows.append((first.prompt, [x[0] - y[0], 1.0]))
    if not rows:
        return None
    parts = grouped(rows)
    return of_sums(ratio(0, 1), parts, redraw(parts, draws, seed))


def ceiling(people: Sequence[tuple[str, Sequence[int]]], draws: int, seed: int) -> dict[str, Any] | None:
    """Return how often one rater says what another says of the same pair, and their alpha; None if no pair has two.

    (prompt, codes) rows. Each pair counts once, as the share of its pairs of raters that agree.
    """
    rows = []
    for prompt, codes in people:
        if len(codes) > 1:
            agree = sum(n * (n - 1) for n in map(codes.count, set(codes))) / (len(codes) * (len(codes) - 1))
            rows.append((prompt, [agree, 1.0, *coincidences(codes)]))
    if not rows:
        return None
    parts = grouped(rows)
    redrawn, matrix = redraw(parts, draws, seed), _table(2)
    found = of_share(0, 1, parts, redrawn)
    return {"agreement": found, "alpha": of_sums(lambda sums: alpha(matrix(sums)), parts, redrawn), "pairs": len(rows)}


def _shares(codes: Sequence[int]) -> dict[str, float]:
    return {name: codes.count(n) / len(codes) for n, name in enumerate(("a", "b", "tie"))} if codes else {}
