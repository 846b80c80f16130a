"""Recordings to listen to, where the release holds them."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pyarrow.compute as pc
import pyarrow.parquet as pq
from igbo_align.protocol.release import SPLITS, Release
from igbo_align.report.markup import Html, element

#: Longer recordings are left out of the page; 30 s of MP3 are far below.
_MOST_BYTES = 1_000_000
_KINDS = {b"RIFF": "wav", b"OggS": "ogg", b"fLaC": "flac", b"ID3": "mpeg", b"\xff": "mpeg"}


def players(release: Release, ids: Sequence[str]) -> dict[str, Html]:
    """A player for each id of which the release holds a recording; it loads nothing from elsewhere."""
    found = {}
    for split in SPLITS:
        path = release.folder / "audio" / f"{split}.parquet"
        if not path.is_file():
            continue
        rows = pq.read_table(path, columns=["id", "audio"], filters=pc.field("id").isin(list(ids)))
        found |= {row["id"]: _player(row["id"], row["audio"]["bytes"]) for row in rows.to_pylist()}
    return {name: player for name, player in found.items() if player}


def _player(name: str, data: bytes | None) -> Html:
    kind = next((kind for start, kind in _KINDS.items() if data and data.startswith(start)), None)
    if data is None or kind is None or len(data) > _MOST_BYTES:
        return Html()
    address = f"data:audio/{kind};base64,{base64.b64encode(data).decode()}"
    return element("audio", src=address, controls="", preload="none", aria_label=f"Recording {name}")
