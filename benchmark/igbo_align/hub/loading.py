"""Releases from the bundled folder, from any folder or from the Hub; models to the Hub."""

from __future__ import annotations

import os
from pathlib import Path

from ..problems import problem
from ..protocol.release import Release, read_release

DEMO_FOLDER = Path(__file__).parent.parent / "demo"


def load_release(name: str | os.PathLike[str] = "demo") -> Release:
    """Load a release: `demo`, a folder, or a Hub dataset id (`org/name` or `org/name@revision`).

    Raises:
        ProblemsFound: the release is missing or damaged.
        EnvironmentProblem: the Hub cannot be reached and nothing is cached (`environment.hub`).
    """
    text = os.fspath(name)
    if text == "demo":
        return read_release(DEMO_FOLDER)
    folder = Path(text)
    is_hub_id = not folder.exists() and text.count("/") == 1 and not text.startswith((".", "/", "~"))
    return read_release(_download_dataset(text) if is_hub_id else folder)


def push_model(folder: Path, repository: str, *, private: bool = False) -> str:
    """Make a model repository hold the files of a folder, and return the address of the commit.

    Raises:
        EnvironmentProblem: the Hub cannot be reached or refuses (`environment.hub`).
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        api.create_repo(repository, repo_type="model", private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload a projection")
    except Exception as error:  # the library's own, those of its HTTP client, and those of the system
        raise problem(
            "environment.hub",
            repository,
            found=f"no answer from the Hub, or a refusal ({type(error).__name__})",
            expected="a repository that may be written",
            mend="Check the name, the network and the token (`hf auth login`).",
        ) from error
    return commit.commit_url


def _download_dataset(text: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, revision = text.partition("@")
    try:
        return Path(snapshot_download(repository, repo_type="dataset", revision=revision or None))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise problem(
            "environment.hub",
            text,
            found="no answer from the Hub, or no such dataset, and no local folder of this name",
            expected="`demo`, the folder of a release, or a Hub dataset id (`org/name@revision`)",
            mend="Check the spelling and the network; a release that was fetched once is found again offline.",
        ) from error
