"""The stages of the intake: their order, all problems of one at once, and folders that change meanwhile."""

from __future__ import annotations

import contextlib
import errno
import json
import os

import igbo_align as ia
import numpy as np
import pytest
from bad_inputs.cases import all_cases, make
from bad_inputs.small_release import (
    CARD,
    EMBEDDINGS_NPZ,
    IDS,
    PARQUET,
    ROWS,
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
from igbo_align.submission import intake, reading, validation
from igbo_align.submission.card import parse_card
from igbo_align.submission.intake import take_in
from igbo_align.submission.limits import MAX_FOLDER_ENTRIES
from igbo_align.submission.raw_arrays import RawArray

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")
CASES = {item.name: item for item in all_cases()}


def problems_of(folder):
    with pytest.raises(ProblemsFound) as caught:
        take_in(folder, release())
    return caught.value.problems


def _spied(monkeypatch, stages):
    called = []
    for name in stages:
        original = getattr(intake, name)

        def spy(*arguments, _name=name, _original=original):
            called.append(_name)
            return _original(*arguments)

        monkeypatch.setattr(intake, name, spy)
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
    whole = ia.SimilarityMatrix(np.array(IDS), np.array(IDS), np.ones((ROWS, ROWS), "<i4"))
    assert [(item.code, item.where) for item in validation.check_arrays(whole)] == [("array.dtype", "similarity")]


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
    (problem,) = caught.value.problems
    assert (problem.code, problem.found) == ("file.too_large", "11 bytes")  # one more than allowed is all that is read


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
    folder = make(tmp_path / "folder", {CARD: card(), PARQUET: VALID[PARQUET]})

    def failing(*_arguments, **_options):
        raise OSError(getattr(errno, number), "secret /srv/path")

    monkeypatch.setattr(reading.os, "open", failing)
    with pytest.raises(EnvironmentProblem) as caught:
        take_in(folder, release())
    assert str(caught.value) == (
        f"{CARD}: [environment.disk] Found a file that the system cannot read now; expected a disk that can be read, "
        "and free file handles. Try again; if it persists, check the disk."
    )
    assert caught.value.exit_code == 4


def test_a_folder_that_is_a_link_or_may_not_be_listed(tmp_path, monkeypatch):
    folder = make(tmp_path / "folder", {CARD: card(), PARQUET: VALID[PARQUET]})
    (tmp_path / "link").symlink_to(folder)
    mend = "Check the path; `igbo-align pack` makes a submission folder."
    for name, found in (("link", "a link"), ("nowhere", "no such folder")):
        expected = Problem("folder.missing", name, found, "a submission folder", mend)
        assert problems_of(tmp_path / name) == (expected,)

    def forbidden(_path):
        raise PermissionError(13, "no")

    monkeypatch.setattr(reading.os, "scandir", forbidden)
    assert [item.code for item in problems_of(folder)] == ["file.not_regular"]


def test_a_folder_may_hold_as_many_files_as_allowed(tmp_path):
    most = {f"{number}.log": b"" for number in range(MAX_FOLDER_ENTRIES - 2)}
    folder = make(tmp_path / "folder", {CARD: card(), PARQUET: VALID[PARQUET]} | most)
    take_in(folder, release())
    (folder / "one-more").touch()
    (problem,) = problems_of(folder)
    assert (problem.code, problem.found) == ("folder.extra", f"more than {MAX_FOLDER_ENTRIES} files")


@pytest.mark.parametrize("look", [reading._check_folder, reading._folders_in])
def test_a_folder_without_end_is_not_listed_to_its_end(look, tmp_path, monkeypatch):
    seen = []
    (tmp_path / "file").touch()
    with os.scandir(tmp_path) as entries:
        entry = next(entries)

    def many(_path):
        return contextlib.nullcontext(seen.append(1) or entry for _ in range(3 * MAX_FOLDER_ENTRIES))

    monkeypatch.setattr(reading.os, "scandir", many)
    with contextlib.suppress(ProblemsFound):
        look(tmp_path)
    assert 0 < len(seen) <= MAX_FOLDER_ENTRIES + 1


def test_a_file_may_have_as_many_bytes_as_allowed(tmp_path):
    (tmp_path / "file").write_bytes(b"1234")
    assert reading.read_regular_file(tmp_path / "file", 4) == b"1234"
    with pytest.raises(ProblemsFound, match=r"file.too_large\] Found 4 bytes; expected at most 3 bytes\."):
        reading.read_regular_file(tmp_path / "file", 3)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b'{"a": "\xff"}', "line 1, column 8"),
        ('{\n"ọ": 1,\n"ọọ": "'.encode() + b'\xff"}', "line 3, column 8"),
    ],
)
def test_bytes_that_are_no_utf8_are_told_by_line_and_column(text, place):
    with pytest.raises(ProblemsFound, match=f"Found bytes that are not UTF-8 at {place}; expected one JSON object"):
        parse_card(text)


def test_a_path_without_a_file_is_told(tmp_path):
    with pytest.raises(ProblemsFound) as caught:
        reading.read_regular_file(tmp_path / "nothing.npy", 10)
    expected = Problem("file.not_regular", "nothing.npy", "no such file", "a regular file", "Check the path.")
    assert caught.value.problems == (expected,)


@pytest.mark.parametrize("descr", ["<f4", ">f4", ">f2", "<f8", "|i1"])
@pytest.mark.parametrize("fortran", [False, True])
def test_arrays_arrive_in_native_byte_order_and_row_by_row(descr, fortran):
    written = np.array([[1, 2, 3], [4, 5, 6]], descr)
    content = written.tobytes("F" if fortran else "C")
    array = reading.as_numpy(RawArray(descr, (2, 3), fortran, content), "speech", PARQUET)
    np.testing.assert_array_equal(array, [[1, 2, 3], [4, 5, 6]])
    assert array.dtype.isnative
    assert array.flags.c_contiguous


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("lengths", "found", "mend"),
    [
        ([1, 2e6, 1], "a norm of 2e+06 in 1 row, first row 1 (counted from 0): 'b'", "Scale the vectors, for ex"),
        (
            [2e6, 1, 3e7],
            "norms of 2e+06 to 3e+07 in 2 rows, first row 0 (counted from 0): 'a', 'c'",
            "Scale the",
        ),
        ([1, 1, 0], "a norm of 0 in 1 row, first row 2 (counted from 0): 'c'", "Look at what the encoder returned"),
        (
            [0, 1e-7, 1],
            "norms of 0 to 1e-07 in 2 rows, first row 0 (counted from 0): 'a', 'b'",
            "Look at what",
        ),
    ],
)
def test_norms_that_are_too_short_or_too_long_are_told(lengths, found, mend):
    rows = np.array(lengths)[:, None] * np.array([[0.6, 0.8]])
    (problem,) = validation.check_vectors_values("speech", rows, np.array(list("abc")))
    assert (problem.code, problem.where, problem.found) == ("array.norm", "speech", found)
    assert problem.expected == "norms of 1e-06 to 1e+06"
    assert problem.mend.startswith(mend)


@pytest.mark.filterwarnings("error")
def test_norms_at_the_limits_are_accepted_and_overflows_are_not():
    limits = np.array([[1e-6], [1e6]])
    assert validation.check_vectors_values("text", limits, np.array(list("ab"))) == []
    (problem,) = validation.check_vectors_values("text", np.array([[1e200, 1e200], [1.0, 0.0]]), np.array(list("ab")))
    assert problem.found == "a norm of inf in 1 row, first row 0 (counted from 0): 'a'"
    largest = np.full((1, 2), np.finfo(np.float32).max, dtype=np.float32)
    assert [item.code for item in validation.check_vectors_values("text", largest, np.array(["a"]))] == ["array.norm"]


def test_types_that_are_no_numbers_are_told():
    whole = ia.Embeddings(np.array(IDS), vectors().astype(np.int16), vectors())
    (problem,) = validation.check_vectors_shape(whole)
    assert problem == Problem(
        "array.dtype",
        "speech",
        "numbers of type int16",
        "float16 or float32",
        "Convert with `array.astype('float32')`.",
    )


@pytest.mark.parametrize(("code", "is_character"), [(0x10FFFF, 1), (0x110000, 0), (0xD7FF, 1), (0xD800, 0), (0xDFFF, 0), (0xE000, 1)])  # fmt: skip
@pytest.mark.parametrize("order", "<>")
def test_the_first_and_last_characters_there_are(code, is_character, order):
    raw = RawArray(f"{order}U1", (1,), fortran=False, content=np.array([code], f"{order}u4").tobytes())
    if is_character:
        reading._check_characters(raw, "ids")
        return
    with pytest.raises(ProblemsFound, match="1 numbers that are no characters"):
        reading._check_characters(raw, "ids")


def test_a_submission_below_the_folder_that_was_named_is_found(tmp_path):
    (tmp_path / "elsewhere" / "x").mkdir(parents=True)
    (tmp_path / "elsewhere" / "x" / CARD).touch()
    (tmp_path / "all" / "empty").mkdir(parents=True)
    (tmp_path / "all" / "a-link").symlink_to(tmp_path / "elsewhere")
    otherwise = "Add one; `igbo-align pack` writes it from .npy files."
    assert reading._how_to_get_numbers(tmp_path / "all") == otherwise
    assert reading._how_to_get_numbers(tmp_path / "nothing") == otherwise
    (tmp_path / "all" / "me__mine" / "1").mkdir(parents=True)
    (tmp_path / "all" / "me__mine" / "1" / CARD).touch()
    assert reading._how_to_get_numbers(tmp_path / "all") == "Did you mean me__mine/1?"
    assert reading._how_to_get_numbers(tmp_path / "all" / "me__mine") == "Did you mean 1?"
