"""A constitution says what it says: checked line by line, never run as code, drawn by weight and by nothing else."""

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caif.constitution import Constitution, Principle, read
from caif.data import Prompt
from caif.errors import WRONG, CaifError

SHIPPED = sorted((Path(__file__).parents[2] / "constitutions").glob("*.toml"))
HEAD = 'name = "law"\n[objectives]\nhonesty = "True."\n[terms]\nassistant = "the assistant"\n'
PRINCIPLE = '[[principles]]\nid = "{id}"\nobjective = "honesty"\ncritique = "Is it true?"\nrevision = "Make it true."\ncompare = "Which is truer?"\n'

Refused = Callable[[str], str]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Return a function that gives the message with which a constitution is refused."""

    def message(text: str) -> str:
        (tmp_path / "law.toml").write_text(text, encoding="utf-8")
        with pytest.raises(CaifError) as caught:
            read(tmp_path / "law.toml")
        assert caught.value.code == WRONG
        assert str(caught.value).startswith(str(tmp_path / "law.toml"))
        return str(caught.value)

    return message


def law(*principles: Principle) -> Constitution:
    return Constitution(name="law", objectives={"o": "x"}, principles=principles)


def principle(name: str, **fields: object) -> Principle:
    texts = {"critique": "c", "revision": "r", "compare": "Which?", "objective": "o"}
    return Principle.model_validate({"id": name} | texts | fields)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_constitution_loads(file: Path) -> None:
    """What is shipped is read by the same checks as anyone's, and serves every objective it declares."""
    shipped = read(file)
    assert shipped.name == file.stem
    assert {p.objective for p in shipped.principles} == set(shipped.objectives)


def test_the_three_constitutions_are_shipped() -> None:
    """The parametrised tests above would pass on an empty folder."""
    assert {"checkable", "general", "harmless-helpful-honest"} <= {file.stem for file in SHIPPED}


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_case_of_a_shipped_constitution_is_well_formed(file: Path) -> None:
    """A case can test a judge: two different answers to one question, the same question never twice in a principle."""
    for one in read(file).principles:
        assert one.cases, one.id
        assert len({case.prompt for case in one.cases}) == len(one.cases)
        for case in one.cases:
            assert case.better != case.worse
            Prompt.of(case.prompt)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_no_term_is_left_unfilled_in_a_shipped_constitution(file: Path) -> None:
    """No model is ever asked about {assistant}."""
    assert "{" not in read(file).model_dump_json().replace('{"', "").replace("[{", "")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ 'a'*10**9 }}",
        "{x.__class__}",
        "{% for x in y %}",
        "{unknown}",
        "{ assistant.__init__ }",
        "{0}",
        "{assistant!r}",
    ],
)
def test_what_looks_like_a_template_is_refused_by_key(refused: Refused, template: str) -> None:
    """RELIABILITY 28: a constitution is data; no expression in it is looked at, let alone run."""
    started = time.monotonic()
    tracemalloc.start()
    message = refused(HEAD + PRINCIPLE.format(id="p").replace("Is it true?", f"Is it {template}?"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "principles[0].critique" in message
    assert "not a declared term" in message
    assert peak < 50_000_000
    assert time.monotonic() - started < 2


def test_a_misspelt_term_gets_a_hint(refused: Refused) -> None:
    """Did you mean the one that is declared?"""
    assert "did you mean 'assistant'?" in refused(HEAD + PRINCIPLE.format(id="p").replace("true?", "{assistent}?"))


def test_a_declared_term_is_filled_and_other_braces_stay(tmp_path: Path) -> None:
    """Principles may speak of JSON and of code; only {name} is looked up, and what it becomes is not looked at again."""
    text = HEAD.replace('"the assistant"', '"{name} the \\\\1 helper"') + PRINCIPLE.format(id="p").replace(
        "Is it true?", "Does {assistant} give {'a': 1}, {} or { x, y }?"
    )
    (tmp_path / "law.toml").write_text(text)
    assert (
        read(tmp_path / "law.toml").principles[0].critique
        == "Does {name} the \\1 helper give {'a': 1}, {} or { x, y }?"
    )


def test_no_principles_is_refused(refused: Refused) -> None:
    """RELIABILITY 28: a constitution of nothing is a mistake."""
    assert "principles" in refused(HEAD)
    assert "at least 1" in refused("principles = []\n" + HEAD)


def test_an_empty_file_is_refused(refused: Refused) -> None:
    """No bytes, no law."""
    assert "empty" in refused("")


def test_an_id_that_stands_twice_is_refused(refused: Refused) -> None:
    """RELIABILITY 28: labels carry the id, so it has to name one principle."""
    message = refused(HEAD + PRINCIPLE.format(id="same") * 2)
    assert "principles[1].id: 'same' stands twice" in message


def test_all_that_is_wrong_is_told_each_on_its_line(tmp_path: Path) -> None:
    """Terms, fields, names and objectives at once: a person mends a file in one go, not in eight."""
    bad = 'versoin = "2"\n' + HEAD + PRINCIPLE.format(id="a").replace("honesty", "honesti").replace(" it ", " {it} ")
    bad += PRINCIPLE.format(id="a").replace("Make it true.", "").replace("Which is truer?", "{thing}") + "weight = -1\n"
    (tmp_path / "law.toml").write_text(bad, encoding="utf-8")
    with pytest.raises(CaifError) as caught:
        read(tmp_path / "law.toml")
    lines = [line.removeprefix(f"{tmp_path / 'law.toml'}: ") for line in caught.value.lines]
    assert [line.partition(":")[0] for line in lines] == [
        "principles[0].critique", "principles[0].revision", "principles[1].compare", "principles[1].revision",
        "principles[1].weight", "versoin", "principles[0].objective", "principles[1].id",
    ]  # fmt: skip
    assert lines[5] == "versoin: unknown key; did you mean 'version'?"
    assert lines[7] == "principles[1].id: 'a' stands twice; ids are unique"


def test_a_list_that_is_too_short_because_its_item_is_wrong_is_told_once(tmp_path: Path) -> None:
    """The deepest place is where to mend it."""
    (tmp_path / "law.toml").write_text(HEAD + PRINCIPLE.format(id="p") + "weight = -1\n", encoding="utf-8")
    with pytest.raises(CaifError) as caught:
        read(tmp_path / "law.toml")
    assert [line.partition(": ")[2] for line in caught.value.lines] == ["principles[0].weight: input should be greater than or equal to 0, not -1"]


def test_a_file_of_10_mb_is_refused(refused: Refused) -> None:
    """RELIABILITY 28: it is refused before it is read."""
    started = time.monotonic()
    assert "over the limit" in refused(HEAD + PRINCIPLE.format(id="p").replace("true", "true " * 2_500_000))
    assert time.monotonic() - started < 2


def test_a_broken_line_is_named(refused: Refused) -> None:
    """The line, not only the file."""
    broken = HEAD + PRINCIPLE.format(id="p").replace('compare = "', "compare = ")
    assert "law.toml:11: not valid TOML" in refused(broken)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('critque = "x"', "principles[0].critque: unknown key; did you mean 'critique'?"),
        (
            'objective = "honesti"',
            "principles[0].objective: 'honesti' is not one of [objectives]; did you mean 'honesty'?",
        ),
        ("weight = -1", "principles[0].weight"),
        ("weight = nan", "principles[0].weight"),
        ("weight = inf", "principles[0].weight"),
        ("weight = 0", "every weight is 0"),
        ('id = "No Good"', "principles[0].id"),
        ('critique = "  "', "principles[0].critique"),
        ('[[principles.cases]]\nprompt = "a"\nbetter = "b"', "principles[0].cases[0].worse: is required and missing"),
        ('[[principles.cases]]\nprompt = "a"\nbetter = "b"\nworst = "c"\nworse = "d"', "did you mean 'worse'?"),
    ],
)
def test_a_mistake_in_a_principle_is_told_by_its_key(refused: Refused, line: str, message: str) -> None:
    """File, key path, what is wrong, and the nearest name that would be right."""
    key = line.partition(" =")[0]
    kept = "".join(f"{one}\n" for one in PRINCIPLE.format(id="p").splitlines() if not one.startswith(f"{key} ="))
    assert message in refused(HEAD + kept + line + "\n")


@pytest.mark.parametrize("terms", ["terms = 3\n", 'terms = ["a"]\n', "terms = {a = 1}\n"])
def test_terms_that_are_no_table_of_texts_are_refused(refused: Refused, terms: str) -> None:
    """The example in the message shows how to write them."""
    assert "terms: must be a table of texts" in refused(terms + HEAD.split("[terms]")[0] + PRINCIPLE.format(id="p"))


@pytest.mark.parametrize("field", ["critique", "revision", "compare", "instruct", "oppose"])
def test_a_principles_digest_changes_with_what_it_says(field: str) -> None:
    """Labels made under another wording are other labels."""
    assert principle("p", **{field: "said otherwise"}).digest != principle("p").digest


@pytest.mark.parametrize("fields", [{"id": "q"}, {"weight": 2.0}, {"authority": 3}, {"applies_to": ("x",)}])
def test_a_principles_digest_changes_with_nothing_else(fields: dict[str, object]) -> None:
    """A new weight or name asks models the same questions. The whole constitution's digest sees it all the same."""
    other = principle(str(fields.get("id", "p")), **{k: v for k, v in fields.items() if k != "id"})
    assert other.digest == principle("p").digest
    assert law(other).digest != law(principle("p")).digest


def test_principles_are_drawn_by_weight() -> None:
    """5,000 prompts: each principle's count is within four standard deviations of its share, and weight 0 is never drawn."""
    weights = {"a": 1.0, "b": 2.0, "c": 5.0, "never": 0.0}
    drawn = Counter(
        law(*(principle(n, weight=w) for n, w in weights.items())).draw(Prompt.of(f"q{n}"), 7).id for n in range(5000)
    )  # type: ignore[union-attr]
    assert "never" not in drawn
    for name, weight in weights.items():
        share = weight / 8
        assert abs(drawn[name] - 5000 * share) <= 4 * (5000 * share * (1 - share)) ** 0.5, name


@given(st.permutations(range(12)))
def test_a_draw_does_not_depend_on_the_order_of_draws(order: list[int]) -> None:
    """Workers, batches and a resume change the order; the drawn principle stays."""
    constitution = law(*(principle(n) for n in "abcdef"))
    straight = {n: constitution.draw(Prompt.of(f"q{n}"), "seed") for n in range(12)}
    assert {n: constitution.draw(Prompt.of(f"q{n}"), "seed") for n in order} == straight


def test_another_seed_or_turn_draws_anew() -> None:
    """The draw is not the same principle for a prompt turn after turn."""
    constitution = law(*(principle(n) for n in "abcdef"))
    assert len({constitution.draw(Prompt.of("q"), "revise", 0, turn).id for turn in range(40)}) == 6  # type: ignore[union-attr]


def test_tags_say_which_principles_can_be_drawn() -> None:
    """A principle for medicine is never drawn for a cooking question; without tags it speaks to all."""
    constitution = law(principle("any"), principle("medical", applies_to=("medicine", "drugs")))
    tagged = {constitution.draw(Prompt.of(f"q{n}", tags=["drugs"]), 0).id for n in range(50)}  # type: ignore[union-attr]
    assert tagged == {"any", "medical"}
    assert {constitution.draw(Prompt.of(f"q{n}", tags=["cooking"]), 0).id for n in range(50)} == {"any"}  # type: ignore[union-attr]


def test_nothing_is_drawn_where_nothing_applies() -> None:
    """None, not the nearest principle."""
    assert law(principle("medical", applies_to=("medicine",))).draw(Prompt.of("q"), 0) is None


def test_a_constitution_can_be_reduced_to_named_principles() -> None:
    """A misspelt name is an error with a hint; no name keeps all."""
    constitution = law(principle("alpha"), principle("beta"))
    assert [p.id for p in constitution.only(["beta"]).principles] == ["beta"]
    assert constitution.only([]).principles == constitution.principles
    with pytest.raises(CaifError, match="did you mean 'alpha'"):
        constitution.only(["alpa"])


def test_toml_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    """The format of the file is no part of the constitution."""
    (tmp_path / "a.toml").write_text(HEAD + PRINCIPLE.format(id="p"))
    (tmp_path / "a.json").write_text(read(tmp_path / "a.toml").model_dump_json())
    fields = (
        "id: p\n  objective: honesty\n  critique: Is it true?\n  revision: Make it true.\n  compare: Which is truer?"
    )
    (tmp_path / "a.yaml").write_text(f"name: law\nobjectives: {{honesty: True.}}\nprinciples:\n- {fields}\n")
    assert len({read(tmp_path / f"a.{suffix}").digest for suffix in ("toml", "json", "yaml")}) == 1
