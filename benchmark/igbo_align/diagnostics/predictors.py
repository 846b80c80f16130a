"""What is known about each pair that might explain its rank: duration, counts of the text, sound where measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..problems import problem
from ..protocol.release import Release

#: Additional files of a release, made at build time and no part of its fingerprint.
ACOUSTICS_FILE = "acoustics.parquet"
TEXT_STATISTICS_FILE = "text_statistics.parquet"


@dataclass(frozen=True)
class Predictor:
    """A number that every pair has.

    Attributes:
        name: in score files.
        label: for people, with its unit.
        file: additional file of the release that holds it; None for the columns of `pairs`.
        values: from the columns of that table to (n,) numbers, NaN where nothing could be measured.
    """

    name: str
    label: str
    file: str | None
    values: Callable[[Columns], NDArray[np.float64]]


Columns = Callable[[str], NDArray[np.float64]]


def _column(name: str) -> Callable[[Columns], NDArray[np.float64]]:
    return lambda columns: columns(name)


def _share(parts: tuple[str, ...], whole: str) -> Callable[[Columns], NDArray[np.float64]]:
    return lambda columns: sum((columns(part) for part in parts), np.zeros(1)) / np.maximum(columns(whole), 1)


PREDICTORS: tuple[Predictor, ...] = (
    Predictor("duration_s", "duration in s", None, _column("duration_s")),
    Predictor("n_words", "words", None, _column("n_words")),
    Predictor("digit_density", "digits a character", None, _share(("n_digits",), "n_chars")),
    Predictor("capitalised_density", "capitalised words a word", None, _share(("n_capitalised",), "n_words")),
    Predictor("diacritic_density", "diacritics a character", None, _share(("n_tone_marks", "n_dotted"), "n_chars")),
    Predictor(
        "syllabic_nasal_density", "syllabic nasals a word", TEXT_STATISTICS_FILE,
        _share(("n_syllabic_nasals",), "n_words"),
    ),
    Predictor("f0_mean_hz", "mean pitch in Hz", ACOUSTICS_FILE, _column("f0_mean_hz")),
    Predictor("f0_range_semitones", "pitch range in semitones", ACOUSTICS_FILE, _column("f0_range_semitones")),
    Predictor(
        "f0_slope_semitones_per_s", "pitch slope in semitones/s", ACOUSTICS_FILE, _column("f0_slope_semitones_per_s")
    ),
    Predictor("speech_rate_per_s", "syllables/s of speech", ACOUSTICS_FILE, _column("speech_rate_per_s")),
    Predictor("silence_ratio", "share of silence", ACOUSTICS_FILE, _column("silence_ratio")),
    Predictor("snr_db", "signal to noise in dB", ACOUSTICS_FILE, _column("snr_db")),
)  # fmt: skip


def predictor_values(release: Release) -> dict[Predictor, NDArray[np.float64]]:
    """The predictors that a release holds and knows of any pair, each (n,) in release order.

    Raises:
        ProblemsFound: an additional file is damaged (`release.corrupt`).
    """
    tables = {file: additional_table(release, file) for file in (ACOUSTICS_FILE, TEXT_STATISTICS_FILE)}
    values = {}
    for predictor in PREDICTORS:
        table = release.pairs if predictor.file is None else tables[predictor.file]
        if table is not None:
            values[predictor] = predictor.values(lambda name, table=table: numbers_of(table, name))
    return {predictor: numbers for predictor, numbers in values.items() if np.isfinite(numbers).any()}


def additional_table(release: Release, file: str) -> pa.Table | None:
    """An additional file of a release, one row a pair in release order; None where the build did not make it.

    Raises:
        ProblemsFound: the file cannot be read, or has other ids than the release (`release.corrupt`).
    """
    path = release.folder / file
    if not path.exists():
        return None
    try:
        table = pq.ParquetFile(path).read(use_threads=False)
        table.validate(full=True)  # texts that are no UTF-8 would only be found where they are used
        ids = table.column("id").to_pylist()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise _corrupt(file, "no readable parquet file with a column `id`") from error
    if ids != release.ids:
        raise _corrupt(file, "other ids than those of the pairs")
    return table


def numbers_of(table: pa.Table, name: str) -> NDArray[np.float64]:
    """A numeric column as float64, (n,), NaN for missing values.

    Raises:
        ProblemsFound: no such numeric column (`release.corrupt`).
    """
    try:
        # Not `to_numpy`, which imports pandas where it is installed.
        return np.array(table.column(name).cast(pa.float64()).to_pylist(), dtype=np.float64)
    except (KeyError, pa.ArrowException) as error:
        raise _corrupt(name, "no numeric column of this name") from error


def _corrupt(where: str, found: str) -> Exception:
    return problem(
        "release.corrupt",
        where,
        found=found,
        expected="the files of a complete release",
        mend="Fetch or build the release again.",
    )
