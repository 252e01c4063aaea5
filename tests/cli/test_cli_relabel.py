"""caif relabel: stored answers read anew without a call, and after an edit of a principle only its own rows asked again."""

import json
import sqlite3
from pathlib import Path

import pytest

import caif
from caif.audit.changes import ABSENT, changes
from caif.data import Comparison, Judgement, Preference, Prompt
from caif.errors import STOPPED, WRONG
from caif.relabel import Watched, outdate
from caif.store import MANIFEST

PLUGIN = '''
import collections, threading
import caif
from caif.testing import EchoChat

seen, lock = collections.Counter(), threading.Lock()

class Both(EchoChat):
    """Answers at two lengths, and as a judge prefers the longer one; where asked of 0 or 4 it leans to the first place."""
    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        said = str(messages[-1].content)
        with lock:
            seen[said] += 1
            n = seen[said]
        judging = "(A)" in said
        with open("calls.log", "a") as file:
            file.write("judge\\n" if judging else "other\\n")
        result = super()._generate(messages, stop, run_manager, **kwargs)
        if judging:
            long_first = said.index("a long one") < said.index("a short one")
            leans = "question 0?" in said or "question 4?" in said
            text = ("A" if long_first or n % 3 else "B") if leans else ("A" if long_first else "B")
        else:
            text = "a short one" if n % 2 else "a long one, as answers go"
        result.generations[0].message.content = text
        return result

def both(name: str):
    return Both()

def longer():
    return lambda context: [
        caif.Preference(prompt=prompt, chosen="a long answer", rejected="short", probability=0.9, objective="helpfulness",
                        source=context.source) for prompt in context.prompts]

@caif.hookimpl
def caif_chat_models():
    return {"both": both}

@caif.hookimpl
def caif_feedback_sources():
    return {"longer": longer}
'''
PRINCIPLE = """
[[principles]]
id = "{id}"
objective = "helpfulness"
critique = "What is wrong?"
revision = "Make it right."
compare = "Which answer is {id}?"
"""
RUN = """
name = "demo"
constitution = "law.toml"
[models]
both = "both:one"
[prompts]
use = "jsonl"
path = "prompts.jsonl"
heldout = 0
[generate]
model = "both"
[revise]
model = "both"
[sample]
model = "both"
samples = 2
[[feedback]]
use = "ai-labeler"
judge = "both"
method = "votes"
votes = 3
selftest = "off"
[[feedback]]
use = "longer"
[combine]
heldout = 0.0
"""
VOTES = 3


@pytest.fixture
def written(place):
    """A run with AI labels that is still to be made."""
    place.write("plugins/echo.py", PLUGIN)
    place.write(
        "law.toml",
        'name = "law"\n[objectives]\nhelpfulness = "of use"\n'
        + "".join(PRINCIPLE.format(id=p) for p in ("one", "two")),
    )
    place.write("run.toml", RUN)
    return place


@pytest.fixture
def made(written):
    """The same with its labels made, and its calls forgotten."""
    build(written, "ai-labeler")
    (written.folder / "calls.log").unlink()
    return written


def build(place, until: str) -> None:
    done = place.caif("run", "run.toml", "--until", until)
    assert done.exit_code == 0, done.stderr


def calls(place) -> list[str]:
    log = place.folder / "calls.log"
    return log.read_text(encoding="utf-8").split() if log.is_file() else []


def relabelled(place, *arguments: str) -> dict:
    done = place.caif("relabel", "run.toml", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    (one,) = json.loads(done.stdout)
    return one


def judgements(place, folder: str | None = None) -> list[Judgement]:
    if folder is None:
        return caif.load_run("caif-home/runs/demo").rows("ai-labeler", Judgement)
    from caif.store import Artifact

    return Artifact(Path(folder), json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))).rows(Judgement)


def test_an_option_of_reading_is_applied_to_stored_answers(made) -> None:
    """Two of eight comparisons flip between the orders; where orders have to agree they are ties, and nobody is asked."""
    made.change("votes = 3", 'votes = 3\norders = "agree_only"')
    one = relabelled(made, "--reparse")
    assert calls(made) == []
    assert (one["source"], one["judgements"], one["changed"], one["asked"]) == ("ai-labeler", 8, 2, 0)
    assert one["reused"] == 8 * 2 * VOTES
    assert sum(v["judgements"] for v in one["verdicts"] if v["after"] == "tie" != v["before"]) == 2
    assert one["preferences"] == [8, 6]
    assert one["outdated"] == []
    build(made, "ai-labeler")
    assert calls(made) == []
    assert [j.verdict for j in judgements(made)].count("tie") == 2


def test_the_table_shows_which_verdicts_became_which(made) -> None:
    """On the terminal: what was asked, what changed, and where the labels lie."""
    made.change("votes = 3", 'votes = 3\norders = "agree_only"')
    shown = made.caif("relabel", "run.toml", "ai-labeler", "--reparse").stdout
    assert "ai-labeler: 0 asked" in shown
    assert "2 of 8 verdicts changed" in shown
    assert "8 -> 6 preferences" in shown
    assert "tie" in shown


def test_changed_reading_code_takes_the_place_of_what_it_read_before(made, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key knows of it, so the labels are put in their place, and what was made of the old ones is set aside."""
    build(made, "combine")
    before = {j.comparison.id: j.verdict for j in judgements(made)}
    read = caif.judge.pairs.read_letter
    monkeypatch.setattr(caif.judge.pairs, "read_letter", lambda *given: {"A": "B", "B": "A"}.get(read(*given), ""))
    one = relabelled(made, "--reparse")
    assert (one["changed"], one["outdated"], calls(made)) == (8, ["combine"], [])
    assert {j.comparison.id: {"a": "b", "b": "a"}[j.verdict] for j in judgements(made)} == before
    build(made, "combine")
    chosen = caif.load_run("caif-home/runs/demo").rows("combine", Preference)
    assert {row.chosen for row in chosen if row.source == "ai-labeler"} == {"a short one"}


def test_a_stop_while_labels_are_replaced_leaves_nothing_that_belies_them(made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it stops, what stands beside the labels was made from them: caif run would take it as up to date."""
    build(made, "combine")
    read, place = caif.judge.pairs.read_letter, Path("caif-home/store")
    swapped = {"A": "B", "B": "A"}
    moved = Path.rename

    def stopped(self: Path, target: Path) -> Path:
        found = moved(self, target)
        if self.name.startswith("ai-labeler"):
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as broken:
        broken.setattr(caif.judge.pairs, "read_letter", lambda *given: swapped.get(read(*given), ""))
        broken.setattr(Path, "rename", stopped)
        assert made.caif("relabel", "run.toml", "--reparse").exit_code == 130
    assert not [folder for folder in place.glob("combine-*") if "outdated" not in folder.name]
    build(made, "combine")
    rows = caif.load_run("caif-home/runs/demo").rows("combine", Preference)
    assert {row.chosen for row in rows if row.source == "ai-labeler"} == {"a short one"}


def test_reading_again_changes_nothing_where_nothing_changed(made) -> None:
    """And what was made of the labels stays where it is."""
    one = relabelled(made, "--reparse")
    assert (one["changed"], one["outdated"], one["drift"], calls(made)) == (0, [], 0.0, [])
    assert len(judgements(made)) == 8


def test_a_missing_answer_is_an_error_that_says_how_many(made) -> None:
    """Exit code 3: it can go on when they are there. The labels of before are still there, and nobody was asked."""
    with sqlite3.connect("caif-home/ledger.db") as db:
        keys = [key for (key,) in db.execute("select key from answers where stage = 'ai-labeler' order by key limit 2")]
        db.executemany("delete from answers where key = ?", [(key,) for key in keys])
    done = made.caif("relabel", "run.toml", "--reparse")
    assert done.exit_code == STOPPED
    assert "ai-labeler: 2 of 48 answers are not in the ledger" in done.stderr
    assert calls(made) == []
    assert len(judgements(made)) == 8


def test_an_edit_of_one_principle_asks_its_own_rows_only(made) -> None:
    """All other judgements are the very same rows; critiques, revisions and samples are left as they were."""
    before = judgements(made)
    touched = [j for j in before if j.principle == "one"]
    assert 0 < len(touched) < 8
    text = (made.folder / "law.toml").read_text(encoding="utf-8")
    made.write(
        "law.toml",
        text.replace("Which answer is one?", "Which answer is the one?").replace("is wrong", "may be wrong", 1),
    )
    one = relabelled(made, "--changed-only")
    assert calls(made) == ["judge"] * one["asked"]
    assert one["asked"] == len(touched) * 2 * VOTES
    assert one["reused"] == (8 - len(touched)) * 2 * VOTES
    assert (one["judgements"], one["changed"]) == (8, 0)
    after = {j.id for j in judgements(made, one["folder"])}
    assert {j.id for j in before if j.principle == "two"} <= after


def test_what_changed_only_has_asked_is_not_asked_again(made) -> None:
    """Neither by another relabelling nor by reading anew."""
    text = (made.folder / "law.toml").read_text(encoding="utf-8")
    made.write("law.toml", text.replace("Which answer is one?", "Which answer is the one?"))
    assert relabelled(made, "--changed-only")["asked"] > 0
    asked = len(calls(made))
    assert relabelled(made, "--changed-only")["asked"] == 0
    assert relabelled(made, "--reparse")["asked"] == 0
    assert len(calls(made)) == asked


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "name one of --reparse and --changed-only"), (("--reparse", "--changed-only"), "name one of"),
        (("ai-labelr", "--reparse"), "did you mean 'ai-labeler'"), (("longer", "--reparse"), "asks a model"),
    ],
)  # fmt: skip
def test_wrong_use_is_told_in_one_line(written, arguments: tuple[str, ...], complaint: str) -> None:
    """Exit code 2."""
    done = written.caif("relabel", "run.toml", *arguments)
    assert done.exit_code == WRONG
    assert complaint in done.stderr


def test_a_run_that_was_never_made_has_nothing_to_label_again(written) -> None:
    """It says what to do first."""
    done = written.caif("relabel", "run.toml", "--reparse")
    assert done.exit_code == WRONG
    assert "--until feedback" in done.stderr
    assert not (written.folder / "caif-home" / "store").exists()


def judgement(verdict: str, p: float | None, *, n: int = 0, principle: str = "p") -> Judgement:
    comparison = Comparison(prompt=Prompt.of(f"q{n}"), a="x", b="y")
    return Judgement(comparison=comparison, principle=principle, objective="o", judge="j", verdict=verdict, p_a=p)


def test_changes_are_counted_by_what_became_what() -> None:
    """The same comparison under another principle is another judgement; one that is gone or new stands against nothing."""
    before = [judgement("a", 0.9), judgement("invalid", None, n=1), judgement("b", 0.2, n=2), judgement("a", 0.6, n=3)]
    after = [
        judgement("a", 0.7),
        judgement("b", 0.1, n=1),
        judgement("b", 0.2, n=2, principle="q"),
        judgement("a", 0.6, n=3),
    ]
    change = changes(before, after)
    assert change.verdicts == {("a", "a"): 2, ("invalid", "b"): 1, ("b", ABSENT): 1, (ABSENT, "b"): 1}
    assert (change.changed, change.judgements, change.drift) == (3, 5, pytest.approx(0.1))
    assert changes([], []).drift is None


def test_two_judgements_of_one_thing_are_set_against_each_other_in_order() -> None:
    """A judge asked in two wordings says two things of a comparison."""
    change = changes([judgement("a", 0.9), judgement("b", 0.1)], [judgement("a", 0.8), judgement("a", 0.7)])
    assert change.verdicts == {("a", "a"): 1, ("b", "a"): 1}


def artifact(store: Path, stage: str, key: str, *inputs: str | None) -> Path:
    folder = store / f"{stage}-{key[:16]}"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps({"stage": stage, "key": key, "inputs": inputs}), encoding="utf-8")
    return folder


def test_all_that_was_made_of_an_artifact_is_set_aside(tmp_path: Path) -> None:
    """At any distance, in every run that shares it; what was not made of it stays, and it does too."""
    own, other = artifact(tmp_path, "labels", "l" * 32), artifact(tmp_path, "people", "p" * 32)
    mixture = artifact(tmp_path, "combine", "c" * 32, "l" * 32, None, "p" * 32)
    reward = artifact(tmp_path, "reward", "r" * 32, "c" * 32)
    apart = artifact(tmp_path, "combine", "d" * 32, "p" * 32)
    assert set(outdate(tmp_path, "l" * 32)) == {"combine", "reward"}
    assert [folder.exists() for folder in (own, other, apart, mixture, reward)] == [True, True, True, False, False]
    assert outdate(tmp_path, "l" * 32) == ()
    artifact(tmp_path, "combine", "c" * 32, "l" * 32)
    assert outdate(tmp_path, "l" * 32) == ("combine",)
    assert len(list(tmp_path.glob("combine-c*.outdated-*"))) == 2


def test_the_watched_ledger_tells_asked_from_reused() -> None:
    """A key that was missing and is there on a second look was asked, not reused."""

    class Held(dict):
        def get(self, keys):
            return {key: self[key] for key in keys if key in self}

    held = Held(a=1, b=2)
    watched = Watched(held)
    watched.begin("s", shut=False)
    watched.get(["a", "c"])
    held["c"] = 3
    watched.get(["a", "b", "c"])
    assert (watched.missing, watched.found) == ({"c"}, {"a", "b"})
    watched.complain()
    watched.begin("s", shut=True)
    assert watched.get(["a"]) == {"a": 1}
    assert watched.get(["b", "d", "d"])["d"].finish == "error"
    with pytest.raises(caif.CaifError, match="s: 1 of 3 answers"):
        watched.complain()
