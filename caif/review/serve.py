"""Serve a review on the loopback address until Ctrl-C."""

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from caif.errors import CaifError
from caif.review.session import Review
from caif.review.web import app

LOOPBACK = "127.0.0.1"


def bound(port: int) -> socket.socket:
    """Return a socket of this machine alone, at which who comes before it is served waits; port 0 is any that is free."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((LOOPBACK, port))
        made.listen()
    except OSError as error:
        made.close()
        raise CaifError(f"--port {port}: {error.strerror}", "leave it out, and a free one is taken") from None
    return made


def serve(review: Review, at: socket.socket, tell: Callable[[str], None]) -> None:
    """Tell the address with its token, and serve until Ctrl-C, which is how it ends."""
    with at, suppress(KeyboardInterrupt):
        port, token = at.getsockname()[1], secrets.token_urlsafe(24)
        config = uvicorn.Config(
            app(review, token, port), log_level="error", access_log=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        tell(f"Review at http://{LOOPBACK}:{port}/?token={token}")
        tell("It is for this machine and for you alone. Ctrl-C ends the review; every vote is on the disk already.")
        uvicorn.Server(config).run(sockets=[at])
