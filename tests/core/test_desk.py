"""Models asked without a run file: through the ledger of a home folder, which one process holds at a time."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import Scripted

from caif import desk
from caif.errors import STOPPED, CaifError
from caif.hookspecs import Params, Request, hookimpl

HELLO = [Request("row", [{"role": "user", "content": "hello"}], n) for n in range(3)]


def plugin(chat: Any) -> SimpleNamespace:
    @hookimpl
    def caif_chat_models() -> dict[str, Any]:
        return {"fake": lambda name: chat}

    return SimpleNamespace(caif_chat_models=caif_chat_models)


def test_what_was_asked_before_is_found_and_not_asked_again(tmp_path: Path) -> None:
    """A second desk at the same home pays for nothing, and says so."""
    chat = Scripted(reply=lambda talk: "hi")
    paid = []
    for _ in range(2):
        with desk.at(tmp_path, "test", objects=[plugin(chat)]) as here:
            answers = here.ask(here.model("fake:it"), HELLO, Params())
            assert [answer.text for answer in answers] == ["hi"] * 3
            paid.append((here.questions, here.paid))
    assert paid == [(3, 3), (3, 0)]
    assert len(chat.asked) == 3


def test_a_home_has_one_desk_at_a_time(tmp_path: Path) -> None:
    """Whoever comes second is told who holds it, and can go on later."""
    with (
        desk.at(tmp_path, "test"),
        pytest.raises(CaifError, match="is in use by process") as caught,
        desk.at(tmp_path, "x"),
    ):
        pass
    assert caught.value.code == STOPPED


def test_a_model_is_named_as_in_a_run_file() -> None:
    """A server needs its address, so a table is taken too; a wrong key is refused by name."""
    assert desk.spec("embedded:1.5b").use == "embedded:1.5b"
    assert desk.spec('{use = "openai:m", base_url = "http://h"}').base_url == "http://h"
    for wrong, said in (("{use = ", "no TOML table"), ('{use = "a:b", base = "x"}', "base: unknown key")):
        with pytest.raises(CaifError, match=said):
            desk.spec(wrong)


def test_feedback_is_named_by_format_and_path(tmp_path: Path) -> None:
    """`FORMAT:PATH`, by any registered format; another name is refused with the nearest one."""
    (tmp_path / "rows.jsonl").write_text('{"prompt": "q", "chosen": "a", "rejected": "b", "objective": "o"}\n')
    with desk.at(tmp_path / "home", "test") as here:
        assert [row.chosen for row in here.read(f"caif:{tmp_path}/rows.jsonl")] == ["a"]  # type: ignore[union-attr]
        for wrong, said in (("rows.jsonl", "FORMAT:PATH"), ("cafe:x.jsonl", "caif")):
            with pytest.raises(CaifError, match=said):
                list(here.read(wrong))
