"""Nothing leaves without --push; with it, to a private place, with the environment's token, and said before."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from labelled import ALL, made_in
from typer.testing import CliRunner, Result

from caif.cli import app
from caif.errors import CaifError
from caif.exports.hub import TOKEN, Target, push, target

SECRET = "hf_CANARY0123456789"


class Hub:
    """A hub that writes down what it is asked."""

    public_already = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def api(self, token: str) -> "Hub":
        """Be made as huggingface_hub's client is."""
        self.asked.append(("token", {"token": token}))
        return self

    def create_repo(self, repo: str, **options: Any) -> None:
        """Note a new repository."""
        self.asked.append(("create", {"repo": repo, **options}))
        self.private = options["private"] and not self.public_already

    def repo_info(self, repo: str, **_: Any) -> Any:
        """Say who can read it."""
        return SimpleNamespace(private=self.private, repo=repo)

    def upload_folder(self, **options: Any) -> None:
        """Note an upload."""
        names = sorted(str(p.relative_to(options["folder_path"])) for p in Path(options["folder_path"]).rglob("*.*"))
        self.asked.append(("upload", {"repo": options["repo_id"], "type": options["repo_type"], "files": names}))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Put such a hub in the place of the real one."""
    found = Hub()
    monkeypatch.setattr(huggingface_hub, "HfApi", found.api)
    monkeypatch.setenv(TOKEN, SECRET)
    return found


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("something wants to leave this machine")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with a mixture and nothing else."""
    made = made_in(tmp_path / "home/store/combine-1", ALL)
    (made.folder / "artifact.json").write_text(json.dumps(made.facts))
    folder = tmp_path / "home/runs/demo"
    folder.mkdir(parents=True)
    (folder / "stages.json").write_text(json.dumps([{"stage": "combine", "folder": "combine-1"}]))
    return folder


def caif(run: Path, *arguments: str) -> Result:
    """Export the run."""
    return CliRunner().invoke(app, ["export", str(run), "--to", "openai", "-o", str(run.parent / "out"), *arguments])


def test_without_push_nothing_leaves_even_with_a_token(run: Path, hub: Hub) -> None:
    """RELIABILITY 42: sockets forbidden, and the export is there."""
    done = caif(run, "--json")
    assert done.exit_code == 0, done.output
    table = json.loads(done.stdout)
    assert table["files"] == {"preference/heldout.jsonl": 1, "preference/train.jsonl": 2}
    assert hub.asked == []
    assert (run.parent / "out/README.md").is_file()


def test_a_push_is_private_and_said_before(run: Path, hub: Hub) -> None:
    """Where, who can read it, which files; and the token is in no output."""
    done = caif(run, "--push", "me/labels")
    assert done.exit_code == 0, done.output
    said = done.output[done.output.index("Uploading to") :]
    assert said.startswith("Uploading to me/labels, private:")
    assert "README.md" in said
    assert SECRET not in done.output
    names = ["README.md", "preference/heldout.jsonl", "preference/train.jsonl"]
    assert hub.asked == [
        ("token", {"token": SECRET}),
        ("create", {"repo": "me/labels", "repo_type": "dataset", "private": True, "exist_ok": True}),
        ("upload", {"repo": "me/labels", "type": "dataset", "files": names}),
    ]


def test_public_is_what_someone_said(run: Path, hub: Hub) -> None:
    """And is said again before it is done."""
    done = caif(run, "--push", "me/labels", "--public")
    assert "public:" in done.output
    assert "Everyone will be able to read this" in done.output
    assert hub.asked[1][1]["private"] is False
    assert hub.asked[2][0] == "upload"


def test_a_repository_that_is_public_already_gets_nothing(tmp_path: Path, hub: Hub) -> None:
    """The hub does not make it private by being asked to create it."""
    hub.public_already = True
    with pytest.raises(CaifError, match="already and public; nothing was uploaded"):
        push(tmp_path, Target("me/labels", public=False))
    assert [what for what, _ in hub.asked] == ["token", "create"]


def test_what_would_fail_later_is_said_before_anything_is_written(
    run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No token, no name of a repository, --public without --push."""
    monkeypatch.delenv(TOKEN)
    for arguments, message in (
        (("--push", "me/labels"), "HF_TOKEN is not set"),
        (("--push", "labels"), "not the name of a repository"),
        (("--public",), "name where: --push OWNER/NAME"),
    ):
        done = caif(run, *arguments)
        assert done.exit_code == 2
        assert message in done.output
    assert not (run.parent / "out").exists()
    assert hub.asked == []
    assert target("", public=False) is None


def test_a_hub_that_refuses_is_one_line_and_the_export_stays(
    run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1: what was made is there."""

    def refuses(*_: Any, **__: Any) -> None:
        raise OSError(f"401 for {SECRET}\nsecond line")

    monkeypatch.setattr(hub, "create_repo", refuses)
    done = caif(run, "--push", "me/labels")
    assert done.exit_code == 1
    assert "--push: 401 for ***; the export is in" in done.output
    assert (run.parent / "out/README.md").is_file()
