"""The same few tones stored in every layout that a build reads, each exactly as its corpus stores it."""

from __future__ import annotations

import csv
import functools
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SENTENCES = [f"Ọ bụ Ada na Eze, nke {name}" for name in ("otu", "abụọ", "atọ", "anọ", "ise", "isii", "asaa", "asatọ")]
N = 18
#: Every build of these corpora: few pairs, one process.
FEW = ["--per-bucket", "4", "--workers", "1"]


@functools.cache
def tone(number: int, kind: str = "FLAC") -> bytes:
    """A mono recording, each number another length and pitch."""
    import soundfile

    time = np.arange(round((0.6 + 0.05 * number) * 16_000)) / 16_000
    wave = 0.5 * np.sin(2 * np.pi * (200 + 10 * number) * time) * np.exp(-time)
    buffer = io.BytesIO()
    soundfile.write(buffer, wave.astype(np.float32), 16_000, format=kind)
    return buffer.getvalue()


def sentence(number: int) -> str:
    """Sentences repeat: several people read each."""
    return SENTENCES[number % len(SENTENCES)]


def write_fleurs(folder: Path, config: str = "ig_ng", shards: int = 3) -> Path:
    """google/fleurs on the Hub's parquet branch: `id` numbers sentences, labels are numbers, several shards a split."""
    from datasets import Audio, ClassLabel, Dataset

    rows = [
        {
            "id": number % len(SENTENCES),
            "num_samples": 16_000,
            "path": f"/home/somebody/extracted/{1000 + number}.wav",
            "audio": {"bytes": tone(number, "WAV"), "path": f"{1000 + number}.wav"},
            "transcription": sentence(number).lower().replace(",", ""),
            "raw_transcription": sentence(number),
            "gender": number % 2,
            "lang_id": 1,
            "language": "Igbo",
            "lang_group_id": 5,
        }
        for number in range(N)
    ]
    table = Dataset.from_list(rows)
    table = table.cast_column("gender", ClassLabel(names=["male", "female", "other"]))
    table = table.cast_column("lang_id", ClassLabel(names=["af_za", config]))
    table = table.cast_column("audio", Audio(sampling_rate=16_000))
    for split, part in (("train", range(10)), ("validation", range(10, 13)), ("test", range(13, N))):
        for shard in range(shards):
            held = table.select(part).shard(shards, shard, contiguous=True)
            (folder / config / split).mkdir(parents=True, exist_ok=True)
            held.to_parquet(folder / config / split / f"{shard:04d}.parquet")
    return folder


def write_waxal(folder: Path, kind: str = "ASR", config: str = "ach") -> Path:
    """google/WaxalNLP: an ASR config, or a TTS config."""
    names = ("transcription", "language") if kind == "ASR" else ("text", "locale")
    rows = [
        {
            "id": f"{config}_{number:03d}",
            "speaker_id": f"s{number % 3}",
            names[0]: sentence(number),
            names[1]: config,
            "gender": "Female",
            "audio": {"bytes": tone(number, "MP3"), "path": f"{number}.mp3"},
        }
        for number in range(N)
    ]
    target = folder / "data" / kind / config
    target.mkdir(parents=True)
    for split, part in (("train", rows[:12]), ("validation", rows[12:14]), ("test", rows[14:])):
        pq.write_table(pa.Table.from_pylist(part), target / f"{config}-{split}-00000.parquet")
    return folder


def write_audiofolder(folder: Path, kind: str = "csv", at_root: bool = False) -> Path:
    """Recordings in folders named after their splits, with a table of metadata in each folder, or one for all."""
    rows: dict[str, list[dict]] = {"": []}
    for number in range(N):
        split = "test" if number >= 14 else "train"
        file = folder / split / "clips" / f"a{number}.flac"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tone(number))
        place = "" if at_root else split
        name = file.relative_to(folder / place).as_posix()
        rows.setdefault(place, []).append({"file_name": name, "transcription": sentence(number), "speaker_id": "007"})
    for place, held in rows.items():
        if held:
            write_metadata(folder / place / f"metadata.{kind}", held)
    return folder


def write_metadata(path: Path, rows: list[dict]) -> None:
    """Write a `metadata.csv`, `metadata.jsonl` or `metadata.parquet`."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)


def write_parquet(folder: Path, name: str = "mine.parquet", **columns) -> Path:
    """Any parquet file with a transcript and recordings; columns are added, or with None left out."""
    held = {
        "sentence": [sentence(number) for number in range(N)],
        "audio": [{"bytes": tone(number), "path": f"take{number}.flac"} for number in range(N)],
    }
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: values for name, values in (held | columns).items() if values is not None})
    pq.write_table(table, folder / name)
    return folder
