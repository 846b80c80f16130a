"""One dataset, five doors: from an empty cache, every door gives the same R@1."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_every_door_gives_the_same_recall(zero_shot_scores):
    script = Path(__file__).with_name("five_doors.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    doors = json.loads(done.stdout)
    assert set(doors) == {"datasets", "igbo_align", "mteb", "evaluate", "benchmark"}
    for direction, held in zero_shot_scores.tracks["paper"].items():
        for name, recalls in doors.items():
            assert recalls[direction] == pytest.approx(held["recall@1"].value, abs=1e-6), name
