"""The upload: one commit, repeatable, and never a token in a message."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.hub import require_hub


class Pushed(NamedTuple):
    """What came of a push.

    Attributes:
        url: Of the repository.
        commit: Its newest commit.
        changed: Whether this push made it.
    """

    url: str
    commit: str
    changed: bool


def require_token() -> str:
    """Return the Hub's token: ``HF_TOKEN``, or what ``hf auth login`` stored.

    Raises:
        UserError: There is none.
    """
    from huggingface_hub import get_token

    token = get_token()
    if not token:
        raise UserError(
            "there is no token for the Hugging Face Hub",
            way_out="set HF_TOKEN, or run: hf auth login",
        )
    return token


def push_folder(
    folder: Path,
    repo_id: str,
    kind: str,
    *,
    private: bool = False,
    revision: str | None = None,
    tag: str | None = None,
    message: str = "Upload with tracelift-groups",
) -> Pushed:
    """Upload a staged folder as one commit; what the Hub has already is not sent again.

    A push that broke off leaves the repository as it was, and the same command goes on: large
    files that had arrived are known by their hash. Where nothing changed no commit is made.

    Args:
        folder: Laid out as on the Hub.
        repo_id: ``user/name``.
        kind: ``dataset`` or ``model``.
        private: Of a repository that is made by this push.
        revision: A branch, made if need be.
        tag: Put on the commit; one of that name that points elsewhere is an error.
        message: Of the commit.

    Raises:
        UserError: No token, no right, a wrong name, or a Hub that cannot be reached.
    """
    from huggingface_hub import HfApi, utils
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    token = require_token()
    if not sys.stderr.isatty():  # bars belong to a terminal
        quiet: Any = utils
        quiet.disable_progress_bars()
    require_hub("a push", way_out="use --dry-run to see what would be uploaded")
    api: Any = HfApi(token=token)
    try:
        made = api.create_repo(repo_id, repo_type=kind, private=private or None, exist_ok=True)
        name = made.repo_id
        if revision is not None:
            api.create_branch(name, branch=revision, repo_type=kind, exist_ok=True)
        before = api.repo_info(name, repo_type=kind, revision=revision).sha
        api.upload_folder(
            repo_id=name,
            repo_type=kind,
            folder_path=folder,
            revision=revision,
            commit_message=message,
            delete_patterns=["data/**", "rejected/**", "manifests/**", "audits/**"],
        )
        after = api.repo_info(name, repo_type=kind, revision=revision).sha
        if tag is not None:
            api.create_tag(name, tag=tag, repo_type=kind, revision=revision, exist_ok=True)
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        said = str(error).strip().partition("\n")[0].replace(token, "[token]")
        raise UserError(
            f"the Hub refused ({said})",
            where=repo_id,
            way_out="check the name and the token's rights; the same command goes on",
        ) from None
    return Pushed(str(made), str(after), before != after)


def shown_files(folder: Path) -> list[tuple[str, int]]:
    """Every file that would be uploaded, and its size in bytes."""
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            found.append((path.relative_to(folder).as_posix(), path.stat().st_size))
    return sorted(found)
