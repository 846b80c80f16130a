"""Releases from the bundled folder, from any folder or from the Hub; models to the Hub."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
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
    return read_release(_download_dataset(text) if is_hub_id(text) else Path(text))


def is_hub_id(text: str) -> bool:
    """Whether a name means a dataset of the Hub, `org/name` or `org/name@revision`, and no folder here."""
    return text.count("/") == 1 and not text.startswith((".", "/", "~")) and not Path(text).exists()


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


@contextmanager
def hub_submissions(repository: str) -> Generator[Path]:
    """A temporary folder `<org>__<system>/<revision>/` of the submissions that a dataset repository holds.

    They are strangers' files: only those with the names of a submission's files are fetched, as plain files, because
    the readers follow no link. What was fetched once is found again offline.

    Args:
        repository: `org/name` or `org/name@revision`.

    Raises:
        EnvironmentProblem: the Hub cannot be reached and nothing is cached (`environment.hub`).
    """
    from ..scoring.receipt import SCORES_FILE
    from ..scoring.seeds import SEEDS_FILE
    from ..scoring.verification import VERIFICATION_FILE
    from ..submission.formats import FORMATS
    from ..submission.reading import CARD_FILE

    names = {CARD_FILE, SCORES_FILE, SEEDS_FILE, VERIFICATION_FILE, *FORMATS}
    snapshot = _download_dataset(repository, [f"submissions/*/*/{name}" for name in sorted(names)])
    with tempfile.TemporaryDirectory(prefix="igbo-align-") as temporary:
        folder = Path(temporary) / "submissions"
        folder.mkdir()
        for path in sorted(snapshot.glob("submissions/*/*/*")):
            if path.name in names and path.is_file():
                copied = Path(temporary) / path.relative_to(snapshot)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copied)
        yield folder


def hub_file(repository: str, path: str) -> Path:
    """One file of a dataset repository: the newest, or the one that was fetched last where the Hub is away.

    Args:
        repository: `org/name` or `org/name@revision`.
        path: in the repository.

    Raises:
        ProblemsFound: the repository does not hold it (`folder.missing`).
        EnvironmentProblem: the Hub cannot be reached and nothing is cached (`environment.hub`).
    """
    found = _download_dataset(repository, [path]) / path
    if not found.is_file():
        raise problem(
            "folder.missing",
            repository,
            found=f"no {path}",
            expected=f"a dataset that holds {path}",
            mend="Write it with `igbo-align leaderboard --from-hub` and upload it.",
        )
    return found


def _download_dataset(text: str, wanted: list[str] | None = None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import httpx

    repository, _, revision = text.partition("@")
    ignored = None if wanted else ["submissions/*"]
    try:
        folder = snapshot_download(
            repository,
            repo_type="dataset",
            revision=revision or None,
            allow_patterns=wanted,
            ignore_patterns=ignored,
        )
        return Path(folder)
    except (httpx.HTTPError, HFValidationError, OSError) as error:  # the Hub's own errors are of these kinds
        raise problem(
            "environment.hub",
            text,
            found="no answer from the Hub, or no such dataset"
            + ("" if wanted else ", and no local folder of this name"),
            expected="a Hub dataset id, `org/name` or `org/name@revision`"
            + ("" if wanted else "; `demo`; or the folder of a release"),
            mend="Check the spelling and the network; what was fetched once is found again offline.",
        ) from error
