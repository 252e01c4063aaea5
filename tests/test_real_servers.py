"""Real OpenAI-compatible servers over the embedded 0.5B model, on this machine: what the stub cannot show.

llama-cpp-python (built from source) returns log-probabilities; `transformers serve` drops them. Either is started from
the packages of this environment, or of the one whose interpreter CAIF_LLAMA_PYTHON names; where they are not installed the
tests say so.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from caif.config import Exec, ModelSpec
from caif.constitution import Principle
from caif.data import Comparison, Prompt
from caif.errors import CaifError
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.judge import Bench, judge_all
from caif.ledger import Ledger
from caif.models import caif_chat_models, embedded
from caif.models.engine import Engine
from caif.models.resolve import resolve

pytestmark = pytest.mark.slow
QUESTIONS = [
    ("Which is a number?", "seven", "cloud"), ("Which is an animal?", "table", "horse"), ("Which is cold?", "ice", "fire"),
    ("Which can be eaten?", "stone", "bread"),
]  # fmt: skip
RIGHT = Principle(id="right", objective="honesty", critique="Is it right?", revision="Right it.", compare="Which answer is right?")


@contextmanager
def server(command: Sequence[str], log: Path) -> Iterator[str]:
    """Run a server while the block lasts, and yield its base URL once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as out:
        child = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 300
        while not _up(url):
            assert child.poll() is None and time.monotonic() < until, log.read_text(errors="replace")[-2000:]
            time.sleep(0.5)
        yield f"{url}/v1"
    finally:
        child.terminate()
        child.wait(30)


def _up(url: str) -> bool:
    for path in ("/v1/models", "/health"):
        try:
            with urllib.request.urlopen(url + path, timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            continue
    return False


def engine(home: Path) -> Engine:
    return Engine(Ledger(home / "ledger.db"), Exec(concurrency=4, timeout=300, max_failures=0), "test", 0, lambda rows, total, label: rows)


def model(name: str, url: str) -> Model:
    return resolve(ModelSpec(use=f"openai:{name}", base_url=url), caif_chat_models())


def questions() -> list[Question]:
    asks = [f"{ask}\n(A) {a}\n(B) {b}\n\nReply with the letter alone, A or B." for ask, a, b in QUESTIONS]
    return [Question(ask, [{"role": "user", "content": ask}], ("A", "B")) for ask in asks]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    python = os.environ.get("CAIF_LLAMA_PYTHON") or (sys.executable if importlib.util.find_spec("llama_cpp") else "")
    if not python:
        pytest.skip("llama-cpp-python is not installed; set CAIF_LLAMA_PYTHON to an interpreter that has it, with [server]")
    if wheel := embedded.missing("0.5b"):
        pytest.skip(f"the data wheel {wheel} is not installed")
    folder = tmp_path_factory.mktemp("llama")
    embedded._join("0.5b", folder / "model.gguf")
    command = [python, "-m", "llama_cpp.server", "--model", str(folder / "model.gguf"), "--n_ctx", "1024", "--logits_all", "true"]
    with server(command, folder / "log") as url:
        yield url


def test_scores_of_a_real_server_are_those_of_the_same_weights_here(llama: str, tmp_path: Path) -> None:
    """P(A) of llama.cpp over the packed weights, by HTTP, against caif's own forward pass over the converted ones."""
    there = engine(tmp_path / "there").score(model("q", llama), questions())
    local = resolve(ModelSpec(use="embedded:0.5b"), {})
    here = engine(tmp_path / "here").score(local, questions())
    odds = [[a.logprobs[0] - a.logprobs[1] for a in answers] for answers in (there, here)]
    assert all(answer.finish == "stop" and answer.tokens_in > 20 for answer in there)
    for server_says, local_says in zip(*odds, strict=True):
        assert server_says == pytest.approx(local_says, abs=1.0), odds  # llama.cpp rounds activations to 8 bits


def test_a_real_server_writes_and_is_paid_once(llama: str, tmp_path: Path) -> None:
    """Text, its tokens as the server counts them, and no second call for the same question."""
    request = [Request("r", [{"role": "user", "content": "Count from one to three in words."}])]
    (first,) = engine(tmp_path).ask(model("q", llama), request, Params(0.0, 24))
    assert "two" in first.text.lower()
    assert first.tokens_in > 5 and 3 <= first.tokens_out <= 24
    assert engine(tmp_path).ask(model("q", "http://127.0.0.1:9/v1")._replace(id=model("q", llama).id), request, Params(0.0, 24)) == [first]


def test_a_real_server_that_drops_log_probabilities_ends_in_the_declared_fallback(tmp_path: Path) -> None:
    """RELIABILITY 2c, test 10, with `transformers serve`: an error with advice, and votes when the advice is taken."""
    missing = [name for name in ("fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None]
    command = shutil.which("transformers", path=str(Path(sys.executable).parent))
    if missing or command is None:
        pytest.skip(f"transformers serve cannot start: not installed: {', '.join(missing) or 'transformers'}")
    if not embedded.converted("0.5b").is_dir():
        pytest.skip("embedded:0.5b is not converted here")
    name = str(embedded.converted("0.5b"))
    pair = Comparison(prompt=Prompt.of("Which is a number?"), a="seven", b="cloud")
    with server([command, "serve"], tmp_path / "log") as url:
        rounds, there = engine(tmp_path), model(name, url)

        def judged(**how: object) -> list[Answer]:
            return judge_all(Bench(there, rounds.ask, rounds.score, **how), [(pair, RIGHT)])  # type: ignore[arg-type, return-value]

        with pytest.raises(CaifError, match="log-probabilities") as caught:
            judged()
        assert 'method = "votes"' in caught.value.remedy
        (found,) = judged(method="votes", votes=2)
    assert found.method == "votes"  # type: ignore[attr-defined]
    assert found.verdict in ("a", "b", "tie", "invalid")  # type: ignore[attr-defined]
