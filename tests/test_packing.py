"""`pack` and `write_submission`: from a user's own matrices to a folder, or every problem and nothing written."""

from __future__ import annotations

import json

import igbo_align as ia
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bad_inputs.small_release import IDS, ROWS, arrays, card, fields, release, safetensors_file, vectors
from igbo_align.problems import ProblemsFound
from igbo_align.submission import writing
from igbo_align.submission.card import parse_card
from igbo_align.submission.limits import Limits
from igbo_align.submission.npy_format import check_npz
from igbo_align.submission.parquet_format import decode_parquet
from igbo_align.submission.safetensors_format import check_safetensors
from igbo_align.submission.validation import require_valid


@pytest.fixture
def parts(tmp_path):
    """Two matrices, a card that leaves out what can be filled in, and ids."""
    np.save(tmp_path / "s.npy", vectors(seed=1, dtype="<f8"))
    np.save(tmp_path / "t.npy", vectors(seed=2))
    left_out = {"schema_version", "created", "benchmark"}
    (tmp_path / "card.json").write_text(json.dumps({k: v for k, v in fields().items() if k not in left_out}))
    (tmp_path / "ids.txt").write_text("\n".join(reversed(IDS)), encoding="utf-8")
    return tmp_path


def packed(parts, out="out", ids=None):
    return ia.pack(parts / "s.npy", parts / "t.npy", parts / "card.json", release(), parts / out, ids)


def test_pack_casts_and_fills_in(parts):
    submission = packed(parts)
    assert submission.content.speech.dtype == np.float32
    assert submission.card.benchmark.fingerprint == release().fingerprint
    loaded = ia.load_submission(parts / "out")
    np.testing.assert_array_equal(loaded.content.text, vectors(seed=2))
    assert loaded.card.folder() == "tests__ridge/1"
    assert parse_card(json.dumps(loaded.card.as_json()).encode()) == loaded.card


def test_a_written_table_is_compressed_and_damage_to_a_page_is_found(parts):
    file = packed(parts).folder / "embeddings.parquet"
    group = pq.ParquetFile(file).metadata.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    assert {column.compression for column in columns} == {"ZSTD"}
    data = bytearray(file.read_bytes())
    data[4 + sum(column.total_compressed_size for column in columns) - 1] ^= 1  # the last byte of the last page
    reader = pq.ParquetFile(pa.BufferReader(bytes(data)), page_checksum_verification=True)
    with pytest.raises(OSError, match="CRC"):
        reader.read()


def test_rows_are_matched_by_id_and_hashes_do_not_depend_on_their_order(parts):
    straight, reverse = packed(parts), packed(parts, "reverse", parts / "ids.txt")
    speech, _ = writing.aligned(reverse, release())
    np.testing.assert_array_equal(speech, vectors(seed=1)[::-1])
    assert writing.content_sha256(straight, release()) != writing.content_sha256(reverse, release())
    flipped = ia.Embeddings(straight.content.ids[::-1], straight.content.speech[::-1], straight.content.text[::-1])
    same = ia.Submission(straight.card, flipped)
    assert writing.content_sha256(straight, release()) == writing.content_sha256(same, release())


def test_similarities_are_put_in_order_too():
    ids, matrix = np.array(IDS), vectors(ROWS, ROWS)
    submission = ia.Submission(parse_card(card()), ia.SimilarityMatrix(ids[::-1], ids, matrix))
    assert ia.validate(submission, release()) == []
    np.testing.assert_array_equal(writing.aligned(submission, release()), matrix[::-1])
    assert len(writing.content_sha256(submission, release())) == 64


def test_nothing_is_overwritten_and_nothing_invalid_is_written(parts):
    packed(parts)
    before = (parts / "out" / "embeddings.parquet").read_bytes()
    with pytest.raises(ProblemsFound, match=r"folder\.exists"):
        packed(parts)
    assert (parts / "out" / "embeddings.parquet").read_bytes() == before
    np.save(parts / "t.npy", vectors(seed=2)[:-1])
    with pytest.raises(ProblemsFound, match=r"array\.rows"):
        packed(parts, "other")
    (parts / "t.npy").write_bytes((parts / "t.npy").read_bytes()[:-1])
    with pytest.raises(ProblemsFound, match=r"file\.corrupt"):
        packed(parts, "other")
    np.save(parts / "t.npy", vectors(seed=2))
    (parts / "ids.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ProblemsFound, match=r"ids\.dtype"):
        packed(parts, "other", parts / "ids.txt")
    assert not (parts / "other").exists()


def test_problems_of_functions_that_the_intake_calls_only_with_what_it_has_checked():
    limits = Limits(ROWS)
    with pytest.raises(ProblemsFound, match=r"file\.header"):
        check_safetensors(len(b"[1, 2]").to_bytes(8, "little") + b"[1, 2]", limits, "x")
    with pytest.raises(ProblemsFound, match=r"file\.corrupt"):
        decode_parquet(b"PAR1" + bytes(20) + b"PAR1", limits, "x")
    with pytest.raises(ProblemsFound, match=r"file\.corrupt"):
        check_npz(b"PK", frozenset({"ids"}), limits, "x")
    with pytest.raises(ProblemsFound, match="too_large"):
        parse_card(b"x" * 70_000)
    content = ia.Embeddings(np.array(IDS[:2]), vectors(2), vectors(2))
    with pytest.raises(ProblemsFound, match=r"ids\.missing"):
        require_valid(ia.Submission(parse_card(card()), content), release())
    check_safetensors(safetensors_file(), limits, "x")
    assert arrays().keys() == {"ids", "speech", "text"}
