"""The report's numbers are those that a person counts in the made-up run."""

import json
from typing import Any

import pytest
from made_up import made_up
from made_up_metrics import JUDGE

from caif.data import Comparison, Judgement, Prompt
from caif.intervals import share
from caif.report.cautions import cautions
from caif.report.chains import Index
from caif.report.gather import Made, gather
from caif.report.numbers import numbers, wordless
from caif.report.page import page
from caif.report.principles import win_rate
from caif.report.training import series
from caif.store import Artifact


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return made_up(tmp_path_factory.mktemp("made-up"))


@pytest.fixture(scope="module")
def made(run: dict[str, Artifact]) -> Made:
    return gather(list(run.values()))


@pytest.fixture(scope="module")
def table(made: Made) -> dict[str, Any]:
    return numbers(made)


def by(rows: list[dict[str, Any]], key: str, name: str) -> dict[str, Any]:
    return next(row for row in rows if row[key] == name)


def of(estimate: dict[str, Any] | None) -> tuple[float, int] | None:
    return None if estimate is None else (round(estimate["mean"] * estimate["n"], 6), estimate["n"])


def test_a_principle_is_followed_from_its_sentence_to_the_policy(table: dict[str, Any]) -> None:
    """Draws, labels, failures, flips, both agreements and the wins of each principle are counted once."""
    short, sure, plain = (by(table["principles"], "id", name) for name in ("short", "sure", "plain"))
    assert (short["critiques"], short["revised"], sure["critiques"], sure["revised"]) == (3, 3, 2, 0)
    assert (short["drawn"], sure["drawn"], plain["drawn"]) == (4, 3, 0)
    assert (short["labels"], sure["labels"], plain["labels"]) == (4, 2, 0)
    assert (short["failed"], sure["failed"], short["silent"]) == ({}, {"invalid": 1}, {"tie": 1})
    assert (of(short["flips"]), of(sure["flips"]), plain["flips"]) == ((1, 4), (0, 2), None)
    assert short["decided"] == pytest.approx(0.2052, abs=1e-4)
    assert (of(short["people"]["all"]), of(short["people"]["same"]), of(sure["people"]["all"])) == (
        (1, 2),
        (1, 1),
        (1, 1),
    )
    assert (of(short["construction"]), of(sure["construction"])) == ((1, 1), (0, 1))
    assert (of(short["policy"]), of(sure["policy"]), plain["policy"]) == ((3, 3), (1, 2), None)
    assert of(short["reward"]["pairs"]["accuracy"]) == (27, 30)


def test_a_prompt_with_many_answers_speaks_once() -> None:
    """Two prompts are two, however often each was answered; what failed says nothing."""
    sure = {"a": 0.8, "b": 0.2, "tie": 0.5}
    said = [("p", "a"), ("p", "a"), ("p", "b"), ("p", "tie"), ("q", "b"), ("q", "invalid"), ("r", "refused")]
    judged = [
        Judgement(
            comparison=Comparison(prompt=Prompt.of(name), a=f"a{n}", b="b"), principle="short", objective="brevity", judge="j",
            verdict=verdict, p_a=sure.get(verdict),
        )
        for n, (name, verdict) in enumerate(said)
    ]  # fmt: skip
    assert win_rate(judged) == share(2.5 / 4, 2)


def test_a_source_is_measured_against_people_and_construction(table: dict[str, Any]) -> None:
    """People are found by rows without a principle and by thumbs; a tie of the judge is no agreement."""
    ai, contrast, people, thumbs = table["sources"]
    assert [row["by"] for row in table["sources"]] == ["a judge", "construction", "people", "people"]
    assert (ai["pairs"], ai["judgements"], ai["failed"], of(ai["flips"])) == (3, 4, {"invalid": 1}, (1, 3))
    assert (of(ai["people"]["all"]), of(ai["people"]["same"]), contrast["people"]["all"]) == ((2, 3), (2, 2), None)
    assert (ai["construction"], of(contrast["construction"])) == (None, (1, 2))
    assert (people["pairs"], thumbs["thumbs"], thumbs["up"], thumbs["pairs"]) == (2, 3, 2, 0)
    assert [row["verdict"]["word"] for row in table["sources"]] == ["doubtful", "not shown", "yardstick", "yardstick"]


def test_what_could_not_be_used_is_counted_by_stage_and_reason(table: dict[str, Any]) -> None:
    """Rows that were cut or merged are told apart from rows that were lost, and a rejected row says where it stood."""
    found = {(row["stage"], row["reason"]): (row["n"], row["kept"]) for row in table["unused"]}
    assert found == {
        ("prompts", "empty prompt"): (1, False), ("generate", "cut off at the token limit"): (7, True),
        ("revise", "empty"): (1, False), ("revise", "identical to the answer"): (1, False),
        ("sft", "cut to max_length"): (1, True),
        ("sample", "cut off at the token limit"): (4, True), ("ai-labeler", "judgement: invalid"): (1, False),
        ("contrast", "judgement: tie"): (1, True), ("contrast", "identical answers"): (1, False),
        ("combine", "duplicate merged"): (2, True),
    }  # fmt: skip
    assert by(table["unused"], "reason", "empty prompt")["rows"] == [{"where": "prompts.jsonl:3", "detail": ""}]
    assert {step["stage"]: step["unused"] for step in table["flow"] if step["unused"]} == {
        "prompts": 1, "revise": 2, "ai-labeler": 1, "contrast": 1,
    }  # fmt: skip


def test_every_rule_that_applies_cautions_and_no_other(table: dict[str, Any]) -> None:
    """The made-up run is made to be doubtful in every way that a rule knows."""
    text = "\n".join(f"{caution['about']}: {caution['text']}" for caution in table["cautions"])
    for part in (
        "ai-labeler: The judge changed its mind in 33", "ai-labeler: 25\u00a0% of 4 judgements failed",
        "ai-labeler: Its judge failed the test of injected: 1 of 4 right",
        "contrast: The reward model is not shown",
        "ai-labeler: Only 3 labels could", "contrast: None of its labels", "reward: The head of honesty",
        "evaluate: The judge of the evaluation also",
        "evaluate: Only 3 prompts", "told from one half under brevity and honesty.", "told from 0 in: refusals.",
        "rl: The policy is 21.0 nats",
        "rl: The policy refuses more: 0\u00a0% before, 33\u00a0% after",
        "evaluate: 33\u00a0% of the answers were cut off",
        "evaluate: 17\u00a0% of 6",
    ):  # fmt: skip
        assert part in text
    for part in ("\npeople:", "\nthumbs:", "The head of brevity", "words: judges", "mind in 20"):
        assert part not in text


@pytest.mark.parametrize(
    ("ties", "decided", "said"),
    [(6, 0.001, "The judge decides nothing in 60\u00a0% of 10 judgements"), (5, 0.2, ""), (0, 0.004, "lie 0.004 from one half"), (0, 0.2, "")],
)  # fmt: skip
def test_a_judge_that_decides_nothing_is_told(ties: int, decided: float, said: str) -> None:
    """Whether it says one half, or next to it: its labels are no labels."""
    quiet = {"flips": None, "failed": {}, "mass": None, "reward": {}, "by": "people", "use": "mine", "label": "mine"}
    source = {
        **quiet,
        "judgements": 10,
        "silent": {"tie": ties},
        "decided": decided,
        "tested": [{"check": "bad", "passed": True}],
    }
    found = [
        one["text"]
        for one in cautions({"sources": [source], "reward": None, "coverage": None, "rl": None, "evaluation": None})
    ]
    assert len(found) == bool(said) and all(said in text for text in found)


def test_a_judge_that_nobody_asked_what_is_known_is_told() -> None:
    """What its judgements show by themselves is no such test."""
    quiet = {
        "flips": None,
        "failed": {},
        "mass": None,
        "reward": {},
        "by": "people",
        "silent": {},
        "decided": 0.3,
        "judgements": 10,
    }
    sign = {"check": "one place", "passed": False, "reason": "a is preferred"}
    source = {**quiet, "use": "mine", "label": "mine", "tested": [sign]}
    told = [
        one["text"]
        for one in cautions({"sources": [source], "reward": None, "coverage": None, "rl": None, "evaluation": None})
    ]
    assert told == [
        "Its judge failed the test of one place: a is preferred.",
        "Its judge was not tested on known answers (its source does not use caif.judge.watch).",
    ]


def test_longer_answers_and_a_judge_of_its_own_change_the_cautions(run: dict[str, Any]) -> None:
    """The limit on length and the check on the judge look at the numbers, not at names."""
    metrics = json.loads(json.dumps(run["evaluate"].metrics))
    metrics["judge"] = "another"
    metrics["measures"]["words"]["policy"]["mean"] = 50
    artifact = Artifact(run["evaluate"].folder, {**run["evaluate"].facts, "metrics": metrics})
    text = str(numbers(gather([*(a for name, a in run.items() if name != "evaluate"), artifact]))["cautions"])
    assert "Answers grew from 33.0 to 50.0 words" in text
    assert "also gave the labels" not in text


def test_the_summary_says_whether_rl_beat_the_best_of_n(table: dict[str, Any]) -> None:
    """The difference is measured as best of n minus policy, so its sign turns over on the page."""
    assert table["evaluation"]["beaten"]["brevity"] == pytest.approx({"mean": 0.4, "low": 0.1, "high": 0.7, "n": 3})
    assert any(
        line.startswith("RL beat choosing the best of 4 answers: the policy is above it") for line in table["summary"]
    )


def test_without_examples_the_page_holds_no_text_of_the_data(made: Made) -> None:
    """It can be shown to those who may not see what people wrote: every number stays, no prompt and no answer does."""
    index = Index(made)
    texts = {prompt.text for prompt in index.prompts.values()}
    for rows in (index.samples, index.pairs, index.thumbs, index.answers):
        texts |= {getattr(r, name) for some in rows.values() for r in some for name in ("text", "chosen", "rejected", "completion")
                  if hasattr(r, name)}  # fmt: skip
    shown, bare = (json.dumps([page(numbers(made, examples=n)), numbers(made, examples=n)]) for n in (100, 0))
    quoted = {text for text in texts if len(text) > 12 and json.dumps(text)[1:-1] in shown}
    assert len(quoted) > 10
    assert not [text for text in quoted if json.dumps(text)[1:-1] in bare]
    assert numbers(made, examples=0)["summary"] == numbers(made)["summary"]
    named = {"objectives": {"detail": "Says much.", "examples": "Shows."}}  # no text of the data, whatever they are called
    table = {"constitution": named, "unused": [], "coverage": None, "raters": None}
    assert wordless(table) == table


def test_three_wins_of_three_are_not_called_certain(table: dict[str, Any]) -> None:
    """A bootstrap of answers that all won has no width; Wilson's interval knows how few they are."""
    rate = by(table["evaluation"]["wins"], "name", "brevity")["rate"]
    assert (of(rate), round(rate["low"], 2), rate["high"]) == ((3, 3), 0.44, 1.0)
    assert "neither clearly won nor lost under brevity, 100\u00a0% (44 to 100\u00a0%)" in "".join(table["summary"])


def test_the_prompts_with_most_material_are_shown_and_held_out_ones_among_them(made: Made) -> None:
    """Half of the chains are held out, because only those have an answer of the policy."""
    some = numbers(made, examples=2)["chains"]
    assert [chain["split"] for chain in some] == ["train", "heldout"]
    assert [answer["name"] for answer in some[1]["answers"]] == ["before RL", "policy"]
    assert [len(numbers(made, examples=n)["chains"]) for n in (1, 5, 100)] == [1, 5, 7]
    assert (
        some[0]["judgements"][0] | {"judge": JUDGE, "a": "sample 0", "b": "sample 1", "texts": []}
        == some[0]["judgements"][0]
    )


def test_nothing_on_the_page_says_who_a_rater_was(table: dict[str, Any]) -> None:
    """A page is passed on more freely than a data set."""
    assert '"r1"' not in json.dumps(table)
    assert '"r2"' not in json.dumps(table)


def test_the_numbers_are_json_even_where_logs_hold_nan(table: dict[str, Any]) -> None:
    """A loss that was not finite is left out of its plot and breaks no reader."""
    json.dumps(table, allow_nan=False)
    loss = by(table["rl"]["panels"], "key", "loss")
    assert [x for x, _ in loss["points"]] == [1, *range(3, 25)]
    assert series([{"kl": 0.5}, {}, {"kl": None}, {"kl": 1}], "kl") == [[1, 0.5], [4, 1]]


def test_what_became_of_guards_and_constraints_is_said(run: dict[str, Artifact]) -> None:
    """A run that a guard stopped, a bound out of reach and answers that taught nothing are cautions; the trace is drawn."""
    artifact = run["rl"]
    trip = {"step": 24, "kept": 20, "said": "rl: step 24: 3 times as long as at the start (limit 2)"}
    ended = {"brevity": {"bound": 0.5, "way": "at least", "multiplier": 20.0, "off": 1.0, "infeasible": True}}
    steps = [
        {
            "step": n,
            "counted": 0.25,
            "constraints/brevity/mean": n / 50,
            "constraints/brevity/multiplier": n / 2,
            "weights/a": n,
        }
        for n in range(1, 25)
    ]
    facts = {**artifact.facts, "metrics": {"steps": steps, "constraints": ended, "tripped": trip}}
    found = numbers(gather([Artifact(artifact.folder, facts)]))
    said = " ".join(caution["text"] for caution in found["cautions"] if caution["about"] == "rl")
    assert "RL WAS STOPPED BY A GUARD at step 24, and the policy of step 20 was kept. rl: step 24: 3 times" in said
    assert "The constraint that brevity be at least 0.50 seems out of reach" in said
    assert "Only 25" in said
    assert by(found["rl"]["panels"], "key", "weights/a")["label"] == "weight: a"
    drawn = page(found)
    assert "brevity, to be at least 0.50" in drawn
    assert "brevity: its multiplier" in drawn


def test_without_anything_there_are_numbers_all_the_same() -> None:
    """A run that made nothing says so."""
    empty = numbers(gather([None, None]))
    assert len(empty["left_out"]) == len(empty["flow"]) == 11
    assert empty["summary"] == ["Nothing was evaluated, so this page cannot say what changed."]


def test_rows_on_prompts_that_were_never_asked_are_shown_too(run: dict[str, Artifact]) -> None:
    """People's thumbs come with prompts of their own."""
    shown = numbers(gather([run["thumbs"]]))["chains"]
    assert {chain["messages"][-1]["content"] for chain in shown} == {f"How does thing {n} work?" for n in (2, 3)}


def test_a_run_that_trained_nothing_is_called_after_its_feedback(run: dict[str, Artifact]) -> None:
    """Labels alone change no model, whatever the page is called elsewhere."""
    trained = {"sft", "reward", "rl"}
    labels = [one for name, one in run.items() if name not in trained]
    assert numbers(gather(list(run.values())))["title"].startswith("Trained on ")
    assert numbers(gather(labels))["title"].startswith("Feedback under ")
