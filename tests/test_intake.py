"""The intake against the corpus of bad inputs: every case its code, every valid neighbour accepted, no stage twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import igbo_align as ia
import numpy as np
import pyarrow as pa
import pytest
from bad_inputs import fuzz
from bad_inputs.cases import all_cases, make
from bad_inputs.small_release import (
    CARD,
    EMBEDDINGS_NPZ,
    IDS,
    PARQUET,
    ROWS,
    SAFETENSORS,
    VALID,
    arrays,
    card,
    fixed_lists,
    npz,
    parquet,
    release,
    table,
    vectors,
)
from igbo_align.problems import EnvironmentProblem, Problem, ProblemsFound
from igbo_align.submission import reading, validation
from igbo_align.submission.card import parse_card
from igbo_align.submission.intake import take_in
from igbo_align.submission.sandbox import Decoder

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")
CASES = {item.name: item for item in all_cases()}
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


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_its_code(name, tmp_path, decoder):
    item = CASES[name]
    family = name.split("/")[0]
    chosen = fuzz.InProcessDecoder() if family in _NEEDS_NO_CHILD else decoder
    problems = problems_of(make(tmp_path / "folder", item.files), chosen)
    codes = [problem.code for problem in problems]
    assert item.code in codes
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


# --- stages


def _spied(monkeypatch, stages):
    called = []
    for name in stages:
        module = reading if hasattr(reading, name) else validation
        original = getattr(module, name)
        from igbo_align.submission import intake

        target = intake if hasattr(intake, name) else module

        def spy(*arguments, _name=name, _original=original):
            called.append(_name)
            return _original(*arguments)

        monkeypatch.setattr(target, name, spy)
    return called


_ORDER = ["read_files", "read_content", "check_arrays", "check_all_ids", "parse_card", "check_benchmark"]


@pytest.mark.parametrize(
    ("files", "last"),
    [
        ({CARD: b"", EMBEDDINGS_NPZ: b"PK\x03\x04"}, "read_files"),
        ({CARD: b"{", EMBEDDINGS_NPZ: npz()[:-5]}, "read_content"),
        ({CARD: b"{", EMBEDDINGS_NPZ: npz(speech=vectors() * np.nan, ids=np.array(["a"] * ROWS))}, "check_arrays"),
        ({CARD: b"{", EMBEDDINGS_NPZ: npz(ids=np.array(["a"] * ROWS))}, "check_all_ids"),
        ({CARD: b"{", EMBEDDINGS_NPZ: npz()}, "parse_card"),
        ({CARD: card("benchmark/name", "x"), EMBEDDINGS_NPZ: npz()}, "check_benchmark"),
    ],
)
def test_no_stage_runs_after_one_that_failed(files, last, tmp_path, monkeypatch):
    called = _spied(monkeypatch, _ORDER)
    problems_of(make(tmp_path / "folder", files))
    assert called == _ORDER[: _ORDER.index(last) + 1]


def test_all_problems_of_a_stage_come_at_once(tmp_path):
    first = problems_of(make(tmp_path / "1", {CARD: b"", EMBEDDINGS_NPZ: b""}))
    assert [(p.code, p.where) for p in first] == [("file.empty", CARD), ("file.empty", EMBEDDINGS_NPZ)]
    bad = npz(speech=np.ones((ROWS, 4), "<i4"), text=np.ones((ROWS, 4), "<i8"), ids=np.arange(ROWS))
    second = problems_of(make(tmp_path / "2", {CARD: card(), EMBEDDINGS_NPZ: bad}))
    assert [p.code for p in second] == ["ids.dtype", "array.dtype", "array.dtype"]
    both = table(
        speech=fixed_lists(vectors(dtype="<f8")), text=fixed_lists(vectors(dtype="<f8")), id=fixed_lists(vectors())
    )
    third = problems_of(make(tmp_path / "3", {CARD: card(), PARQUET: parquet(both)}))
    assert [p.code for p in third] == ["ids.dtype", "array.dtype", "array.dtype"]
    mixed = vectors()
    mixed[0], mixed[1] = np.nan, 0
    fourth = problems_of(make(tmp_path / "4", {CARD: card(), EMBEDDINGS_NPZ: npz(speech=mixed, text=mixed)}))
    assert [p.code for p in fourth] == ["array.non_finite", "array.norm"] * 2
    assert IDS[0] in fourth[0].found
    many = json.loads(card())
    many["system"] |= {"name": "<b>", "url": "http://x"}
    many["created"] = "soon"
    fifth = problems_of(make(tmp_path / "5", {CARD: json.dumps(many).encode(), EMBEDDINGS_NPZ: npz()}))
    assert [p.where for p in fifth] == [f"{CARD}/{field}" for field in ("system/name", "system/url", "created")]


def test_python_callers_get_every_problem_of_arrays_ids_and_card():
    other = parse_card(card("benchmark/fingerprint", "cd" * 32))
    numbers = ia.Embeddings(np.array(["a"] * 2), np.full((2, 3), np.nan), np.zeros((2, 3)))
    codes = [item.code for item in ia.validate(ia.Submission(other, numbers), release())]
    assert codes == [
        "card.fingerprint",
        "ids.duplicate",
        "ids.unknown",
        "ids.missing",
        "array.non_finite",
        "array.norm",
    ]
    wrong = ia.Embeddings(np.arange(2), np.zeros((2, 3), "<i4"), np.zeros((2, 3)))
    assert [item.code for item in validation.check_all_ids(wrong, release())] == ["ids.dtype"]
    assert [item.code for item in validation.check_arrays(wrong)] == ["array.dtype"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("ids/parquet-trailing-space", "white space"),
        ("ids/parquet-byte-order-mark", "invisible"),
        ("ids/parquet-upper-case", "capital"),
        ("ids/parquet-decomposed", "Unicode"),
        ("ids/parquet-printed-bytes", "decode"),
        ("ids/parquet-zero-padded", "leading zeros"),
        ("ids/parquet-other", "exactly"),
        ("arrays/transposed", "transposed"),
    ],
)
def test_the_mend_names_the_likely_mistake(name, word, tmp_path):
    problems = problems_of(make(tmp_path / "folder", CASES[name].files))
    assert any(word in problem.mend for problem in problems)


# --- files that change under our hands, and disks that fail


def test_a_file_that_grows_while_it_is_read_is_too_large(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    real = os.fstat

    def before_it_grew(descriptor):
        status = real(descriptor)
        path.write_bytes(b"x" * 100)
        return status

    monkeypatch.setattr(os, "fstat", before_it_grew)
    with pytest.raises(ProblemsFound) as caught:
        reading.read_regular_file(path, 10)
    assert [item.code for item in caught.value.problems] == ["file.too_large"]


def test_a_file_is_read_once_so_that_replacing_it_changes_nothing(tmp_path, monkeypatch):
    folder = make(tmp_path / "folder", {CARD: card(), PARQUET: VALID[PARQUET]})
    original = reading.read_content

    def replaced(*arguments):
        (folder / PARQUET).write_bytes(b"something else")
        (folder / CARD).unlink()
        return original(*arguments)

    monkeypatch.setattr("igbo_align.submission.intake.read_content", replaced)
    np.testing.assert_array_equal(take_in(folder, release()).content.speech, arrays()["speech"])


@pytest.mark.parametrize("number", ["EIO", "EMFILE", "ENOMEM"])
def test_a_disk_that_fails_is_the_environment_not_the_submission(number, tmp_path, monkeypatch):
    import errno

    folder = make(tmp_path / "folder", {CARD: card(), PARQUET: VALID[PARQUET]})

    def failing(*_arguments, **_options):
        raise OSError(getattr(errno, number), "secret /srv/path")

    monkeypatch.setattr(reading.os, "open", failing)
    with pytest.raises(EnvironmentProblem) as caught:
        take_in(folder, release())
    assert "/srv" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_folder_that_is_a_link_or_may_not_be_listed(tmp_path, monkeypatch):
    folder = make(tmp_path / "folder", {CARD: card(), PARQUET: VALID[PARQUET]})
    (tmp_path / "link").symlink_to(folder)
    assert [item.code for item in problems_of(tmp_path / "link")] == ["folder.missing"]
    assert [item.code for item in problems_of(tmp_path / "nowhere")] == ["folder.missing"]

    def forbidden(_path):
        raise PermissionError(13, "no")

    monkeypatch.setattr(reading.os, "scandir", forbidden)
    assert [item.code for item in problems_of(folder)] == ["file.not_regular"]


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
