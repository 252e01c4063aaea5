"""Serve a review on the loopback address until Ctrl-C."""

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

from caif.errors import CaifError
from caif.review.session import Review

LOOPBACK = "127.0.0.1"


def serve(review: Review, port: int, tell: Callable[[str], None]) -> None:
    """Serve until Ctrl-C, which is how it ends. Port 0 is any that is free; the address is told with its token."""
    try:
        import uvicorn

        from caif.review.web import app
    except ModuleNotFoundError as error:
        raise CaifError(f"--web needs {error.name}", "pip install caif[web]") from None
    with _bound(port) as bound, suppress(KeyboardInterrupt):
        port, token = bound.getsockname()[1], secrets.token_urlsafe(24)
        config = uvicorn.Config(
            app(review, token, port), log_level="error", access_log=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        tell(f"Review at http://{LOOPBACK}:{port}/?token={token}")
        tell("It is for this machine and for you alone. Ctrl-C ends the review; every vote is on the disk already.")
        uvicorn.Server(config).run(sockets=[bound])


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError as error:
        bound.close()
        raise CaifError(f"--port {port}: {error.strerror}", "leave it out, and a free one is taken") from None
    return bound
