"""One dataset, five doors: publish the demo release from an empty cache, open it in every way, compare R@1.

    python five_doors.py             # against the stand-in for the Hub; prints R@1 of zero-shot by door, as JSON

Each door scores the reference encoders' own vectors in the 699 frozen pools of the track `paper`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from loopback_hub import LoopbackHub, Repository

ROOT = Path(__file__).parent.parent
ZERO_SHOT = ROOT / "submissions" / "baselines__zero-shot" / "1"
DATASET, METRIC, MODEL = "doors/igbo-align-demo", "doors/igbo-align-retrieval", "doors/zero-shot"
DIRECTIONS = ("speech_to_text", "text_to_speech")
Recalls = dict[str, float]


@dataclass(frozen=True)
class Published:
    """What every door is told: where dataset and metric are, and at which commits."""

    name: str
    commit: str
    metric_commit: str

    @property
    def at_commit(self) -> str:
        """As our API and command line take it."""
        return f"{self.name}@{self.commit}"


def typed(*arguments: str) -> str:
    """Run `igbo-align` and return what it printed."""
    from io import StringIO

    from igbo_align.cli import console
    from igbo_align.cli.app import run

    printed = StringIO()
    console.stdout.file = printed
    with redirect_stdout(printed):
        code = run(list(arguments))
    if code:
        raise SystemExit(f"igbo-align {' '.join(arguments)}: exit code {code}")
    return printed.getvalue()


def write_wheel(folder: Path) -> Path:
    """The package as a wheel holds it, without a build tool."""
    import igbo_align

    package, wheel = Path(igbo_align.__file__).parent, folder / f"igbo_align-{igbo_align.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, Path("igbo_align") / path.relative_to(package))
    return wheel


def publish(folder: Path) -> Published:
    """The demo release and the metric on the Hub."""
    metric = ("--metric", METRIC, "--metric-folder", str(ROOT / "benchmark" / "evaluate_metric"))
    wheel = ("--wheel", str(write_wheel(folder)))
    done = json.loads(typed("publish", "demo", "--repo", DATASET, *metric, *wheel, "--json"))
    return Published(DATASET, done[DATASET]["commit"], done[METRIC]["commit"])


def door_datasets(published: Published) -> Recalls:
    """Door 1: vectors and pools by `datasets`, ranked by a loop that knows nothing of this package."""
    import datasets
    import numpy as np

    def table(config: str):
        return datasets.load_dataset(published.name, config, revision=published.commit)

    configs = datasets.get_dataset_config_names(published.name, revision=published.commit)
    vectors = {}
    for kind in ("speech", "text"):
        config = next(name for name in configs if name.startswith(f"{kind}_"))
        both = datasets.concatenate_datasets(list(table(config).values())).with_format("numpy")
        rows = np.asarray(both["embedding"][:])
        assert rows.dtype == np.float32
        assert rows.ndim == 2
        rows = rows.astype(np.float64)
        vectors[kind] = dict(zip(both["id"], rows / np.linalg.norm(rows, axis=1, keepdims=True), strict=True))

    def recall(direction: str) -> float:
        query, candidate = direction.split("_to_")
        found = []
        for row in table("pools_paper")[direction]:
            vector = vectors[query][row["query-id"]]
            others = [name for name in row["corpus-ids"] if name != row["query-id"]]
            own = vector @ vectors[candidate][row["query-id"]]
            found.append(all(vector @ vectors[candidate][name] < own for name in others))
        return sum(found) / len(found)

    return {direction: recall(direction) for direction in DIRECTIONS}


def door_package(published: Published) -> Recalls:
    """Door 2: `load_release`, and `score` of the zero-shot submission."""
    import igbo_align as ia

    release = ia.load_release(published.at_commit)
    scores = ia.score(ia.load_submission(ZERO_SHOT), release)
    return {direction: scores.tracks["paper"][direction]["recall@1"].value for direction in DIRECTIONS}


def door_mteb(published: Published) -> Recalls:
    """Door 3: the tasks `IgboAlignS2T` and `IgboAlignT2S`, the zero-shot vectors scored by MTEB's own evaluator."""
    import igbo_align as ia
    from igbo_align.doors.mteb_scores import mteb_scores

    scores = mteb_scores(ia.load_submission(ZERO_SHOT), ia.load_release(published.at_commit), ["paper"])["paper"]
    return {direction: scores[direction]["unrounded_recall_at_1"] for direction in DIRECTIONS}


def door_evaluate(published: Published) -> Recalls:
    """Door 4: the metric by `evaluate.load`, with the pools of the published release."""
    import evaluate
    import igbo_align as ia

    release = ia.load_release(published.at_commit)
    metric = evaluate.load(METRIC, revision=published.metric_commit)
    scores = metric.compute(
        predictions=release.embeddings("speech"),
        references=release.embeddings("text"),
        release=published.at_commit,
        track="paper",
    )
    return {direction: scores[f"{direction}_recall@1"] for direction in DIRECTIONS}


def door_benchmark(published: Published) -> Recalls:
    """Door 5: the Hub's own benchmarks, `eval.yaml` of the dataset and a model's `.eval_results/*.yaml`."""
    import yaml
    from huggingface_hub import HfApi, hf_hub_download, parse_eval_result_entries

    options = {"repo_type": "dataset", "revision": published.commit}
    tasks = yaml.safe_load(Path(hf_hub_download(published.name, "eval.yaml", **options)).read_text())["tasks"]
    command = ["eval-results", str(ZERO_SHOT), "--release", published.at_commit, "--model", MODEL, "--json"]
    commit = json.loads(typed(*command))["commit"]
    (path,) = [name for name in HfApi().list_repo_files(MODEL, revision=commit) if name.startswith(".eval_results/")]
    entries = parse_eval_result_entries(yaml.safe_load(Path(hf_hub_download(MODEL, path, revision=commit)).read_text()))
    values = {entry.task_id: entry.value for entry in entries if entry.dataset_id == published.name}
    assert set(values) == {task["id"] for task in tasks}
    assert {entry.dataset_revision for entry in entries} == {published.commit}
    return {direction: values[f"paper_{direction}_recall_at_1"] for direction in DIRECTIONS}


DOORS: dict[str, Callable[[Published], Recalls]] = {
    "datasets": door_datasets,
    "igbo_align": door_package,
    "mteb": door_mteb,
    "evaluate": door_evaluate,
    "benchmark": door_benchmark,
}


def main() -> None:
    """Open every door and print what was found."""
    with (
        tempfile.TemporaryDirectory() as home,
        LoopbackHub({("models", MODEL): Repository({"README.md": b"# Zero-shot\n"})}) as hub,
    ):
        os.environ |= hub.environment(Path(home) / "hf") | {"IGBO_ALIGN_CACHE": str(Path(home) / "cache")}
        published = publish(Path(home))
        json.dump({name: door(published) for name, door in DOORS.items()}, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
