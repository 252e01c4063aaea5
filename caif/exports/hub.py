"""Upload an export to a hub, where someone named one: private unless told otherwise, with a token from the environment."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from caif.errors import FAILED, CaifError

TOKEN = "HF_TOKEN"
REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


class Target(NamedTuple):
    """Where to upload, and whether everyone may read it."""

    repo: str
    public: bool

    @property
    def seen(self) -> str:
        """Who can read it, in a word."""
        return "public" if self.public else "private"


def target(repo: str, *, public: bool) -> Target | None:
    """Return where to upload, None if nowhere; what would fail later is said now, before anything is written."""
    if not repo:
        if public:
            raise CaifError(
                "--public: says who may read what is pushed, and nothing is", "name where: --push OWNER/NAME"
            )
        return None
    if not REPO.fullmatch(repo):
        raise CaifError(f"--push {repo!r}: is not the name of a repository", "write OWNER/NAME")
    if not os.environ.get(TOKEN):
        raise CaifError(f"--push: {TOKEN} is not set", f"export {TOKEN}=…; caif takes a token from nowhere else")
    return Target(repo, public)


def push(folder: Path, to: Target) -> str:
    """Upload a folder as a data set and return its address. A repository that is public is never taken for a private one."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    hub = HfApi(token=os.environ[TOKEN])
    try:
        hub.create_repo(to.repo, repo_type="dataset", private=not to.public, exist_ok=True)
        if not to.public and not hub.repo_info(to.repo, repo_type="dataset").private:
            raise CaifError(
                f"--push: {to.repo} is there already and public; nothing was uploaded", "say so with --public"
            )
        hub.upload_folder(repo_id=to.repo, repo_type="dataset", folder_path=folder, commit_message="Exported by caif")
    except (HfHubHTTPError, OSError) as error:
        why = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise CaifError(f"--push: {why}", f"the export is in {folder}", code=FAILED) from None
    return f"datasets/{to.repo}"
