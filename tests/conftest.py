"""Fixtures that many tests share: the demo release, cards, submissions, and a small corpus with small encoders."""

from __future__ import annotations

import os

# One thread in every library of this process: the machine is shared with other test workers.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

import igbo_align as ia
import numpy as np
import pytest
import small_corpus


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
