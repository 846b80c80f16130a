"""The intake against the corpus of bad inputs: every case its code, every valid neighbour accepted, no stage twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import igbo_align as ia
import numpy as np
import pyarrow as pa
import pytest
from bad_inputs import fuzz
from bad_inputs.cases import all_cases, make
from bad_inputs.messages import lines, recorded
from bad_inputs.small_release import (
    CARD,
    EMBEDDINGS_NPZ,
    PARQUET,
    SAFETENSORS,
    VALID,
    arrays,
    card,
    npz,
    parquet,
    release,
    table,
    vectors,
)
from igbo_align.problems import Problem, ProblemsFound
from igbo_align.submission.intake import take_in
from igbo_align.submission.sandbox import Decoder

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")
CASES = {item.name: item for item in all_cases()}
MESSAGES = recorded()
#: Families whose files are all valid: the child process would only be started three hundred times.
_NEEDS_NO_CHILD = ("card", "files")
_STAGES = (
    ("file.", "folder.", "card.missing"),
    ("file.", "array.dtype", "array.shape", "ids.dtype"),
    ("sandbox.", "file.", "array.null", "array.shape", "array.dtype", "ids.dtype"),
    ("array.",),
    ("ids.",),
    ("card.",),
)


@pytest.fixture(scope="module")
def decoder():
    """One decoder for many cases; each file still gets a process of its own."""
    with Decoder() as shared:
        yield shared


def problems_of(folder, decoder=None):
    with pytest.raises(ProblemsFound) as caught:
        take_in(folder, release(), decoder)
    return caught.value.problems


def test_the_corpus_is_as_large_as_promised():
    assert len(CASES) >= 200
    families = {name.split("/")[0] for name in CASES}
    assert families == {"npy", "npz", "format", "safetensors", "parquet", "arrays", "ids", "card", "files"}
    assert MESSAGES.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_its_code(name, tmp_path, decoder):
    item = CASES[name]
    family = name.split("/")[0]
    chosen = fuzz.InProcessDecoder() if family in _NEEDS_NO_CHILD else decoder
    problems = problems_of(make(tmp_path / "folder", item.files), chosen)
    codes = [problem.code for problem in problems]
    assert item.code in codes
    assert lines(problems) == MESSAGES[name]
    assert any(all(code.startswith(stage) for code in codes) for stage in _STAGES), codes
    for problem in problems:
        text = f"{problem.where} {problem.message}"
        assert text.isprintable()
        assert str(tmp_path) not in text
        assert "Error" not in text
        assert problem.found
        assert problem.expected
        assert problem.mend.endswith((".", "`", ")"))
    assert not list(Path().glob("canary"))


def _distinct_neighbours():
    seen = {}
    for item in CASES.values():
        key = tuple((name, content if isinstance(content, bytes) else None) for name, content in item.neighbour.items())
        seen.setdefault(key, item)
    return [item.name for item in seen.values()]


@pytest.mark.parametrize("name", _distinct_neighbours())
def test_nearest_valid_neighbour_is_accepted(name, tmp_path, decoder):
    submission = take_in(make(tmp_path / "folder", CASES[name].neighbour), release(), decoder)
    assert ia.validate(submission, release()) == []
    loaded = ia.load_submission(tmp_path / "folder")
    assert loaded.card == submission.card
    for key, array in vars(submission.content).items():
        np.testing.assert_array_equal(getattr(loaded.content, key), array)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(("card/", "files/"))])
def test_the_decoders_say_in_this_process_what_they_say_in_the_child(name, tmp_path):
    problems = problems_of(make(tmp_path / "folder", CASES[name].files), fuzz.InProcessDecoder())
    assert CASES[name].code in [problem.code for problem in problems]
    take_in(make(tmp_path / "neighbour", CASES[name].neighbour), release(), fuzz.InProcessDecoder())


def test_every_format_gives_the_same_numbers(tmp_path, decoder):
    expected = arrays()
    for name in (EMBEDDINGS_NPZ, PARQUET, SAFETENSORS):
        folder = make(tmp_path / name, {CARD: card(), name: VALID[name]})
        content = take_in(folder, release(), decoder).content
        for key, array in expected.items():
            np.testing.assert_array_equal(getattr(content, key), array)
            assert getattr(content, key).dtype.isnative


@pytest.mark.parametrize("name", ["speech", "ids"])
def test_order_layout_and_precision_do_not_change_the_numbers(name, tmp_path, decoder):
    whole = np.round(vectors(seed=1) * 8) / 8
    for variant in (np.asfortranarray(whole), whole.astype(">f4"), whole.astype("<f2"), whole.astype("<f8")):
        folder = make(
            tmp_path / f"{variant.dtype.str}{variant.flags.f_contiguous}",
            {CARD: card(), EMBEDDINGS_NPZ: npz(speech=variant)},
        )
        np.testing.assert_array_equal(take_in(folder, release(), decoder).content.speech, whole)
    parts = [table().slice(0, 2), table().slice(2)]
    folder = make(tmp_path / name, {CARD: card(), PARQUET: parquet(pa.concat_tables(parts), row_group_size=2)})
    np.testing.assert_array_equal(take_in(folder, release(), decoder).content.speech, vectors(seed=1))


# --- printing


def test_problems_escape_what_could_steer_a_terminal_and_cut_what_is_long():
    item = Problem("usage", "a\x1b[2Jb\u202e", "\u200bx", "Ụ̀wà", "y" * 3000)
    assert (item.where, item.found) == ("a\\x1b[2Jb\\u202e", "\\u200bx")
    assert item.expected == "Ụ̀wà"
    assert len(item.mend) == 2003
    with pytest.raises(ValueError, match="not registered"):
        Problem("no.such", "", "", "", "")


@pytest.mark.parametrize("name", ["npz/bomb", "parquet/million-dimensions", "card/json-deep", "files/nothing"])
def test_the_command_reports_and_exits_with_1(name, tmp_path):
    folder = make(tmp_path / "folder", CASES[name].files)
    command = [sys.executable, "-m", "igbo_align", "validate", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert {"code", "where", "message", "found", "expected", "mend"} == set(document["problems"][0])


def test_memory_of_the_parent_stays_under_300_megabytes(tmp_path):
    hostile = ("npz/bomb", "npz/header-bomb", "parquet/million-dimensions", "parquet/ids-megabyte", "npz/many-members",
               "files/embeddings.npz-10-gigabytes", "safetensors/deep", "card/json-deep", "ids/million-wide")  # fmt: skip
    for number, name in enumerate(hostile):
        make(tmp_path / str(number), CASES[name].files)
    script = (
        "import resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from bad_inputs.small_release import release\n"
        "from igbo_align.problems import ProblemsFound\n"
        "from igbo_align.submission.intake import take_in\n"
        "for folder in sorted(Path(sys.argv[2]).iterdir()):\n"
        "    try: take_in(folder, release())\n"
        "    except ProblemsFound: continue\n"
        "    raise SystemExit('accepted')\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300 * 1024


# --- fuzzing, a short run; `make fuzz` is the long one


def test_a_few_thousand_damaged_files_are_refused_or_read_as_the_original():
    cases, outcomes, failures = fuzz.run(mutations=1500, seed=7)
    assert failures == []
    assert sum(cases.values()) > 4000
    assert set(outcomes) == {"truncation", "flip", "mutation", "inner mutation"}
    assert outcomes["flip"]["same"] > 0


def test_the_fuzzer_would_notice(monkeypatch):
    """A meta-test: an intake that accepts anything, or breaks, is found."""
    decoder = fuzz.InProcessDecoder()
    flipped = fuzz.damaged("npz", "flip", 8 * VALID[EMBEDDINGS_NPZ].index(vectors(seed=1).tobytes()), 0)
    assert fuzz.outcome("npz", flipped, decoder) == "file.corrupt"
    monkeypatch.setattr(fuzz, "read_content", lambda *_: ia.Embeddings(**arrays(speech=vectors(seed=9))))
    assert fuzz.outcome("npz", flipped, decoder) == "ACCEPTED"
    monkeypatch.setattr(fuzz, "read_content", lambda *_: 1 / 0)
    assert fuzz.outcome("npz", flipped, decoder) == "TRACEBACK ZeroDivisionError"
