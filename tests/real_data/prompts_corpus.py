"""Make the corpus `prompts`: real recordings with transcripts, stored as google/WaxalNLP stores its TTS configs.

    python prompts_corpus.py OUT        # writes OUT/data/TTS/prompts/prompts-*.parquet

The recordings are the telephone prompts of Debian's packages `asterisk-core-sounds-{en,it}-g722`, the transcripts come
with `asterisk-core-sounds-{en,it}`. Needs apt-get, dpkg-deb, pip and a network; no root, and nothing is installed.
"""

import argparse
import gzip
import hashlib
import importlib.util
import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import soxr

try:
    from .fetching import RealDataUnavailable, finished_folder, run_tool
except ImportError:  # run as a script
    from fetching import RealDataUnavailable, finished_folder, run_tool

G722_WHEEL = "g722==1.2.8"
G722_BITRATE = 64_000
SOURCE_RATE, CORPUS_RATE = 16_000, 48_000
MP3_LOWEST_BITRATE = {"bitrate_mode": "CONSTANT", "compression_level": 0.97}  # 40 kbit/s
NOT_SPEECH = ("[", "(", "<")  # transcripts such as "<beep>" and "(2 seconds of silence)" start so
JOINED_FILE = Path(__file__).with_name("prompts_joined.json")  # which prompts make up the clips over 30 s
SHUFFLE_SEED, SHUFFLE_SKIP = 7, 276  # the order of rows: 32-bit draws skipped before the rows are permuted
SHARDS = {  # file name -> share of the shuffled rows at which it ends
    "prompts-train-00000-of-00002.parquet": 0.41,
    "prompts-train-00001-of-00002.parquet": 0.81,
    "prompts-validation-00000-of-00001.parquet": 0.91,
    "prompts-test-00000-of-00001.parquet": 1.0,
}
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("id", "speaker_id", "text", "locale", "gender")]
    + [("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
)
Decoder = Callable[[bytes], np.ndarray]


@dataclass(frozen=True)
class Voice:
    """One speaker of the prompts.

    Attributes:
        language: Language part of Debian's package names.
        folder: Name of the folder with the recordings.
        locale: Value of the corpus's column `locale`.
        gender: Value of the corpus's column `gender`.
    """

    language: str
    folder: str
    locale: str
    gender: str


@dataclass(frozen=True)
class Clip:
    """One row of the corpus, before its audio is made.

    Attributes:
        id: Identifier of the row.
        voice: Who speaks.
        text: Transcript; lines are the prompts of a joined clip.
        sources: The recordings, in speaking order.
    """

    id: str
    voice: Voice
    text: str
    sources: tuple[Path, ...]


VOICES = (Voice("en", "en_US_f_Allison", "en-US", "Female"), Voice("it", "it_IT_m_Carlo", "it-IT", "Male"))


def download_packages(names: list[str], work: Path) -> Path:
    """Download Debian packages and unpack them, without installing them.

    The machine's package lists are used if they know the packages, else fresh ones are fetched into `work`.

    Args:
        names: Package names.
        work: Empty folder for everything that is downloaded.

    Returns:
        The folder the packages were unpacked into.

    Raises:
        RealDataUnavailable: apt, dpkg or the network is missing, or a package is unknown.
    """
    apt = ["apt-get", "-q", "-o", "APT::Sandbox::User=root"]  # the sandbox user could not write to `work`
    try:
        run_tool([*apt, "download", *names], cwd=work)
    except RealDataUnavailable:
        (work / "lists/partial").mkdir(parents=True)
        apt += ["-o", f"Dir::State::Lists={work / 'lists'}", "-o", f"Dir::Cache={work / 'cache'}"]
        run_tool([*apt, "update"], cwd=work)
        run_tool([*apt, "download", *names], cwd=work)
    for package in sorted(work.glob("*.deb")):
        run_tool(["dpkg-deb", "-x", package, work / "unpacked"])
    return work / "unpacked"


def load_decoder(work: Path) -> Decoder:
    """Get a G.722 decoder, from a wheel unpacked into `work` if the module is not installed.

    Args:
        work: Empty folder for the wheel.

    Returns:
        Function that decodes one recording.

    Raises:
        RealDataUnavailable: The module is not installed and pip cannot fetch it.
    """
    if importlib.util.find_spec("G722") is None:
        install = ["install", "-q", "--no-deps", "--only-binary=:all:", "--target", work, G722_WHEEL]
        run_tool([sys.executable, "-m", "pip", *install])
        importlib.invalidate_caches()
    sys.path.append(str(work))
    try:
        module = importlib.import_module("G722")
    finally:
        sys.path.remove(str(work))
    return lambda data: np.asarray(module.G722(SOURCE_RATE, G722_BITRATE).decode(data), dtype=np.int16)


def read_transcripts(path: Path) -> dict[str, str]:
    """Read a list of transcripts: lines `stem: text`, and comments that start with a semicolon.

    Args:
        path: The gzip-compressed list.

    Returns:
        Transcript of each file stem, in the order of the list.
    """
    with gzip.open(path, "rt", encoding="utf-8-sig") as lines:
        pairs = (line.rstrip("\n").split(": ", 1) for line in lines if not line.startswith(";") and ": " in line)
        return {stem: text.strip() for stem, text in pairs}


def list_clips(unpacked: Path, voice: Voice) -> Iterator[Clip]:
    """List the clips of one voice: its single prompts in the order of the transcripts, then the joined ones.

    Args:
        unpacked: Folder with the unpacked packages.
        voice: Who speaks.

    Yields:
        One clip after the other.
    """
    language = voice.language
    package = f"asterisk-core-sounds-{language}"
    texts = read_transcripts(unpacked / f"usr/share/doc/{package}/core-sounds-{language}.txt.gz")
    sounds = unpacked / "usr/share/asterisk/sounds" / voice.folder
    paths = {stem: sounds / f"{stem}.g722" for stem in texts}
    for stem, text in texts.items():
        if paths[stem].exists() and not text.startswith(NOT_SPEECH):
            digest = hashlib.sha1(stem.encode()).hexdigest()[:10]
            yield Clip(f"{language}_{digest}", voice, text, (paths[stem],))
    for number, stems in enumerate(json.loads(JOINED_FILE.read_text())[language]):
        text = "\n".join(texts[stem] for stem in stems)
        yield Clip(f"{language}_long{number:03d}", voice, text, tuple(paths[stem] for stem in stems))


def shuffled(clips: list[Clip]) -> list[Clip]:
    """Put the clips into the corpus's order, always the same.

    Args:
        clips: All clips, in the order of `list_clips`.

    Returns:
        The same clips in another order.
    """
    rng = np.random.default_rng(SHUFFLE_SEED)
    rng.integers(2**32, size=SHUFFLE_SKIP, dtype=np.uint32)
    return [clips[i] for i in rng.permutation(len(clips))]


def make_mp3(sources: tuple[Path, ...], decode: Decoder) -> bytes:
    """Make the MP3 of one clip in memory.

    Args:
        sources: The clip's G.722 recordings; they are joined without a pause.
        decode: G.722 bytes -> 16-bit samples.

    Returns:
        48 kHz mono MP3.
    """
    samples = np.concatenate([decode(path.read_bytes()) for path in sources])
    samples = soxr.resample((samples / 32768).astype(np.float32), SOURCE_RATE, CORPUS_RATE)
    mp3 = io.BytesIO()
    soundfile.write(mp3, samples, CORPUS_RATE, format="MP3", **MP3_LOWEST_BITRATE)
    return mp3.getvalue()


def make_row(clip: Clip, decode: Decoder) -> dict[str, object]:
    """Make one row of the corpus.

    Args:
        clip: What the row holds.
        decode: G.722 bytes -> 16-bit samples.

    Returns:
        Values of the columns.
    """
    voice = clip.voice
    return {
        "id": clip.id,
        "speaker_id": f"{voice.language}_{voice.folder}",
        "text": clip.text,
        "locale": voice.locale,
        "gender": voice.gender,
        "audio": {"bytes": make_mp3(clip.sources, decode), "path": f"{clip.id}.mp3"},
    }


def write_shards(clips: list[Clip], decode: Decoder, folder: Path) -> None:
    """Write the parquet files.

    Args:
        clips: The rows, in the order of the corpus.
        decode: G.722 bytes -> 16-bit samples.
        folder: Where the files go.
    """
    edges = [0, *(int(share * len(clips)) for share in SHARDS.values())]
    for name, (start, end) in zip(SHARDS, pairwise(edges), strict=True):
        rows = [make_row(clip, decode) for clip in clips[start:end]]
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / name)


def build_prompts_corpus(out: Path) -> Path:
    """Make the corpus below `out`, unless it is there.

    Args:
        out: Folder that will hold `data/TTS/prompts/*.parquet`.

    Returns:
        `out`.

    Raises:
        RealDataUnavailable: The sources cannot be downloaded here.
    """
    target = out / "data/TTS/prompts"
    if all((target / name).is_file() for name in SHARDS):
        return out
    packages = [f"asterisk-core-sounds-{voice.language}{part}" for voice in VOICES for part in ("", "-g722")]
    with tempfile.TemporaryDirectory() as debian, tempfile.TemporaryDirectory() as wheel:
        unpacked = download_packages(packages, Path(debian))
        decode = load_decoder(Path(wheel))
        clips = [clip for voice in VOICES for clip in list_clips(unpacked, voice)]
        with finished_folder(target) as folder:
            write_shards(shuffled(clips), decode, folder)
    return out


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    try:
        sys.stdout.write(f"{build_prompts_corpus(parser.parse_args().out)}\n")
    except RealDataUnavailable as error:
        sys.exit(f"real data unavailable: {error}")


if __name__ == "__main__":
    main()
