"""Does a build hold a corpus in memory? Peak memory of `build --with-audio` on a corpus, and on it repeated ten times.

python bench/corpus_memory.py CORPUS ENCODERS [--times 10] [--per-bucket 233]

CORPUS is in WAXAL's layout, ENCODERS a folder with `tiny/whisper` and `tiny/sentences`, or with what --speech and
--text name. Each build runs in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_CHILD = """
import sys
from measure import peak_mb
from igbo_align.cli.app import run
code = run(sys.argv[1:])
print(f"PEAK {peak_mb():.1f}")
sys.exit(code)
"""


def main() -> None:
    """Measure both, print both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("encoders", type=Path)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--per-bucket", type=int, default=233)
    parser.add_argument("--speech", default="tiny/whisper")
    parser.add_argument("--text", default="tiny/sentences")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        peaks = []
        for times in (1, options.times):
            records, size = repeat(options.corpus, folder / f"{times}" / "repeated-train-00000.parquet", times)
            peaks.append(build(folder / f"{times}", folder, options))
            say(f"{records} records, {size / 2**20:.0f} MiB of audio: peak {peaks[-1]:.0f} MiB")
    say(f"ratio {peaks[1] / peaks[0]:.3f}")


def repeat(corpus: Path, file: Path, times: int) -> tuple[int, int]:
    """Write one shard with every record several times under new ids; returns records and bytes of audio."""
    file.parent.mkdir()
    shards = sorted(corpus.rglob("*.parquet"))
    records = size = 0
    with pq.ParquetWriter(file, pq.read_schema(shards[0])) as writer:
        for number in range(times):
            for table in map(pq.read_table, shards):
                ids = pa.array([f"{name}_{number}" for name in table.column("id").to_pylist()])
                writer.write_table(table.set_column(table.schema.get_field_index("id"), "id", ids))
                records += table.num_rows
                size += sum(len(cell["bytes"]) for cell in table.column("audio").to_pylist())
    return records, size


def build(source: Path, folder: Path, options: argparse.Namespace) -> float:
    """Build a release with its recordings; returns the largest memory of the process in MiB."""
    command = ["build", "--source", source, "--out", folder / f"release-{source.name}", "--with-audio", "--workers", 1]
    command += ["--per-bucket", options.per_bucket, "--speech-encoder", options.speech, "--text-encoder", options.text]
    environment = os.environ | {"IGBO_ALIGN_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    paths = [str(Path(__file__).parent.resolve()), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-c", _CHILD, *map(str, command)],
        cwd=options.encoders,
        env=environment | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.rpartition("PEAK ")[2])


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
