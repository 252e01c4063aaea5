"""Terms of who said it: they cost nothing where there is one voice, and help where many differ (METHODS 4.4's simulation)."""

from typing import Any

import pytest
import torch
from torch import Tensor

from caif.data import Preference, Prompt, Rating
from caif.training.examples import Example, Numbers
from caif.training.heads import Head, Shape, solve
from caif.training.losses import corrected, pair_loss, smoothed
from caif.training.terms import Evidence, Pairs, Terms, Thumbs, total_loss

WIDTH, PAIRS, VOTES, RATERS = 16, 400, 300, 20
PROMPTS = VOTES // 4
SEEDS = range(6)


def whole(n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.long)


def ones(n: int) -> Tensor:
    return torch.ones(n, dtype=torch.float64)


def world(seed: int) -> tuple[Tensor, Evidence, Tensor, Tensor]:
    """A linear reward, a judge with a systematic taste of its own, and 14 good raters, 3 who guess and 3 trolls."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    def said(logits: Tensor) -> Tensor:
        return torch.bernoulli(torch.sigmoid(logits), generator=draw)

    true, taste = 2 * normal(WIDTH) / WIDTH**0.5, 1.5 * normal(WIDTH) / WIDTH**0.5
    features = normal(2 * PAIRS + VOTES, WIDTH)
    first = torch.arange(PAIRS)
    judged = features @ (true + taste)
    pairs = Pairs(
        first, first + PAIRS, said(judged[first] - judged[first + PAIRS]), ones(PAIRS), whole(PAIRS), whole(PAIRS)
    )
    rater, prompt = torch.randint(0, RATERS, (VOTES,), generator=draw), torch.arange(VOTES) % PROMPTS
    power = torch.tensor([1.0] * 14 + [0.0] * 3 + [-1.0] * 3, dtype=torch.float64)
    strictness, ease = 0.7 * normal(RATERS), 0.7 * normal(PROMPTS)
    voted = torch.arange(VOTES) + 2 * PAIRS
    up = said(power[rater] * (features[voted] @ true + ease[prompt]) - strictness[rater])
    thumbs = Thumbs(voted, up, ones(VOTES), whole(VOTES), whole(VOTES), rater, prompt)
    return features, Evidence(pairs, thumbs), true, normal(4000, WIDTH)


def accuracy(seed: int, raters: bool, taste: bool) -> float:
    """Return how often the head orders two new answers as the true reward does."""
    features, (pairs, thumbs), true, new = world(seed)
    if not raters:
        thumbs = thumbs._replace(rater=whole(VOTES), prompt=whole(VOTES))
    terms = Terms.none(WIDTH, 1, int(taste), RATERS * raters, PROMPTS * raters)
    start = Head(torch.zeros(WIDTH, dtype=torch.float64), terms, 0.03)
    head = solve(features, Evidence(pairs, thumbs), start, Shape(), precise=1e-4)
    gaps = new[:2000] - new[2000:]
    return float(((gaps @ head.weights > 0) == (gaps @ true > 0)).double().mean())


def test_rater_terms_and_a_judges_own_taste_beat_pooling_all_rows() -> None:
    """Over six seeds: in the mean by a margin, and in at least five of six against pooling as if all were one voice."""
    naive = [accuracy(seed, raters=False, taste=False) for seed in SEEDS]
    full = [accuracy(seed, raters=True, taste=True) for seed in SEEDS]
    assert sum(full) / 6 > sum(naive) / 6 + 0.04
    assert sum(ours > theirs for ours, theirs in zip(full, naive, strict=True)) >= 5


def test_a_troll_is_found_and_an_unknown_rater_changes_nothing() -> None:
    """Discrimination of the trolls lies below that of every good rater's mean; a number after the last has no term."""
    features, rows, _, _ = world(0)
    terms = Terms.none(WIDTH, 1, 1, RATERS, PROMPTS)
    start = Head(torch.zeros(WIDTH, dtype=torch.float64), terms, 0.03)
    power = 1 + solve(features, rows, start, Shape(), precise=1e-4).terms.power
    assert float(power[17:].mean()) < 0 < float(power[:14].mean())
    score = features[:, 0]
    unknown = rows._replace(thumbs=rows.thumbs._replace(rater=whole(VOTES) + RATERS, prompt=whole(VOTES) + PROMPTS))
    odd = terms._replace(power=terms.power + 3, strictness=terms.strictness + 3, ease=terms.ease + 3)
    assert torch.equal(odd.logits(features, score, unknown), terms.logits(features, score, unknown))


def test_terms_of_nothing_leave_the_plain_loss() -> None:
    """Without terms a pair costs what `pair_loss` says, and a change of label, weight, source or rater changes the loss."""
    features, rows, _, _ = world(1)
    terms = Terms.none(WIDTH, 1, 1, RATERS, PROMPTS)
    score = features @ torch.linspace(-1, 1, WIDTH, dtype=torch.float64)
    alone = rows.part(torch.arange(PAIRS), whole(0))
    gap = score[:PAIRS] - score[PAIRS : 2 * PAIRS]
    plain = pair_loss(gap, rows.pairs.probability, rows.pairs.weight)
    assert float(total_loss(features, score, terms, alone, 0.0)) == pytest.approx(float(plain), abs=1e-12)
    tasted = terms._replace(taste=terms.taste + 0.5, strictness=torch.linspace(-1, 1, RATERS, dtype=torch.float64))
    before = float(total_loss(features, score, tasted, rows, 0.01))
    pairs, thumbs = rows
    for changed in (
        rows._replace(pairs=pairs._replace(probability=0.9 * pairs.probability)),
        rows._replace(pairs=pairs._replace(weight=torch.linspace(0.1, 2, PAIRS, dtype=torch.float64))),
        rows._replace(pairs=pairs._replace(judge=whole(PAIRS) + 1)),
        rows._replace(thumbs=thumbs._replace(rater=thumbs.rater.flip(0))),
    ):
        assert float(total_loss(features, score, tasted, changed, 0.01)) != before
    assert float(total_loss(features, score, tasted, rows, 0.01, margin=0.5)) > before


def test_a_head_is_scaled_with_its_terms() -> None:
    """Log-odds divided by two are divided by two everywhere, thumbs of a rater with a term of their own included."""
    features, rows, _, _ = world(2)
    draw = torch.Generator().manual_seed(0)
    shapes = Terms.none(WIDTH, 1, 1, RATERS, PROMPTS)
    terms = Terms(*(torch.randn(t.shape, generator=draw, dtype=torch.float64) for t in shapes))
    head = Head(torch.randn(WIDTH, generator=draw, dtype=torch.float64), terms, 0.1)
    assert torch.allclose(head.cooled(2.0).logits(features, rows), head.logits(features, rows) / 2)


def test_which_rows_have_terms() -> None:
    """A judge's taste where people spoke too; ease where two answers were voted on or compared; nobody without a name."""

    def thumb(text: str, answer: str, rater: str = "ann") -> Rating:
        return Rating(prompt=Prompt.of(text), completion=answer, up=True, objective="o", source="app", rater=rater)

    def pair(text: str, principle: str = "p") -> Preference:
        given: dict[str, Any] = {"chosen": "a", "rejected": "b", "probability": 1.0, "objective": "o"}
        return Preference(
            prompt=Prompt.of(text), principle=principle, source="judge" if principle else "people", **given
        )

    def numbers(*rows: Preference | Rating) -> Numbers:
        return Numbers.of([Example(row, (), "", 0) for row in rows])

    assert numbers(pair("x"), pair("y")).judges == {}
    assert numbers(pair("x"), pair("y", principle="")).judges == {"judge": 0}
    assert numbers(pair("x"), thumb("y", "a")).judges == {"judge": 0}
    found = numbers(pair("x"), thumb("x", "c"), thumb("y", "a"), thumb("y", "b", ""), thumb("z", "a"), thumb("z", "a"))
    assert set(found.prompts) == {Prompt.of("x").id, Prompt.of("y").id}
    assert (found.raters, found.sources) == ({"ann": 0}, {"app": 0})


def test_labels_that_may_be_wrong_are_smoothed_or_corrected() -> None:
    """cDPO's and rDPO's losses by their definitions; the corrected loss is in expectation the loss of clean labels."""
    gap, one, flips = torch.tensor([0.7], dtype=torch.float64), ones(1), 0.2
    right, wrong = float(pair_loss(gap, one, one)), float(pair_loss(-gap, one, one))
    assert float(pair_loss(gap, smoothed(one, flips), one)) == pytest.approx(0.8 * right + 0.2 * wrong, abs=1e-12)
    assert float(pair_loss(gap, corrected(one, flips), one)) == pytest.approx(
        (0.8 * right - 0.2 * wrong) / 0.6, abs=1e-12
    )
    expected = 0.8 * pair_loss(gap, corrected(one, flips), one) + 0.2 * pair_loss(gap, corrected(1 - one, flips), one)
    assert float(expected) == pytest.approx(right, abs=1e-12)
    assert torch.equal(corrected(smoothed(one, 0.0), 0.0), one)
