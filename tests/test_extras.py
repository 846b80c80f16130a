"""A library that is not installed is a problem that names the extra to install, in every verb; never a bug."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from igbo_align.extras import missing_library

TESTS = Path(__file__).parent
RIDGE = str(TESTS.parent / "submissions" / "baselines__ridge" / "1")
ENCODING = {"torch", "transformers", "sentence_transformers", "soundfile"}
LIBRARIES = [*sorted(ENCODING), "datasets", "librosa", "matplotlib", "gradio"]
ENCODERS = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]
SOURCE = ["--source", "corpus"]
#: Command, the libraries that it cannot do without, and the extra that it then names.
COMMANDS = (
    (["build", "--out", "new", *SOURCE, *ENCODERS, "--acoustics"], {*ENCODING, "datasets", "librosa"}, "build"),
    (["encode", "--out", "new", *SOURCE, *ENCODERS], {*ENCODING, "datasets"}, "build"),
    (["encode", "--out", "new", *SOURCE, "--mteb-model", "tiny/whisper"], {"datasets"}, "mteb"),
    (["baseline", "projection", "--out", "new"], {"torch"}, "baselines"),
    (["baseline", "ridge-stats", "--out", "new", *SOURCE], ENCODING, "build"),
    (["probe", *ENCODERS[:2], *SOURCE], {*ENCODING, "librosa"}, "build"),
    (["verify", RIDGE, *ENCODERS, *SOURCE], ENCODING, "build"),
    (["report", RIDGE, "--out", "report.html"], {"matplotlib"}, "report"),
    (["space"], {"gradio"}, "space"),
    (["publish", "demo", "--repo", "tests/demo", "--dry-run"], set(), ""),
    (["submit", RIDGE, "--repo", "tests/board"], set(), ""),
    (["eval-results", RIDGE, "--dataset", f"tests/demo@{'0' * 40}"], set(), ""),
    (["leaderboard", "board"], set(), ""),
)


@pytest.fixture(scope="module")
def user_folder(encoders_folder, corpus_folder):
    """Where the encoders, the corpus and a board of one system lie."""
    (encoders_folder / "corpus").symlink_to(corpus_folder)
    shutil.copytree(RIDGE, encoders_folder / "board" / "baselines__ridge" / "1")
    return encoders_folder


@pytest.mark.parametrize("hidden", [*LIBRARIES, ",".join(LIBRARIES)])
def test_a_library_that_is_not_installed_is_named_and_no_bug(hidden, user_folder):
    names = set(hidden.split(","))
    asked = [item for item in COMMANDS if item[1] & names or len(names) > 1]
    command = [sys.executable, str(TESTS / "missing_libraries_child.py"), hidden, json.dumps([a for a, _, _ in asked])]
    environment = os.environ | {"IGBO_ALIGN_CACHE": str(user_folder / "cache")}
    done = subprocess.run(command, cwd=user_folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for (arguments, needed, extra), (exit_code, said) in zip(asked, json.loads(done.stdout), strict=True):
        assert "This is a bug" not in said, arguments
        if needed & names:
            assert exit_code == 4, (arguments, said)
            assert "environment.extra" in said, (arguments, said)
            assert f"the extra `{extra}`" in said, (arguments, said)
    assert not (user_folder / "new").exists()


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("no", name="sentence_transformers.util"),
        ModuleNotFoundError("no", name="sentence-transformers"),  # as `importlib.metadata` says it
    ],
)
def test_parts_of_a_library_and_its_distribution_are_the_library(error):
    problem = missing_library(error)
    assert problem is not None
    assert "no sentence_transformers; expected the extra `build`" in str(problem)


@pytest.mark.parametrize("error", [ModuleNotFoundError("no", name="igbo_align.nothing"), ImportError("torch")])
def test_other_failed_imports_stay_bugs(error):
    assert missing_library(error) is None
