"""Imports point one way, and what must stay light stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import igbo_align
import pytest

PACKAGE = Path(igbo_align.__file__).parent

#: Every module or sub-package, lowest layer first; a new one must be added here.
LAYERS = (
    {"problems", "extras", "files", "randomness", "progress", "cores"},
    {"protocol"},
    {"metrics", "statistics"},
    {"submission"},
    {"tracks"},
    {"diagnostics"},
    {"scoring"},
    {"corpus"},
    {"encoders"},
    {"pipeline"},
    {"baselines", "probing"},
    {"hub", "doors", "projection", "report", "cli", "__main__", "__init__"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = (
    *("torch", "transformers", "sentence_transformers", "datasets", "gradio", "matplotlib", "sklearn", "librosa"),
    *("mteb", "evaluate"),
)


def home_of(path: Path) -> str:
    """The sub-package, or the module directly in the package, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_homes(path: Path) -> set[str]:
    """Sub-packages of ours that a file imports, wherever in the file."""
    depth = len(path.relative_to(PACKAGE).parts)
    homes = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            homes |= {(node.module or alias.name).split(".")[0] for alias in node.names}
    return homes & LEVEL.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_to_the_same_layer_or_below(path):
    own = home_of(path)
    assert own in LEVEL, f"declare the layer of {own} in LAYERS"
    if own == "__init__":
        return
    above = {home for home in imported_homes(path) if LEVEL[home] > LEVEL[own]}
    assert not above


def test_the_layer_test_sees_imports():
    assert {"protocol", "metrics", "submission", "statistics"} <= imported_homes(PACKAGE / "scoring" / "score.py")


def loaded_by(code: str) -> set[str]:
    """Heavy libraries that a fresh interpreter has loaded after running code."""
    check = f"import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{check}"], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


LIGHT = {
    "import": "import igbo_align",
    "validate and score": (
        "import igbo_align as ia, numpy as np\n"
        "release = ia.load_release('demo')\n"
        "card = ia.Card.model_validate({'schema_version': 1, 'system': {'name': 'a', 'org': 'b', 'revision': '1',"
        " 'licence': 'MIT'}, 'speech_encoder': {'id': 'x'}, 'text_encoder': {'id': 'y'}, 'alignment': {'method': 'none',"
        " 'trained_on_pairs': 'none'}, 'submitter': 'me', 'created': '2026-01-01', 'benchmark': release.benchmark()})\n"
        "vectors = ia.Embeddings(np.array(release.ids), release.embeddings('speech'), release.embeddings('text'))\n"
        "submission = ia.Submission(card, vectors)\n"
        "assert not ia.validate(submission, release)\n"
        "ia.compare(ia.score(submission, release), ia.score(submission, release))"
    ),
    "help": "from igbo_align.cli.app import run\nassert run(['--help']) == 0",
    "help of baseline": "from igbo_align.cli.app import run\nassert run(['baseline', '--help']) == 0",
}


@pytest.mark.parametrize("name", LIGHT)
def test_light_verbs_load_nothing_heavy(name):
    assert loaded_by(LIGHT[name]) == set()


def test_what_the_package_offers_is_listed_before_it_is_loaded():
    listed = "import igbo_align as ia\nassert set(ia.__all__) <= set(dir(ia)), dir(ia)"
    assert loaded_by(listed) == set()
    with pytest.raises(AttributeError, match="module 'igbo_align' has no attribute 'scores'"):
        _ = igbo_align.scores


def test_the_light_test_can_fail():
    assert loaded_by("import igbo_align, torch") == {"torch"}


def test_nothing_is_ever_unpickled():
    for path in MODULES:
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not names & {"pickle", "dill", "joblib", "shelve", "marshal"}
        assert "allow_pickle=True" not in path.read_text()
