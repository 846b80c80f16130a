"""The specifications that come with the package: found by name, or by the sources of a build."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ..problems import problem
from .address import Address
from .spec import BenchmarkSpec, Source, parse_spec


def spec_names() -> list[str]:
    """Names of the specifications that come with the package."""
    return sorted(path.name.removesuffix(".json") for path in _spec_folder().iterdir() if path.name.endswith(".json"))


def load_spec(name_or_file: str | Path) -> BenchmarkSpec:
    """Load a specification by its name (`waxal-igbo`, `demo`, ...) or from a JSON file.

    Raises:
        ProblemsFound: no such name (`spec.unknown`), or the file is not a valid specification (`spec.schema`).
    """
    text = str(name_or_file)
    path = Path(text) if text.endswith(".json") else _spec_folder() / f"{text}.json"
    if not path.is_file():
        raise problem(
            "spec.unknown",
            "--spec",
            found=repr(text),
            expected=f"one of {', '.join(spec_names())}, or a .json file that exists",
            mend="Check the spelling, or give the path of a specification file.",
        )
    return parse_spec(path.read_bytes(), path.name)


def _spec_folder() -> Path:
    return Path(str(resources.files("igbo_align.protocol"))) / "specs"


def spec_for(
    name_or_file: str | None, addresses: Sequence[Address], per_bucket: int | None, seed: int | None
) -> BenchmarkSpec:
    """The specification of a build: the named one, else that of these sources, else `custom`; with fields replaced.

    Args:
        name_or_file: what the user named, or None.
        addresses: what to build from, in order.
        per_bucket: replaces `sample.per_bucket`.
        seed: replaces every seed of a draw.
    """
    spec = load_spec(name_or_file) if name_or_file else _spec_of(addresses) or load_spec("custom")
    changes = spec.model_dump(mode="json")
    if per_bucket is not None:
        changes["sample"]["per_bucket"] = per_bucket
    if seed is not None:
        for section in ("sample", "split", "pools", "similarity_sample"):
            changes[section]["seed"] = seed
    return BenchmarkSpec.model_validate_json(json.dumps(changes))


def known_source(dataset: str) -> Source | None:
    """What a bundled specification says about a dataset, whatever the config; None for an unknown dataset.

    Of several specifications of one dataset the Igbo one speaks for it: this is a benchmark of Igbo.
    """
    known = [(spec.language != "ibo", source) for spec in _bundled_specs() for source in spec.sources]
    matching = [item for item in known if item[1].dataset == dataset and dataset]
    return min(matching, key=lambda item: item[0])[1] if matching else None


def _spec_of(addresses: Sequence[Address]) -> BenchmarkSpec | None:
    """The bundled specification that has these sources and no others, the Igbo one where no config is named."""
    wanted = [(address.place, address.config) for address in addresses]
    if len(wanted) == 1 and wanted[0][1] is None:
        known = known_source(wanted[0][0])
        wanted = [(known.dataset, known.config)] if known else wanted
    named = (spec for spec in _bundled_specs() if [(item.dataset, item.config) for item in spec.sources] == wanted)
    return next(named, None)


@functools.cache
def _bundled_specs() -> tuple[BenchmarkSpec, ...]:
    return tuple(load_spec(name) for name in spec_names())
