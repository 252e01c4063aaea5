"""RELIABILITY 39: two processes train as one does with twice the rows at once, and only the first writes."""

import json
from pathlib import Path
from typing import Any

import pytest
from rl_parts import small
from trainings import Heard, program, same_answers, train

from caif.config import ModelSpec
from caif.errors import CaifError
from caif.sections.offline import Direct, Rlaif
from caif.stages.rlaif import rlaif

KINDS = ("reward", "rl", "sft")


@pytest.fixture(scope="module")
def shared(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each of two processes, joined by gloo, says of its trainings."""
    home = tmp_path_factory.mktemp("shared")
    assert program("share", tiny, home, *KINDS) == {kind: [0, 0] for kind in KINDS}
    return home


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_have_the_losses_of_one(
    kind: str, shared: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To 1e-5 in all six steps, so their weights go together; each sees rows of its own; the second writes nothing."""
    first, second = (json.loads((shared / f"{kind}-{rank}.json").read_text()) for rank in (0, 1))
    same_answers(monkeypatch)
    alone = Heard()
    train(kind, tiny, tmp_path, alone)
    assert first["losses"] == pytest.approx(list(alone.losses.values()), abs=1e-5)
    assert second["losses"] == pytest.approx(first["losses"], abs=1e-6)
    assert len(first["rows"]) == len(second["rows"])
    assert not set(first["rows"]) & set(second["rows"])
    assert first["written"]
    assert second["written"] == []


def test_direct_rlaif_is_refused_in_two_processes(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would ask the judge, and pay."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    nothing: Any = None
    cfg = Direct(rlaif=Rlaif(judge=spec), rl=small(spec))
    with pytest.raises(CaifError, match="one process alone may ask the judge"):
        rlaif(nothing, nothing, nothing, cfg=cfg)
