"""The page: for this machine and one person alone, blind, complete without a script, and deaf to what comes from elsewhere."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from questions import HOSTILE, Begin, pair, thumb

pytest.importorskip("fastapi", reason="the extra web is not installed")
httpx = pytest.importorskip("httpx", reason="fastapi's test client needs httpx")

from starlette.testclient import TestClient

from caif.data import Prompt
from caif.errors import CaifError
from caif.review.items import item
from caif.review.serve import bound
from caif.review.session import Review
from caif.review.web import app, refusal

TOKEN, HOST = "a-token", "127.0.0.1:8123"
ORIGIN = {"origin": f"http://{HOST}"}


def client(review: Review, **headers: str) -> TestClient:
    """Return a browser that knows the address, but not yet its token."""
    return TestClient(
        app(review, TOKEN, 8123), base_url=f"http://{HOST}", headers={**ORIGIN, **headers}, follow_redirects=True
    )


@pytest.fixture
def browser(begin: Begin) -> Iterator[tuple[TestClient, Review]]:
    """A browser in which a review of four pairs is open."""
    review = begin([pair(n, signals={"order flips": 1.0}, leaning=0.9, audit=True) for n in range(4)])
    with client(review) as opened:
        assert opened.get("/", params={"token": TOKEN}).status_code == 200
        yield opened, review


def field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, f"no field {name}"
    return found.group(1)


def test_a_whole_review_by_forms_alone(browser: tuple[TestClient, Review]) -> None:
    """What a browser without a script would send: the page's own hidden field and a button's value."""
    opened, review = browser
    for choice in ("first", "tie", "both_bad", "second"):
        html = opened.get("/").text
        html = opened.post(
            "/vote", data={"item": field(html, "item"), "vote": choice, "comment": "so <b>there</b>"}
        ).text
    assert "Thank you. 4 votes" in html
    assert [line["vote"] for line in review.votes.standing.values()] == ["pair", "tie", "both_bad", "pair"]
    assert {line["comment"] for line in review.votes.standing.values()} == {"so <b>there</b>"}


def test_a_vote_can_be_taken_back_once(browser: tuple[TestClient, Review]) -> None:
    """Sending the same form twice takes back one vote, not two."""
    opened, review = browser
    for _ in range(2):
        opened.post("/vote", data={"item": field(opened.get("/").text, "item"), "vote": "first"})
    assert len(review.done) == 2
    last = review.done[-1]
    for _ in range(2):
        opened.post("/undo", data={"item": last})
    assert len(review.done) == 1
    assert field(opened.get("/").text, "item") == last


def test_a_form_that_is_sent_twice_votes_once(browser: tuple[TestClient, Review]) -> None:
    """The second time its item is not the next one any more."""
    opened, review = browser
    form = {"item": field(opened.get("/").text, "item"), "vote": "first"}
    for _ in range(2):
        assert opened.post("/vote", data=form).status_code == 200
    assert len(review.done) == 1


def test_the_page_tells_nothing_that_would_lead_the_rater(browser: tuple[TestClient, Review]) -> None:
    """Neither why an item is asked nor what judges said; gold and audit look like everything else."""
    opened, _ = browser
    html = opened.get("/").text.lower()
    body = html.partition("<main>")[2].partition("<script")[0]
    for word in ("flip", "audit", "gold", "judge", "model", "0.9", "signal", "known"):
        assert word not in body


def test_thumbs_are_asked_one_at_a_time(begin: Begin) -> None:
    """One answer, up or down."""
    review = begin([thumb(0), thumb(1)])
    with client(review) as opened:
        opened.get("/", params={"token": TOKEN})
        html = opened.get("/").text
        assert "Is this a good answer?" in html
        assert html.count('class="answer"') == 1
        opened.post("/vote", data={"item": field(html, "item"), "vote": "down"})
    assert [line["up"] for line in review.votes.standing.values()] == [False]


@pytest.mark.parametrize("choice", ["up", "", "first' OR 1", "pair"])
def test_what_cannot_be_said_of_an_item_is_refused(browser: tuple[TestClient, Review], choice: str) -> None:
    """And nothing is written."""
    opened, review = browser
    assert opened.post("/vote", data={"item": field(opened.get("/").text, "item"), "vote": choice}).status_code == 400
    assert not review.done


def test_nobody_without_the_token_sees_anything(begin: Begin) -> None:
    """Not the page, not another path, not with a wrong token or cookie; and no documentation of the routes."""
    with client(begin([pair(0)])) as stranger:
        for path in (
            "/",
            "/?token=",
            "/?token=wrong",
            "/?token=%ff%00",
            "/vote",
            "/docs",
            "/openapi.json",
            "/favicon.ico",
        ):
            answer = stranger.get(path)
            assert (answer.status_code, "question 0" in answer.text) == (403, False), path
        stranger.cookies.set("caif-review-8123", "wrong")
        assert stranger.get("/").status_code == 403
        assert stranger.post("/vote", data={"item": pair(0).id, "vote": "first"}).status_code == 403


def test_the_cookie_is_for_this_page_alone(begin: Begin) -> None:
    """No script reads it, and no other site's page sends it."""
    with client(begin([pair(0)])) as opened:
        cookie = opened.get("/", params={"token": TOKEN}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "caif-review-8123=" in cookie
    assert "domain" not in cookie


@pytest.mark.parametrize(
    "host", ["evil.example:8123", "127.0.0.1", "127.0.0.1:9", "127.0.0.1.evil.example:8123", "0.0.0.0:8123"]
)
def test_a_name_that_was_made_to_point_here_is_refused(begin: Begin, host: str) -> None:
    """DNS rebinding: the browser believes it talks to another host, token or not."""
    with client(begin([pair(0)]), host=host) as opened:
        assert opened.get("/", params={"token": TOKEN}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", f"https://{HOST}", "http://127.0.0.1:9", ""])
def test_a_form_of_another_page_is_refused(browser: tuple[TestClient, Review], origin: str) -> None:
    """Though the browser sends the cookie along, as it would from another port of this machine."""
    opened, review = browser
    form = {"item": field(opened.get("/").text, "item"), "vote": "first"}
    assert opened.post("/vote", data=form, headers={"origin": origin}).status_code == 403
    assert opened.post("/undo", data=form, headers={"origin": origin}).status_code == 403
    assert not review.done


def test_a_form_without_an_origin_is_refused() -> None:
    """Browsers send it with every form; what does not is no browser of ours."""
    assert refusal("POST", {"host": HOST}, 8123)
    assert not refusal("POST", {"host": HOST, **ORIGIN}, 8123)
    assert not refusal("POST", {"host": "localhost:8123", "origin": "http://localhost:8123"}, 8123)
    assert not refusal("GET", {"host": HOST}, 8123)


def test_the_policy_lets_nothing_through_but_this_style_and_this_script(browser: tuple[TestClient, Review]) -> None:
    """Another nonce each time; and nothing is kept, framed or guessed at."""
    opened, _ = browser
    one, other = opened.get("/"), opened.get("/")
    policy = one.headers["content-security-policy"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'nonce-([\w-]+)'; script-src 'nonce-\1'; form-action 'self'; "
        r"base-uri 'none'; frame-ancestors 'none'", policy,
    )  # fmt: skip
    assert policy != other.headers["content-security-policy"]
    assert one.text.count("<script") == one.text.count("<style") == 1
    assert not re.findall(r"\son\w+=|\sstyle=|javascript:|https?://", one.text)
    for name, value in (
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ):
        assert one.headers[name] == value


def test_hostile_text_stays_text(begin: Begin) -> None:
    """In question, answers, objective and comment: no element, no template, no control character."""
    found = item(Prompt.of(HOSTILE), f"one {HOSTILE}", f"other {HOSTILE}")
    with client(begin([found])) as opened:
        opened.get("/", params={"token": TOKEN})
        html = opened.get("/").text
    assert html.count("&lt;script&gt;window.pwned=1") == 3
    assert html.count("<script") == html.count("<style") == 1
    assert "<img" not in html
    assert html.count("<form") == 1
    assert "1337" not in html
    assert "{{ 7 * 191 }}" in html
    assert not re.findall("[\u200b-\u200f\u202a-\u202e\x00-\x08\x0b-\x1f\x7f-\x9f]", html)
    assert "\u2039U+202E\u203a" in html


def test_a_body_that_is_no_form_of_ours_is_passed_over(browser: tuple[TestClient, Review]) -> None:
    """Too long, too many fields, not text: nothing is written, nothing breaks."""
    opened, review = browser
    for body in (b"item=" + b"x" * 100_000, b"&".join(b"a=b" for _ in range(500)), b"\xff\xfe\x00", b"", b"%"):
        assert opened.post("/vote", content=body).status_code == 200
        assert opened.post("/undo", content=body).status_code == 200
    assert not review.done


def test_a_full_disk_is_told_and_the_item_stays(
    browser: tuple[TestClient, Review], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vote that could not be written is not counted; the next attempt is."""
    opened, review = browser
    form = {"item": field(opened.get("/").text, "item"), "vote": "first"}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        answer = opened.post("/vote", data=form)
    assert answer.status_code == 507
    assert "No space left on device" in answer.text
    assert not review.done
    opened.post("/vote", data=form)
    assert len(review.done) == 1


def test_a_review_that_was_stopped_goes_on(begin: Begin) -> None:
    """Another server, another token, the same votes; the page says how far it is."""
    found = [pair(n) for n in range(3)]
    review = begin(found)
    assert review.current
    review.say(review.current.id, "first")
    with client(begin(found)) as opened:
        html = opened.get("/", params={"token": TOKEN}).text
    assert "1 of 3" in html
    assert "2 items are waiting" in html


def test_the_server_is_of_this_machine_alone_and_ends_with_a_summary(tmp_path: Path) -> None:
    """The command itself: its address, what a stranger gets, a second server on the same port, and Ctrl-C."""
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "why?", "chosen": "a", "rejected": "b"}\n')
    command = [sys.executable, "-m", "caif", "review", "pairs.jsonl", "--web", "-o", "votes.jsonl"]
    pipe: Any = subprocess.PIPE
    server = subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True)
    address = server.stdout.readline().removeprefix("Review at ").strip()  # type: ignore[union-attr]
    try:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}", address)
        with httpx.Client() as client:
            assert client.get(address.partition("?")[0]).status_code == 403
            assert "1 item is waiting" in client.get(address).text
            assert "why?" in client.get(address.partition("?")[0]).text
        with pytest.raises(CaifError, match="leave it out, and a free one is taken"):
            bound(int(address.rpartition(":")[2].partition("/")[0]))
    finally:
        server.send_signal(signal.SIGINT)
    out, err = server.communicate(timeout=30)
    assert (server.returncode, err) == (0, "")
    assert "Votes: none; 1 item left. votes.jsonl" in out
    with bound(0) as at:
        assert at.getsockname()[0] == "127.0.0.1"
