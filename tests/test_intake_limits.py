"""Where exactly the readers draw the line: what lies at a limit is read, what lies one beyond is refused."""

from __future__ import annotations

import dataclasses
import zipfile
from types import SimpleNamespace

import igbo_align as ia
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bad_inputs.cases import make
from bad_inputs.fuzz import InProcessDecoder
from bad_inputs.small_release import (
    CARD,
    IDS,
    PARQUET,
    ROWS,
    VALID,
    arrays,
    card,
    framed,
    npy,
    npz,
    safetensors_file,
    vectors,
    zipped,
)
from igbo_align.problems import ProblemsFound
from igbo_align.submission import npy_format, parquet_format
from igbo_align.submission.card import parse_card
from igbo_align.submission.limits import Limits
from igbo_align.submission.npy_format import check_npz, decode_npz, read_npy
from igbo_align.submission.raw_arrays import RawArray, ids_array
from igbo_align.submission.safetensors_format import decode_safetensors

LIMITS = Limits(ROWS)


def codes(call):
    """Codes and places of the problems that a call raises; none if it returns."""
    try:
        call()
    except ProblemsFound as error:
        return [f"{problem.where} {problem.code}" for problem in error.problems]
    return []


def test_limits_follow_from_the_number_of_pairs():
    for rows in (1, 699, 10_000):
        assert Limits(rows).header_bytes == 2**20 + rows * 4 * 128
    # Two float64 vectors of 8,192 dimensions a pair, or a similarity a pair of pairs, and never more than 256 MB.
    assert Limits(6).file_bytes == 6 * 2 * 8192 * 8 + Limits(6).header_bytes
    assert Limits(2100).file_bytes == Limits(10_000).file_bytes == 2**28
    # A matrix of twice as many rows; or half as many numbers as bytes of the largest file.
    assert Limits(6).numbers == 2 * 6 * 8192
    assert Limits(8192).numbers == 2**27
    assert Limits(9000).numbers == 2**27


def test_a_similarity_may_be_as_large_as_the_vectors():
    big = Limits(17_000)  # where rows squared is the larger of the two, both are beyond what is ever read
    assert (big.file_bytes, big.numbers) == (2**28, 2**27)


@pytest.mark.parametrize(
    ("ids", "descr"), [((), "<U1"), (("",), "<U1"), (("a", "bcd"), "<U3"), (("Ọ" * 64,), "<U64"), (("", "ab"), "<U2")]
)
def test_ids_are_stored_as_numpy_does(ids, descr):
    array = np.array(ids, dtype=descr)
    assert ids_array(ids, "x") == RawArray(descr, (len(ids),), fortran=False, content=array.tobytes())


def test_the_place_is_told_by_a_decoder_that_is_called_on_its_own():
    assert codes(lambda: decode_npz(b"", frozenset({"ids"}), LIMITS, "there")) == ["there file.corrupt"]
    assert codes(lambda: read_npy(b"", "speech", LIMITS, "there")) == ["there file.header"]
    assert codes(lambda: parquet_format.decode_parquet(b"", LIMITS, "there")) == ["there file.corrupt"]
    assert codes(lambda: decode_safetensors(b"", LIMITS, "there")) == ["there file.header"]


# --- card


def test_a_card_may_be_as_long_as_allowed():
    whole = card()
    assert parse_card(whole.ljust(65536)) == parse_card(whole)
    with pytest.raises(ProblemsFound) as caught:
        parse_card(whole.ljust(65537), "card.json")
    assert str(caught.value) == (
        "card.json: [file.too_large] Found 65537 bytes; expected at most 65536. Shorten the text."
    )


# --- npy and npz


@pytest.mark.parametrize("shape", [(LIMITS.numbers,), (2, LIMITS.numbers // 2), (0, LIMITS.numbers)])
def test_arrays_may_hold_as_many_numbers_as_allowed(shape):
    whole = np.zeros(shape, "<f2")
    assert read_npy(npy(whole), "speech", LIMITS, "x") == RawArray("<f2", shape, fortran=False, content=whole.tobytes())
    beyond = np.zeros((*shape[:-1], shape[-1] + 1), "<f2")
    assert codes(lambda: read_npy(npy(beyond), "speech", LIMITS, "x")) == ["x file.too_large"]


def test_directories_may_be_as_long_as_allowed():
    """One entry takes 46 bytes and its name: the longest directory is read, and holds other members than it should."""
    for length, found in ((2**16 - 46, "1 members: 'xxx"), (2**16 - 45, "a directory of 1 members in 65537 bytes")):
        data = zipped({"x" * length: b""})
        with pytest.raises(ProblemsFound) as caught:
            check_npz(data, frozenset({"ids"}), LIMITS, "x")
        assert caught.value.problems[0].found.startswith(found)


def test_archives_may_unpack_to_as_much_as_allowed():
    def archive(size):
        entries = [
            SimpleNamespace(filename=f"{name}.npy", flag_bits=0, compress_type=0, file_size=n)
            for name, n in (("a", size - 1), ("b", 1))
        ]
        return SimpleNamespace(infolist=lambda: entries)

    def check(size):
        return codes(lambda: npy_format._check_members(archive(size), frozenset("ab"), LIMITS, "x"))

    assert check(LIMITS.file_bytes) == []
    assert check(LIMITS.file_bytes + 1) == ["x file.too_large"]


def test_a_check_unpacks_no_more_of_a_member_than_the_longest_header(monkeypatch):
    read, original = [], zipfile.ZipExtFile.read

    def recorded(stream, n=-1):
        read.append(n)
        return original(stream, n)

    monkeypatch.setattr(zipfile.ZipExtFile, "read", recorded)
    check_npz(npz(), frozenset({"ids", "speech", "text"}), LIMITS, "x")
    assert read == [12 + 4096] * 3  # the longest magic, version and length, then the header


# --- safetensors


def header_of(length):
    """A valid file whose header is filled up with spaces."""
    data = safetensors_file()
    start = 8 + int.from_bytes(data[:8], "little")
    return framed(data[8:start].rstrip().ljust(length), data[start:])


def test_safetensors_headers_may_be_as_long_as_allowed():
    assert codes(lambda: decode_safetensors(header_of(LIMITS.header_bytes), LIMITS, "x")) == []
    assert codes(lambda: decode_safetensors(header_of(LIMITS.header_bytes + 1), LIMITS, "x")) == ["x file.header"]


@pytest.mark.parametrize("data", [b"", b"\2", bytes(8), b"\1" + bytes(7) + b"1", b"\2" + bytes(7) + b"{"])
def test_fragments_of_a_safetensors_header(data):
    assert codes(lambda: decode_safetensors(data, LIMITS, "x")) == ["x file.header"]


def test_the_shortest_safetensors_header_is_read():
    assert codes(lambda: decode_safetensors(framed(b"{}"), LIMITS, "x")) == ["x/__metadata__/ids ids.dtype"]


def test_a_safetensors_header_ends_inside_the_file():
    assert codes(lambda: decode_safetensors((3).to_bytes(8, "little") + b"{}", LIMITS, "x")) == ["x file.header"]


def test_safetensors_are_read_as_they_lie():
    found = decode_safetensors(safetensors_file(), LIMITS, "x")
    for name, array in arrays().items():
        assert found[name] == RawArray(array.dtype.str, array.shape, fortran=False, content=array.tobytes())


# --- parquet


@pytest.mark.parametrize(
    ("body", "length", "expected"),
    [(0, 0, "header"), (1, 1, None), (1, 2, "header"), (5, 5, None), (5, 6, "header"), (-1, 1, "corrupt")],
)
def test_a_parquet_footer_has_bytes_and_lies_inside_the_file(body, length, expected):
    data = b"PAR1" + bytes(max(body, 0)) + length.to_bytes(4, "little") + b"PAR1"
    found = codes(lambda: parquet_format.check_parquet(data[-12 - body :], LIMITS, "x"))
    assert found == ([f"x file.{expected}"] if expected else [])


def test_a_parquet_footer_may_be_as_long_as_allowed():
    for length, expected in ((LIMITS.header_bytes, []), (LIMITS.header_bytes + 1, ["x file.header"])):
        data = b"PAR1" + bytes(length) + length.to_bytes(4, "little") + b"PAR1"
        assert codes(lambda data=data: parquet_format.check_parquet(data, LIMITS, "x")) == expected


def test_the_library_is_given_limits_too(monkeypatch):
    given, original = {}, pq.ParquetFile

    def recorded(source, **options):
        given.update(options)
        return original(source, **options)

    monkeypatch.setattr(pq, "ParquetFile", recorded)
    parquet_format._open(VALID[PARQUET], LIMITS, "x")
    assert given == {
        "thrift_string_size_limit": LIMITS.header_bytes,
        "thrift_container_size_limit": 100_000,
        "schema_depth_limit": 6,
        "page_checksum_verification": True,
        "arrow_extensions_enabled": False,
        "pre_buffer": False,
    }


def metadata(rows=ROWS, groups=1, values=(6, 24, 24), unpacked=(90, 100, 100)):
    """Of a parquet file whose first row group holds what is told, and whose others are empty."""

    def row_group(group):
        counts, sizes = (values, unpacked) if group == 0 else ((0, 0, 0), (0, 0, 0))
        columns = [SimpleNamespace(num_values=n, total_uncompressed_size=s) for n, s in zip(counts, sizes, strict=True)]
        return SimpleNamespace(column=columns.__getitem__)

    return SimpleNamespace(num_rows=rows, num_row_groups=groups, row_group=row_group)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("rows", 2 * ROWS + 1000),
        ("groups", 1000),
        ("values", 2 * LIMITS.numbers + ROWS),
        ("unpacked", LIMITS.file_bytes),
    ],
)
def test_parquet_files_may_be_as_large_as_allowed(name, most):
    def told(count):
        value = (count, 0, 0) if name in {"values", "unpacked"} else count
        return lambda: parquet_format._check_size(metadata(**{name: value}), LIMITS, "x")

    assert codes(told(most)) == []
    assert codes(told(most + 1)) == ["x file.too_large"]


def test_columns_count_together_and_none_counts_against_another():
    half = LIMITS.file_bytes // 2 + 1
    for name, value in (("unpacked", (0, half, half)), ("values", (LIMITS.numbers, LIMITS.numbers, 7))):
        refused = metadata(**{name: value})
        hidden = metadata(**{name: (-value[1], *value[1:])})  # a footer may tell any number
        assert codes(lambda told=refused: parquet_format._check_size(told, LIMITS, "x")) == ["x file.too_large"]
        assert bool(codes(lambda told=hidden: parquet_format._check_size(told, LIMITS, "x"))) == (name == "unpacked")


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 4)])
def test_lists_of_a_slice_are_those_of_the_slice(kind):
    matrix = vectors()
    column = pa.chunked_array([pa.array(matrix.tolist(), kind)]).slice(1, 3)
    expected = RawArray("<f4", (3, 4), fortran=False, content=matrix[1:4].tobytes())
    found = parquet_format._matrix(column, "x")
    assert dataclasses.replace(found, content=bytes(found.content)) == expected


@pytest.mark.parametrize("buffer", [None, pa.py_buffer(b"")])
def test_no_rows_are_no_numbers(buffer):
    numbers = pa.Array.from_buffers(pa.float32(), 0, [None, buffer])
    column = pa.chunked_array([pa.FixedSizeListArray.from_arrays(numbers, 4)])
    assert parquet_format._matrix(column, "x") == RawArray("<f4", (0, 0), fortran=False, content=b"")


# --- folders


def test_a_decoder_of_ones_own_is_used_and_the_folder_remembered(tmp_path):
    used = []

    class Recorded(InProcessDecoder):
        def decode(self, file, data, limits):
            used.append((file, limits))
            return super().decode(file, data, limits)

    folder = make(tmp_path / "folder", {CARD: card(), PARQUET: VALID[PARQUET]})
    submission = ia.load_submission(str(folder), LIMITS, Recorded())
    assert used == [(PARQUET, LIMITS)]
    assert submission.folder == folder
    assert submission.content.ids.tolist() == list(IDS)
