"""Small synthetic inputs for baselines: paired vectors with a linear relation, frames, durations and speakers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from igbo_align.baselines.inputs import Inputs, Pairs, RecordingVectors
from igbo_align.encoders.pooling import FRAMES

N, N_TEST = 120, 30
D_SPEECH, D_TEXT, D_FRAMES = 12, 12, 6


def synthetic_inputs(test_seed: int = 0) -> Inputs:
    """Inputs of 90 train and 30 test pairs; `test_seed` changes everything about the test pairs and nothing else."""
    parts = [_part(N - N_TEST, 1), _part(N_TEST, 100 + test_seed)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "frames"}
    release = SimpleNamespace(
        is_test=np.arange(N) >= N - N_TEST,
        column=columns.__getitem__,
        manifest={
            "encoders": {m: {"id": f"tests/{m}", "revision": "r", "pooling": "mean"} for m in ("speech", "text")}
        },
    )
    frames = [frames for part in parts for frames in part["frames"]]
    stats = [np.concatenate([own.mean(axis=0), own.std(axis=0)]).astype(np.float32) for own in frames]
    encoders = {m: {"id": f"tests/{m}", "revision": "r", "pooling": None} for m in ("speech", "text")}
    # Pairs 0 and 1, and 2 and 3, share a text; so do two test pairs.
    groups = np.concatenate([[0, 0, 1, 1], np.arange(2, N - 4), [N, N]])
    encoded = RecordingVectors({FRAMES: frames, "masked-mean-std": stats}, columns["text"], encoders)
    return Inputs(release, Pairs(columns["speech"], columns["text"], groups), encoded)  # type: ignore[arg-type]


def _part(n: int, seed: int) -> dict:
    generator = np.random.default_rng(seed)
    speech = generator.standard_normal((n, D_SPEECH))
    mixing = np.random.default_rng(7).standard_normal((D_SPEECH, D_TEXT))
    text = speech @ mixing + 0.3 * generator.standard_normal((n, D_TEXT))
    frames = [
        (row[:D_FRAMES] + generator.standard_normal((generator.integers(2, 6), D_FRAMES))).astype(np.float32)
        for row in text
    ]
    n_chars = generator.integers(5, 60, n)
    return {
        "speech": speech,
        "text": text,
        "frames": frames,
        "duration_s": 0.1 * n_chars + generator.random(n),
        "n_chars": n_chars,
        "speaker_id": generator.choice(["a", "b"], n) if seed == 1 else generator.choice(["a", "b", "new"], n),
    }
