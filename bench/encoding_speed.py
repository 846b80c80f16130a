"""How fast recordings are encoded, beside the plain loop of transformers that the paper implies, in one run.

    python bench/encoding_speed.py [--clips 100] [--whole-runs] [--write]

Real recordings and Whisper tiny.en are fetched as the tests fetch them. The plain loop takes one clip at a time: decode
with librosa, features, encoder in float32, mean, length one. Both take turns clip by clip on one thread, so that other
load hits both alike. `--whole-runs` also encodes the whole demo release with the command line: one process of one
thread, and two such processes of `accelerate launch`. `--write` puts the tables into docs/encoding.md.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from igbo_align.corpus.source import open_corpus
from igbo_align.encoders.identity import resolve_encoder
from igbo_align.encoders.jobs import SpeechJob
from igbo_align.hub import load_release
from igbo_align.protocol.address import parse_addresses
from real_data.encoders import fetch_encoders
from real_data.fetching import REAL_DATA
from real_data.prompts_corpus import build_prompts_corpus

MODEL = "openai/whisper-tiny.en"
PAGE = ROOT / "docs" / "encoding.md"
RATE = 16_000
Encode = Callable[[bytes], NDArray[np.float32]]


@dataclass
class Timed:
    """A way to encode: its vectors and seconds, clip by clip."""

    encode: Encode
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def take(self, clip: bytes) -> None:
        """Encode one clip and keep how long it took."""
        began = time.perf_counter()
        self.vectors.append(self.encode(clip))
        self.seconds.append(time.perf_counter() - began)


def plain_loop(folder: Path) -> Encode:
    """What the paper implies, written with transformers and librosa alone."""
    import librosa
    import torch
    from transformers import WhisperFeatureExtractor, WhisperModel

    encoder = WhisperModel.from_pretrained(folder).get_encoder().eval()
    extractor = WhisperFeatureExtractor.from_pretrained(folder)

    def encode(clip: bytes) -> NDArray[np.float32]:
        waveform, _ = librosa.load(io.BytesIO(clip), sr=RATE)
        peak = np.abs(waveform).max()
        waveform = (waveform / peak if peak else waveform)[: 30 * RATE]
        features = extractor(waveform, sampling_rate=RATE, return_tensors="pt").input_features
        with torch.inference_mode():
            mean = encoder(features).last_hidden_state.mean(dim=1)
        return torch.nn.functional.normalize(mean, dim=1)[0].numpy()

    return encode


def lowest_cosine(left: Timed, right: Timed) -> float:
    """Over the clips of both."""
    a, b = (np.array(item.vectors, dtype=np.float64) for item in (left, right))
    return float(((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def gflop_of_window(config: Any) -> float:
    """Multiplications and additions of Whisper's encoder for one window of 3,000 mel frames, in 10^9."""
    d, ffn, t = config.d_model, config.encoder_ffn_dim, config.max_source_positions
    convolutions = 2 * 2 * t * config.num_mel_bins * 3 * d + 2 * t * d * 3 * d
    layer = 2 * t * (4 * d * d + 2 * t * d + 2 * d * ffn)
    return (convolutions + config.encoder_layers * layer) / 1e9


def gflops_of_product(dtype_name: str) -> float:
    """10^9 operations a second of a large product on one thread: the best of a few."""
    import torch

    n = 2048
    a, b = (torch.randn(n, n, dtype=getattr(torch, dtype_name)) for _ in range(2))
    best = min(_seconds(lambda: a @ b) for _ in range(6))
    return 2 * n**3 / best / 1e9


def _seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def turn_by_turn(clips: list[bytes], folder: Path) -> list[str]:
    """The table of the plain loop and ours, clip by clip on one thread."""
    import torch
    from transformers import AutoConfig

    torch.set_num_threads(1)
    identity, audio = resolve_encoder(str(folder)), load_release("demo").spec.audio
    ways = {
        "plain loop, float32": Timed(plain_loop(folder)),
        "igbo-align, float32": Timed(SpeechJob(identity, "mean", audio).vector),
        "igbo-align, bfloat16": Timed(SpeechJob(identity, "mean, bfloat16", audio).vector),
    }
    for way in ways.values():
        way.encode(clips[0])  # loads models, and librosa's compiled parts
    for clip in clips:
        for way in ways.values():
            way.take(clip)
    plain = ways["plain loop, float32"]
    window = gflop_of_window(AutoConfig.from_pretrained(folder))
    lines = [
        "| one thread, clip by clip | ms a clip | x plain loop | lowest cosine to it | GFLOP/s | of a large product |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, way in ways.items():
        ratio = float(np.median(np.array(plain.seconds) / np.array(way.seconds)))
        rate = window / float(np.median(way.seconds))
        product = gflops_of_product(name.rpartition(" ")[2])
        lines.append(
            f"| {name} | {1000 * float(np.median(way.seconds)):.0f} | {ratio:.2f} | {lowest_cosine(plain, way):.7f} "
            f"| {rate:.0f} | {product:.0f} |"
        )
    return [*lines, "", f"{len(clips)} clips; Whisper tiny.en takes {window:.1f} GFLOP a window of 30 s."]


def whole_runs(corpus: Path, encoders: Path) -> list[str]:
    """The demo release from an empty cache by one process, and by two of `accelerate launch`."""
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    ways = {"one process of one thread": [], "`accelerate launch --num_processes 2`, one thread each": launch}
    lines = [
        "| whole command, 699 recordings | seconds | recordings/s | x one process | same bytes |",
        "|---|--:|--:|--:|--:|",
    ]
    first_seconds, first_bytes = 0.0, b""
    for number, (name, launcher) in enumerate(ways.items()):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "submission"
            encode = ["-m", "igbo_align", "encode", "--release", "demo", "--source", str(corpus), "--out", str(out)]
            encode += ["--speech-encoder", MODEL, "--text-encoder", "sentence-transformers/all-MiniLM-L6-v2"]
            command = [sys.executable, *launcher, *encode, "--workers", "1"]
            environment = os.environ | {"IGBO_ALIGN_CACHE": folder, "HF_HUB_OFFLINE": "1"}
            seconds = _seconds(
                lambda c=command, e=environment: subprocess.run(  # noqa: S603 - our own command
                    c, cwd=encoders, env=e, check=True, capture_output=True
                )
            )
            written = (out / "embeddings.parquet").read_bytes()
        if number == 0:
            first_seconds, first_bytes = seconds, written
        same = "yes" if written == first_bytes else "NO"
        lines.append(f"| {name} | {seconds:.0f} | {699 / seconds:.1f} | {first_seconds / seconds:.2f} | {same} |")
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--whole-runs", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    encoders, corpus = fetch_encoders(REAL_DATA / "encoders"), build_prompts_corpus(REAL_DATA / "prompts")
    records = open_corpus(parse_addresses(str(corpus)), load_release("demo").spec).records()
    clips = [record.audio for record in itertools.islice(records, options.clips) if record.audio]
    lines = turn_by_turn(clips, encoders / MODEL)
    if options.whole_runs:
        lines += ["", *whole_runs(corpus, encoders)]
    typed = " ".join(["python bench/encoding_speed.py", *(word for word in sys.argv[1:] if word != "--write")])
    lines += ["", f"`{typed}`, {os.cpu_count()} cores"]
    lines[-1] += f" ({platform.machine()}), load {os.getloadavg()[0]:.1f} at the end."
    sys.stdout.write("\n".join(lines) + "\n")
    if options.write:
        before, after = PAGE.read_text().split("<!-- measured -->")[0], PAGE.read_text().split("<!-- /measured -->")[1]
        PAGE.write_text(before + "<!-- measured -->\n\n" + "\n".join(lines) + "\n\n<!-- /measured -->" + after)


if __name__ == "__main__":
    main()
