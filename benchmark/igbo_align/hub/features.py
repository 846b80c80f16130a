"""`dataset_info` of a card: types and counts of every table, so that a reader knows them before any download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_NAMES = {"double": "float64", "float": "float32", "halffloat": "float16", "large_string": "string"}


def dataset_info(folder: Path, configs: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """An entry for each config, in the words of `datasets`.

    Args:
        folder: of a release.
        configs: config -> split -> file, as `dataset_configs` lists them.
    """
    return [_config_info(folder, name, files) for name, files in configs.items()]


def _config_info(folder: Path, name: str, files: Mapping[str, str]) -> dict[str, Any]:
    splits = [_split(folder / path, split) for split, path in files.items()]
    schema = pq.read_schema(folder / next(iter(files.values())))
    return {
        "config_name": name,
        "features": [{"name": column.name, **_feature(column.type)} for column in schema],
        "splits": splits,
        "download_size": sum((folder / path).stat().st_size for path in files.values()),
        "dataset_size": sum(split["num_bytes"] for split in splits),
    }


def _split(path: Path, split: str) -> dict[str, Any]:
    held = pq.read_metadata(path)
    size = sum(held.row_group(number).total_byte_size for number in range(held.num_row_groups))
    return {"name": split, "num_bytes": size, "num_examples": held.num_rows}


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_fixed_size_list(kind):
        return {"list": _name(kind.value_type), "length": kind.list_size}
    if pa.types.is_list(kind):
        return {"list": _name(kind.value_type)}
    return {"dtype": "audio" if pa.types.is_struct(kind) else _name(kind)}


def _name(kind: pa.DataType) -> str:
    return _NAMES.get(str(kind), str(kind))
