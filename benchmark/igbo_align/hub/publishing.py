"""`publish`: a release, a Space or a metric becomes a repository on the Hub, in one commit each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..diagnostics.predictors import ACOUSTICS_FILE, TEXT_STATISTICS_FILE
from ..files import is_temporary, readable_json, sha256_of_bytes
from ..problems import ProblemsFound, problem
from ..scoring.leaderboard import board_text
from .card import Publication, publication_card
from .commits import PATIENCE, Committed, Destination, Patience, commit_files, ensure_repository, require_token
from .croissant import croissant
from .evaluation import eval_yaml

#: What a release consists of; a file of these that a newer release does not have is removed.
_PARTS = ("pairs/", "embeddings/", "pools/", "audio/", TEXT_STATISTICS_FILE, ACOUSTICS_FILE)
_ROOT = ("spec.json", "similarity_sample.parquet")
#: The board of a published release, which the Space reads.
BOARD_FILE = "leaderboard.json"
_NEVER = {"__pycache__", ".git", ".gitignore", ".ruff_cache", ".pytest_cache"}


def release_files(publication: Publication) -> dict[str, bytes]:
    """Every file of a published release: its own, the generated card, `croissant.json`, `eval.yaml`, the manifest.

    With scored baselines also `leaderboard.json`, which the Space shows. The manifest's hashes follow the generated
    files; nothing that the fingerprint covers is touched.
    """
    folder = publication.release.folder
    own = {path: data for path, data in folder_files(folder).items() if path in _ROOT or path.startswith(_PARTS)}
    generated = {
        "README.md": publication_card(publication).encode(),
        "croissant.json": readable_json(croissant(publication)).encode(),
        "eval.yaml": eval_yaml(publication.release).encode(),
    }
    if publication.baselines is not None:
        generated[BOARD_FILE] = board_text(publication.baselines.as_json()).encode()
    files = own | generated
    manifest = publication.release.manifest
    hashes = {path: sha256_of_bytes(data) for path, data in sorted(files.items())}
    return files | {"manifest.json": readable_json(manifest | {"files": hashes}).encode()}


def publish_release(publication: Publication, *, private: bool = False, patience: Patience = PATIENCE) -> Committed:
    """Make a dataset repository hold a release, in one commit; none if it holds it already.

    Submissions and whatever else others keep there stay.

    Raises:
        EnvironmentProblem: the Hub cannot be reached (`environment.hub`), or refuses the token (`environment.token`).
    """
    from huggingface_hub import HfApi

    api, destination = HfApi(), Destination(publication.repository)
    require_token(destination)
    ensure_repository(api, destination, private=private, patience=patience)
    title = f"{publication.release.spec.name} {publication.release.spec.version}"
    message = f"{title}, fingerprint {publication.release.fingerprint[:12]}"
    files = release_files(publication)
    return commit_files(api, destination, files, message, remove=_is_part, patience=patience)


def publish_folder(
    files: Mapping[str, bytes], repository: str, sdk: str, *, private: bool = False, patience: Patience = PATIENCE
) -> Committed:
    """Make a Space hold these files, in one commit; none if it holds them already.

    Args:
        files: as `folder_files` reads them, with the wheel beside the app.
        repository: `org/name` of the Space.
        sdk: of the Space, `gradio` or `static`.
        private: whether a new repository is private.
        patience: with passing failures.

    Raises:
        EnvironmentProblem: as `publish_release`.
    """
    from huggingface_hub import HfApi

    api, destination = HfApi(), Destination(repository, "space")
    require_token(destination)
    ensure_repository(api, destination, private=private, sdk=sdk, patience=patience)
    return commit_files(api, destination, files, "Publish", remove=_is_wheel, patience=patience)


def space_files(folder: Path, repository: str) -> dict[str, bytes]:
    """Files of the Space, with `settings.json` that names the dataset it shows.

    Args:
        folder: of the app.
        repository: `org/name` of the dataset.

    Raises:
        ProblemsFound: as `folder_files`.
    """
    return folder_files(folder) | {"settings.json": readable_json({"dataset": repository}).encode()}


def metric_files(folder: Path, repository: str) -> dict[str, bytes]:
    """Files of the metric, its script renamed: `evaluate.load("org/name")` looks for `name.py` in the repository.

    Args:
        folder: of the metric, with a script of the folder's own name.
        repository: `org/name` of the Space it becomes.

    Raises:
        ProblemsFound: as `folder_files`; a folder without such a script is none (`folder.missing`).
    """
    files, own = folder_files(folder), folder.resolve().name
    if f"{own}.py" not in files:
        raise _no_folder(folder, f"no {own}.py in it")
    files[f"{repository.rpartition('/')[2]}.py"] = files.pop(f"{own}.py")
    card = files.get("README.md", b"").decode()
    return files | {"README.md": card.replace(f'"{own}"', f'"{repository}"').encode()}


def folder_files(folder: Path) -> dict[str, bytes]:
    """Path -> content of every file of a folder, but for caches and what a killed process left.

    Raises:
        ProblemsFound: there is no such folder (`folder.missing`).
    """
    if not folder.is_dir():
        raise _no_folder(folder, "no such folder")
    paths = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    wanted = [path for path in paths if not any(part in _NEVER or is_temporary(part) for part in path.parts)]
    return {path.as_posix(): (folder / path).read_bytes() for path in wanted}


def _no_folder(folder: Path, found: str) -> ProblemsFound:
    return problem(
        "folder.missing",
        folder.name,
        found=found,
        expected="the folder to publish",
        mend="Check the path; `leaderboard_space/` and `benchmark/evaluate_metric/` lie in a checkout.",
    )


def _is_part(path: str) -> bool:
    return path.startswith(_PARTS)


def _is_wheel(path: str) -> bool:
    """An older wheel is removed, so that a Space cannot pick it."""
    return path.endswith(".whl")
