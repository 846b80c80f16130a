"""The maintainer's day with real recordings and real weights under the official names, at the pinned revision.

Only the number of pairs is smaller than in the official specification. The recordings are not Igbo, and the weights are
those of Whisper tiny.en and all-MiniLM-L6-v2: nothing is measured here.
"""

from __future__ import annotations

import json

import igbo_align as ia
import numpy as np
import pytest
from hub_day import PUBLISHED, SYSTEMS, Typist, evening, files_below, official_hub

pytestmark = pytest.mark.real_data
BUILD = (
    "build",
    "--source",
    "google/WaxalNLP",
    "--spec",
    "waxal-igbo",
    "--per-bucket",
    "12",
    "--workers",
    "1",
    "--out",
)


@pytest.fixture(scope="module")
def typed(prompts, real_encoders, tmp_path_factory):
    """A hub with four parquet files of recordings as google/WaxalNLP lays them out, both encoders, and who types."""
    corpus = {name.replace("prompts", "ibo"): data for name, data in files_below(prompts).items()}
    assert len(corpus) == 4
    speech = real_encoders / "openai" / "whisper-tiny.en"
    text = real_encoders / "sentence-transformers" / "all-MiniLM-L6-v2"
    with official_hub(corpus, speech, text) as hub:
        yield Typist(hub, tmp_path_factory.mktemp("home"))


def test_from_hub_ids_to_a_published_benchmark_and_again_without_a_download(typed, demo):
    typed.succeed(*BUILD, "release")
    assert {line.split("/resolve/")[0] for line in typed.downloads()} == {
        "GET /datasets/google/WaxalNLP",
        "GET /openai/whisper-tiny",
        "GET /sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
    }
    release = ia.load_release(typed.home / "release")
    assert release.manifest["source"]["revision"] == ia.load_spec("waxal-igbo").source.revision
    stored = dict(zip(demo.ids, demo.embeddings("speech"), strict=True))
    known = [
        (vector, stored[name])
        for name, vector in zip(release.ids, release.embeddings("speech"), strict=True)
        if name in stored
    ]
    assert known
    assert all(float(np.dot(vector, other)) == pytest.approx(1, abs=1e-5) for vector, other in known)
    commit = evening(typed, "release")
    typed.succeed(*BUILD, "again")
    assert typed.downloads() == []
    assert files_below(typed.home / "again") == files_below(typed.home / "release")
    typed.succeed("baseline", *SYSTEMS, "--release", "again", "--out", "submissions-again")
    assert typed.hub.requests == []
    publish = ("publish", "again", "--repo", PUBLISHED, "--licence", "cc-by-4.0", "--submissions", "submissions-again")
    repeated = json.loads(typed.succeed(*publish, "--json"))[PUBLISHED]
    assert (repeated["commit"], repeated["changed"]) == (commit, False)
    assert typed.downloads() == []
