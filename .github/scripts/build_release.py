"""Build the source distribution and the wheel twice, compare their bytes, and run the demo from the wheel.

`build_release.py --out dist`. The two builds start from copies in folders of different names, written in different
order, with other permissions, times, time zone, locale and hash seed, and the second one beside litter as it lies
around in a clone. What differs is named, and nothing is kept. The demo runs in an environment that holds nothing but
the wheel and what it requires, and must print what it prints in the clone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What must never get into a distribution, and lies in clones of people who work here.
LITTER = (
    ".venv/lib/python3/site.py",
    ".cache/vectors",
    ".hypothesis/unicode_data",
    ".ruff_cache/CACHEDIR.TAG",
    "benchmark/igbo_align/__pycache__/app.cpython-311.pyc",
    "benchmark/igbo_align.egg-info/PKG-INFO",
    "dataset_card/__pycache__/x.pyc",
    "dist/old.whl",
    "leaderboard_space/.gradio/certificate.pem",
    "leaderboard_space/igbo_align-0.0.1-py3-none-any.whl",
    "leaderboard_space/igbo_space/__pycache__/x.pyc",
    "site/index.html",
    "tests/__pycache__/x.pyc",
)


@dataclass(frozen=True)
class Circumstances:
    """What must not matter to a build."""

    folder: str
    umask: int
    time: int
    environment: Mapping[str, str]
    backwards: bool
    litter: Sequence[str] = ()


CIRCUMSTANCES = (
    Circumstances(
        "a", 0o022, 1_700_000_000, {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}, backwards=False
    ),
    Circumstances(
        "b/another folder",
        0o077,
        1_234_567_890,
        {"LC_ALL": "POSIX", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "4711", "PYTHONUTF8": "0"},
        backwards=True,
        litter=LITTER,
    ),
)


def tracked(root: Path) -> list[str]:
    """Files of the clone that git knows, those of the last commit and those staged."""
    listed = _run(["git", "-C", str(root), "ls-files", "-z"])
    return [name for name in listed.split("\0") if (root / name).is_file()]


def copied(root: Path, names: Sequence[str], into: Path, circumstances: Circumstances) -> Path:
    """A copy of the clone as another machine would have it."""
    copy = into / circumstances.folder
    for name in sorted([*names, *circumstances.litter], reverse=circumstances.backwards):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in circumstances.litter:
            target.write_bytes(b"litter")
            continue
        shutil.copyfile(root / name, target)
        executable = 0o111 if (root / name).stat().st_mode & 0o100 else 0
        target.chmod((0o666 | executable) & ~circumstances.umask)
        os.utime(target, (circumstances.time, circumstances.time))
    return copy


def built(copy: Path, circumstances: Circumstances) -> Path:
    """The folder of what was built: the source distribution, and the wheel made from it."""
    out = copy.parent / f"{copy.name} dist"
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)]
    _run(command, environment=circumstances.environment, umask=circumstances.umask)
    return out


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder, by name."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def differences(first: Path, second: Path) -> list[str]:
    """What differs between two builds: names, and members of archives where the names are the same."""
    one, other = digests(first), digests(second)
    found = [f"only once: {name}" for name in sorted(one.keys() ^ other.keys())]
    for name in sorted(one.keys() & other.keys()):
        if one[name] != other[name]:
            members = [_members(folder / name) for folder in (first, second)]
            changed = sorted(
                key for key in members[0].keys() | members[1] if members[0].get(key) != members[1].get(key)
            )
            found.append(f"{name} differs in {', '.join(changed) or 'how it is packed'}")
    return found


def installed(wheel: Path, constraints: Path, folder: Path) -> Path:
    """The command of a new environment that holds the wheel, what it requires, and nothing else."""
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "--disable-pip-version-check"]
    _run([*pip, "install", "--quiet", "--no-compile", "--constraint", str(constraints), str(wheel)])
    return folder / "bin/igbo-align"


def board(command: Sequence[str], submissions: Path, cwd: Path, **environment: str) -> str:
    """What `make demo` prints, by a given command in a given folder."""
    return _run([*command, "leaderboard", str(submissions), "--release", "demo"], cwd, environment)


def _members(archive: Path) -> dict[str, object]:
    """Content and permissions of an archive's members."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {item.filename: (item.external_attr, item.date_time, wheel.read(item)) for item in wheel.infolist()}
    with tarfile.open(archive) as source:
        files = [item for item in source if item.isfile()]
        return {item.name: (item.mode, item.mtime, source.extractfile(item).read()) for item in files}  # type: ignore[union-attr]


def _run(
    command: Sequence[str], cwd: Path | None = None, environment: Mapping[str, str] | None = None, umask: int = -1
) -> str:
    """What a command prints; its errors end this program with them."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603 - our own commands
        command,
        cwd=cwd,
        env=inherited | dict(environment or {}),
        umask=umask,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Build, compare, run the demo, keep the result, and return the exit code."""
    parser = argparse.ArgumentParser(description="Build twice, compare, and run the demo from the wheel.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the distributions; must be empty or new")
    out = parser.parse_args().out
    if out.exists() and any(out.iterdir()):
        sys.exit(f"{out} is not empty: remove what was built before.")
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        first, second = (built(copied(ROOT, tracked(ROOT), work, item), item) for item in CIRCUMSTANCES)
        differing = differences(first, second)
        if differing:
            sys.exit("The two builds differ:\n" + "\n".join(differing))
        (wheel,) = first.glob("*.whl")
        command = installed(wheel, ROOT / "constraints.txt", work / "environment")
        shown = board([str(command)], ROOT / "submissions", work)
        source = {"PYTHONPATH": str(ROOT / "benchmark")}
        if shown != board([sys.executable, "-m", "igbo_align"], ROOT / "submissions", work, **source):
            sys.exit("The wheel prints another leaderboard than the clone.")
        shutil.copytree(first, out, dirs_exist_ok=True)
    sys.stdout.write(shown + "".join(f"{digest}  {name}\n" for name, digest in digests(out).items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
