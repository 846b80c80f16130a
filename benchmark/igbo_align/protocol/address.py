"""Where a source is, as the user names it: `folder[#config]`, or `org/name[@revision][#config]` on the Hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..problems import problem

#: One source or several, as library callers name them; None for those that a release or specification names.
SourceTexts = str | Sequence[str] | None
_MAX_NAME = 24


@dataclass(frozen=True)
class Address:
    """A source: the path of a folder or a Hub dataset id, and optionally a config and a revision."""

    place: str
    config: str | None = None
    revision: str | None = None


def parse_address(text: str) -> Address:
    """Read one `--source`. A folder that exists is taken as it stands, whatever its name holds."""
    if Path(text).is_dir():
        return Address(text)
    place, _, config = text.rpartition("#") if "#" in text else (text, "", "")
    if Path(place).is_dir():
        return Address(place, config or None)
    name, _, revision = place.partition("@")
    return Address(name, config or None, revision or None)


def parse_addresses(sources: SourceTexts, config: str | None = None, revision: str | None = None) -> list[Address]:
    """Read every `--source`, with `--config` and `--revision` for a single one.

    Raises:
        UsageProblem: the options are given beside several sources, or contradict what the source says (`usage`).
    """
    texts = [sources] if isinstance(sources, str) else list(sources or ())
    addresses = [parse_address(text) for text in texts]
    options = {"config": config, "revision": revision}
    for name, value in options.items():
        if value is None:
            continue
        if len(addresses) != 1:
            raise problem(
                "usage",
                f"--{name}",
                found=f"--{name} with {len(addresses)} sources",
                expected="a config and a revision inside each --source",
                mend="Write --source org/name@revision#config, or --source folder#config.",
            )
        stated = getattr(addresses[0], name)
        if stated not in (None, value):
            raise problem(
                "usage",
                f"--{name}",
                found=f"{value!r}, where --source says {stated!r}",
                expected=f"one {name}",
                mend="Name it once.",
            )
        addresses = [replace(addresses[0], **{name: value})]
    return addresses


def source_names(addresses: Sequence[Address]) -> list[str]:
    """A short name for each of several sources: of the dataset or folder, with its config or a number where needed.

    Names are of `a-z 0-9 . _ -`, so that a prefix `name:` is always told apart from the id behind it.
    """
    plain = [_short(Path(address.place).resolve().name) for address in addresses]
    configs = [_short(f"{address.config or name}") for name, address in zip(plain, addresses, strict=True)]
    for names in (plain, configs):
        if len(set(names)) == len(names):
            return names
    return [f"{name[: _MAX_NAME - 3]}-{number}" for number, name in enumerate(configs, start=1)]


def _short(text: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:_MAX_NAME] or "source"
