"""Retrieval between speech and text vectors as an `evaluate` metric: the numbers of igbo-align, from igbo-align."""

import importlib.util
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

# One name a line: the scanner of evaluate takes "evaluate, datasets" for a package called "evaluate,".
import datasets
import evaluate

_DESCRIPTION = """
How well do speech vectors find the vectors of what was said, and the other way round? Recall at 1, 5 and 10, mean
reciprocal rank, mean and median rank in both directions. Ties count as expectations, so that a constant encoder is
exactly at chance. Numbers are those of `igbo-align score`.
"""
_CITATION = """
@software{igbo_align,
  title = {igbo-align: a benchmark of speech-text alignment for Igbo},
  author = {{The igbo-align authors}},
  year = {2026}
}
"""
_INPUTS = """
Args:
    predictions: (n, d) speech vectors.
    references: (n, d) text vectors; row i belongs to row i of `predictions`.
    release: `demo`, a folder or a Hub dataset id, whose frozen pools are used. None: every row is ranked among all.
    track: `paper`, `heldout`, `full` or `hard`; all but `full` need a release.
    ids: pairs of the release in the order of the rows; release order by default.
    groups: text group of each row where there is no release; members of one group share a text.
    intervals: add the ends of the 95 % bootstrap intervals, `..._low` and `..._high`.
Returns:
    `speech_to_text_recall@1`, ..., `text_to_speech_median_rank`.
Examples:
    >>> metric = evaluate.load("evaluate_metric")
    >>> metric.compute(predictions=[[1, 0], [0, 1]], references=[[1, 0], [0, 1]])["speech_to_text_recall@1"]
    1.0
"""


class IgboAlignRetrieval(evaluate.Metric):
    """Recall@K, MRR and ranks in both directions; `predictions` are speech vectors, `references` text vectors."""

    def _info(self) -> evaluate.MetricInfo:
        vectors = datasets.Sequence(datasets.Value("float32"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": vectors, "references": vectors}),
        )

    def _download_and_prepare(self, dl_manager: Any) -> None:  # noqa: ARG002 - the name is that of evaluate
        _provide_package()

    def compute(self, *, predictions: Any = None, references: Any = None, **options: Any) -> dict[str, float] | None:
        """Metrics of vectors given now, or added before with `add_batch`; see `inputs_description`.

        Raises:
            igbo_align.ProblemsFound: everything that is wrong with vectors and options; the metric stays usable.
        """
        options = _checked_options(options)
        if predictions is not None or references is not None:
            predictions, references = _checked(predictions, references)
            if self.writer is None and self.num_process == 1:  # nothing to put together: no detour over a file
                return self._compute(predictions, references, **options)
        try:
            return super().compute(predictions=predictions, references=references, **options)
        except Exception:
            self._forget()
            raise

    def add_batch(self, *, predictions: Any = None, references: Any = None, **inputs: Any) -> None:
        """Add rows of both matrices.

        Raises:
            igbo_align.ProblemsFound: everything that is wrong with the rows.
        """
        predictions, references = _checked(predictions, references)
        super().add_batch(predictions=predictions, references=references, **inputs)

    def add(self, *, prediction: Any = None, reference: Any = None, **inputs: Any) -> None:
        """Add one speech vector and its text vector.

        Raises:
            igbo_align.ProblemsFound: everything that is wrong with them.
        """
        self.add_batch(predictions=[prediction], references=[reference], **inputs)

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        from igbo_align.doors.vectors import score_vectors

        return score_vectors(predictions, references, **options)

    def _forget(self) -> None:
        """Let go of what was added, so that the next call starts anew."""
        self.data = self.writer = self.buf_writer = self.cache_file_name = None
        for lock in self.filelocks or [self.filelock]:
            if lock is not None:
                lock.release()
        for path in self.file_paths or ():
            Path(path).unlink(missing_ok=True)
        self.filelock = self.filelocks = self.file_paths = self.selected_feature_format = None


def _checked(predictions: Any, references: Any) -> tuple[Any, Any]:
    """Both matrices as float32; a missing one is a problem like any other."""
    from igbo_align.doors.vectors import checked_vectors

    content = checked_vectors(predictions, references)
    return content.speech, content.text


def _checked_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options with the release loaded; a misspelt one is a problem, found before any row is kept."""
    import igbo_align as ia
    from igbo_align.problems import problem
    from igbo_align.protocol.spec import require_track

    known = ("release", "track", "ids", "groups", "intervals")
    unknown = sorted(options.keys() - set(known))
    if unknown:
        expected = f"some of {', '.join(known)}"
        raise problem("usage", "compute", found=", ".join(unknown), expected=expected, mend="Check the spelling.")
    require_track(options.get("track", "full"))
    release = options.get("release")
    loaded = ia.load_release(release) if isinstance(release, str | Path) else release
    return options | ({} if release is None else {"release": loaded})


def _provide_package() -> None:
    """Make `import igbo_align` work: installed, or from the wheel that lies beside this file where it was published.

    Raises:
        ImportError: there is neither.
    """
    if importlib.util.find_spec("igbo_align") is not None:
        return
    wheels = sorted(_repository().glob("igbo_align-*.whl"))
    if not wheels:
        raise ImportError("igbo_align is not installed, and no igbo_align-*.whl lies beside the metric.")
    folder = tempfile.mkdtemp(prefix="igbo-align-")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        wheel.extractall(folder)
    sys.path.insert(0, folder)


def _repository() -> Path:
    """The folder that this file was loaded from; evaluate runs a copy of it elsewhere."""
    owner, separator, name = Path(__file__).parent.parent.name.partition("--")
    if separator:  # evaluate keeps what comes from the Hub in a folder `owner--name`
        from huggingface_hub import snapshot_download

        found = snapshot_download(f"{owner}/{name}", repo_type="space", allow_patterns=["igbo_align-*.whl"])
        return Path(found)
    record = Path(__file__).with_suffix(".json")
    original = json.loads(record.read_bytes())["original file path"] if record.is_file() else __file__
    return Path(original).parent
