"""The metric repository through the real `evaluate`: the numbers of `score`, and problems instead of crashes."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import igbo_align as ia
import numpy as np
import pytest
import yaml
from igbo_align.protocol.spec import DIRECTIONS, TRACKS

evaluate = pytest.importorskip("evaluate") if not os.environ.get("CI") else importlib.import_module("evaluate")

REPOSITORY = Path(__file__).resolve().parent.parent / "benchmark" / "evaluate_metric"
METRICS = ("recall@1", "recall@5", "recall@10", "mrr", "mean_rank", "median_rank")


@pytest.fixture(scope="module")
def metric(tmp_path_factory):
    cache = tmp_path_factory.mktemp("evaluate")
    return evaluate.load(str(REPOSITORY), cache_dir=str(cache))


@pytest.fixture(scope="module")
def vectors():
    random = np.random.default_rng(7)
    text = random.standard_normal((40, 8)).astype(np.float32)
    return text + random.standard_normal((40, 8)).astype(np.float32), text


@pytest.mark.parametrize("track", TRACKS)
def test_a_release_gives_the_numbers_of_score(metric, demo, zero_shot_scores, track):
    found = metric.compute(
        predictions=demo.embeddings("speech"), references=demo.embeddings("text"), release="demo", track=track
    )
    expected = zero_shot_scores.tracks[track]
    assert found == {f"{d}_{name}": expected[d][name].value for d in DIRECTIONS for name in METRICS}


def test_rows_in_another_order_are_matched_by_id(metric, demo, zero_shot_scores):
    order = np.random.default_rng(0).permutation(len(demo.ids))
    found = metric.compute(
        predictions=demo.embeddings("speech")[order],
        references=demo.embeddings("text")[order],
        ids=[demo.ids[i] for i in order],
        release=demo,
        track="heldout",
        intervals=True,
    )
    estimate = zero_shot_scores.tracks["heldout"]["text_to_speech"]["mrr"]
    shown = [found[f"text_to_speech_mrr{end}"] for end in ("", "_low", "_high")]
    assert shown == [estimate.value, estimate.low, estimate.high]


def test_without_a_release_every_row_is_ranked_among_all(metric, vectors):
    speech, text = vectors
    found = metric.compute(predictions=speech, references=text)
    ranks = ia.rank_all(speech, text)
    for direction in DIRECTIONS:
        held = getattr(ranks, direction)
        assert found[f"{direction}_recall@5"] == pytest.approx((held <= 5).mean(), abs=1e-12)
        assert found[f"{direction}_mrr"] == pytest.approx((1 / held).mean(), abs=1e-12)
        assert found[f"{direction}_mean_rank"] == held.mean()


def test_a_constant_encoder_is_at_chance(metric):
    found = metric.compute(predictions=np.ones((20, 3)), references=np.ones((20, 3)))
    assert found["speech_to_text_recall@1"] == pytest.approx(1 / 20)


def test_texts_that_are_shared_are_all_correct(metric, vectors):
    speech, text = vectors
    same = np.repeat(text[:20], 2, axis=0)
    alone = metric.compute(predictions=speech, references=same)["speech_to_text_recall@1"]
    grouped = metric.compute(predictions=speech, references=same, groups=np.repeat(np.arange(20), 2))
    assert grouped["speech_to_text_recall@1"] >= alone


@pytest.mark.parametrize("as_lists", [True, False])
def test_rows_added_in_batches_or_one_by_one_give_the_same(metric, vectors, as_lists):
    speech, text = vectors
    whole = metric.compute(predictions=speech.tolist() if as_lists else speech, references=text)
    metric.add_batch(predictions=speech[:30], references=text[:30])
    for left, right in zip(speech[30:], text[30:], strict=True):
        metric.add(prediction=left, reference=right)
    assert metric.compute() == whole


BAD = {
    "rows": ({"references": np.ones((39, 8))}, "array.rows"),
    "transposed": ({"predictions": np.ones((8, 40))}, "array.rows"),
    "dimensions": ({"references": np.ones((40, 7))}, "array.dim_mismatch"),
    "nan": ({"predictions": np.full((40, 8), np.nan)}, "array.non_finite"),
    "zero": ({"predictions": np.zeros((40, 8))}, "array.norm"),
    "strings": ({"predictions": [["a"] * 8] * 40}, "array.dtype"),
    "ragged": ({"predictions": [[1.0], [1.0, 2.0]]}, "array.shape"),
    "one axis": ({"predictions": np.ones(40)}, "array.shape"),
    "nothing": ({"predictions": None}, "array.shape"),
    "no rows": ({"predictions": np.ones((0, 8)), "references": np.ones((0, 8))}, "array.rows"),
    "track": ({"track": "papers", "release": "demo"}, "usage"),
    "track without release": ({"track": "paper"}, "usage"),
    "option": ({"pool": 100}, "usage"),
    "groups": ({"groups": [1, 2]}, "usage"),
    "groups and release": ({"groups": [1, 2], "release": "demo"}, "array.rows"),
    "release": ({"release": "./nowhere"}, "release.missing"),
    "ids": ({"release": "demo", "ids": ["a"] * 40}, "ids.unknown"),
}


@pytest.mark.parametrize("case", BAD)
def test_malformed_input_is_a_problem_and_the_metric_stays_usable(metric, vectors, case):
    changes, code = BAD[case]
    speech, text = vectors
    with pytest.raises(ia.ProblemsFound) as error:
        metric.compute(**({"predictions": speech, "references": text} | changes))
    assert code in {item.code for item in error.value.problems}
    assert metric.compute(predictions=speech, references=text)


def test_batches_that_do_not_fit_each_other_are_a_problem(metric, vectors):
    speech, text = vectors
    metric.add_batch(predictions=speech, references=text)
    metric.add_batch(predictions=speech[:, :5], references=text[:, :5])
    with pytest.raises(ia.ProblemsFound, match=r"array\.shape"):
        metric.compute()
    assert metric.compute(predictions=speech, references=text)


def test_groups_with_a_release_are_refused(metric, demo):
    with pytest.raises(ia.UsageProblem, match="groups"):
        metric.compute(
            predictions=demo.embeddings("speech"),
            references=demo.embeddings("text"),
            release=demo,
            groups=[1] * len(demo.ids),
        )


def test_the_card_has_what_the_hub_reads():
    front = yaml.safe_load((REPOSITORY / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert front["sdk"] == "gradio"
    assert (REPOSITORY / front["app_file"]).is_file()
    assert {"evaluate", "metric"} <= set(front["tags"])


def test_the_example_of_the_card_runs(monkeypatch):
    monkeypatch.chdir(REPOSITORY.parent)
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for part in text.split("```python\n")[1:]:
        exec(compile(part.split("```")[0], "README.md", "exec"), {})


def wheel_of(folder: Path) -> None:
    """The package as a wheel holds it."""
    package = Path(ia.__file__).parent
    with zipfile.ZipFile(folder / "igbo_align-0.1.0-py3-none-any.whl", "w") as wheel:
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                wheel.write(path, f"igbo_align/{path.relative_to(package).as_posix()}")


SCRIPT = """
import sys
sys.path[:] = [path for path in sys.path if not path.rstrip("/").endswith("benchmark")]
import evaluate, importlib.util, json

if importlib.util.find_spec("igbo_align") is not None:
    sys.exit("visible")
bare, complete, cache = sys.argv[1:]
try:
    evaluate.load(bare, cache_dir=cache)
except ImportError as error:
    refusal = str(error)
metric = evaluate.load(complete, cache_dir=cache)
scores = metric.compute(predictions=[[1, 0], [0, 1]], references=[[1, 0], [0, 1]])
json.dump({"refusal": refusal, "scores": scores}, sys.stdout)
"""


def test_a_published_copy_runs_from_its_own_folder(tmp_path):
    bare, complete = tmp_path / "bare_metric", tmp_path / "my_metric"
    for folder in (bare, complete):
        shutil.copytree(REPOSITORY, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "evaluate_metric.py").rename(folder / f"{folder.name}.py")
    wheel_of(complete)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-c", SCRIPT, str(bare), str(complete), str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    if done.stderr.strip() == "visible":
        pytest.skip("igbo_align is installed in a way that cannot be hidden")
    found = json.loads(done.stdout)
    assert "no igbo_align-*.whl lies beside the metric" in found["refusal"]
    assert found["scores"]["speech_to_text_recall@1"] == 1


def test_the_page_scores_two_files_and_says_what_is_wrong(tmp_path, monkeypatch, vectors):
    gradio = pytest.importorskip("gradio") if not os.environ.get("CI") else importlib.import_module("gradio")
    monkeypatch.setenv("HF_METRICS_CACHE", str(tmp_path))
    spec = importlib.util.spec_from_file_location("metric_app", REPOSITORY / "app.py")
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    assert isinstance(app.build(), gradio.Blocks)
    for name, matrix in zip(("speech", "text"), vectors, strict=True):
        np.save(tmp_path / f"{name}.npy", matrix)
    files = [str(tmp_path / "speech.npy"), str(tmp_path / "text.npy")]
    rows = {name: numbers for name, *numbers in app.table(*files)}
    ranks = ia.rank_all(*vectors)
    assert rows["mean_rank"] == [round(ranks.speech_to_text.mean(), 4), round(ranks.text_to_speech.mean(), 4)]
    (tmp_path / "text.npy").write_bytes(b"no matrix")
    with pytest.raises(gradio.Error, match="Found"):
        app.table(*files)
    with pytest.raises(gradio.Error, match="both"):
        app.table(files[0], None)


def test_published_under_another_name_the_script_has_that_name():
    from igbo_align.hub.publishing import metric_files

    files = metric_files(REPOSITORY, "org/speech_text")
    assert "speech_text.py" in files
    assert "evaluate_metric.py" not in files
    assert {"README.md", "app.py", "requirements.txt"} <= files.keys()
