"""A real HTTP server on this machine that speaks OpenAI's chat completions and misbehaves as a test asks it to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from caif.config import Exec
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.ledger import Ledger
from caif.models import openai
from caif.models.engine import Engine


class Reply(NamedTuple):
    """What the server does with one call: wait, then answer with this status, body and headers."""

    body: Any
    status: int = 200
    headers: dict[str, str] = {}
    wait: float = 0.0


Behave = Callable[[dict[str, Any], int], Reply]
"""From the request's JSON and how often this very request came before, to what the server does."""


def said(content: str | None, finish: str = "stop", **message: Any) -> Reply:
    """Return an ordinary completion."""
    logprobs = message.pop("logprobs", None)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content} | message,
        "finish_reason": finish,
        "logprobs": logprobs,
    }
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return Reply(
        {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    )


def failed(status: int, message: str = "no", headers: dict[str, str] | None = None, **more: Any) -> Reply:
    """Return an error as OpenAI writes it."""
    return Reply({"error": {"message": message, "type": "x"} | more}, status, headers or {})


def listing(*tops: tuple[str, float]) -> Reply:
    """Return a completion with these top log-probabilities for its first token."""
    top = [{"token": token, "logprob": value, "bytes": None} for token, value in tops]
    return said(tops[0][0], "length", logprobs={"content": [top[0] | {"top_logprobs": top}]})


class Stub:
    """The server's address, and every call it got: when, and what was asked."""

    def __init__(self, behave: Behave) -> None:
        self.behave, self.calls, self.lock = behave, list[tuple[float, str]](), threading.Lock()
        self.flying = self.most = 0
        self.url = ""

    def answer(self, request: dict[str, Any]) -> Reply:
        """Note the call and decide."""
        text = json.dumps(request["messages"]) + str(request.get("seed"))
        with self.lock:
            before = sum(text == other for _, other in self.calls)
            self.calls.append((time.monotonic(), text))
            self.flying += 1
            self.most = max(self.most, self.flying)
        try:
            reply = self.behave(request, before)
            time.sleep(reply.wait)
            return reply
        finally:
            with self.lock:
                self.flying -= 1


@contextmanager
def serving(behave: Behave) -> Iterator[Stub]:
    """Run the server in a thread while the block lasts."""
    stub = Stub(behave)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open, as real servers keep them

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = stub.answer(request)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in (
                {"Content-Type": "application/json", "Content-Length": str(len(body))} | reply.headers
            ).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Say nothing: a client that gives up waiting is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()


QUICK = {"backoff": 0.005, "patience": 60.0, "timeout": 60.0, "max_failures": 0.0}


def engine(folder: Path, **settings: Any) -> Engine:
    """Return a real engine on a real ledger, with waits short enough for a test."""
    return Engine(
        Ledger(folder / "ledger.db"), Exec(**QUICK | settings), "test", 0, lambda batches, total, label: batches
    )


def model(stub: Stub, key: str = "sk-CANARY0123456789abcdef") -> Model:
    """Return the model behind the server, as the run file's `openai:m` gives it."""
    chat = openai("m", base_url=stub.url, api_key=key)
    return Model("openai:m", chat, chat, first_token_only=True)


def requests(*texts: str, sample: int = 0) -> list[Request]:
    return [Request(f"row {text}", [{"role": "user", "content": text}], sample) for text in texts]


def ask(engine: Engine, model: Model, *texts: str) -> list[Answer]:
    return engine.ask(model, requests(*texts), Params(0.5, 20))


def score(engine: Engine, model: Model, *texts: str) -> list[Answer]:
    return engine.score(
        model, [Question(f"row {text}", [{"role": "user", "content": text}], ("A", "B")) for text in texts]
    )


def text_of(request: dict[str, Any]) -> str:
    return str(request["messages"][-1]["content"])
