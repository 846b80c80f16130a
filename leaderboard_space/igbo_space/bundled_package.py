"""Where igbo_align comes from: installed, or a wheel beside the app."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import zipfile
from pathlib import Path

_SPACE = Path(__file__).parent.parent


def provide_package() -> None:
    """Make `import igbo_align` work.

    A Space is built before its files are there, so requirements.txt cannot name a wheel of its own repository. The
    wheel is pure Python: unpacked into a folder on the path, it is installed. (Importing from the zip itself would
    not do: the package reads its data as files.)

    Raises:
        SystemExit: there is neither.
    """
    if importlib.util.find_spec("igbo_align") is not None:
        return
    wheels = sorted(_SPACE.glob("igbo_align-*.whl"))
    if not wheels:
        raise SystemExit("igbo_align is not installed, and no igbo_align-*.whl lies beside app.py.")
    folder = tempfile.mkdtemp(prefix="igbo-align-")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        wheel.extractall(folder)
    sys.path.insert(0, folder)
