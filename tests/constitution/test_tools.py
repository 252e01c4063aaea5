"""The commands on constitutions: cases as unit tests of a judge, differences with their labels, lint, import and export."""

import json
from typing import Any

import pytest

from caif.constitution import Principle
from caif.intervals import share
from caif.laws.diff import words

JUDGE = ("--judge", "judge:it")


def outcome_of(kitchen: Any, *more: str) -> dict[str, Any]:
    return json.loads(kitchen.caif("test", "law.toml", *JUDGE, "--json", *more).stdout)  # type: ignore[no-any-return]


def test_cases_are_unit_tests_of_a_judge(kitchen: Any) -> None:
    """What it understands passes, what it gets wrong fails, a lean to the first place is a tie, a refusal is none of them."""
    table = outcome_of(kitchen)
    outcomes = {(case["principle"], case["case"]): case["outcome"] for case in table["not_passed"]}
    assert outcomes == {("salt", 1): "failed", ("salt", 2): "no verdict", ("sugar", 1): "tie"}
    assert table["overall"]["cases"] == 5 and table["overall"]["passed"] == 2
    assert table["overall"]["no_verdict"] == {"refused": 1}
    assert table["overall"]["pass_rate"] == share(2, 5)
    assert table["overall"]["flipped"] == 1, "the judge that only likes the first place"
    assert table["principles"]["salt"]["passed"] == 1 and table["without_cases"] == ["pepper"]
    failed = next(case for case in table["not_passed"] if case["outcome"] == "failed")
    assert failed["probability"] < 0.5 and failed["prompt"] == "Bread?"


def test_a_second_test_pays_for_nothing(kitchen: Any) -> None:
    """Every answer is in the ledger, a refusal too: five cases in two orders, and none a second time."""
    assert outcome_of(kitchen)["asked"] == 10
    assert outcome_of(kitchen)["asked"] == 0
    assert kitchen.asked == 10


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 1),
        (("--fail-under", "0.4"), 0),
        (("--fail-under", "0.41"), 1),
        (("--principles", "salt", "--fail-under", "0.3"), 0),
    ],
)
def test_the_exit_code_says_whether_enough_passed(kitchen: Any, options: tuple[str, ...], code: int) -> None:
    """By default every case has to pass."""
    assert kitchen.caif("test", "law.toml", *JUDGE, *options).exit_code == code


def test_what_did_not_pass_is_shown(kitchen: Any) -> None:
    """With the answers, how sure the judge was, and whether its orders disagree."""
    said = kitchen.caif("test", "law.toml", *JUDGE).stdout
    for text in (
        "salt.cases[1]: failed, P(better) 0.05",
        "salt and salt",
        "the orders disagree",
        "refused",
        "Without cases: pepper",
    ):
        assert text in said, said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--principles", "pepper"), "no case to test"),
        (("--principles", "peper"), "did you mean 'pepper'"),
        (("--method", "logprob"), "did you mean 'logprobs'"),
        (("--samples", "3"), "logprobs takes no samples"),
        (("--judge", "jugde:it"), "did you mean 'judge'"),
    ],
)
def test_wrong_use_is_told_before_anything_is_asked(kitchen: Any, options: tuple[str, ...], said: str) -> None:
    """One line and exit code 2."""
    result = kitchen.caif("test", "law.toml", *JUDGE, *options)
    assert result.exit_code == 2 and said in result.stderr and kitchen.asked == 0


def changed(kitchen: Any, *edits: tuple[str, str]) -> None:
    text = (kitchen.folder / "law.toml").read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    kitchen.write("new.toml", text)


def test_a_difference_is_shown_word_by_word(kitchen: Any) -> None:
    """Changed, renamed, removed and added principles, and nothing is asked."""
    changed(
        kitchen, ("more salt?", "more pepper?"), ('id = "sugar"', 'id = "honey"'), ('id = "pepper"', 'id = "mint"'),
        ("Where is no pepper?", "Where is no mint?"), ("Bread?", "Rye bread?"),
    )  # fmt: skip
    result = kitchen.caif("diff", "law.toml", "new.toml")
    assert result.exit_code == 0, result.stderr
    for line in ("changed  salt  (a judge is asked anew)", "compare: Which answer has more [-salt-]{+pepper+}?", "renamed  sugar -> honey",
                 "removed  pepper", "added  mint", "prompt: [-Bread-]{+Rye bread+}?"):  # fmt: skip
        assert line in result.stdout, result.stdout
    assert kitchen.asked == 0
    assert "The principles are the same." in kitchen.caif("diff", "law.toml", "law.toml").stdout


def test_only_what_changed_is_asked_again(kitchen: Any) -> None:
    """Three pairs, one changed question: 6 answers under each wording; the old ones are found if they were asked before."""
    changed(kitchen, ("more salt?", "more pepper?"), ("Add sugar.", "Add more sugar."))
    ask = ("diff", "law.toml", "new.toml", *JUDGE, "--pairs", "caif:pairs.jsonl", "--json")
    table = json.loads(kitchen.caif(*ask).stdout)
    row = table["relabelled"]["salt"]
    # One: salt to pepper. Two: a tie (both have salt) becomes a verdict. Three: a tie stays one.
    assert {k: row[k] for k in ("labels", "same", "flipped", "lost", "gained")} == {
        "labels": 3, "same": 1, "flipped": 1, "lost": 0, "gained": 1,
    }  # fmt: skip
    assert list(table["relabelled"]) == ["salt"]
    assert (table["questions"], table["asked"], table["found"]) == (12, 12, 0)
    flipped = next(example for example in row["examples"] if example["outcome"] == "flipped")
    assert {flipped["old"]["verdict"], flipped["new"]["verdict"]} == {"a", "b"}
    changed(kitchen, ("more salt?", "more sugar?"))
    again = json.loads(kitchen.caif(*ask).stdout)
    assert (again["questions"], again["asked"], again["found"]) == (12, 6, 6)
    assert again["relabelled"]["salt"]["lost"] == 1


RUN = """
name = "demo"
constitution = "law.toml"
[models]
judge = "judge:it"
[prompts]
use = "jsonl"
path = "prompts.jsonl"
[sample]
model = "judge"
prompts = "train"
samples = 2
[[feedback]]
use = "ai-labeler"
judge = "judge"
principles = ["salt"]
selftest = "off"
canaries = 0
"""


def test_the_labels_of_a_run_are_counted_and_asked_again(kitchen: Any) -> None:
    """Labels under a changed principle; with a judge, the old wording's answers are those that the run has paid for."""
    from typer.testing import CliRunner

    from caif.cli import app

    kitchen.write("prompts.jsonl", "".join(f'{{"prompt": "question {n}?"}}\n' for n in range(4)))
    kitchen.write("run.toml", RUN)
    made = CliRunner().invoke(app, ["run", "run.toml", "--until", "feedback"])
    assert made.exit_code == 0, made.output
    labels = kitchen.asked // 2
    assert labels
    changed(kitchen, ("more salt?", "more pepper?"))
    counted = json.loads(kitchen.caif("diff", "law.toml", "new.toml", "--run", "demo", "--json").stdout)
    assert counted["labels"] == {"salt": labels} and "relabelled" not in counted
    asked = json.loads(kitchen.caif("diff", "law.toml", "new.toml", "--run", "demo", *JUDGE, "--json").stdout)
    assert asked["relabelled"]["salt"]["flipped"] == labels
    assert (asked["asked"], asked["found"]) == (2 * labels, 2 * labels)
    swapped = kitchen.caif("diff", "new.toml", "law.toml", "--run", "demo")
    assert swapped.exit_code == 2 and "another wording of salt" in swapped.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--judge", "judge:it"), "--judge needs --pairs or --run"),
        (("--pairs", "caif:pairs.jsonl"), "--pairs needs --judge"),
        (("--run", "nowhere"), "nowhere: is no run's folder"),
    ],
)
def test_a_diff_that_cannot_be_made_says_why(kitchen: Any, options: tuple[str, ...], said: str) -> None:
    """Exit code 2, before anything is asked."""
    result = kitchen.caif("diff", "law.toml", "law.toml", *options)
    assert result.exit_code == 2 and said in result.stderr


def test_words_that_changed_can_be_taken_apart_again() -> None:
    """Both texts can be read from the marked one."""
    assert words("Which is kind?", "Which one is kinder?") == "Which{+ one+} is [-kind-]{+kinder+}?"


def test_every_field_of_a_principle_is_compared(kitchen: Any) -> None:
    """A field that is added to Principle later must not be one in which constitutions may differ unseen."""
    changed(
        kitchen,
        (
            'id = "pepper"',
            'id = "pepper"\nweight = 2.0\nauthority = 3\napplies_to = ["x"]\ntext = "t"\noppose = "o"\ninstruct = "i"',
        ),
    )
    fields = json.loads(kitchen.caif("diff", "law.toml", "new.toml", "--json").stdout)["changes"][0]["fields"]
    assert set(fields) == {"weight", "authority", "applies_to", "text", "oppose", "instruct"}
    assert set(fields) < set(Principle.model_fields)


def test_lint_speaks_of_the_file_and_the_place(kitchen: Any) -> None:
    """A warning is exit code 1, notes alone are not."""
    notes = kitchen.caif("lint", "law.toml")
    assert notes.exit_code == 0
    assert (
        "law.toml: principles.pepper.cases: note: has none: nothing shows that a judge understands pepper" in notes.stdout
    )
    changed(kitchen, ("more salt?", "more salt and more taste?"))
    warned = kitchen.caif("lint", "new.toml")
    assert warned.exit_code == 1
    assert (
        "new.toml: principles.salt.compare: warning: two demands in one sentence (more salt and more taste)"
        in warned.stdout
    )
    assert "over the budget of 20" in kitchen.caif("lint", "law.toml", "--budget", "20").stdout


def test_a_document_goes_in_and_out_by_the_command_line(kitchen: Any) -> None:
    """Import, check, lint, export: byte for byte, in a file and on standard output."""
    text = "Before.\r\n\r\n# Be brief {#brief authority=user}\r\n\r\nSay it {once}, in “one” sentence.\r\n"
    (kitchen.folder / "rules.md").write_bytes(text.encode())
    assert kitchen.caif("import", "rules.md", "-o", "rules.toml", "--objective", "style").exit_code == 0
    assert kitchen.caif("check", "rules.toml").exit_code == 0
    assert kitchen.caif("lint", "rules.toml").exit_code == 0
    assert kitchen.caif("export", "rules.toml", "-o", "back.md").exit_code == 0
    assert (kitchen.folder / "back.md").read_bytes() == text.encode()
    assert kitchen.caif("export", "rules.toml").stdout_bytes.decode() == text
    assert (
        kitchen.caif("import", "rules.md", "--objective", "style").stdout == (kitchen.folder / "rules.toml").read_text()
    )
    for again in (("import", "rules.md", "-o", "rules.toml"), ("export", "rules.toml", "-o", "back.md")):
        refused = kitchen.caif(*again)
        assert refused.exit_code == 2 and "is there already" in refused.stderr
    wrong = kitchen.caif("import", "rules.md", "--objective", "My Style")
    assert wrong.exit_code == 2 and "'my-style'" in wrong.stderr


def test_a_text_that_the_other_format_has_no_place_for_is_told(kitchen: Any) -> None:
    """It stays in the caif file; the export says so and goes on."""
    kitchen.write("set.json", '[{"critique": "Is it kind?", "revision": "Make it kind."}]')
    kitchen.caif("import", "set.json", "-o", "set.toml")
    text = (kitchen.folder / "set.toml").read_text()
    kitchen.write(
        "set2.toml", text.replace("Which answer gives the critic less to point out?", "Which answer is kinder?")
    )
    result = kitchen.caif("export", "set2.toml")
    assert json.loads(result.stdout) == [{"critique": "Is it kind?", "revision": "Make it kind."}]
    assert "no place for what was changed in principle-1" in result.stderr
