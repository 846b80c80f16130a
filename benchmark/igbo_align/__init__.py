"""igbo-align: does a speech encoder put an Igbo sentence where a text encoder puts it?

The public verbs, each loaded on first use so that `import igbo_align` stays instant::

    import igbo_align as ia
    release = ia.load_release("demo")
    submission = ia.load_submission("submissions/baselines__zero-shot/1")
    problems = ia.validate(submission, release)
    scores = ia.score(submission, release)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .hub import load_release
    from .metrics.full_ranking import rank_all
    from .metrics.ranking import Ranks
    from .pipeline.encode_release import encode_release
    from .pipeline.encode_request import EncodeRequest
    from .problems import EnvironmentProblem, Problem, ProblemsFound, UsageProblem
    from .projection import Projection
    from .protocol.bundled_specs import load_spec
    from .protocol.release import Release
    from .protocol.spec import BenchmarkSpec
    from .scoring.comparison import compare
    from .scoring.leaderboard import Leaderboard, build_leaderboard
    from .scoring.score import score
    from .scoring.scores import Estimate, Scores
    from .submission.card import Card
    from .submission.reading import Embeddings, SimilarityMatrix, Submission, load_submission
    from .submission.validation import validate
    from .submission.writing import pack, write_submission

_HOMES = {
    "BenchmarkSpec": "protocol.spec",
    "Card": "submission.card",
    "Embeddings": "submission.reading",
    "EncodeRequest": "pipeline.encode_request",
    "EnvironmentProblem": "problems",
    "Estimate": "scoring.scores",
    "Leaderboard": "scoring.leaderboard",
    "Problem": "problems",
    "ProblemsFound": "problems",
    "Projection": "projection",
    "Ranks": "metrics.ranking",
    "Release": "protocol.release",
    "Scores": "scoring.scores",
    "SimilarityMatrix": "submission.reading",
    "Submission": "submission.reading",
    "UsageProblem": "problems",
    "build_leaderboard": "scoring.leaderboard",
    "compare": "scoring.comparison",
    "encode_release": "pipeline.encode_release",
    "load_release": "hub",
    "load_spec": "protocol.bundled_specs",
    "load_submission": "submission.reading",
    "pack": "submission.writing",
    "rank_all": "metrics.full_ranking",
    "score": "scoring.score",
    "validate": "submission.validation",
    "write_submission": "submission.writing",
}

__all__ = [
    "BenchmarkSpec",
    "Card",
    "Embeddings",
    "EncodeRequest",
    "EnvironmentProblem",
    "Estimate",
    "Leaderboard",
    "Problem",
    "ProblemsFound",
    "Projection",
    "Ranks",
    "Release",
    "Scores",
    "SimilarityMatrix",
    "Submission",
    "UsageProblem",
    "build_leaderboard",
    "compare",
    "encode_release",
    "load_release",
    "load_spec",
    "load_submission",
    "pack",
    "rank_all",
    "score",
    "validate",
    "write_submission",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
