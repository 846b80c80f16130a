"""A corpus of tones and two tiny encoders, made on the spot: the whole pipeline in seconds and without a network."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

#: Igbo words, so that normalisation, tone marks and dotted letters are exercised.
WORDS = ("Ụlọ", "akwụkwọ", "nri", "mmiri", "ọ́nụ̄", "ṅụọ", "ezi", "okwu", "Lagos", "2", "anyị", "bịa")
RATE = 48_000
#: Records that cannot be kept, by the reason under which the build counts them.
BAD_RECORDS = {
    "undecodable audio": 2,
    "empty text": 3,
    "no audio": 1,
    "too short": 2,
    "too long": 1,
    "repeated id": 1,
    "invalid id": 1,
}


def tone_mp3(seconds: float, pitch_hz: float) -> bytes:
    """A mono MP3 of a fading tone."""
    import soundfile

    time = np.arange(round(seconds * RATE)) / RATE
    wave = 0.5 * np.sin(2 * np.pi * pitch_hz * time) * np.exp(-time)
    buffer = io.BytesIO()
    soundfile.write(buffer, wave.astype(np.float32), RATE, format="MP3")
    return buffer.getvalue()


def record(number: int, text: str, audio: bytes | None, **fields) -> dict:
    """One record in the layout of google/WaxalNLP's TTS configs."""
    return {
        "id": f"ibo_{number:04d}",
        "speaker_id": f"speaker-{number % 4}",
        "text": text,
        "locale": "ig-NG",
        "gender": "Female" if number % 2 else "Male",
        "audio": {"bytes": audio, "path": f"ibo_{number:04d}.mp3"} if audio is not None else None,
    } | fields


def good_records(n: int = 60) -> list[dict]:
    """Records that pass the filters; every tenth repeats the transcript of the record before it."""
    generator = np.random.default_rng(7)
    records, text = [], ""
    for number in range(n):
        if number % 10 != 9:
            text = " ".join(generator.choice(WORDS, size=int(generator.integers(2, 8))))
        records.append(record(number, text, tone_mp3(0.6 + 0.02 * number, 200 + 10 * number)))
    return records


def bad_records() -> list[dict]:
    """Records that cannot be kept, as counted in `BAD_RECORDS`."""
    audio = tone_mp3(1.0, 300)
    return [
        record(900, "ezi okwu", b"not audio at all"),
        record(901, "ezi okwu", audio[:60]),
        record(902, "", audio),
        record(903, None, audio),
        record(904, " [noise] \u200b ", audio),
        record(905, "nri", None),
        record(906, "nri", tone_mp3(0.2, 300)),
        record(907, "nri", tone_mp3(0.1, 300)),
        record(908, "nri\nmmiri", tone_mp3(31.0, 300)),
        record(0, "ezi", audio),
        record(909, "ezi", audio, id=""),
    ]


def write_shard(path: Path, records: list[dict]) -> None:
    """Write records as one parquet shard."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    names = ("id", "speaker_id", "text", "locale", "gender")
    columns = {name: pa.array([item[name] for item in records], pa.string()) for name in names}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns | {"audio": pa.array([item["audio"] for item in records], kind)}), path)


def write_corpus(folder: Path, config: str = "ibo") -> Path:
    """Write good and bad records as four shards, as google/WaxalNLP names them."""
    records = good_records() + bad_records()
    parts = np.array_split(np.arange(len(records)), [28, 50, 60])
    names = ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001", "test-00000-of-00001")
    for name, part in zip(names, parts, strict=True):
        write_shard(folder / "data" / "TTS" / config / f"{config}-{name}.parquet", [records[i] for i in part])
    return folder


def write_encoders(folder: Path) -> Path:
    """Save `tiny/whisper` and `tiny/sentences`, readable by `from_pretrained`."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    torch.manual_seed(0)
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    tokens = {f"{name}_token_id": 0 for name in ("pad", "bos", "eos", "decoder_start")}
    config = WhisperConfig(d_model=16, encoder_ffn_dim=32, decoder_ffn_dim=32, vocab_size=64, **sizes, **tokens)
    WhisperModel(config).save_pretrained(folder / "tiny" / "whisper")
    WhisperFeatureExtractor().save_pretrained(folder / "tiny" / "whisper")
    _write_sentence_encoder(folder / "tiny" / "sentences")
    return folder


def _write_sentence_encoder(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = sorted(set("abcdefghijklmnopqrstuvwxyz0123456789'ịọụṅ\u0301\u0300\u0304"))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    bert = folder.parent / "bert"
    bert.mkdir(parents=True)
    (bert / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(str(bert / "vocab.txt"), strip_accents=False).save_pretrained(bert)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(vocabulary), **sizes)).save_pretrained(bert)
    words = Transformer(str(bert))
    SentenceTransformer(modules=[words, Pooling(16)], device="cpu").save(str(folder))
