"""What comes in from elsewhere goes back as it was: every character of a document, every value of a JSON set."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caif.constitution import Constitution, Principle, read
from caif.errors import CaifError
from caif.laws.documents import RULE, from_document, slug, to_document, unique
from caif.laws.examples import left_out, with_files, worked
from caif.laws.rules import rules
from caif.laws.sections import markdown, page
from caif.laws.sets import changed_elsewhere, from_set, to_set
from caif.laws.ways import bring, lost, readable, take
from caif.laws.writing import as_json, as_toml, save_constitution

DATA = Path("/work/shared/data")
SHIPPED = sorted((Path(__file__).parents[2] / "constitutions").glob("*.toml"))

SPEC = """Read this first.

# Duties {#duties}

## Be *brief* {#brief authority=root}

Say it in **one** sentence. See [the guide](https://example.org/guide "x") for more.

!!! meta "Beside the text"
    Nobody is judged by this.

**Example**: a long answer

~~~xml
# not a heading
<user>hi</user>
~~~

Stop when it is said.

## Be brief ##

<!-- nobody
sees --> Do it again, {whatever} {{it}} takes.

#nor is this one
"""

LINES = st.sampled_from(
    ["# A", "## B {#b authority=user tags=x,y}", "### B", "#", "# {x}", "```", "~~~", "    # code",
     "text {a} {{b}} {%c%}", 'q """"" \\ \\u0041 "', "", "  ", "\r", "tab\there", "\x00\x07\x7f", "\u2028é\U0001f600", "> quote", "[a](b)",
     "*x* **y**", "&amp; <b>"]
)  # fmt: skip
POLICY = """Acme's policy
=============

1. Never share a customer's data.
   Not even with colleagues:

   - no e-mail
   - no chat

2) Be polite.
The assistant must not:

* give *legal* advice
* promise refunds;
  ask a person

-----
A paragraph of
two lines.

```
1. code
```
Another one.
"""
ITEMS = st.sampled_from(
    ["- a", "* b", "1. c", "2) d", "(a) e", "1.1 f", "   - in", "  more", "Leads:", "A title", "Ends.", "", "---", "===", "```", "\r"]
)
DOCUMENTS = st.lists(st.one_of(LINES, st.text(max_size=12)), max_size=14).map("\n".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=6,
)  # fmt: skip
NEW = {"critique": "New?", "revision": "New!", "compare": "Which is new?"}
WORDS = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))


def through_a_file(law: Constitution, folder: Path) -> Constitution:
    """Write a constitution, both ways, and read it again."""
    for suffix, text in (("toml", as_toml(law)), ("json", as_json(law))):
        (folder / f"law.{suffix}").write_text(text, encoding="utf-8", newline="")
        assert read(folder / f"law.{suffix}") == law
    return read(folder / "law.toml")


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
@example(SPEC)
@example('# A\n\n"\n# B\n\n""\n# C\n\nx"""')
def test_a_document_comes_back_to_the_last_character(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Line ends, fences, braces, quotes, control characters and all; only a document without a demand is refused."""
    try:
        law = from_document(text, "markdown", "spec", "o")
    except CaifError:
        assert not any(section.prose for section in markdown(text)[1] or rules(text)[1])
        return
    assert to_document(through_a_file(law, tmp_path_factory.mktemp("law"))) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(ITEMS | st.text(max_size=12), max_size=12).map("\n".join))
@example(POLICY)
def test_a_policy_cut_into_its_rules_is_the_policy(text: str) -> None:
    """Titles, lists of any kind and what belongs to an item: nothing falls between two rules, and none is empty."""
    frame, sections = rules(text)
    assert frame + "".join(section.text for section in sections) == text
    assert all(section.prose or section.title for section in sections)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="<>/h1-3pbr a!&;\n\"'", max_size=60))
@example("<html><h1>Rights</h1><p>All are <b>free</b>.<h2 class='x'>Art&shy;icle</h2>\n<p>None is held.</p></html>")
def test_a_page_cut_at_its_headings_is_the_page(text: str) -> None:
    """Nothing falls between two sections, however broken the page is."""
    frame, sections = page(text)
    assert frame + "".join(section.text for section in sections) == text


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        WORDS
        | st.fixed_dictionaries(
            {"critique_request": WORDS, "revision_request": WORDS}, optional={"name": WORDS, "more": JSON}
        )
        | st.fixed_dictionaries({"principle": WORDS}, optional={"compare": WORDS, "more": JSON}),
        min_size=1, max_size=4,
    ),
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4) | st.floats(allow_nan=False), max_size=2),
    st.sampled_from([(), ("principles",), ("a", "b")]),
)  # fmt: skip
def test_a_set_comes_back_as_the_same_data(
    tmp_path_factory: pytest.TempPathFactory, items: list[object], around: dict[str, object], at: tuple[str, ...]
) -> None:
    """Wherever its list stands and whatever else its items and the document hold."""
    document: object = items
    for key in reversed(at):
        document = {**around, key: document}
    law = from_set(document, "set", "o")
    assert len(law.principles) == len(items)
    again = through_a_file(law, tmp_path_factory.mktemp("law"))
    assert json.dumps(to_set(again)) == json.dumps(document)


def test_a_heading_is_a_principle(tmp_path: Path) -> None:
    """Ids follow the headings above, attributes say authority, and a heading that demands nothing is never drawn."""
    law = through_a_file(from_document(SPEC, "markdown", "spec", "o"), tmp_path)
    assert [(p.id, p.weight, p.authority) for p in law.principles] == [
        ("duties", 0, 0), ("duties--be-brief", 1, 4), ("duties--be-brief-2", 1, 0),
    ]  # fmt: skip
    brief = law.principles[1].compare
    assert "Say it in one sentence. See the guide for more." in brief and "Stop when it is said." in brief
    for hidden in ("not a heading", "Nobody is judged", "Example", "https", "{#", "**"):
        assert hidden not in brief
    assert "Do it again, {whatever} {{it}} takes." in law.principles[2].compare
    assert "nobody" not in law.principles[2].compare


def test_a_model_is_shown_as_much_as_a_small_judge_bears() -> None:
    """A long section is cut where a sentence ends; its text is kept whole."""
    law = from_document("# Long\n\n" + "Be kind to everybody. " * 500, "markdown", "spec", "o")
    shown = re.search(r"rule for the assistant: (.*)\n\nWhich", law.principles[0].compare, re.DOTALL)
    assert shown and len(shown[1]) <= RULE and shown[1].endswith("everybody.")
    assert len(law.principles[0].text) > 10_000


def test_what_is_edited_after_the_import_goes_back_too(tmp_path: Path) -> None:
    """A principle mended, added or taken out in the caif file is so in the other project's file as well."""
    law = from_set({"v": 2, "list": [{"critic": " a ", "n": 1}, {"critic": "b"}, {"critic": "c"}]}, "set", "o")
    one, _, three = law.principles
    new = Principle(id="new", objective="o", critique="fresh", revision="r", compare="Which?")
    edited = law.model_copy(update={"principles": (one, three.model_copy(update={"critique": "C"}), new)})
    assert to_set(through_a_file(edited, tmp_path)) == {
        "v": 2,
        "list": [{"critic": " a ", "n": 1}, {"critic": "C"}, {"critic": "fresh"}],
    }
    assert changed_elsewhere(edited) == []
    asked = law.model_copy(update={"principles": (one.model_copy(update={"compare": "Which is it?"}), three)})
    assert changed_elsewhere(asked) == [one.id], "the set has no field for what is asked of a judge"
    weighed = law.model_copy(update={"principles": (one.model_copy(update={"weight": 2.0}), three)})
    assert lost(weighed) == [one.id], "nor for a weight"


def test_an_edit_that_a_document_does_not_show_is_told_of() -> None:
    """The document holds a principle's text; what judges and critics are asked is made of it when it is imported."""
    law = from_document(SPEC, "markdown", "spec", "o")
    assert lost(law) == []
    first, *rest = law.principles
    for change in ({"compare": "Which is the funniest?"}, {"weight": 3.0}, {"authority": 2}):
        assert lost(law.model_copy(update={"principles": (first.model_copy(update=change), *rest)})) == [first.id]
    added = Principle(id="new", objective="o", critique="c", revision="r", compare="Which?")
    assert lost(law.model_copy(update={"principles": (*law.principles, added)})) == []


@pytest.mark.parametrize("text", ["Be nice", "{}", "[1]"])
def test_a_text_that_is_no_item_of_the_set_is_named_by_its_principle(text: str) -> None:
    """Somebody's own principle, put into an imported set with a text of its own."""
    law = from_set({"a": {"critic": "x"}, "b": {"critic": "y"}}, "set", "o")
    own = law.principles[0].model_copy(update={"id": "mine", "text": text})
    for export in (to_set, lost):
        with pytest.raises(CaifError, match="principle mine: its text is no item of the JSON set"):
            export(law.model_copy(update={"principles": (*law.principles, own)}))
    assert law.origin is not None
    broken = law.model_copy(update={"origin": law.origin.model_copy(update={"frame": "{}"})})
    with pytest.raises(CaifError, match=r"set: origin\.frame is not what import wrote"):
        to_set(broken)


def test_a_heading_in_a_script_or_a_comment_is_none() -> None:
    """Nobody who reads the page sees it; and the page comes back as it was all the same."""
    hidden = "<script>say('<h1>x</h1>')</script><!-- <h2>y</h2> -->"
    text = f"<html>{hidden}<h1>Kindness</h1><p>Be kind.</p>{hidden}<h2>Truth</h2><p>Do not lie.</p></html>"
    law = from_document(text, "html", "page", "o")
    assert [p.id for p in law.principles] == ["kindness", "kindness--truth"]
    assert to_document(law) == text


def test_a_title_with_a_line_below_it_is_a_heading() -> None:
    """Both of Markdown's ways to write one; front matter, rules across the page, lists and tables are none."""
    text = "---\nname: x\n---\n\nHonesty\n=======\n\nDo not lie.\n\n# Kindness\n\nBe kind.\n\nBrevity\n---\nBe brief.\n"
    law = from_document(text, "markdown", "spec", "o")
    assert [p.id for p in law.principles] == ["honesty", "kindness", "kindness--brevity"]
    assert "Be brief." in law.principles[2].compare and "Kindness" not in law.principles[0].compare
    assert to_document(law) == text
    for none in ("- item\n---\n", "a line\nand another\n---\n", "a | b\n--- | ---\n", "> said\n---\n", "```\nx\n---\n```\n"):
        assert [p.id for p in from_document(f"# One\n\nBe kind.\n\n{none}", "markdown", "spec", "o").principles] == ["one"]


def test_sets_by_name_and_sets_of_texts_are_sets_too() -> None:
    """A table of named criticisms, as in the paper's own file, and a plain list of sentences."""
    named = {
        "harm-1": {"prompt": "Say what harms.", "edit_request": "Mend it."},
        "harm-2": {"prompt": "Else?", "edit_request": "Mend."},
    }
    law = from_set(named, "set", "o")
    assert [p.id for p in law.principles] == ["harm-1", "harm-2"]
    assert (law.principles[0].critique, law.principles[0].revision) == ("Say what harms.", "Mend it.")
    assert list(to_set(law)) == list(named) and to_set(law) == named  # type: ignore[call-overload]
    assert "be kind" in from_set(["be kind"], "set", "o").principles[0].compare


def test_in_a_policy_without_headings_an_item_or_a_paragraph_is_a_principle(tmp_path: Path) -> None:
    """What leads to a list is said with each of its items, and is no rule of its own; the title is none either."""
    (tmp_path / "policy.txt").write_text(POLICY)
    save_constitution(bring(tmp_path / "policy.txt"), tmp_path / "law.toml")
    law = read(tmp_path / "law.toml")
    assert [(p.id, p.weight) for p in law.principles] == [
        ("never-share-a-customers-data-not", 1), ("be-polite-the-assistant-must-not", 1), ("give-legal-advice", 1),
        ("promise-refunds-ask-a-person", 1), ("a-paragraph-of-two-lines", 1), ("another-one", 1),
    ]  # fmt: skip
    assert take(law) == take(law, "text") == POLICY
    shown = [p.instruct.partition("The rule: ")[2] for p in law.principles]
    assert " ".join(shown[0].split()) == "Never share a customer's data. Not even with colleagues: - no e-mail - no chat"
    assert shown[4:] == ["A paragraph of\ntwo lines.", "Another one."]
    added = law.model_copy(update={"principles": (*law.principles, Principle(id="new", objective="policy", **NEW))})
    assert take(added) == f"{POLICY}\n\nWhich is new?\n"
    assert "# policy" in take(law, "markdown")


def test_what_leads_to_a_list_is_said_with_each_item() -> None:
    """A judge sees one rule alone; the lead itself is never drawn."""
    law = from_document("It must not:\n\n- lie\n- cheat\n\nIt is kind.", "markdown", "policy", "o")
    assert [(p.weight, p.instruct.partition("The rule: ")[2]) for p in law.principles] == [
        (0, "It must not:"), (1, "It must not: lie"), (1, "It must not: cheat"), (1, "It is kind."),
    ]  # fmt: skip


def test_a_long_policy_takes_no_longer_than_its_length(tmp_path: Path) -> None:
    """A file may come from anywhere: lines across the page without end, and a lead of a megabyte before a long list."""
    started = time.monotonic()
    for text in ("Be kind.\n\n" + "---\n\n" * 100_000, "word " * 100_000 + "be:\n\n" + "- x\n" * 10_000):
        frame, sections = rules(text)
        assert frame + "".join(section.text for section in sections) == text
        assert sum(len(section.prose) for section in sections) <= 2 * len(text)
    assert list(worked("~~~xml\n<user>\n" * 50_000)) == []
    assert time.monotonic() - started < 30


EXAMPLE = """~~~xml
{before}<user>
What is {{x}}?
</user>
<comparison>
{answers}
</comparison>
~~~
"""
GOOD, BAD = "<assistant> <!-- GOOD: why -->\nIt is y.\n</assistant>", "<assistant> <!-- BAD -->\nNo {n}.\n</assistant>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EXAMPLE.format(before="", answers=GOOD + BAD), [("What is {x}?", "It is y.", "No {n}.")]),
        (EXAMPLE.format(before="", answers=BAD + GOOD + BAD.replace("No", "Not")),
         [("What is {x}?", "It is y.", "No {n}."), ("What is {x}?", "It is y.", "Not {n}.")]),
        (EXAMPLE.format(before="", answers=GOOD), ["no good answer beside a bad one"]),
        (EXAMPLE.format(before="", answers=GOOD + BAD.replace("BAD", "OK")), ["no good answer beside a bad one"]),
        (EXAMPLE.format(before="<system>\nBe.\n</system>\n", answers=GOOD + BAD), ["more than one question before the answers"]),
        (EXAMPLE.format(before="", answers=GOOD + BAD.replace("No", "[...]")), ["a text is given in part ([...])"]),
        (EXAMPLE.format(before="", answers=GOOD + BAD.replace("No {n}.", "x" * 5000)), ["a text is empty or too long"]),
        (EXAMPLE.format(before="", answers=GOOD + BAD.replace("No {n}.", "")), ["a text is empty or too long"]),
        ("~~~xml\n<user>\nWhy?\n</user>\n~~~\n", ["no answers to compare"]),
        ("no example", []), ("~~~python\n<comparison></comparison>\n~~~", []),
    ],
)  # fmt: skip
def test_an_example_with_a_good_and_a_bad_answer_is_a_case(text: str, said: list[object]) -> None:
    """The others are counted by the reason why they are none."""
    found = [one if isinstance(one, str) else (one.prompt, one.better, one.worse) for one in worked(text)]
    assert found == said
    law = from_document(f"# One\n\nBe brief.\n\n{text}\n# Two\n\nBe kind.", "markdown", "spec", "o")
    assert len(law.principles[0].cases) == sum(isinstance(one, tuple) for one in said)
    assert not law.principles[1].cases
    assert left_out(law).total() == sum(isinstance(one, str) for one in said)


def test_examples_in_files_find_their_principle_by_its_footnote(tmp_path: Path) -> None:
    """Those that no principle refers to are counted; a folder without any is a mistake."""
    law = from_document("# One\n\nBe brief[^ab12].\n\n# Two\n\nBe kind.", "markdown", "spec", "o")
    example = EXAMPLE.format(before="", answers=GOOD + BAD)
    (tmp_path / "a.md").write_text(f"Examples for [^ab12] in One:\n\n{example}")
    (tmp_path / "b.md").write_text(f"Examples for [^zz99] in Nowhere:\n\n{example}")
    (tmp_path / "README.md").write_text(example)
    found, without = with_files(law, tmp_path)
    assert [len(p.cases) for p in found.principles] == [1, 0]
    assert without == {"no principle refers to them": 1}
    with pytest.raises(CaifError, match="holds no examples"):
        with_files(law, tmp_path / "nowhere")


def test_a_text_file_is_read_as_markdown(tmp_path: Path) -> None:
    """A policy often lies in a .txt."""
    (tmp_path / "policy.txt").write_text("# Be brief\n\nThree sentences at most.\n")
    law = bring(tmp_path / "policy.txt")
    assert [p.id for p in law.principles] == ["be-brief"]
    assert take(law) == "# Be brief\n\nThree sentences at most.\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.md", "```\ncode alone\n```\n", "holds no rule"),
        ("a.txt", " \n\n---\n", "holds no rule"),
        ("a.md", "# One\n\n# Two\n", "no heading has a text below it"),
        ("a.json", '{"a": 1}', "holds no list of principles"),
        ("a.json", "[1, 2]", "holds no list of principles"),
        ("a.json", '[{"critique": "a"', "not valid JSON"),
        ("a.json", json.dumps([{"critique": "x" * 5000}]), "at most 4000 characters"),
        ("a.rst", "# One\n\ntext", "cannot tell the format"),
    ],
)
def test_what_is_no_constitution_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    """With the file, what was looked for, and one line."""
    (tmp_path / name).write_text(text)
    with pytest.raises(CaifError, match=f"{re.escape(str(tmp_path / name))}.*{said}"):
        bring(tmp_path / name)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    """It may hold somebody's work."""
    law = from_document(SPEC, "markdown", "spec", "o")
    save_constitution(law, tmp_path / "law.toml")
    assert read(tmp_path / "law.toml") == law
    with pytest.raises(CaifError, match="is there already"):
        save_constitution(law, tmp_path / "law.toml")
    with pytest.raises(CaifError, match="cannot tell the format"):
        save_constitution(law, tmp_path / "law.txt")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_constitution_of_ours_is_written_as_json_and_for_people(tmp_path: Path, file: Path) -> None:
    """The JSON is the same constitution; the page has every principle's question and cases."""
    law = through_a_file(read(file), tmp_path)
    text = take(law, "markdown")
    assert take(law) == take(law, "json") == as_json(law)
    assert text == readable(law)
    assert all(p.compare in text and all(case.better in text for case in p.cases) for p in law.principles)
    with pytest.raises(CaifError, match="cannot be written as 'html'"):
        take(law, "html")


def test_names_are_unique_and_valid() -> None:
    """Any heading has a name, two of one name are told apart, and none is longer than a name may be."""
    names = unique([slug("É b'c!"), slug("e bc"), slug("日本"), slug("日本"), slug("x" * 90), slug("x" * 90)])
    assert names == ["e-bc", "e-bc-2", "section", "section-2", "x" * 64, "x" * 62 + "-2"]


@pytest.mark.parametrize("name", ["openai_model_spec/model_spec.md", "udhr/udhr_eng.html"])
def test_real_documents_come_back_to_the_last_character(tmp_path: Path, name: str) -> None:
    """A specification of 80 headings, and the declaration of human rights."""
    file = DATA / name
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    save_constitution(bring(file, "duties"), tmp_path / "law.toml")
    law = read(tmp_path / "law.toml")
    assert take(law) == file.read_bytes().decode()
    assert sum(p.weight > 0 for p in law.principles) >= 30
    assert {p.objective for p in law.principles} == {"duties"}


@pytest.mark.parametrize("file", sorted((DATA / "constitutions_misc").glob("*.json")), ids=lambda file: file.stem)
def test_real_sets_come_back_as_the_same_data(tmp_path: Path, file: Path) -> None:
    """Sets of other projects, one with examples beside its principles."""
    save_constitution(bring(file), tmp_path / "law.toml")
    assert json.loads(take(read(tmp_path / "law.toml"))) == json.loads(file.read_text(encoding="utf-8"))


def test_the_examples_of_a_real_specification_are_cases_or_counted(tmp_path: Path) -> None:
    """Of those that stand in it 90 are whole, on 36 principles; those in files of their own have no answers."""
    folder = DATA / "openai_model_spec"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    law, without = with_files(bring(folder / "model_spec.md"), folder / "examples")
    numbers = [len(p.cases) for p in law.principles]
    assert sum(numbers) >= 60 and sum(map(bool, numbers)) >= 25
    assert without == {"no answers to compare": 272}
    assert left_out(law)["a text is given in part ([...])"] > 50
    save_constitution(law, tmp_path / "law.toml")
    assert take(read(tmp_path / "law.toml")) == (folder / "model_spec.md").read_bytes().decode()
