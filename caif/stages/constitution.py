"""Read the constitution into the store, so that everything made from it is made anew when it changes."""

from typing import Any

from caif.config import Law
from caif.constitution import FILE, read
from caif.run import Work


def constitution(work: Work, *, cfg: Law) -> dict[str, Any]:
    """Check the constitution and keep it as it was read."""
    law = read(cfg.path)
    (work.draft.folder / FILE).write_text(law.model_dump_json(indent=1), encoding="utf-8")
    work.draft.count("principles", len(law.principles))
    return {"name": law.name, "version": law.version, "digest": law.digest}


constitution.version = 1
