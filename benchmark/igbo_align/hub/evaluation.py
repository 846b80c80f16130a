"""The Hub's own benchmarks: `eval.yaml` of a dataset, and `.eval_results/*.yaml` of a model repository."""

from __future__ import annotations

from typing import Any

from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, TRACKS
from ..scoring.scores import Scores

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


def _yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
