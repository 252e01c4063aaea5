"""From an error to a line on stderr and an exit code; from Ctrl-C to an end within seconds."""

import errno
import functools
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false", "LANGSMITH_TRACING": "false", "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1", "DATASETS_VERBOSITY": "error", "TQDM_DISABLE": "1",
}  # fmt: skip
"""Set before anything heavy is imported, unless the user has set them: quiet, and nothing is sent anywhere."""

STOPPED_BY_HAND = "stopped; nothing that was answered is lost; run again to go on"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_SAYS = (
    "no space left on device", "disk is full", "disk quota exceeded", "file too large (os error",
    "pytorchstreamwriter failed writing", "unexpected pos ",  # torch, in the middle of an optimiser
)  # fmt: skip
"""What libraries in other languages say of it, in small letters."""
GRACE = 5.0
"""Seconds that a stopped run has to end by itself."""
LONG = 500


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn every error of a command into one line and an exit code; the option `debug` adds the traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        if not options.get("debug"):
            warnings.filterwarnings("ignore", module=r"(transformers|trl|peft|torch|datasets|accelerate|langchain)")
        try:
            with interruptible():
                command(*args, **options)
        except KeyboardInterrupt:
            fail([STOPPED_BY_HAND], 130)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has gone
        except Exception as error:  # noqa: BLE001 - a user sees one line, whatever it was
            if options.get("debug"):
                _print(traceback.format_exc())
            fail(*_described(error))

    return wrapped


def _described(error: Exception) -> tuple[list[str], int]:
    from caif.errors import STOPPED, WRONG, CaifError

    if isinstance(error, CaifError):
        return error.lines, error.code
    if no_space(error):
        return [f"the disk is full ({error}); nothing that was answered is lost: free space, then run again"], STOPPED
    return [f"{type(error).__name__}: {str(error)[:LONG]}; run with --debug for the traceback"], WRONG


def no_space(error: BaseException) -> bool:
    """Whether an error says that the disk is full, in whichever library it was found out."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    said = str(error).lower()
    return any(words in said for words in FULL_SAYS)


def fail(messages: Sequence[str], code: int) -> NoReturn:
    """Say a line on stderr for each thing that is wrong, and exit."""
    for message in messages:
        _print(f"caif: {' '.join(message.split())}")
    raise SystemExit(code)


def _print(text: str) -> None:
    from caif.terminal import clean, redact

    print(redact(clean(text)), file=sys.stderr, flush=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """Stop on the first Ctrl-C, within seconds even where a thread waits for a server; at once on the second."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave() -> None:
        os.write(2, f"caif: {STOPPED_BY_HAND}\n".encode())  # nothing that imports or waits for a lock
        os._exit(130)

    patience = threading.Timer(GRACE, leave)
    patience.daemon = True

    def stop(*_: object) -> NoReturn:
        signal.signal(signal.SIGINT, lambda *_: leave())
        patience.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        patience.cancel()
        signal.signal(signal.SIGINT, before)
