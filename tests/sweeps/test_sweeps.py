"""Sweeps: front, volume and seeds against their definitions; a whole sweep on the tiny model, built once and resumed."""

import json
import math
import random
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import trim_mean

from caif.errors import CaifError
from caif.sweeps.front import beats, front, hypervolume
from caif.sweeps.grid import Bound, Point, Trial, parse, trials
from caif.sweeps.measured import Tried, by_rewards, by_wins, kept, table
from caif.sweeps.page import page
from caif.sweeps.seeds import iqm, stratified

unit = st.floats(0, 1, width=16)


def clouds(objectives: int) -> st.SearchStrategy[list[tuple[float, ...]]]:
    return st.lists(st.tuples(*[unit] * objectives), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4).flatmap(clouds))
def test_the_volume_is_that_of_inclusion_and_exclusion(points: list[tuple[float, ...]]) -> None:
    """The union of boxes from the reference, counted by brute force over all subsets of points."""
    wanted = 0.0
    for size in range(1, len(points) + 1):
        for some in combinations(points, size):
            wanted -= (-1) ** size * math.prod(min(column) for column in zip(*some, strict=True))
    assert hypervolume(points, [0.0] * len(points[0])) == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(clouds(3))
def test_the_front_is_what_nothing_beats_and_all_the_volume(points: list[tuple[float, ...]]) -> None:
    """Every other point is beaten by one on the front, and adds nothing to the volume."""
    best = front(points)
    assert best
    for n, point in enumerate(points):
        assert (n in best) != any(beats(points[m], point) for m in best)
    zero = (0.0, 0.0, 0.0)
    assert hypervolume([points[n] for n in best], zero) == pytest.approx(hypervolume(points, zero))


def test_the_volume_of_two_objectives_by_hand() -> None:
    """Three steps of a stair; what lies below the reference adds nothing."""
    assert hypervolume([(1, 3), (2, 2), (3, 1)], (0, 0)) == 6
    assert hypervolume([(1, 3), (2, 2), (3, 1), (-1, 9)], (0, 0)) == 6
    assert hypervolume([(0, 5)], (0, 0)) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_the_interquartile_mean_is_that_of_scipy_and_rliable(values: list[float]) -> None:
    """rliable takes scipy's mean with a quarter cut off at either end."""
    assert iqm(values) == pytest.approx(trim_mean(values, 0.25))


def test_strata_are_drawn_each_at_its_size() -> None:
    """Every draw has both strata whole, so a mean of strata far apart is not made uncertain by their distance."""
    strata = [[0.0, 0.1, 0.2, 0.1], [100.0, 100.1, 100.2]]
    found = stratified(strata, lambda some: sum(map(iqm, some)) / 2, 500, 0)
    assert found.low is not None
    assert found.high is not None
    assert 49.9 < found.low < found.value < found.high < 50.2
    assert stratified([[1.0], [2.0]], lambda some: some[0][0], 10, 0)[1:] == (None, None)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """A hundred sweeps of eight seeds: the percentile interval of so few is a little short, not far off."""
    dice, held = random.Random(3), 0
    for n in range(100):
        low, high = stratified([[dice.gauss(0, 1) for _ in range(8)]], lambda some: iqm(some[0]), 200, n)[1:]
        held += (low or 0) <= 0 <= (high or 0)
    assert 78 <= held <= 100


def test_weights_are_parsed_and_combined() -> None:
    """Every combination, every seed; what cannot be read is refused by name."""
    points = parse(["a=0.5,1,1", "b=2"])
    assert points == [Point({"a": 0.5, "b": 2.0}), Point({"a": 1.0, "b": 2.0})]
    wanted = trials(points, 7, 2)
    assert [t.seed for t in wanted] == [7, 7, 8, 8]
    assert wanted[0].overrides("dpo") == ["dpo.weights.a=0.5", "dpo.weights.b=2.0", "policy_seed=7"]
    assert len({t.name for t in wanted}) == 4
    near = trials(parse(["a=0.12345671,0.12345672,1000000,1000001"]), 0, 1)
    assert len({t.name for t in near}) == len({t.point.said for t in near}) == 4  # no two are taken for one
    for wrong in ("a", "a=", "=1", "a=x", "a=inf"):
        with pytest.raises(CaifError, match="OBJECTIVE=NUMBER"):
            parse([wrong])
    with pytest.raises(CaifError, match="stands twice"):
        parse(["a=1", "a=2"])


def test_bounds_are_points_beside_the_weights() -> None:
    """They do not multiply with the weights; either way of bounding is read, and a recipe without constraints refuses."""
    points = parse(["a=1,2"], ["b >= 0,-0.5", "c<=3"])
    assert points[:2] == [Point({"a": 1.0}), Point({"a": 2.0})]
    assert [point.said for point in points[2:]] == ["b >= 0, c <= 3", "b >= -0.5, c <= 3"]
    trial = trials(points[3:], 0, 1)[0]
    bounds = ["rl.constraints.b.at_least=-0.5", "rl.constraints.c.at_most=3.0"]
    assert trial.overrides("constitutional") == [*bounds, "policy_seed=0"]
    with pytest.raises(CaifError, match="keeps to no bounds"):
        trial.overrides("dpo")
    for wrong in ("b=1", "b>1", ">=1", "b>=x", "b>=inf", "a/b>=1"):  # a slash would be a folder within the sweep's
        with pytest.raises(CaifError, match="is not OBJECTIVE>="):
            parse([], [wrong])
    with pytest.raises(CaifError, match="nothing to try"):
        parse([])


def test_a_bound_is_kept_if_the_interval_over_held_out_prompts_reaches_it() -> None:
    """From its own side; a plugin's reward is looked up by its name, and what was not measured is left open."""
    policy = {"mean": 0.4, "low": 0.2, "high": 0.6}
    metrics = {"measures": {"reward: a": {"policy": policy}, "words": {"policy": policy}}}

    def held(name: str, way: str, value: float) -> bool | None:
        return kept({name: Bound(way, value)}, metrics)[0]["held"]

    assert [held("a", "at_least", value) for value in (0.1, 0.59, 0.61)] == [True, True, False]
    assert [held("words", "at_most", value) for value in (0.19, 0.21, 9)] == [False, True, True]
    assert held("b", "at_least", 0) is None


def tried(weight: float, seed: int, **values: float) -> Tried:
    return Tried(Trial(Point({"a": weight}), seed), values)


def test_the_table_has_no_single_score() -> None:
    """Points with their intervals by objective, the front, and what each adds; the dominated point adds nothing."""
    runs = [
        tried(w, s, a=x + s / 100, b=y) for w, x, y in ((1, 0.2, 0.8), (2, 0.8, 0.2), (3, 0.1, 0.1)) for s in (0, 1, 2)
    ]
    found = table(runs, "win rate", 200, 0)
    assert [point["front"] for point in found["points"]] == [True, True, False]
    assert found["points"][2]["adds"] == 0
    assert found["points"][0]["objectives"]["a"]["value"] == pytest.approx(0.21)
    assert found["hypervolume"]["value"] == pytest.approx(0.21 * 0.8 + (0.81 - 0.21) * 0.2)
    assert found["hypervolume"]["low"] < found["hypervolume"]["value"] < found["hypervolume"]["high"]
    assert set(found["points"][0]) == {"point", "weights", "bounds", "front", "seeds", "objectives", "adds"}


def test_rewards_are_put_on_a_fixed_scale() -> None:
    """One half is the mean of training answers, three deviations above is 1, and nothing found moves the scale."""
    measures = {"reward: a": {"policy": {"mean": 1.5}}, "words": {"policy": {"mean": 3.0}}}
    assert by_rewards({"measures": measures}) == {"a": 0.75}
    assert by_rewards({"measures": {"reward: a": {"policy": {"mean": 99.0}}}}) == {"a": 1.0}
    assert by_wins({"wins": {"a": {"mean": 0.6, "failed": 0}, "b": {"failed": 3}}}) == {"a": 0.6}


def test_the_page_escapes_what_it_is_given_and_loads_nothing() -> None:
    """A hostile name stays text."""
    bounds = {"<u>": Bound("at_least", 0.5)}
    measured = {"measures": {"<u>": {"policy": {"mean": 0.4, "low": 0.3, "high": 0.45}}}}
    runs = [
        Tried(Trial(Point({"<b>": 1.0}), 0), {"<script>x</script>": 0.5, "b": 0.2}),
        Tried(Trial(Point(bounds=bounds), 0), {"<script>x</script>": 0.4, "b": 0.1}, kept(bounds, measured)),
    ]
    text = page({"name": "<i>", **table(runs, "reward", 10, 0)})
    assert "<script" not in text
    assert "<i>" not in text
    assert "<u>" not in text
    assert "&lt;u&gt; &gt;= 0.5</td>" in text
    assert "<td>no</td></tr>" in text
    assert "&lt;script&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "One seed shows no spread" in text


RUN = """
[reward]
model = "tiny"
decay = 0.1
[rl]
model = "tiny"
steps = 1
prompts_per_step = 1
generations = 2
max_tokens = 4
truncated = "keep"
rank = 2
learning_rate = 0.01
"""


def test_a_sweep_builds_what_is_shared_once_and_goes_on_where_it_was(whole: Path) -> None:
    """A weight and a bound: two policies, one reward model; said again, nothing is made."""
    from typer.testing import CliRunner

    from caif.cli import app

    file = whole.with_name("sweep.toml")
    file.write_text(f"{whole.read_text()}\n{RUN}")
    home = whole.parent / "home"
    points = ["--weights", "clarity=0.5", "--bounds", "clarity>=-9"]
    said = ["sweep", str(file), *points, "--seeds", "1", "--home", str(home), "--json"]
    first = CliRunner().invoke(app, said, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    made = sorted(path.name for path in (home / "store").iterdir())
    assert len([name for name in made if name.startswith("rl-")]) == 2
    assert len([name for name in made if name.startswith("combine-")]) == 1
    found = json.loads((home / "sweeps" / "tiny.json").read_text())
    assert (len(found["points"]), len(found["runs"]), found["measure"]) == (2, 2, "reward")
    assert found["runs"][1]["kept"][0]["held"] is True
    assert (home / "sweeps" / "tiny.html").is_file()
    again = CliRunner().invoke(app, said, catch_exceptions=False)
    assert again.exit_code == 0
    assert sorted(path.name for path in (home / "store").iterdir()) == made


def test_another_seed_of_the_policy_changes_the_policy_alone(whole: Path, tmp_path: Path) -> None:
    """Keys of all before it stay, so that seeds share them; its own and those after it change."""
    from caif.api import prepare
    from caif.plan import steps
    from caif.run import Tell

    file = whole.with_name("seeds.toml")
    file.write_text(f"{whole.read_text()}\n{RUN}")
    keys = [
        {step.name: step.artifact.key for step in steps(prepare(file, home=tmp_path, overrides=over, tell=Tell()))}
        for over in ([], ["policy_seed=0"], ["policy_seed=1"])
    ]
    assert keys[0] == keys[1]  # the run's own seed is 0
    assert {name for name, key in keys[2].items() if key != keys[0][name]} == {"rl", "evaluate", "report"}
