"""What runs by itself - workflows, hooks, updates, templates - is valid, may do little, and names what exists."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from build_release import tracked
from documents import page
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
#: Everything beyond reading the repository that any job may do: workflow, job, permissions.
RIGHTS = {
    ("submissions-comment", "comment"): {"actions": "read", "contents": "read", "pull-requests": "write"},
    ("publish", "pypi"): {"id-token": "write"},
    ("publish", "github"): {"contents": "write"},
}
#: Jobs that see a secret or a token of PyPI, and so wait for the reviewers of an environment.
GUARDED = {("publish", "pypi"): "pypi", ("hub", "publish"): "hub"}
SCHEMAS = {
    "github-workflows": ".github/workflows/*.yml",
    "dependabot": ".github/dependabot.yml",
    "github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "citation-file-format": "CITATION.cff",
}


def document(path):
    """A workflow; the key `on` is YAML's word for true."""
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in read.items()}


def jobs():
    """Workflow, name of the job, job."""
    return [(path.stem, name, job) for path in WORKFLOWS for name, job in document(path)["jobs"].items()]


def steps():
    """Workflow, name of the job, step."""
    return [(workflow, name, step) for workflow, name, job in jobs() for step in job.get("steps", [])]


def needed(*names):
    """Skip outside of CI where these modules or commands of the test extra are not installed."""
    beside = Path(sys.executable).parent
    absent = [name for name in names if importlib.util.find_spec(name) is None and not (beside / name).exists()]
    if absent and not os.environ.get("CI"):
        pytest.skip(f"the test extra is not installed: {absent}")


def checked_by_schema(schema, paths):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, "--default-filetype", "yaml"]
    return subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, check=False)


def zizmor(folder):
    command = [str(Path(sys.executable).with_name("zizmor")), "--offline", "--persona", "pedantic", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_are_of_their_schema(schema):
    needed("check_jsonschema")
    paths = sorted(ROOT.glob(SCHEMAS[schema]))
    assert paths
    done = checked_by_schema(f"vendor.{schema}", paths)
    assert done.returncode == 0, done.stdout


def test_every_job_has_an_end():
    needed("check_jsonschema")
    own = [path for path in WORKFLOWS if path.stem != "publish"]
    done = checked_by_schema("custom.github-workflows-require-timeout", own)
    assert done.returncode == 0, done.stdout
    assert all("timeout-minutes" in job or "uses" in job for _, _, job in jobs())


@pytest.mark.parametrize(
    ("schema", "file", "old", "new"),
    [
        ("vendor.github-workflows", ".github/workflows/tests.yml", "runs-on: ubuntu-latest", "runs_on: ubuntu-latest"),
        ("vendor.citation-file-format", "CITATION.cff", "authors:", "writers:"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/bug.yml", "type: input", "type: box"),
        ("vendor.dependabot", ".github/dependabot.yml", "interval: monthly", "interval: sometimes"),
    ],
)
def test_the_schemas_notice(schema, file, old, new, tmp_path):
    needed("check_jsonschema")
    text = page(file)
    assert old in text
    (tmp_path / "x.yml").write_text(text.replace(old, new))
    assert checked_by_schema(schema, [tmp_path / "x.yml"]).returncode == 1


def test_the_security_linter_finds_nothing():
    needed("zizmor")
    done = zizmor(GITHUB)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("run: .ci/run", 'run: .ci/run "${{ github.event.pull_request.title }}"', "template-injection"),
        ("with: {persist-credentials: false}", "with: {fetch-depth: 1}", "artipacked"),
        ("permissions: {contents: read}", "permissions: write-all", "excessive-permissions"),
        ("  pull_request:\n", "  pull_request_target:\n", "dangerous-triggers"),
        ("@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "@v6", "unpinned-uses"),
    ],
)
def test_the_security_linter_notices(old, new, finding, tmp_path):
    needed("zizmor")
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    text = page(".github/workflows/tests.yml")
    assert old in text
    (folder / "tests.yml").write_text(text.replace(old, new))
    done = zizmor(tmp_path / ".github")
    assert done.returncode != 0
    assert f"[{finding}]" in done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_and_a_job_what_it_needs(path):
    read = document(path)
    assert read["permissions"] == {}
    for name, job in read["jobs"].items():
        assert job["permissions"] == RIGHTS.get((path.stem, name), {"contents": "read"}), name


def test_every_right_is_of_a_job_that_exists():
    assert RIGHTS.keys() | GUARDED.keys() <= {(workflow, name) for workflow, name, _ in jobs()}


def test_secrets_are_seen_behind_an_environment_only():
    for workflow, name, job in jobs():
        environment = job.get("environment")
        held = environment["name"] if isinstance(environment, dict) else environment
        assert held == GUARDED.get((workflow, name))
        assert "secrets." not in str(job) or held
    assert [path.stem for path in WORKFLOWS if "secrets." in path.read_text()] == ["hub"]


def test_code_of_a_pull_request_meets_no_right_to_write():
    """Who may write checks out the default branch; who looks at a pull request checks out its base."""
    triggers = {path.stem: document(path)["on"] for path in WORKFLOWS}
    assert all("pull_request_target" not in on and "issue_comment" not in on for on in triggers.values())
    assert [name for name, on in triggers.items() if "workflow_run" in on] == ["submissions-comment"]
    refs = {name: step["with"].get("ref") for name, _, step in steps() if "actions/checkout@" in step.get("uses", "")}
    assert refs["submissions-comment"] == "${{ github.event.repository.default_branch }}"
    assert refs["submissions"] == "${{ github.event.pull_request.base.sha }}"
    runs = [step["run"] for name, _, step in steps() if name == "submissions-comment" and "run" in step]
    assert runs == ["python3 -I .github/scripts/post_review.py"]


def test_actions_are_pinned_to_one_commit_each():
    pinned = {}
    for path in WORKFLOWS:
        for name, commit, version in re.findall(
            r"uses: ([\w./-]+)@(\S+)(?: # (v[\d.]+))?$", path.read_text(), re.MULTILINE
        ):
            assert re.fullmatch(r"[0-9a-f]{40}", commit), (path.name, name)
            assert version, (path.name, name)
            pinned.setdefault(name, set()).add((commit, version))
    assert {name: held for name, held in pinned.items() if len(held) > 1} == {}
    assert len(pinned) == 5


def test_no_checkout_leaves_its_token_behind():
    checkouts = [step for _, _, step in steps() if "actions/checkout@" in step.get("uses", "")]
    assert len(checkouts) >= 6
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize(("workflow", "job", "step"), [item for item in steps() if "run" in item[2]])
def test_a_step_runs_what_exists_and_holds_no_expression(workflow, job, step):
    script = step["run"]
    assert "${{" not in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for target in re.findall(r"\bmake (\S+)", script):
        assert re.search(rf"^{re.escape(target)}:", page("Makefile"), re.MULTILINE), target
    for file in re.findall(r"(?<![\w/])(\.(?:github|ci)/[\w./-]+)", script):
        assert (ROOT / file).is_file(), file
        if shlex.split(script)[0] == file:
            assert (ROOT / file).stat().st_mode & 0o111, file
    variables = set(re.findall(r'"\$(\w+)"', script))
    whole = document(GITHUB / f"workflows/{workflow}.yml")
    known = {*step.get("env", {}), *whole["jobs"][job].get("env", {}), *whole.get("env", {}), "GITHUB_STEP_SUMMARY"}
    assert variables <= known


def test_every_variable_of_a_script_is_given_to_it():
    script = page(".github/scripts/post_review.py")
    told = set(re.search(r"Environment: (.*?)\.\n", script, re.DOTALL)[1].replace("\n", " ").split(", "))
    asked = {*re.findall(r'environment\["(\w+)"\]', script), *re.findall(r'"([A-Z]+_[A-Z]+)"', script)}
    given = next(step["env"].keys() for name, _, step in steps() if name == "submissions-comment" and "run" in step)
    by_github = {"GITHUB_API_URL", "GITHUB_REPOSITORY"}
    assert asked == set(given) | by_github
    assert asked == {name.removeprefix("and ") for name in told if name.isupper()} | {"REVIEW"}


def test_options_of_the_scripts_in_workflows_exist():
    for _, _, step in steps():
        for script, rest in re.findall(r"(\.github/scripts/\w+\.py)(.*)", step.get("run", "")):
            options = re.findall(r"--[a-z-]+", rest)
            if options:
                done = subprocess.run(
                    [sys.executable, ROOT / script, "--help"], capture_output=True, text=True, check=True
                )
                assert all(option in done.stdout for option in options), script


def test_the_tests_run_the_script_of_the_repository():
    runs = [step["run"] for workflow, _, step in steps() if workflow == "tests" and "run" in step]
    assert runs == [".ci/run"]
    assert {job["uses"] for _, _, job in jobs() if "uses" in job} == {"./.github/workflows/tests.yml"}
    assert "workflow_call" in document(GITHUB / "workflows/tests.yml")["on"]


def test_nothing_is_published_before_tests_and_comparison():
    publish = document(GITHUB / "workflows/publish.yml")["jobs"]
    assert set(publish["pypi"]["needs"]) == {"tests", "build"}
    assert publish["github"]["needs"] == ["pypi"]
    hub = document(GITHUB / "workflows/hub.yml")
    assert hub["on"]["workflow_dispatch"]["inputs"]["dry-run"]["default"] is True
    assert hub["jobs"]["publish"]["if"] == "${{ !inputs.dry-run }}"
    assert hub["jobs"]["publish"]["needs"] == ["plan"]


def test_the_review_hears_of_every_change_of_submissions():
    assert document(GITHUB / "workflows/submissions.yml")["on"]["pull_request"]["paths"] == ["submissions/**"]
    followed = document(GITHUB / "workflows/submissions-comment.yml")["on"]["workflow_run"]["workflows"]
    assert followed == [document(GITHUB / "workflows/submissions.yml")["name"]]


def test_templates_name_files_that_exist():
    for path in [*GITHUB.rglob("*.md"), *(GITHUB / "ISSUE_TEMPLATE").glob("*.yml")]:
        for file in re.findall(r"\b((?:docs/)?[\w-]+\.md|docs/[\w/]+/)", path.read_text(encoding="utf-8")):
            places = [ROOT / file, GITHUB / "PULL_REQUEST_TEMPLATE" / file]
            assert any(place.exists() for place in places), (path.name, file)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A repository of the files as they are, with this environment in the place of `.venv`."""
    folder = tmp_path_factory.mktemp("copy")
    for name in tracked(ROOT):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    (folder / ".git/info/exclude").write_text(".venv\n")
    (folder / ".venv").symlink_to(sys.prefix)
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    return folder


def hooks(folder, tmp_path, *arguments):
    """Run the hooks; what `make check` and other tests run as well is left out."""
    environment = os.environ | {
        "PRE_COMMIT_HOME": str(tmp_path),
        "SKIP": "pyright,reuse",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    command = [sys.executable, "-m", "pre_commit", "run", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_hooks_pass_on_every_file_and_notice(copy, tmp_path):
    needed("pre_commit", "pre_commit_hooks", "zizmor", "ruff")
    done = hooks(copy, tmp_path, "--all-files")
    assert done.returncode == 0, done.stdout + done.stderr
    bad = copy / "bad.py"
    bad.write_text("import os  \r\nx = 1\n<<<<<<< HEAD\n")
    (copy / "large.bin").write_bytes(bytes(5_000_001))
    subprocess.run(["git", "add", "bad.py", "large.bin"], cwd=copy, check=True)
    done = hooks(copy, tmp_path, "--files", "bad.py", "large.bin")
    failed = set(re.findall(r"^- hook id: (\S+)$", done.stdout, re.MULTILINE))
    assert {"ruff-check", "trailing-whitespace", "large-files", "line-ends"} <= failed


def test_every_hook_runs_a_tool_of_the_environment():
    config = yaml.safe_load(page(".pre-commit-config.yaml"))
    found = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in found)
    assert {"ruff-check", "ruff-format", "pyright", "reuse", "zizmor"} <= {hook["id"] for hook in found}


def requirements():
    """Every requirement of pyproject.toml, those of extras and of the build included."""
    read = tomllib.loads(page("pyproject.toml"))
    extras = [item for items in read["project"]["optional-dependencies"].values() for item in items]
    stated = [
        Requirement(item) for item in [*read["build-system"]["requires"], *read["project"]["dependencies"], *extras]
    ]
    return [item for item in stated if item.name != "igbo-align"]


def pins():
    """Name -> the one version of constraints.txt."""
    lines = [line for line in page("constraints.txt").splitlines() if line and not line.startswith("#")]
    pairs = [line.split("==") for line in lines]
    assert len({canonicalize_name(name) for name, _ in pairs}) == len(pairs)
    return {canonicalize_name(name): version for name, version in pairs}


def test_constraints_are_sorted_exact_pins():
    lines = [line for line in page("constraints.txt").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in lines)
    assert lines == sorted(lines, key=str.casefold)


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_is_pinned_to_a_version_that_it_allows(requirement):
    held = pins()
    assert canonicalize_name(requirement.name) in held
    assert requirement.specifier.contains(held[canonicalize_name(requirement.name)])


def holds(requirement, extras):
    """Whether a requirement applies here, where these extras of what requires it are wanted."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def required_by(names):
    """Names of what is installed because of these distributions, whatever it is required by."""
    wanted, seen = [Requirement(name) for name in names], set()
    while wanted:
        item = wanted.pop()
        key = (canonicalize_name(item.name), frozenset(item.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            told = importlib.metadata.requires(item.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted += [child for child in map(Requirement, told) if holds(child, item.extras)]
    return {name for name, _ in seen}


#: Parts of torch's builds for graphics processors, which it pins itself; ourselves; what a new environment brings.
_UNPINNED = re.compile(r"nvidia-.*|triton|cuda-.*|igbo-align|setuptools|pip")


def test_what_requirements_require_is_pinned_too():
    """So that nobody's upload between two runs changes what the tests run on."""
    closure = required_by([str(item) for item in requirements()])
    assert len(closure) > 100
    assert {name for name in closure - pins().keys() if not _UNPINNED.fullmatch(name)} == set()


def test_every_target_of_the_makefile_is_explained_and_real():
    makefile = page("Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    explained = re.findall(r"^([a-z]+):[^#\n]*## \S.*\.$", makefile, re.MULTILINE)
    assert explained == phony
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert [line.split("\t")[0] for line in listed.splitlines()] == phony


def test_commands_in_documents_are_targets():
    phony = set(re.search(r"^\.PHONY: (.*)$", page("Makefile"), re.MULTILINE)[1].split())
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {target for path in pages for target in re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(), re.MULTILINE)}
    assert {"demo", "test", "docs", "dist", "hooks"} <= named <= phony
