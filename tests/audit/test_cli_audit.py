"""The command as a whole: a judge behind a plugin on a file of pairs, a run, gates and exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_fakes import LAW, judgement, pairs
from typer.testing import CliRunner, Result

from caif.audit.gates import numbers, parse
from caif.cli import app
from caif.content import digest
from caif.data import Preference
from caif.judge.temperature import temperature
from caif.store import Store

PLUGIN = '''
import sys, os
import caif
from caif.testing import EchoChat
sys.path.insert(0, os.environ["AUDIT_FAKES"])
from audit_fakes import knowing

class Knows(EchoChat):
    """Right about as many of ten pairs as its name says; writes down every question."""
    right: float = 0.5
    def score(self, questions):
        with open("asked.log", "a") as log:
            log.writelines("x\\n" for _ in questions)
        bench = knowing(self.right, lean=0.4)
        return bench.score(bench.model, questions)

def knows(name: str):
    return Knows(right=int(name) / 10)

def mute(name: str):
    return EchoChat()

@caif.hookimpl
def caif_chat_models():
    return {"knows": knows, "mute": mute}
'''
Audit = Callable[..., Result]


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """A folder with a plugin, a constitution and 100 pairs, and the command in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIT_FAKES", str(Path(__file__).parent))
    monkeypatch.delenv("CAIF_HOME", raising=False)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "knows.py").write_text(PLUGIN)
    (tmp_path / "law.json").write_text(LAW.model_dump_json())
    rows = [{"prompt": row.prompt.text, "chosen": row.chosen, "rejected": row.rejected} for row in pairs(100)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"prompt": "lost"}]))

    def run(judge: str, *more: str) -> Result:
        arguments = ["--judge", judge, "--constitution", "law.json", "--pairs", "caif:pairs.jsonl", "--out", "card"]
        return CliRunner().invoke(app, ["audit", *arguments, "--objective", "honesty", "--methods", "logprobs", *more])

    return run


def card(folder: str = "card") -> dict:
    return json.loads((Path(folder) / "card.json").read_text(encoding="ascii"))


def test_a_judge_that_is_right_four_times_of_five(audit: Audit) -> None:
    """The card says 0.8, its interval covers it, the mode is recommended, and a temperature is fitted for a run to name."""
    done = audit("knows:8")
    assert done.exit_code == 0, done.output + done.stderr
    told = card()
    accuracy = told["overall"]["accuracy"]
    assert accuracy["mean"] == pytest.approx(0.8)
    assert accuracy["low"] < 0.8 < accuracy["high"] and 0.1 < accuracy["high"] - accuracy["low"] < 0.2
    assert told["recommendation"]["method"] == "logprobs"
    assert told["overall"]["position_bias"]["mean"] == 0.0 and told["overall"]["position_lean"]["mean"] == pytest.approx(0.4)
    assert list(told["principles"]) == ["true"]
    assert told["people"]["files"]["caif:pairs.jsonl"]["rejected"] == {"missing key": 1}
    assert "Use: logprobs" in done.output and "Verdicts given: people a 5" in done.output
    fitted = json.loads((Path("card") / "calibration-logprobs.json").read_text())
    # Log-odds of 1 where the odds are 4 to 1: what divides them is 1 / log 4.
    assert fitted["temperature"] == pytest.approx(1 / 1.386, abs=0.2)
    assert temperature([Path("card/calibration-logprobs.json")], fitted["judge"], "logprobs", "paper") == fitted["temperature"]
    assert temperature([], "any", "logprobs", "paper") == 1.0


def test_a_judge_that_tosses_a_coin_is_none(audit: Audit) -> None:
    """Neither recommended nor called better than chance."""
    done = audit("knows:5")
    assert done.exit_code == 0, done.output + done.stderr
    assert card()["recommendation"]["method"] is None
    assert "none: this judge is at chance here" in done.output
    assert any("chance" in said for said in card()["cautions"])


def test_nothing_is_asked_twice(audit: Audit, tmp_path: Path) -> None:
    """The second audit is the first one, from the ledger; another draw of pairs asks only what is new."""
    audit("knows:8", "--limit", "20")
    first, before = (tmp_path / "asked.log").read_text().count("x"), card()
    audit("knows:8", "--limit", "20")
    assert (tmp_path / "asked.log").read_text().count("x") == first
    assert card() == before
    audit("knows:8", "--limit", "30")
    assert (tmp_path / "asked.log").read_text().count("x") == first + 20


def test_a_card_says_whose_it_is_and_whether_the_self_test_was_passed(audit: Audit) -> None:
    """Model, method and wording; why it failed; and a gate can hold it against the judge."""
    done = audit("knows:8", "--fail-on", "selftest.failed>0")
    assert done.exit_code == 1
    (row,) = card()["selftest"]["judges"]
    assert row["judge"] == "knows:8 by logprobs, wording paper" and row["passed"] is False
    assert row["failed"][-1]["check"] == "known answers" and "it decides nothing" in row["failed"][-1]["reason"]
    assert "Judge: knows:8 by logprobs, wording paper: failed its self-test" in done.output
    assert card()["cautions"][0].startswith("knows:8 by logprobs, wording paper fails ")
    page = (Path("card") / "card.html").read_text(encoding="utf-8")
    assert "wording paper" in page and "failed its self-test" in page and "currency of the model" in page


def test_gates_set_the_exit_code(audit: Audit) -> None:
    """One line a gate, with the value; a number that is missing fails; the card is written all the same."""
    good = audit("knows:8", "--fail-on", "flip_rate>0.15", "--fail-on", "methods.logprobs.accuracy.low<0.6")
    assert good.exit_code == 0, good.output + good.stderr
    assert "passed  flip_rate>0.15: flip_rate is 0" in good.output
    bad = audit("knows:8", "--fail-on", "accuracy<0.9", "--fail-on", "price>1", "--fail-on", "ties>0.5")
    assert bad.exit_code == 1
    assert "failed  accuracy<0.9: accuracy is 0.8" in bad.output
    assert "failed  price>1: price is missing: the price of a judge is not known" in bad.output
    assert "passed  ties>0.5: ties is 0" in bad.output
    assert [gate["failed"] for gate in card()["gates"]] == [True, True, False]
    priced = audit('{use = "knows:8", price_in = 1, price_out = 2}', "--fail-on", "price>1")
    assert priced.exit_code == 0
    assert card()["overall"]["price"] == pytest.approx((20_000 * 1 + 200 * 2) / 1e6)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--fail-on", "flip_rate"), "is not NAME OP NUMBER"),
        (("--fail-on", "flip_rat>1"), "did you mean 'flip_rate'?"),
        (("--fail-on", "flip_rate>=high"), "is not NAME OP NUMBER"),
        (("--methods", "logprob"), "did you mean 'logprobs'?"),
        (("--objective", "honest"), "did you mean 'honesty'?"),
        (("--principles", "tru"), "did you mean 'true'?"),
        (("--pairs", "pairs.jsonl"), "is not FORMAT:PATH"),
        (("--reader", "salt"), "is not KEY=VALUE"),
        (("--stage", "x", "quickstart"), "name either a run or a judge"),
        (("--stage", "x"), "--stage: says nothing of a judge"),
        (("--out", "pairs.jsonl"), "pairs.jsonl is a file"),
        (("--out", "pairs.jsonl/card"), "pairs.jsonl is a file"),
        (("--fail-on", "accuracy=<0.5"), "is not NAME OP NUMBER"),
        (("--fail-on", "accuracy.lo<0.5"), "did you mean 'accuracy.low'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(audit: Audit, more: tuple[str, ...], said: str) -> None:
    """Exit code 2, and the nearest name."""
    done = audit("knows:8", "--limit", "10", *more)
    assert done.exit_code == 2, done.output
    assert said in done.stderr and done.stderr.strip().splitlines()[-1].startswith("caif: ")


def test_a_mistyped_gate_costs_no_question_and_one_that_only_the_card_knows_costs_no_card(audit: Audit, tmp_path: Path) -> None:
    """The names of numbers are known before anything is asked; what stands behind a dot may be a name of the data."""
    assert audit("knows:8", "--limit", "10", "--fail-on", "flip_ratee>0.1").exit_code == 2
    assert not (tmp_path / "asked.log").exists() and not Path("card").exists()
    assert audit("knows:8", "--limit", "10", "--fail-on", "principles.tru.accuracy<1").exit_code == 2
    assert card()["gates"] == [] and card()["overall"]["pairs"] == 10


def test_every_number_of_a_real_card_can_be_a_gate() -> None:
    """The names that are known before anything is asked are those that a card has."""
    cards = sorted((Path(__file__).parents[2] / "examples" / "audit").glob("*/*/card.json"))
    names = {name for file in cards for name in numbers(json.loads(file.read_text(encoding="ascii")))}
    assert len(cards) == 8 and names
    for name in names:
        assert parse(f"{name}>0").name == name


def test_pairs_without_a_pair_are_named_with_what_was_turned_away(audit: Audit) -> None:
    """It was said that no principle serves what they are about."""
    Path("none.jsonl").write_text('{"chosen": 1}\n', encoding="utf-8")
    done = CliRunner().invoke(app, ["audit", "--judge", "knows:8", "--constitution", "law.json", "--pairs", "hh-rlhf:none.jsonl", "--out", "c"])
    assert done.exit_code == 2
    assert "there is no usable pair in hh-rlhf:none.jsonl: 1 rows" in done.stderr


def test_a_method_that_cannot_be_asked_is_left_out_with_its_reason(audit: Audit) -> None:
    """A judge behind a server scores one token: no likelihoods of whole answers. Alone, that is an error."""
    done = audit("knows:8", "--methods", "logprobs,likelihood")
    assert done.exit_code == 0, done.output + done.stderr
    assert list(card()["unavailable"]) == ["likelihood"] and list(card()["methods"]) == ["logprobs"]
    assert audit("mute:x", "--methods", "logprobs").exit_code == 2


def test_the_page_shows_what_the_card_says_and_runs_nothing(audit: Audit) -> None:
    """The same numbers, a policy that allows one style sheet, and no script."""
    audit("knows:8", "--fail-on", "accuracy<0.1")
    page = (Path("card") / "card.html").read_text(encoding="utf-8")
    assert "default-src &#39;none&#39;; style-src &#39;sha256-" in page and "<script" not in page
    assert "reliability plot" in page and "accuracy&lt;0.1" in page


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a run of two stages: a labeler that flips in one of four comparisons, and people on two of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAIF_HOME", raising=False)
    judged = [judgement("a", prompt=f"Why {n}?", logit_ab=2.0, logit_ba=-1.0 if n % 4 == 0 else 1.0) for n in range(40)]
    people = [Preference(prompt=j.comparison.prompt, chosen="one", rejected="two", probability=1.0, objective="honesty", rater="someone")
              for j in judged[:2]]  # fmt: skip
    store, stages = Store(tmp_path / "home" / "store"), []
    for name, rows in (("ai-labeler", judged), ("people", people)):
        draft = store.draft(name, digest(name))
        draft.write(rows, type(rows[0]))
        made = store.finish(draft, {"stage": name, "by": "collect", "key": digest(name), "counts": draft.counts, "metrics": {}})
        stages.append({"stage": name, "by": "collect", "key": made.key, "folder": made.folder.name})
    (tmp_path / "home" / "runs" / "demo").mkdir(parents=True)
    (tmp_path / "home" / "runs" / "demo" / "stages.json").write_text(json.dumps(stages))
    return tmp_path / "home"


@pytest.mark.parametrize("named", ["demo", "home/runs/demo", "home"])
def test_a_runs_labels_get_their_card_in_the_runs_folder(home: Path, named: str) -> None:
    """By the run's name, its folder, or a home with one run; what the store holds stays as it is."""
    before = sorted((file, file.stat().st_mtime_ns) for file in (home / "store").rglob("*"))
    done = CliRunner().invoke(app, ["audit", named, "--home", "home", "--fail-on", "flip_rate>0.2", "--fail-on", "accuracy<1"])
    assert done.exit_code == 1, done.output + done.stderr
    assert "failed  flip_rate>0.2: flip_rate is 0.25" in done.output and "passed  accuracy<1" in done.output
    told = card("home/runs/demo/audit")
    assert (told["overall"]["judgements"], told["overall"]["pairs"], told["people"]["pairs"]) == (40, 2, 2)
    assert told["selftest"] == {"failed": 0, "untested": 1, "judges": [
        {"judge": "fake:judge by logprobs", "source": "ai-labeler", "passed": None, "failed": []},
    ]}  # fmt: skip
    assert "fake:judge by logprobs: was not tested on known answers" in done.output
    assert told["sources"].keys() == {""} and (home / "runs/demo/audit/card.html").is_file()
    assert sorted((file, file.stat().st_mtime_ns) for file in (home / "store").rglob("*")) == before


def test_a_stage_without_judgements_is_named_with_those_that_have_some(home: Path) -> None:
    """Exit code 2."""
    done = CliRunner().invoke(app, ["audit", "demo", "--home", "home", "--stage", "people"])
    assert done.exit_code == 2 and "ai-labeler" in done.stderr
    assert CliRunner().invoke(app, ["audit", "demo", "--home", "home", "--stage", "ai-labeler", "--out", "there"]).exit_code == 0
    assert card("there")["subject"]["stage"] == "ai-labeler"
