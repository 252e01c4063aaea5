"""The command line. Heavy imports are inside the commands, so that `caif --help` answers at once."""

import errno
import functools
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false", "LANGSMITH_TRACING": "false", "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1", "DATASETS_VERBOSITY": "error", "TQDM_DISABLE": "1",
}  # fmt: skip
"""Set before anything heavy is imported, unless the user has set them: quiet, and nothing is sent anywhere."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
GRACE = 5.0

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn a constitution into a trained model, and see what each principle did.\n\n"
    "\b\nStart with:\n  caif run quickstart        the whole way on a small model\n  caif check run.toml        what is wrong, before anything is asked\n"
    "  caif plan run.toml         what would run, and how many model calls\n  caif show run.toml         what was made, what it cost",
)  # fmt: skip
constitution_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at constitutions.")
app.add_typer(constitution_app, name="constitution")

RunFile = Annotated[str, typer.Argument(metavar="FILE", help="A run file (.toml, .yaml, .json), or: quickstart")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Put over the file: rl.steps=20")]
Home = Annotated[Path | None, typer.Option(envvar="CAIF_HOME", help="Where results are kept. Default: caif-home")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def fail(message: str, code: int) -> NoReturn:
    """Print one line on stderr and exit."""
    from caif.terminal import clean, redact

    print(f"caif: {' '.join(redact(clean(message)).split())}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(code)


def no_space(error: BaseException) -> bool:
    """Whether an error says that the disk is full, in whichever library it was found out."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    said = str(error).lower()
    return "no space left on device" in said or "disk is full" in said or "disk quota exceeded" in said


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn every error of a command into one line and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        from caif.errors import INTERRUPTED, STOPPED, WRONG, CaifError

        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        if not options.get("debug"):
            warnings.filterwarnings("ignore", module=r"(transformers|trl|peft|torch|datasets|accelerate|langchain)")
        try:
            with interruptible():
                command(*args, **options)
        except KeyboardInterrupt:
            fail("stopped; nothing that was answered is lost; run again to go on", INTERRUPTED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output has gone
            raise typer.Exit(0) from None
        except typer.Exit:
            raise
        except Exception as error:  # noqa: BLE001 - a user sees one line, whatever it was
            if options.get("debug"):
                show_traceback()
            if isinstance(error, CaifError):
                fail(str(error), error.code)
            if no_space(error):
                fail("the disk is full; nothing that was answered is lost: free space, then run again", STOPPED)
            fail(f"{type(error).__name__}: {error}; run with --debug for the traceback", WRONG)

    return wrapped


def show_traceback() -> None:
    """Print the current traceback without secrets."""
    import traceback

    from caif.terminal import clean, redact

    print(redact(clean(traceback.format_exc())), file=sys.stderr)  # noqa: T201


@contextmanager
def interruptible() -> Iterator[None]:
    """Stop on the first Ctrl-C, within seconds even if a thread waits for a server; at once on the second."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave() -> None:
        print("caif: stopped; nothing that was answered is lost; run again to go on", file=sys.stderr)  # noqa: T201
        os._exit(130)

    def stop(*_: object) -> NoReturn:
        signal.signal(signal.SIGINT, lambda *_: leave())
        patience = threading.Timer(GRACE, leave)
        patience.daemon = True
        patience.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
