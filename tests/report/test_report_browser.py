"""Promise P4 in a real browser: the hostile page runs nothing, asks for nothing and keeps to its own policy."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_up import HOSTILE, made_up

from caif.report.gather import gather
from caif.report.numbers import numbers
from caif.report.page import page

pytestmark = pytest.mark.slow

LISTEN = """
window.violations = [];
document.addEventListener('securitypolicyviolation', e => window.violations.push(e.violatedDirective));
"""
"""Run by the browser's driver before the page, which itself may run nothing."""


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


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    built = made_up(folder, HOSTILE)
    html = folder / "report.html"
    html.write_text(page(numbers(gather(list(built.values())), f"A title{HOSTILE}")), encoding="utf-8")
    return html


def opened(browser: Any, file: Path, **options: Any) -> tuple[Any, list[str], list[str]]:
    tab = browser.new_page(**options)
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    tab.add_init_script(LISTEN)
    tab.goto(file.as_uri())
    return tab, asked, said


def test_hostile_text_is_inert_in_chromium(browser: Any, file: Path) -> None:
    """Every fold opened and every link clicked: nothing was run, nothing asked for, nothing refused by the policy."""
    tab, asked, said = opened(browser, file)
    tab.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    for link in tab.query_selector_all("nav a"):
        link.click()
    tab.wait_for_timeout(300)
    assert tab.evaluate("window.pwned") is None
    assert tab.evaluate("window.violations") == []
    assert said == []
    assert [url.partition("#")[0] for url in asked] == [file.as_uri()] * len(asked)
    assert (
        tab.evaluate("document.querySelectorAll('script, img, iframe, link, base, object, embed, form, input').length")
        == 0
    )
    assert tab.url.startswith(file.as_uri())


def test_the_style_sheet_is_let_through(browser: Any, file: Path) -> None:
    """A wrong digest in the policy would leave the page bare."""
    tab, _, _ = opened(browser, file)
    assert tab.evaluate("getComputedStyle(document.querySelector('pre')).whiteSpace").startswith("pre-wrap")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_the_page_fits_its_window(browser: Any, file: Path, width: int, scheme: str) -> None:
    """Wide tables scroll inside themselves; the page itself never does, and text stands out from its ground."""
    tab, _, _ = opened(browser, file, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    colours = tab.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    light = [sum(map(int, colour[4:-1].split(","))) for colour in colours]
    assert (light[0] < light[1]) == (scheme == "light")
    assert abs(light[0] - light[1]) > 400
