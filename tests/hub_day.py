"""The maintainer's day, typed as on the real Hub: what the stand-in hosts, who types, and the day itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import igbo_align as ia
from loopback_hub import LoopbackHub, Repository

WAXAL = ("datasets", "google/WaxalNLP")
WHISPER = ("models", "openai/whisper-tiny")
MINILM = ("models", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2")
PUBLISHED = "tests/igbo-align"
SYSTEMS = ("zero-shot", "ridge")
#: The front matter with which google/WaxalNLP declares the config.
CARD = """---
configs:
- config_name: ibo_tts
  data_files:
  - split: train
    path: "data/TTS/ibo/ibo-train-*"
  - split: validation
    path: "data/TTS/ibo/ibo-validation-*"
  - split: test
    path: "data/TTS/ibo/ibo-test-*"
---
"""

_RUN_ALL = """
import contextlib, io, json
from igbo_align.cli.app import run

with contextlib.redirect_stdout(io.StringIO()):
    codes = [run(command) for command in {commands!r}]
print(json.dumps(codes))
"""


def files_below(folder: Path) -> dict[str, bytes]:
    """Path -> bytes of every file of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def official_hub(corpus: dict[str, bytes], speech_encoder: Path, text_encoder: Path) -> LoopbackHub:
    """A hub with the official source at its pinned revision, filled with a corpus, and both encoders."""
    repositories = {
        WAXAL: Repository({"README.md": CARD.encode(), **corpus}),
        WHISPER: Repository(files_below(speech_encoder)),
        MINILM: Repository(files_below(text_encoder)),
    }
    return LoopbackHub(repositories, {WAXAL: ia.load_spec("waxal-igbo").source.revision})


@dataclass(frozen=True)
class Typist:
    """Types commands, each in a process of its own, with an empty home that is kept between commands."""

    hub: LoopbackHub
    home: Path

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `igbo-align`."""
        return self._run(sys.executable, "-m", "igbo_align", *arguments, **environment)

    def run(self, *command: str) -> None:
        """Run another program, which must succeed."""
        done = self._run(*command)
        assert done.returncode == 0, done.stderr

    def code(self, text: str, **environment: str) -> object:
        """Run a snippet that prints JSON."""
        done = self._run(sys.executable, "-c", text, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def codes(self, commands: Sequence[Sequence[str]], **environment: str) -> object:
        """Exit codes of several commands of `igbo-align`, all in one process, which imports its libraries once."""
        return self.code(_RUN_ALL.format(commands=[list(command) for command in commands]), **environment)

    def succeed(self, *arguments: str, **environment: str) -> str:
        """Run `igbo-align`, which must succeed; returns what it printed."""
        done = self(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {"IGBO_ALIGN_CACHE": str(self.home / "cache")}
        variables = os.environ | self.hub.environment(self.home / "hf") | own | environment
        self.hub.requests.clear()
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=self.home)

    def downloads(self) -> list[str]:
        """Files that the last command fetched."""
        return [line for line in self.hub.requests if line.startswith("GET") and "/resolve/" in line]


def evening(typed: Typist, release: str) -> str:
    """Baselines, board and publication of a release that was built; returns the commit."""
    typed.succeed("baseline", *SYSTEMS, "--release", release, "--out", "submissions")
    typed.succeed("leaderboard", "submissions", "--release", release, "--out", "leaderboard.json")
    publish = ("publish", release, "--repo", PUBLISHED, "--submissions", "submissions")
    refused = typed(*publish)
    assert refused.returncode == 1
    assert "publish.licence" in refused.stderr
    assert typed.hub.requests == []
    assert "README.md" in typed.succeed(*publish, "--licence", "cc-by-4.0", "--dry-run")
    assert typed.hub.requests == []
    done = json.loads(typed.succeed(*publish, "--licence", "cc-by-4.0", "--json"))
    assert done[PUBLISHED]["changed"]
    return done[PUBLISHED]["commit"]
