"""Which model, exactly: what users type, what cards and manifests say, and what the cache of vectors depends on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..extras import missing_library
from ..files import canonical_json, sha256_of_bytes, sha256_of_file
from ..problems import problem
from .presets import expand_preset

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_WEIGHTS = (".json", ".safetensors", ".bin", ".txt", ".model")


@dataclass(frozen=True)
class EncoderIdentity:
    """An encoder that could be found.

    Attributes:
        id: as cards name it: `org/model`, or `local/folder` for a folder elsewhere.
        revision: commit of a Hub model, or `sha256:...` over the files of a folder.
        location: what `from_pretrained` takes: the Hub id or the folder.
        hub_revision: the commit to load, None for folders.
    """

    id: str
    revision: str
    location: str
    hub_revision: str | None

    @property
    def slug(self) -> str:
        """The id as a folder name: `org__model`."""
        return self.id.replace("/", "__")

    def pinned(self) -> dict[str, Any]:
        """What `from_pretrained` takes besides the location: the commit of a Hub model, nothing for a folder."""
        return {"revision": self.hub_revision} if self.hub_revision else {}


def resolve_encoder(text: str) -> EncoderIdentity:
    """Find an encoder by what the user typed: a folder, a Hub id or a preset's short name, optionally `id@revision`.

    A relative folder `org/model` keeps that id, so the same command works with and without a Hub.

    Raises:
        ProblemsFound: `encoder.unreadable`.
    """
    folder = Path(text.partition("@")[0])
    name, _, revision = (text if folder.is_dir() else expand_preset(text)).partition("@")
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in _WEIGHTS)
        hashes = {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in files}
        identity = name if _HUB_ID.fullmatch(name) else f"local/{folder.resolve().name}"
        return EncoderIdentity(identity, f"sha256:{sha256_of_bytes(canonical_json(hashes))}", str(folder), None)
    if not _HUB_ID.fullmatch(name):
        raise problem(
            "encoder.unreadable",
            text,
            found="no folder of this name",
            expected="a folder with a model, a Hub model id `org/model`, or a short name, optionally `@revision`",
            mend="Check the path or the spelling; `igbo-align encoders` lists the short names.",
        )
    commit = _commit_of(name, revision or None)
    return EncoderIdentity(name, commit, name, commit)


def _commit_of(name: str, revision: str | None) -> str:
    """The commit that a branch or tag names now; a full commit needs no network."""
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    from huggingface_hub import hf_hub_download

    # Every model has this file; the cache keeps it in a folder named after the commit, with and without a network.
    config = loading(name, lambda: hf_hub_download(name, "config.json", revision=revision))
    return Path(config).parent.name


def loading(name: str, load: Any) -> Any:
    """Run a library's loading code and turn whatever it raises into `encoder.unreadable`.

    The libraries raise dozens of types with texts that hold paths and addresses; neither is shown. A library that is
    not installed is named.
    """
    try:
        return load()
    except Exception as error:
        if absent := missing_library(error, name):
            raise absent from error
        raise problem(
            "encoder.unreadable",
            name,
            found=f"a model that cannot be loaded ({type(error).__name__})",
            expected="a model in the layout that `from_pretrained` reads",
            mend="Check the id, the revision and the network, or give the folder of a downloaded model.",
        ) from error
