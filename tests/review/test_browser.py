"""Promise P4 and the keys in a real browser: a whole review by keyboard, one by clicks alone, and text that stays text."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from questions import ANSI, HOSTILE, MARKUP

pytest.importorskip("fastapi", reason="the extra web is not installed")
pytestmark = pytest.mark.slow

LISTEN = """
window.violations = [];
document.addEventListener('securitypolicyviolation', e => window.violations.push(e.violatedDirective));
"""
CONTRAST = """
(() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
  };
  return Math.min(...Array.from(document.querySelectorAll('h1, h2, p, pre, label, button'), element => {
    const [one, other] = [light(getComputedStyle(element).color), light(ground(element))].sort();
    return (other + 0.05) / (one + 0.05);
  }));
})()
"""
"""The least contrast between text and its ground, as WCAG measures it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with driver.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def served(folder: Path, texts: list[str], *options: str) -> Iterator[tuple[str, Path, list[str]]]:
    """Serve a review of one pair a text by the command itself; then end it with Ctrl-C and give what it said."""
    rows = [
        {"prompt": f"What of {n}? {t}", "chosen": f"one {n} {t}", "rejected": f"other {n} {t}"}
        for n, t in enumerate(texts)
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [sys.executable, "-m", "caif", "review", "pairs.jsonl", "--web", "-o", "votes.jsonl", *options]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said: list[str] = []
    try:
        assert server.stdout
        address = server.stdout.readline().removeprefix("Review at ").strip()
        assert address.startswith("http://127.0.0.1:"), address or server.communicate()
        yield address, folder / "votes.jsonl", said
    finally:
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=20)
        said += [out, err, str(server.returncode)]


def opened(browser: Any, **options: Any) -> tuple[Any, list[str], list[str]]:
    tab = browser.new_context(**options).new_page()
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    if options.get("java_script_enabled", True):
        tab.add_init_script(LISTEN)
    return tab, asked, said


def votes(file: Path) -> list[str]:
    return [json.loads(line)["vote"] for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_whole_review_by_keyboard(browser: Any, tmp_path: Path) -> None:
    """Every key does what is written on it, a comment is no command, and Ctrl-C ends with a summary."""
    with served(tmp_path, ["a", "b", "c", "d", "e"]) as (address, file, said):
        tab, asked, complaints = opened(browser)
        tab.goto(address)
        tab.keyboard.press("Enter")
        tab.wait_for_selector("text=Which answer is better?")
        tab.keyboard.press("?")
        assert tab.is_visible("dl.keys")
        shown = tab.inner_text("#answer-1 + pre")
        for n, keys in enumerate((["1"], ["u"], ["2"], ["0"], ["c", "1", "2", "u", "Escape", "b"], ["s"], ["1"])):
            before = len(votes(file)) if n else 0
            for key in keys:
                tab.keyboard.press(key)
            tab.wait_for_load_state("load")
            tab.wait_for_function("document.readyState === 'complete'")
            while len(votes(file)) == before:
                tab.wait_for_timeout(20)
            tab.wait_for_selector(f"text={(1, 0, 1, 2, 3, 4, 5)[n]} of 5")
            if n == 1:
                assert tab.inner_text("#answer-1 + pre") == shown, (
                    "what was taken back is asked again, in the same order"
                )
        tab.wait_for_selector("text=Thank you. 5 votes")
        assert votes(file) == ["pair", "undo", "pair", "tie", "both_bad", "skip", "pair"]
        assert [json.loads(line).get("comment") for line in file.read_text().splitlines()][4] == "12u"
        assert complaints == []
        assert all(url.startswith(address.partition("?")[0]) for url in asked)
        tab.keyboard.press("u")
        tab.wait_for_selector("text=4 of 5")
    out, err, code = said
    assert "Votes: " in out
    assert "1 item left" in out
    assert 'format = "reviews"' in out
    assert (err, code) == ("", "0")


def test_a_whole_review_by_clicks_alone(browser: Any, tmp_path: Path) -> None:
    """With scripts switched off: each button by its name, the comment, the undo."""
    with served(tmp_path, ["a", "b", "c"], "--rater", "ada") as (address, file, _):
        tab, _, _ = opened(browser, java_script_enabled=False)
        tab.goto(address)
        tab.get_by_role("link", name="Begin").click()
        tab.get_by_label("Comment").fill("a line\nand another")
        tab.get_by_role("button", name="Answer 1 is better").click()
        tab.get_by_role("button", name="Undo").click()
        tab.get_by_role("button", name="Answer 2 is better").click()
        tab.locator("summary").click()
        tab.get_by_role("button", name="Both bad").click()
        tab.get_by_role("button", name="Tie").click()
        assert "Thank you. 3 votes" in tab.inner_text("main")
        assert votes(file) == ["pair", "undo", "pair", "both_bad", "tie"]
        first = json.loads(file.read_text().splitlines()[0])
        assert (first["comment"], first["rater"]) == ("a line\nand another", "ada")


def test_hostile_text_is_inert_in_chromium(browser: Any, tmp_path: Path) -> None:
    """Nothing of it runs, loads, navigates, hides or becomes an element; the policy had nothing to stop."""
    with served(tmp_path, [HOSTILE, MARKUP, ANSI]) as (address, file, _):
        tab, asked, said = opened(browser)
        tab.goto(address)
        tab.keyboard.press("Enter")
        seen = ""
        for n in range(3):
            tab.wait_for_selector(f"text={n} of 3")
            seen += tab.inner_text("main")
            assert tab.evaluate("window.pwned") is None
            assert tab.evaluate("window.violations") == []
            assert (
                tab.evaluate(
                    "document.querySelectorAll('main :is(script, img, iframe, link, base, object, embed, svg, a)').length"
                )
                == 0
            )
            assert tab.evaluate("document.forms.length") == (2 if n else 1)
            assert tab.evaluate("document.querySelectorAll('.answer').length") == 2
            tab.keyboard.press("0")
        tab.wait_for_selector("text=Thank you")
        assert said == []
        assert all(url.startswith(address.partition("?")[0]) for url in asked)
        for text in (
            "<script>window.pwned=1",
            "{{ 7 * 191 }}",
            "\u2039U+001B\u203a[31m",
            "\u2039U+202E\u203a",
            "[/red]",
        ):
            assert text in seen
        assert votes(file) == ["tie"] * 3


def test_another_page_cannot_vote(browser: Any, tmp_path: Path) -> None:
    """A page of another origin posts the form with the rater's own browser: it is turned away."""
    with served(tmp_path, ["a"]) as (address, file, _):
        tab, _, _ = opened(browser)
        tab.goto(address)
        tab.goto(address.partition("?")[0])
        item = tab.get_attribute("input[name=item]", "value")
        (tmp_path / "evil.html").write_text(
            f'<form method=post action="{address.partition("?")[0]}vote"><input name=item value="{item}">'
            "<input name=vote value=first><button>go</button></form>"
        )
        tab.goto((tmp_path / "evil.html").as_uri())
        tab.click("button")
        tab.wait_for_selector("text=This form came from another page")
        assert votes(file) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_its_window_and_can_be_read_and_hit(
    browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    """No sideways scrolling, targets of 44 pixels, contrast of 4.5 to 1, a visible focus."""
    with served(tmp_path, ["a" * 3000, "b"]) as (address, _, _):
        tab, _, _ = opened(browser, viewport={"width": width, "height": 800}, color_scheme=scheme)
        for url in (address, address.partition("?")[0]):
            tab.goto(url)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate(CONTRAST) >= 4.5
            for target in tab.query_selector_all("button, .button, textarea, summary"):
                box = target.bounding_box()
                assert box["height"] >= 44, target.inner_text()
                assert box["width"] >= 44, target.inner_text()
        tab.keyboard.press("Tab")
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
