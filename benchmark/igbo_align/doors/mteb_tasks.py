"""MTEB tasks of a release: `IgboAlignS2T` and `IgboAlignT2S`, whose splits are the tracks and their frozen pools.

This module imports mteb; nothing that scores imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mteb
import numpy as np
from datasets import Dataset
from mteb.abstasks.retrieval import AbsTaskRetrieval
from numpy.typing import NDArray

from ..hub import load_release
from ..metrics.ranking import Standings
from ..metrics.retrieval import recall_at_k, reciprocal_rank
from ..pipeline.recordings import release_texts
from ..problems import problem
from ..protocol.address import SourceTexts
from ..protocol.release import Release
from ..protocol.spec import TRACKS, require_track
from .mteb_recordings import recordings_dataset
from .mteb_vectors import StoredVectors

_CUTOFFS = (1, 5, 10)
#: MTEB writes scripts beside languages; a language that is not here is written as undetermined.
_LANGUAGES = {"ibo": "ibo-Latn", "eng": "eng-Latn", "ita": "ita-Latn"}
_CITATION = """@software{igbo_align,
  author = {{The igbo-align authors}},
  title = {igbo-align: a benchmark of speech-text alignment for Igbo},
  year = {2026},
}
"""


def _metadata(name: str, category: Any, modalities: list[Any], what: str) -> mteb.TaskMetadata:
    """What MTEB knows of a direction before a release is named."""
    return mteb.TaskMetadata(
        name=name,
        description=f"{what} among frozen candidates, the tracks of igbo-align as splits.",
        reference=None,
        dataset={"path": "igbo-align/unpublished", "revision": "0" * 40},
        type="Any2AnyRetrieval",
        category=category,
        modalities=modalities,
        eval_splits=list(TRACKS),
        eval_langs=["ibo-Latn"],
        main_score="mrr_at_1000",
        date=None,
        domains=["Spoken"],
        task_subtypes=["Speech Transcription Retrieval" if category == "a2t" else "Speech Retrieval"],
        license=None,
        annotations_creators="human-annotated",
        dialect=[],
        sample_creation="found",
        bibtex_citation=_CITATION,
    )


class _AlignmentTask(AbsTaskRetrieval):
    """One direction of a release; every track is a split, with the frozen pools as `top_ranked`.

    Besides MTEB's own scores, every split has `unrounded_recall_at_{k}`: the mean of MTEB's `success_{k}` of every
    query, which MTEB itself rounds to five decimals; and `expected_recall_at_{k}`, `expected_mrr` and `tied_queries`:
    the same retrieved lists with ties as expectations, where MTEB goes by the alphabet of the ids.
    """

    direction: str
    k_values = (1, 3, 5, 10, 100, 1000)
    release: Release

    def __init__(
        self,
        release: Release | str | Path = "demo",
        tracks: Sequence[str] = TRACKS,
        source: SourceTexts = None,
        **options: Any,
    ) -> None:
        """Name what is evaluated.

        Args:
            release: `demo`, a folder, a Hub dataset id (`org/name@revision`), or a loaded release.
            tracks: the splits to evaluate.
            source: where recordings and texts are, unless the release holds them.
            options: of MTEB's own constructor.
        """
        self.release = release if isinstance(release, Release) else load_release(release)
        self._source = source
        splits = [require_track(track) for track in tracks]
        spec = self.release.spec
        self.metadata = type(self).metadata.model_copy(
            update={
                # Results of different releases never share a place in MTEB's cache.
                "dataset": {"path": f"igbo-align/{spec.name}", "revision": self.release.fingerprint[:40]},
                "description": f"{type(self).metadata.description} {spec.notice}".strip(),
                "eval_langs": [_LANGUAGES.get(part, "und-Zyyy") for part in spec.language.split("+")],
                "eval_splits": splits,
            }
        )
        super().__init__(**options)

    def load_data(self, *_: Any, **__: Any) -> None:
        """Put the release into MTEB's form; recordings are decoded when they are encoded, never before."""
        if self.data_loaded:
            return
        self.dataset = {"default": {track: self._split(track) for track in self.metadata.eval_splits}}
        self.data_loaded = True

    def evaluate(self, model: Any, split: str = "test", subsets_to_run: Any = None, **options: Any) -> Any:
        """As MTEB does it.

        Raises:
            ProblemsFound: a model wants to hear or read what neither the release nor a source holds (`source.missing`).
        """
        if not isinstance(model, StoredVectors):
            self.require_inputs()
        evaluated: Any = model
        return super().evaluate(evaluated, split, subsets_to_run, **options)

    def task_specific_scores(
        self,
        scores: dict[str, dict[str, float]],
        qrels: Mapping[str, Mapping[str, int]],
        results: dict[str, dict[str, float]],
        hf_split: str,  # noqa: ARG002 - MTEB's signature
        hf_subset: str,  # noqa: ARG002 - MTEB's signature
    ) -> dict[str, float]:
        """Recalls that are not rounded, and the metrics with ties as expectations."""
        held = standings_of(results, qrels)
        queries = list(scores.values())
        found = {f"unrounded_recall_at_{k}": np.mean([query[f"success_{k}"] for query in queries]) for k in _CUTOFFS}
        found |= {f"expected_recall_at_{k}": recall_at_k(held, k).mean() for k in _CUTOFFS}
        found |= {"expected_mrr": reciprocal_rank(held).mean(), "tied_queries": (held.equal > 0).sum()}
        return {name: float(value) for name, value in found.items()}

    def _split(self, track: str) -> Any:
        release, sides = self.release, (self._speech(), self._texts())
        queries, corpus = sides if self.direction == "speech_to_text" else reversed(sides)
        positions = release.queries(track)
        names = np.array(release.ids)
        members = {group: names[release.groups == group].tolist() for group in set(release.groups.tolist())}
        relevant = {
            release.ids[i]: dict.fromkeys(members[release.groups[i]] if track == "full" else [release.ids[i]], 1)
            for i in positions
        }
        pools = None
        if track != "full":
            rows = zip(positions, release.pools[track][self.direction], strict=True)
            pools = {release.ids[i]: names[candidates].tolist() for i, candidates in rows}
        return {
            "corpus": corpus,
            "queries": queries.select(positions),
            "relevant_docs": relevant,
            "top_ranked": pools,
        }

    def _texts(self) -> Dataset:
        """Ids and texts; where a release without texts has no source, only stored vectors can be evaluated."""
        found = dict(release_texts(self.release, self._source)) if self._has_texts() else {}
        return Dataset.from_dict({"id": self.release.ids, "text": [found.get(name, "") for name in self.release.ids]})

    def _speech(self) -> Dataset:
        if not self._has_recordings():
            return Dataset.from_dict({"id": self.release.ids})
        return recordings_dataset(self.release, self._source)

    def _has_source(self) -> bool:
        return bool(self._source) or all(source.revision for source in self.release.spec.sources)

    def _has_texts(self) -> bool:
        return self._has_source() or None not in self.release.pairs.column("text").to_pylist()

    def _has_recordings(self) -> bool:
        return self._has_source() or (self.release.folder / "audio").is_dir()

    def require_inputs(self) -> None:
        """Raise `source.missing` unless recordings and texts can be had."""
        if not (self._has_texts() and self._has_recordings()):
            raise problem(
                "source.missing",
                self.metadata.name,
                found="a release without recordings or texts, and no source",
                expected="the corpus that the release was built from",
                mend="Name it with `source=...`, or evaluate stored vectors (`StoredVectors`).",
            )


class IgboAlignS2T(_AlignmentTask):
    """Speech queries, texts as candidates."""

    direction = "speech_to_text"
    metadata = _metadata("IgboAlignS2T", "a2t", ["audio", "text"], "Find the text of a recording")


class IgboAlignT2S(_AlignmentTask):
    """Text queries, recordings as candidates."""

    direction = "text_to_speech"
    metadata = _metadata("IgboAlignT2S", "t2a", ["text", "audio"], "Find the recording of a text")


class RowsTask(AbsTaskRetrieval):
    """Row i of the queries is answered by row i of the corpus: any two matrices, without a release."""

    metadata = _metadata("IgboAlignRows", "t2t", ["text"], "Find the row of the same number").model_copy(
        update={"type": "Retrieval", "eval_splits": ["test"], "main_score": "mrr_at_10"}
    )

    def __init__(self, size: int) -> None:
        """Name the number of rows."""
        super().__init__()
        names = [str(i) for i in range(size)]
        rows = Dataset.from_dict({"id": names, "text": names})
        relevant = {name: {name: 1} for name in names}
        split: Any = {"corpus": rows, "queries": rows, "relevant_docs": relevant, "top_ranked": None}
        self.dataset = {"default": {"test": split}}
        self.data_loaded = True


def standings_of(results: Mapping[str, Mapping[str, float]], relevant: Mapping[str, Mapping[str, int]]) -> Standings:
    """Standings in lists that MTEB retrieved; a correct candidate that is not in its list stands behind all of it.

    Args:
        results: query -> candidate -> similarity.
        relevant: query -> correct candidates; the best of them counts, and the others are no candidates.
    """
    rows = [_standing(found, relevant[query].keys()) for query, found in results.items()]
    better, equal, candidates = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Standings(better, equal, candidates)


def _standing(found: Mapping[str, float], correct: Any) -> tuple[int, int, int]:
    others: NDArray[np.float64] = np.array([value for name, value in found.items() if name not in correct])
    best = max((value for name, value in found.items() if name in correct), default=-np.inf)
    return int((others > best).sum()), int((others == best).sum()), len(others) + 1
