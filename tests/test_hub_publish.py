"""`publish` with the real clients against a stand-in on loopback, and what a stranger can open afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import igbo_align as ia
import pyarrow.parquet as pq
import pytest
import yaml
from five_doors import write_wheel
from huggingface_hub import parse_eval_result_entries
from igbo_align.cli.app import run
from igbo_align.hub.card import Publication, confirmed_licences, front_matter, publication_card
from igbo_align.hub.evaluation import eval_results_yaml
from igbo_align.hub.loading import hub_file, hub_submissions
from igbo_align.hub.publishing import release_files
from igbo_align.problems import ProblemsFound
from loopback_hub import LoopbackHub

TESTS = Path(__file__).parent
DEMO = Path(ia.__file__).parent / "demo"
NAME = ("datasets", "tests/igbo-demo")
PARTS = ("pairs", "embeddings", "pools", "spec.json", "similarity_sample.parquet")


@pytest.fixture(scope="module")
def hub():
    """A hub with nothing in it."""
    with LoopbackHub() as running:
        yield running


@pytest.fixture(scope="module")
def typed(hub, tmp_path_factory):
    """Type a command in a process of its own that knows no other hub."""
    home = tmp_path_factory.mktemp("home")

    def run(*arguments, **environment):
        variables = os.environ | hub.environment(home / "hf") | environment
        command = [sys.executable, *(arguments if arguments[0].endswith(".py") else ("-m", "igbo_align", *arguments))]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=home)

    run.home = home
    return run


@pytest.fixture(scope="module")
def published(hub, typed):
    """The demo release, published while answers are lost and others commit."""
    hub.faults.single = [
        ("repos/create", 503),
        ("POST.*/commit/", 412),
        ("POST.*/commit/", "late"),
        ("POST.*/commit/", "late-drop"),
    ]
    done = typed("publish", "demo", "--repo", "tests/igbo-demo", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["tests/igbo-demo"]


def test_a_release_is_published_in_one_commit_and_twice_makes_no_second(published, hub, typed):
    repository = hub.repositories[NAME]
    assert published["changed"]
    assert repository.titles == [f"demo 1.0, fingerprint {ia.load_release('demo').fingerprint[:12]}"]
    assert published["commit"] == repository.commit
    for path, data in repository.files.items():
        if path.startswith(PARTS):
            assert data == (DEMO / path).read_bytes()
    again = typed("publish", "demo", "--repo", "tests/igbo-demo")
    assert "unchanged" in again.stdout
    assert len(repository.titles) == 1


def test_what_others_keep_there_stays_and_what_a_release_no_longer_has_goes(published, hub, typed):
    repository = hub.repositories[NAME]
    repository.write(repository.files | {"submissions/a__b/1/submission.json": b"{}", "pools/old/x.parquet": b"x"}, "x")
    assert typed("publish", "demo", "--repo", "tests/igbo-demo").returncode == 0
    assert "submissions/a__b/1/submission.json" in repository.files
    assert "pools/old/x.parquet" not in repository.files


def test_a_dry_run_lists_every_file_and_asks_nobody(typed, hub):
    hub.requests.clear()
    done = typed("publish", "demo", "--repo", "tests/other", "--dry-run", "--json", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)["tests/other"]
    assert {"README.md", "croissant.json", "eval.yaml", "manifest.json", "spec.json"} < set(listed)
    assert hub.requests == []
    assert "config_name: pools_paper" in typed("publish", "demo", "--repo", "tests/other", "--dry-run").stdout


def test_a_token_that_may_not_write_is_told_at_once(typed, hub):
    hub.requests.clear()
    done = typed("publish", "demo", "--repo", "tests/other", HF_TOKEN="reader")
    assert done.returncode == 4
    assert "environment.token" in done.stderr
    assert len(hub.requests) <= 3


def test_a_projection_becomes_a_model_repository(hub, typed, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    code = "import sys, pathlib; from igbo_align.hub.loading import push_model\n"
    (typed.home / "push.py").write_text(
        f"{code}print(push_model(pathlib.Path(sys.argv[1]), 'tests/map', private=True))"
    )
    done = typed(str(typed.home / "push.py"), str(tmp_path))
    assert done.returncode == 0, done.stderr
    model = hub.repositories["models", "tests/map"]
    assert model.private
    assert model.files["config.json"] == b"{}"
    assert model.titles == ["Upload a projection"]
    assert done.stdout.strip() == f"{hub.address}/tests/map/commit/{model.commit}"


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """A dataset that was fetched, in place of the next one that is asked for."""
    monkeypatch.setattr("igbo_align.hub.loading._download_dataset", lambda *_: tmp_path)
    return tmp_path


def test_of_a_repository_that_was_fetched_whole_only_files_of_submissions_are_read(snapshot):
    folder = snapshot / "submissions" / "me__mine" / "1"
    (folder / "embeddings.npz").mkdir(parents=True)
    for name in ("submission.json", "scores.json", "run.sh", ".hidden"):
        (folder / name).write_text(name)
    with hub_submissions("tests/board") as copied:
        found = {path.relative_to(copied).as_posix() for path in copied.rglob("*") if not path.is_dir()}
        assert found == {"me__mine/1/submission.json", "me__mine/1/scores.json"}
        assert (copied / "me__mine/1/scores.json").read_text() == "scores.json"
    assert not copied.exists()


def test_a_dataset_without_a_board_is_a_problem(snapshot):
    with pytest.raises(ProblemsFound) as caught:
        hub_file("tests/board", "leaderboard.json")
    (problem,) = caught.value.problems
    assert (problem.code, problem.where, problem.found) == ("folder.missing", "tests/board", "no leaderboard.json")
    assert problem.expected == "a dataset that holds leaderboard.json"
    assert problem.mend == "Write it with `igbo-align leaderboard --from-hub` and upload it."


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--space", "tests/app", "--space-folder", "nowhere"], "nowhere found no such folder"),
        (["--metric", "tests/x", "--metric-folder", "nowhere"], "nowhere found no such folder"),
        (["--metric", "tests/x", "--metric-folder", "mine"], "mine found no mine.py in it"),
    ],
)
def test_apps_that_are_not_there_are_told_before_anything_is_sent(options, found, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "app.py").touch()
    assert run(["publish", "demo", "--repo", "tests/igbo-demo", *options]) == 1
    said = " ".join(capsys.readouterr().err.split())
    place = "`leaderboard_space/` and `benchmark/evaluate_metric/` lie in a checkout."
    assert f"folder.missing {found} expected the folder to publish mend Check the path; {place}" in said


@pytest.fixture(scope="module")
def opened(published, typed):
    """What a stranger's script finds on the hub, at the commit."""
    done = typed(str(TESTS / "hub_doors_child.py"), "tests/igbo-demo", published["commit"])
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_datasets_and_our_api_open_the_same_release(opened, demo):
    assert opened["fingerprint"] == demo.fingerprint
    assert {"pairs", "pools_paper", "pools_heldout", "pools_hard", "similarity_sample"} < set(opened["configs"])
    assert opened["rows"]["pairs"] == 699
    assert opened["pool"] == 100
    assert opened["shapes"] == [[699, 384]] * 2
    assert opened["dtypes"] == ["float32"] * 2
    assert opened["recall"][0] == opened["recall"][1]


def test_what_was_opened_once_opens_offline(opened, published, typed, hub):
    hub.requests.clear()
    code = (
        "import sys, igbo_align as ia, datasets\n"
        f"print(ia.load_release('tests/igbo-demo@{published['commit']}').fingerprint)\n"
        f"print(len(datasets.load_dataset('tests/igbo-demo', 'pools_paper', revision='{published['commit']}')))"
    )
    (typed.home / "offline.py").write_text(code)
    done = typed(str(typed.home / "offline.py"), HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [opened["fingerprint"], "2"]
    assert hub.requests == []


def test_the_folder_opens_as_the_hub_does(published, hub, typed, opened):
    folder = typed.home / "folder"
    for path, data in hub.repositories[NAME].snapshots.get(published["commit"], hub.repositories[NAME].files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    done = typed(str(TESTS / "hub_doors_child.py"), str(folder), "")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == opened


@pytest.fixture
def waxal(tmp_path):
    """A release that says that it comes from WAXAL; only its words are changed, not what is frozen."""
    shutil.copytree(DEMO, tmp_path / "release")
    manifest = json.loads((tmp_path / "release" / "manifest.json").read_bytes())
    manifest["source"]["dataset"] = "google/WaxalNLP"
    (tmp_path / "release" / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "release"


def test_nothing_from_waxal_is_published_before_its_licence_is_confirmed(waxal, typed):
    done = typed("publish", str(waxal), "--repo", "tests/igbo", "--dry-run")
    assert done.returncode == 1
    assert "publish.licence" in done.stderr
    official = ia.load_spec("waxal-igbo").source
    assert "cc-by-4.0" in official.licence.lower()
    assert "cc-by-sa-4.0" in official.licence.lower()
    release = ia.load_release(waxal)
    with pytest.raises(ProblemsFound, match=r"publish\.licence"):
        confirmed_licences(release, ["mit"])
    assert confirmed_licences(release, ["cc-by-3.0"]) == ["cc-by-3.0"]
    card = publication_card(Publication(release, "tests/igbo", ["cc-by-3.0"]))
    assert "The recordings are those of WAXAL" in card
    assert "license: cc-by-3.0" in card


def test_the_card_reads_counts_and_configs_off_the_data(demo):
    publication = Publication(demo, "tests/igbo-demo", ["cc-by-3.0"])
    fields = front_matter(publication)
    assert fields["language"] == ["en", "it"]
    listed = {file["path"] for config in fields["configs"] for file in config["data_files"]}
    assert listed == {path.relative_to(DEMO).as_posix() for path in DEMO.rglob("*.parquet")}
    card = publication_card(publication)
    assert yaml.safe_load(card.split("---\n")[1]) == fields
    assert demo.fingerprint in card
    assert "This is not Igbo" in card
    assert "$" not in card


def test_the_card_states_types_and_counts_as_datasets_would(demo):
    """Stale or wrong features are a `CastError` for everyone; these are compared with the library's own."""
    import datasets

    fields = front_matter(Publication(demo, "tests/igbo-demo", ["cc-by-3.0"]))
    configs = {item["config_name"]: item["data_files"] for item in fields["configs"]}
    assert [info["config_name"] for info in fields["dataset_info"]] == list(configs)
    for info in fields["dataset_info"]:
        stated = datasets.DatasetInfo._from_yaml_dict(dict(info))
        for file in configs[info["config_name"]]:
            table = pq.read_table(DEMO / file["path"])
            assert stated.features == datasets.Features.from_arrow_schema(table.schema)
            assert stated.splits[file["split"]].num_examples == table.num_rows


def test_the_manifest_hashes_what_is_published(demo):
    files = release_files(Publication(demo, "tests/igbo-demo", ["cc-by-3.0"]))
    stated = json.loads(files["manifest.json"])["files"]
    assert stated == {path: hashlib.sha256(data).hexdigest() for path, data in files.items() if path != "manifest.json"}


def test_mlcroissant_accepts_the_description_and_reads_pairs_by_it(demo, tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant") if not os.environ.get("CI") else __import__("mlcroissant")
    files = release_files(Publication(demo, "tests/igbo-demo", ["cc-by-sa-3.0", "cc-by-3.0"]))
    document = json.loads(files["croissant.json"])
    for item in document["distribution"]:
        item["contentUrl"] = item["contentUrl"].partition("/resolve/main/")[2]
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "local.json").write_text(json.dumps(document))
    for name in ("croissant.json", "local.json"):
        dataset = mlcroissant.Dataset(jsonld=tmp_path / name)
        assert not dataset.metadata.issues.errors
        # A date would make every publication a new one; nothing else is amiss.
        assert all("datePublished" in warning for warning in dataset.metadata.issues.warnings)
    records = list(dataset.records("pairs/test"))
    assert len(records) == 140
    assert document["rai:dataLimitations"].startswith("Not Igbo")


def test_the_hub_understands_the_benchmark_and_the_results(demo, zero_shot_scores):
    tasks = yaml.safe_load(release_files(Publication(demo, "t/d", ["cc-by-3.0"]))["eval.yaml"])
    assert tasks["evaluation_framework"] == "mteb"
    url = "https://huggingface.co/datasets/t/d/discussions/1"
    entries = parse_eval_result_entries(yaml.safe_load(eval_results_yaml(zero_shot_scores, "t/d", "0" * 40, url)))
    assert {entry.task_id for entry in entries} == {task["id"] for task in tasks["tasks"]}
    held = zero_shot_scores.tracks["heldout"]["speech_to_text"]["recall@1"].value
    named = {entry.task_id: entry for entry in entries}
    assert named["heldout_speech_to_text_recall_at_1"].value == pytest.approx(held, abs=1e-6)
    assert named["heldout_speech_to_text_recall_at_1"].dataset_revision == "0" * 40


def test_a_space_is_published_with_the_wheel_beside_the_app(hub, typed, tmp_path):
    (tmp_path / "app" / "__pycache__").mkdir(parents=True)
    (tmp_path / "app" / "app.py").write_text("print()\n")
    (tmp_path / "app" / "__pycache__" / "app.pyc").write_bytes(b"x")
    folder = ["--space-folder", str(tmp_path / "app")]
    command = ["publish", "demo", "--repo", "tests/igbo-demo", "--space", "tests/board", *folder]
    done = typed(*command)
    assert done.returncode == 1
    assert "publish.wheel" in done.stderr
    wheel = tmp_path / "igbo_align-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    assert typed(*command, "--wheel", str(wheel)).returncode == 0
    files = hub.repositories["spaces", "tests/board"].files
    assert set(files) == {".gitattributes", "app.py", "settings.json", wheel.name}
    assert json.loads(files["settings.json"]) == {"dataset": "tests/igbo-demo"}


#: Runs a published Space's own loader, with the package hidden so that only the wheel beside the app can be it.
SPACE_CODE = """
import importlib.util, json, sys
sys.path[:] = [p for p in sys.path if not p.rstrip("/").endswith("benchmark")]
found, importlib.util.find_spec = importlib.util.find_spec, lambda name: None
from igbo_space.bundled_package import provide_package
provide_package()
importlib.util.find_spec = found
import igbo_align
from igbo_space.source import Settings, load
shown = load(Settings.of({}))
print(json.dumps([igbo_align.__file__, shown.source, len(shown.records)]))
"""


def test_a_published_space_runs_from_its_own_repository_and_shows_the_published_board(hub, typed, tmp_path):
    wheel = write_wheel(tmp_path)
    few = tmp_path / "submissions"
    for name in ("ridge", "zero-shot"):
        shutil.copytree(TESTS.parent / "submissions" / f"baselines__{name}", few / f"baselines__{name}")
    apps = ["--space", "tests/app", "--metric", "tests/aligned", "--wheel", str(wheel)]
    folders = ["--metric-folder", str(TESTS.parent / "benchmark" / "evaluate_metric")]
    done = typed("publish", "demo", "--repo", "tests/shown", "--submissions", str(few), *apps, *folders)
    assert done.returncode == 0, done.stderr
    metric = hub.repositories["spaces", "tests/aligned"].files
    assert {"aligned.py", "app.py", "requirements.txt", wheel.name} < set(metric)
    assert 'evaluate.load("tests/aligned")' in metric["README.md"].decode()
    space = hub.repositories["spaces", "tests/app"].files
    assert {"app.py", "requirements.txt", "leaderboard.json", "settings.json", wheel.name} < set(space)
    for path, data in space.items():
        (tmp_path / "space" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "space" / path).write_bytes(data)
    (tmp_path / "space" / "check.py").write_text(SPACE_CODE)
    ran = typed(str(tmp_path / "space" / "check.py"))
    assert ran.returncode == 0, ran.stderr
    package, source, rows = json.loads(ran.stdout)
    assert "igbo-align-" in package
    assert source.startswith("Hub dataset tests/shown")
    assert rows == 2
