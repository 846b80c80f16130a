"""A release: two builds are the same bytes, the wheel alone prints the leaderboard, and one version is named everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import build_release
import pytest
from build_release import CIRCUMSTANCES, LITTER, Circumstances, board, built, copied, differences, installed, tracked
from check_release import changelog, package_version, release_problems
from documents import TRIED_OUT, between, page

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / ".github/scripts"


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """The folders of two builds, the second one of a copy with litter."""
    folder, names = tmp_path_factory.mktemp("builds"), tracked(ROOT)
    return [built(copied(ROOT, names, folder, item), item) for item in CIRCUMSTANCES]


def the(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def test_two_builds_are_the_same_bytes(builds):
    names = [sorted(path.name for path in folder.iterdir()) for folder in builds]
    version = package_version(ROOT)
    assert names[0] == names[1] == [f"igbo_align-{version}-py3-none-any.whl", f"igbo_align-{version}.tar.gz"]
    assert differences(*builds) == []
    for name in names[0]:
        assert (builds[0] / name).read_bytes() == (builds[1] / name).read_bytes()


def test_the_wheel_holds_the_package_and_no_litter(builds):
    with zipfile.ZipFile(the(builds[1], "*.whl")) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        modes = {item.external_attr >> 16 & 0o777 for item in wheel.infolist()}
    parts = {"benchmark/igbo_align/": "igbo_align/"}
    parts |= {f"{name}/": f"igbo_align/{name}/" for name in ("dataset_card", "leaderboard_space")}
    expected = [
        f"{inside}{name.removeprefix(outside)}"
        for outside, inside in parts.items()
        for name in tracked(ROOT)
        if name.startswith(outside)
    ]
    assert sorted(names) == sorted(expected)
    assert modes <= {0o644, 0o755}


def test_the_source_distribution_holds_what_git_knows_and_no_litter(builds):
    with tarfile.open(the(builds[1], "*.tar.gz")) as source:
        names = {name.partition("/")[2] for name in source.getnames()} - {"PKG-INFO"}
    assert names == set(tracked(ROOT))
    assert not names & set(LITTER)


def test_what_differs_between_builds_is_named(builds, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    name = the(builds[0], "*.whl").name
    with zipfile.ZipFile(builds[0] / name) as wheel, zipfile.ZipFile(other / name, "w") as changed:
        for item in wheel.infolist():
            item.external_attr |= 0o111 << 16 if item.filename == "igbo_align/files.py" else 0
            changed.writestr(
                item, wheel.read(item).replace(b"import", b"IMPORT") if "card.py" in item.filename else wheel.read(item)
            )
    cards = "igbo_align/baselines/cards.py, igbo_align/corpus/card.py, igbo_align/files.py, igbo_align/hub/card.py"
    source = the(builds[0], "*.tar.gz").name
    found = differences(builds[0], other)
    assert found[0] == f"only once: {source}"
    assert found[1].startswith(f"{name} differs in ")
    assert "igbo_align/files.py" in found[1]
    assert cards.split(", ")[1] in found[1]


def test_a_copy_has_the_circumstances_that_it_should(tmp_path):
    other = Circumstances("x", 0o077, 86_400, {}, backwards=True, litter=("dist/old.whl",))
    copy = copied(ROOT, ["README.md", ".ci/run"], tmp_path, other)
    assert (copy / "README.md").stat().st_mode & 0o777 == 0o600
    assert (copy / ".ci/run").stat().st_mode & 0o777 == 0o700
    assert (copy / "README.md").stat().st_mtime == 86_400
    assert (copy / "dist/old.whl").is_file()
    umask = os.umask(0)
    os.umask(umask)
    assert (
        build_release._run(["/bin/sh", "-c", "umask; echo $TZ"], None, {"TZ": "Asia/Kathmandu"}, 0o077)
        == "0077\nAsia/Kathmandu\n"
    )


def test_the_wheel_alone_prints_the_leaderboard(builds, tmp_path):
    """In an environment of the base requirements, outside of the clone; the README's rows are those of `make demo`."""
    command = installed(the(builds[0], "*.whl"), ROOT / "constraints.txt", tmp_path / "environment")
    shutil.copytree(ROOT / "submissions", tmp_path / "submissions", ignore=shutil.ignore_patterns(TRIED_OUT))
    shown = board([str(command)], tmp_path / "submissions", tmp_path)
    printed = re.findall(r"^\s*(\d+)\s+baselines/(\S+)\s+(\d\.\d{3})", shown, flags=re.MULTILINE)
    results = re.findall(
        r"^\| (\d+) \| (\S+) \| (\d\.\d{3})", between(page("README.md"), "results"), flags=re.MULTILINE
    )
    assert len(printed) == len(list((tmp_path / "submissions").iterdir()))
    assert printed == results
    python = command.with_name("python")
    absent = (
        "import importlib.util as u; print([n for n in ('torch', 'datasets', 'gradio', 'pytest') if u.find_spec(n)])"
    )
    assert subprocess.run([python, "-c", absent], capture_output=True, text=True, check=True).stdout == "[]\n"
    where = subprocess.run(
        [python, "-c", "import igbo_align; print(igbo_align.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    )
    assert Path(where.stdout).is_relative_to(tmp_path / "environment")


def test_nothing_built_before_is_mixed_with_a_new_build(tmp_path):
    (tmp_path / "old.whl").touch()
    command = [sys.executable, str(SCRIPTS / "build_release.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"{tmp_path} is not empty: remove what was built before.\n")


@pytest.fixture
def clone(tmp_path):
    """Where version 1.2.0 is ready to be released."""
    (tmp_path / "benchmark/igbo_align").mkdir(parents=True)
    (tmp_path / "benchmark/igbo_align/__init__.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CITATION.cff").write_text('version: 1.2.0\ndate-released: "2026-12-01"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 1.2.0 (2026-12-01)\n\n- New.\n\n## 1.1.0 (2026-11-30)\n\n- Old.\n"
    )
    return tmp_path


def edit(folder, file, old, new):
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_notes_are_the_section_of_the_version(clone, tmp_path):
    notes = tmp_path / "notes.md"
    command = [sys.executable, str(SCRIPTS / "check_release.py"), "v1.2.0", "--root", str(clone), "--notes", str(notes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "v1.2.0 can be released.\n"), done.stderr
    assert notes.read_text() == "- New.\n"
    command[2] = "v1.2.1"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = "The tag 'v1.2.1' is not v1.2.0, the version of benchmark/igbo_align/__init__.py.\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("benchmark/igbo_align/__init__.py", "1.2.0", "1.3.0", "The tag 'v1.2.0' is not v1.3.0, the version of"),
        ("CITATION.cff", "1.2.0", "1.1.0", "CITATION.cff has version 1.1.0, not 1.2.0."),
        ("CITATION.cff", "12-01", "12-02", "CITATION.cff was released on 2026-12-02, CHANGELOG.md says 2026-12-01."),
        (
            "CHANGELOG.md",
            "## 1.2.0 (2026-12-01)",
            "## 1.2.1 (2026-12-01)",
            "CHANGELOG.md begins with 1.2.1, not 1.2.0.",
        ),
        ("CHANGELOG.md", "2026-12-01", "unreleased", "CHANGELOG.md has no day for 1.2.0: write it in place of"),
        ("CHANGELOG.md", "2026-12-01", "2026-13-01", "CHANGELOG.md: 2026-13-01 is no day."),
        ("CHANGELOG.md", "- New.\n", "", "CHANGELOG.md says nothing about 1.2.0."),
        ("CHANGELOG.md", "## 1.2.0 (2026-12-01)", "## 1.2.0", "CHANGELOG.md: every `## ` heading must be `## VERSION"),
        ("CHANGELOG.md", "## 1.1.0 (2026-11-30)", "## Older", "CHANGELOG.md: every `## ` heading must be `## VERSION"),
    ],
)
def test_what_stands_against_a_release(file, old, new, problem, clone):
    assert release_problems("v1.2.0", clone) == []
    edit(clone, file, old, new)
    assert any(found.startswith(problem) for found in release_problems("v1.2.0", clone))


@pytest.mark.parametrize("tag", ["1.2.0", "v1.2.0\n", "v1.2", "v1.2.0; rm", "v1.2.0-rc1", ""])
def test_a_tag_is_the_version_and_nothing_else(tag, clone):
    assert release_problems(tag, clone)


def test_this_repository_names_one_version():
    """Between releases the changelog begins with a version that is `unreleased`, and that is all that stands against it."""
    version, newest = package_version(ROOT), changelog(page("CHANGELOG.md"))[0]
    found = release_problems(f"v{version}", ROOT)
    waiting = f"CHANGELOG.md has no day for {version}: write it in place of `unreleased`."
    assert found == ([waiting] if newest.day == "unreleased" else [])
    assert newest.version == version


def test_the_source_distribution_is_told_every_folder():
    """A new folder at the top is named in pyproject.toml, or left out on purpose."""
    named = {
        name.strip("/")
        for name in tomllib.loads(page("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    }
    tops = {name.split("/")[0] for name in tracked(ROOT)}
    assert tops == named | {"pyproject.toml", ".gitignore"}


@pytest.mark.parametrize("extra", [{}, {"SPACE": "a/b", "METRIC": "c/d", "LICENCE": "cc-by-4.0", "FROM_HUB": "e/f"}])
def test_publishing_to_the_hub_passes_every_input_as_one_argument(extra, tmp_path):
    fake = tmp_path / "igbo-align"
    fake.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    fake.chmod(0o755)
    inputs = {"RELEASE": "demo $(touch x); --help", "REPOSITORY": "org/name", "IGBO_ALIGN": str(fake)}
    command = [str(SCRIPTS / "publish_to_hub.sh"), "--dry-run"]
    done = subprocess.run(command, env=os.environ | inputs | extra, capture_output=True, text=True, check=True)
    options = ["--repo=org/name", "--from-hub=e/f" if extra else "--submissions=submissions"]
    options += ["--space=a/b", "--metric=c/d", "--licence=cc-by-4.0"] if extra else []
    assert json.loads(done.stdout) == ["publish", *options, "--dry-run", "--", "demo $(touch x); --help"]


def test_publishing_needs_a_release_and_a_repository():
    for missing in ("RELEASE", "REPOSITORY"):
        inputs = {"RELEASE": "demo", "REPOSITORY": "org/name"} | {missing: ""}
        command = [str(SCRIPTS / "publish_to_hub.sh"), "--dry-run"]
        done = subprocess.run(command, env=os.environ | inputs, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert missing in done.stderr


def test_the_command_knows_these_options(capsys):
    from igbo_align.cli.app import run

    arguments = ["publish", "--repo=org/name", "--submissions=none", "--space=a/b", "--metric=c/d", "--licence=mit"]
    assert run([*arguments, "--from-hub=e/f", "--dry-run", "--", "demo"]) == 2
    assert "a folder and a repository" in capsys.readouterr().err
