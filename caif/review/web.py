"""The review as a page that only this machine can open, and on it only who was given the address.

A web site elsewhere can make a browser send requests here: so each one must name this very host, carry the cookie that
the address with the token sets, and, if it changes anything, come from this page. Nothing is loaded but the page itself,
whose policy lets through one style sheet and one script, by a nonce; without the script all works by clicking.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from caif.report.show import cut, percent, visible
from caif.review.choices import choices
from caif.review.session import Review

MAX_BODY = 64_000
MAX_FIELDS = 10
HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would hide the origin of our own forms too
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
Next = Callable[[Request], Awaitable[Response]]


def app(review: Review, token: str, port: int) -> FastAPI:
    """Return the application that serves a review at http://127.0.0.1:PORT/?token=TOKEN."""
    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    cookie = f"caif-review-{port}"  # cookies know no ports: two reviews at once must not take each other's

    @made.middleware("http")
    async def guard(request: Request, go_on: Next) -> Response:
        refused = refusal(request.method, request.headers, port)
        opening = same(request.query_params.get("token", ""), token)
        if not refused and not opening and not same(request.cookies.get(cookie, ""), token):
            refused = "Open the address that caif printed, with its token."
        answer = PlainTextResponse(f"{refused}\n", 403) if refused else await go_on(request)
        answer.headers.update(HEADERS)
        if opening and not refused:
            answer.set_cookie(cookie, token, httponly=True, samesite="strict")
        return answer

    @made.get("/")
    async def show(request: Request) -> Response:
        waiting = "begin" if "token" in request.query_params else "item"
        return page(review, waiting if review.current else "end")

    @made.post("/vote")
    async def vote(request: Request) -> Response:
        said = await form(request)
        try:
            review.say(said.get("item", ""), said.get("vote", ""), said.get("comment", ""))
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", 400)
        return RedirectResponse("/", 303)

    @made.post("/undo")
    async def undo(request: Request) -> Response:
        if name := (await form(request)).get("item"):
            review.undo(name)
        return RedirectResponse("/", 303)

    @made.exception_handler(OSError)
    async def unwritten(_: Request, error: OSError) -> Response:
        return PlainTextResponse(f"The vote could not be written: {error.strerror}. Go back and give it again.\n", 507)

    return made


def refusal(method: str, headers: Mapping[str, str], port: int) -> str:
    """Return why a request is not ours, or nothing: it names another host, or a form comes from another page."""
    hosts = [f"{name}:{port}" for name in HOSTS]
    if headers.get("host") not in hosts:
        return "This page is for this machine alone."
    if method not in ("GET", "HEAD") and headers.get("origin") != f"http://{headers['host']}":
        return "This form came from another page."
    return ""


def same(given: str, token: str) -> bool:
    """Compare without telling by the time it takes how much was right."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), token.encode())


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form; one that is longer than any of ours is none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            return {}
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), errors="replace", max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1].replace("\r\n", "\n") for name, values in fields.items()}


def page(review: Review, template: str) -> HTMLResponse:
    """Return a page: how to begin, the item that is next, or what the review came to."""
    from markupsafe import Markup

    nonce, one = secrets.token_urlsafe(16), review.current
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    parts = {name: Markup(_text(name)) for name in ("style.css", "script.js")}  # our own files
    html = _environment().get_template(f"{template}.html.j2").render(
        review=review, one=one, shown=review.shown(one) if one else (), choices=choices(one) if one else (),
        done=review.done, summary=review.summary() if template == "end" else None,
        nonce=nonce, style=parts["style.css"], script=parts["script.js"],
    )  # fmt: skip
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


@cache
def _text(name: str) -> str:
    return (files("caif.review") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("caif.review"), autoescape=True, undefined=StrictUndefined, finalize=visible,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(cut=cut, percent=percent)
    return environment
