"""Every family of speech encoders, from tiny checkpoints on disk through the same `from_pretrained` path as real ones."""

from __future__ import annotations

import numpy as np
import pytest
from igbo_align.encoders.identity import resolve_encoder
from igbo_align.encoders.pooling import POOLINGS, pool_frames
from igbo_align.encoders.speech import FAMILIES, load_speech_encoder

RATE = 16_000
#: Sizes that wav2vec2 and its descendants share.
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8, 8, 8, 8, 8, 8, 8),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}


def whisper_checkpoint(folder, encoders_folder):
    return encoders_folder / "tiny" / "whisper"


def wav2vec2_checkpoint(folder, _):
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    Wav2Vec2Model(Wav2Vec2Config(**SMALL)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=RATE).save_pretrained(folder)
    return folder


def hubert_checkpoint(folder, _):
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    HubertModel(HubertConfig(**SMALL)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=RATE).save_pretrained(folder)
    return folder


def wav2vec2_bert_checkpoint(folder, _):
    from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertConfig, Wav2Vec2BertModel

    sizes = {
        name: SMALL[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    }
    Wav2Vec2BertModel(Wav2Vec2BertConfig(**sizes)).save_pretrained(folder)
    SeamlessM4TFeatureExtractor().save_pretrained(folder)
    return folder


def seamless_checkpoint(folder, _, version=""):
    import transformers

    config = getattr(transformers, f"SeamlessM4T{version}Config")(
        vocab_size=32,
        t2u_vocab_size=32,
        hidden_size=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        speech_encoder_layers=1,
        speech_encoder_attention_heads=2,
        speech_encoder_intermediate_size=16,
        t2u_encoder_layers=1,
        t2u_decoder_layers=1,
        t2u_encoder_ffn_dim=16,
        t2u_decoder_ffn_dim=16,
        t2u_encoder_attention_heads=2,
        t2u_decoder_attention_heads=2,
        pad_token_id=0,
        t2u_pad_token_id=0,
        unit_hifi_gan_vocab_size=32,
        unit_embed_dim=8,
        lang_embed_dim=4,
        spkr_embed_dim=4,
        upsample_initial_channel=64,
    )
    getattr(transformers, f"SeamlessM4T{version}Model")(config).save_pretrained(folder)
    transformers.SeamlessM4TFeatureExtractor().save_pretrained(folder)
    return folder


CHECKPOINTS = {
    "whisper": whisper_checkpoint,
    "wav2vec2": wav2vec2_checkpoint,
    "hubert": hubert_checkpoint,
    "wav2vec2-bert": wav2vec2_bert_checkpoint,
    "seamless_m4t": seamless_checkpoint,
    "seamless_m4t_v2": lambda folder, other: seamless_checkpoint(folder, other, version="v2"),
}


def test_every_family_has_a_checkpoint():
    assert CHECKPOINTS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_recording_gives_finite_frames_and_the_same_ones_again(family, tmp_path, encoders_folder):
    import torch

    torch.manual_seed(1)
    encoder = load_speech_encoder(resolve_encoder(str(CHECKPOINTS[family](tmp_path, encoders_folder))))
    waveform = np.sin(np.arange(2 * RATE) / 20).astype(np.float32)
    frames, speech = encoder.frames(waveform, RATE)
    assert frames.ndim == 2
    assert frames.shape[1] == 16
    assert np.isfinite(frames).all()
    assert 0 < speech <= len(frames)
    assert (speech == 100) == (family == "whisper")  # 2 s of 20 ms frames in a window of 30 s
    np.testing.assert_array_equal(encoder.frames(waveform, RATE)[0], frames)
    longer, _ = encoder.frames(np.concatenate([waveform, waveform]), RATE)
    assert (len(longer) == len(frames)) == (family == "whisper")


def test_poolings_by_hand():
    frames = np.array([[3.0, 0.0], [1.0, 4.0], [0.0, 0.0]], dtype=np.float32)
    by_hand = {
        "mean": [4 / 3, 4 / 3],
        "masked-mean": [2, 2],
        "masked-mean-std": [2, 2, 1, 2],
        "first": [3, 0],
        "max": [3, 4],
    }
    assert by_hand.keys() == POOLINGS.keys()
    for pooling, vector in by_hand.items():
        expected = np.array(vector) / np.linalg.norm(vector)
        np.testing.assert_allclose(pool_frames(frames, 2, pooling), expected, rtol=1e-6)
    assert (pool_frames(np.zeros((3, 2), dtype=np.float32), 2, "mean") == 0).all()
