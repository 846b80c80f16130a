"""What is shared by the scripts of this folder: running tools, and putting finished folders in place at once."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

#: Where tests and benches keep what was fetched.
REAL_DATA = Path(os.environ.get("IGBO_ALIGN_TEST_DATA") or Path.home() / ".cache" / "igbo-align-tests")


class RealDataUnavailable(RuntimeError):
    """The real data cannot be had here, for instance because a tool or the network is missing."""


def run_tool(command: Sequence[str | Path], cwd: Path | None = None) -> None:
    """Run a command quietly.

    Args:
        command: Program and arguments.
        cwd: Folder to run in.

    Raises:
        RealDataUnavailable: The program does not exist, or it failed; the message quotes the end of its output.
    """
    line, pipe = " ".join(map(str, command)), subprocess.PIPE
    try:
        done = subprocess.run(command, check=False, cwd=cwd, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError as error:
        raise RealDataUnavailable(f"{command[0]} is not installed, needed for: {line}") from error
    if done.returncode:
        raise RealDataUnavailable(f"failed: {line}\n{done.stdout[-2000:].strip()}")


@contextmanager
def finished_folder(target: Path) -> Iterator[Path]:
    """Give an empty temporary folder that becomes `target` when the block ends without an error.

    `target` thus holds everything or does not exist. If another process was faster, its folder is kept.

    Args:
        target: Folder to make; its parents are created.

    Yields:
        The temporary folder to fill, on the same file system as `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield work
        for path in [work, *work.rglob("*")]:  # temporary files are private, results are not
            path.chmod(0o755 if path.is_dir() else 0o644)
        try:
            work.replace(target)
        except OSError:
            if not target.is_dir() or not any(target.iterdir()):
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
