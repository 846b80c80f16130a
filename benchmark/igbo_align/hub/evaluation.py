"""The Hub's own benchmarks: `eval.yaml` of a dataset, and `.eval_results/*.yaml` of a model repository."""

from __future__ import annotations

import re
from typing import Any

from ..problems import problem
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, TRACKS
from ..scoring.scores import Scores
from .commits import PATIENCE, Committed, Destination, Patience, propose_files, require_token

_COMMIT = re.compile(r"[0-9a-f]{40}")
_METRICS = ("recall@1", "mrr")


def task_id(track: str, direction: str, metric: str) -> str:
    """Name of a task of `eval.yaml`, such as `heldout_speech_to_text_recall_at_1`."""
    return f"{track}_{direction}_{metric.replace('@', '_at_')}"


def eval_yaml(release: Release) -> str:
    """`eval.yaml`: a task for R@1 and MRR of every track and direction.

    The Hub knows a fixed list of frameworks; `mteb` is the one of them whose tasks are these pools.
    """
    names = [task_id(t, d, m) for t in TRACKS for d in DIRECTIONS for m in _METRICS]
    return _yaml(
        {
            "name": f"igbo-align {release.spec.name} {release.spec.version}",
            "description": f"Retrieval between speech and text among frozen candidates. {release.spec.notice}".strip(),
            "evaluation_framework": "mteb",
            "tasks": [{"id": name, "config": "pairs", "split": "test"} for name in names],
        }
    )


def eval_results_yaml(scores: Scores, dataset: str, revision: str | None, source_url: str | None = None) -> str:
    """`.eval_results/*.yaml` for the repository of a model: one entry for each task of `eval.yaml`.

    Args:
        scores: of a submission that uses the model.
        dataset: `org/name` of the published release.
        revision: commit of that dataset.
        source_url: page that shows where the numbers come from, such as the pull request of the submission.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    card, fingerprint = scores.card, scores.release.fingerprint[:12]
    entries = []
    for track in TRACKS:
        for direction in DIRECTIONS:
            for metric in _METRICS:
                held = scores.tracks[track][direction][metric]
                system = f"{card['alignment']['method']}; text encoder {card['text_encoder']['id']}"
                interval = f"95 % interval {held.low:.4f} to {held.high:.4f}"
                entries.append(
                    EvalResultEntry(
                        dataset_id=dataset,
                        task_id=task_id(track, direction, metric),
                        value=round(held.value, 6),
                        dataset_revision=revision,
                        date=str(card["created"]),
                        source_url=source_url,
                        source_name="igbo-align, recomputed from vectors" if source_url else None,
                        notes=f"{system}; {interval}; fingerprint {fingerprint}",
                    )
                )
    return _yaml(eval_result_entries_to_yaml(entries))


def published_as(name: str, release: Release) -> tuple[str, str]:
    """Hub id and commit of a published release.

    Args:
        name: `org/name@commit`, or `org/name` if the release was loaded by it.
        release: the release; one of the Hub lies in a folder named after its commit.

    Raises:
        ProblemsFound: this is no published release, or its commit is not known (`usage`).
    """
    dataset, _, revision = name.partition("@")
    commit = next((text for text in (revision, release.folder.name) if _COMMIT.fullmatch(text)), None)
    if dataset.count("/") != 1 or dataset.startswith((".", "/", "~")) or commit is None:
        raise problem(
            "usage",
            "--dataset",
            found=f"`{name}`, which names no commit of a published release",
            expected="`org/name@commit` with the 40 characters of a commit",
            mend="Name the dataset with --dataset, or with --release; `igbo-align publish` prints the commit.",
        )
    return dataset, commit


def propose_eval_results(text: str, scores: Scores, repository: str, patience: Patience = PATIENCE) -> Committed:
    """Open the pull request that adds results to the repository of a model; an open one is found again.

    Args:
        text: of `eval_results_yaml`.
        scores: what it was made from.
        repository: `org/name` of the model.
        patience: with passing failures of the Hub.

    Raises:
        EnvironmentProblem: the Hub cannot be reached (`environment.hub`), or refuses the token (`environment.token`).
    """
    from huggingface_hub import HfApi

    destination = Destination(repository, "model")
    require_token(destination)
    spec, system = scores.release.spec, scores.card["system"]
    path = f".eval_results/igbo-align-{spec.name}-{system['org']}__{system['name']}.yaml"
    title = f"Results of {system['org']}/{system['name']} on igbo-align {spec.name} {spec.version}"
    files, about = {path: text.encode()}, "Recomputed from vectors by igbo-align; every value names its interval."
    return propose_files(HfApi(), destination, files, title, about, patience)


def _yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
