"""What an artifact was made with."""

import platform
from importlib.metadata import version


def environment() -> dict[str, str]:
    """Return what the artifact was made with; it is recorded, not part of any key."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("caif", "torch", "transformers", "trl", "peft", "datasets", "langchain-core"):
        try:
            found[name] = version(name)
        except Exception:  # noqa: BLE001 - not installed is worth recording too
            found[name] = "absent"
    return found
