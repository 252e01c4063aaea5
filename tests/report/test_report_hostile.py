"""Promise P4 for the page: nothing from data is run, loaded, hidden or rendered as markup."""

import re
from xml.etree import ElementTree

import pytest
from made_up import HOSTILE, made_up
from reading import ALLOWED, Reader

from caif.report.gather import gather
from caif.report.numbers import numbers
from caif.report.page import page


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    built = made_up(tmp_path_factory.mktemp("hostile"), HOSTILE)
    return page(numbers(gather(list(built.values())), f"A title{HOSTILE}"))


def test_hostile_text_stays_text(hostile: str) -> None:
    """No text of a model, a person, a plugin or a run file becomes an element, an attribute or an address."""
    reader = Reader(hostile)
    assert not reader.open
    assert reader.tags <= ALLOWED
    assert "window.pwned" in reader.text
    assert hostile.lower().count("<script") == 0
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("src", "srcset", "style", "action", "data", "xlink:href", "srcdoc"), (tag, name)
        assert name != "href" or re.fullmatch(r"#[a-z]+", value), (tag, value)
        assert name not in ("class", "id") or re.fullmatch(r"[a-z0-9 -]*", value), (tag, value)


def test_templates_in_data_are_not_run(hostile: str) -> None:
    """A brace in a text is a brace."""
    assert "{{ 7 * 191 }}" in Reader(hostile).text
    assert "1337" not in hostile


def test_hidden_characters_are_spelled_out(hostile: str) -> None:
    """No control, bidirectional or zero-width character of a text reaches the page."""
    assert not re.findall("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\u00ad\x00-\x08\x0b-\x1f\x7f-\x9f]", hostile)
    for shown in ("\u2039U+001B\u203a[31m", "\u2039U+202E\u203a", "\u2039U+200B\u203a"):
        assert shown in hostile


def test_the_page_needs_nothing_and_forbids_everything(hostile: str) -> None:
    """One style sheet, allowed by its digest; no script, no address, no import."""
    policy = next(
        value
        for tag, name, value in Reader(hostile).attributes
        if tag == "meta" and name == "content" and "default-src" in value
    )
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]+=*'; base-uri 'none'; form-action 'none'", policy
    )
    style = hostile.partition("<style>")[2].partition("</style>")[0]
    assert "@import" not in style
    assert "url(" not in style
    assert hostile.index("Content-Security-Policy") < hostile.index("<title>") < hostile.index("<style>")


def test_every_plot_is_well_formed(hostile: str) -> None:
    """Each drawing can be read by an XML parser."""
    drawings = re.findall(r"<svg.*?</svg>", hostile, re.DOTALL)
    assert len(drawings) > 30
    for drawing in drawings:
        ElementTree.fromstring(drawing)  # noqa: S314 - our own
