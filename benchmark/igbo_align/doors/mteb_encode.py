"""`encode --mteb-model`: the vectors of any MTEB model that hears and reads become a submission."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoders.identity import loading
from ..extras import imported
from ..files import readable_json, refuse_existing
from ..pipeline.encode_card import untrained_card
from ..problems import problem
from ..progress import Progress
from ..protocol.address import SourceTexts
from ..protocol.release import Release
from ..submission.card import parse_card
from ..submission.reading import Embeddings, Submission
from ..submission.writing import write_submission

#: Rows that a model is given at once; progress is shown after each.
_ROWS = 64
_MAX_DATASETS = 2000


def encode_with_mteb(
    model_name: str,
    release: Release,
    out: Path,
    progress: Progress,
    *,
    source: SourceTexts = None,
    name: str | None = None,
    org: str = "local",
) -> Submission:
    """Encode every pair with a model of MTEB's registry or of the Hub, and write the submission.

    Recordings are encoded as queries and texts as candidates, as `IgboAlignS2T` does.

    Args:
        model_name: `org/model`, optionally `@revision`.
        release: the benchmark.
        out: the new submission folder.
        progress: opens a progress bar.
        source: where recordings and texts are, unless the release holds them.
        name: of the system; that of the model by default.
        org: who submits.

    Raises:
        ProblemsFound: the model cannot be loaded (`encoder.unreadable`), does not both hear and read
            (`encoder.unsupported`) or returns no matrix (`encoder.output`); or recordings are missing.
        EnvironmentProblem: mteb, or a package that the model needs, is not installed (`environment.extra`).
    """
    refuse_existing(out)
    mteb = imported("mteb", "--mteb-model")
    from .mteb_tasks import IgboAlignS2T

    task = IgboAlignS2T(release, ("full",), source)
    task.require_inputs()
    identity, _, revision = model_name.partition("@")
    meta = loading(identity, lambda: mteb.get_model_meta(identity, revision=revision or None))
    _require_packages(meta)
    model = loading(identity, lambda: mteb.get_model(identity, revision=revision or None))
    _require_modalities(identity, meta.modalities)
    task.load_data()
    split = task.dataset["default"]["full"]
    with progress("Encoding speech", len(release.ids)) as advance:
        speech = _encoded(model, split["queries"], task.metadata, "query", advance)
    with progress("Encoding text", len(release.ids)) as advance:
        text = _encoded(model, split["corpus"], task.metadata, "document", advance)
    encoder = {"id": identity, "revision": meta.revision}
    card = _disclosed(untrained_card(name or identity.split("/")[-1], org, release, encoder, encoder), meta)
    card["speech_encoder"] = encoder | {"pooling": f"as in MTEB {mteb.__version__}"}
    content = Embeddings(np.array(release.ids), speech, text)
    return write_submission(out, parse_card(readable_json(card).encode()), content, release)


def _disclosed(card: dict[str, Any], meta: Any) -> dict[str, Any]:
    """A card with what MTEB's registry knows of a model."""
    card["system"] |= {"licence": str(meta.license or "see the model"), "n_parameters": meta.n_parameters}
    card["alignment"]["other_training_data"] = ", ".join(sorted(meta.training_datasets or ()))[:_MAX_DATASETS]
    return card


def _require_packages(meta: Any) -> None:
    """MTEB knows what the code of each model imports; say what is missing rather than that loading failed."""
    try:
        meta._check_requirements()  # noqa: SLF001 - `load_model` calls it and hides nothing else
    except ImportError as error:
        raise problem(
            "environment.extra",
            meta.name,
            found=str(error).splitlines()[0],
            expected="the packages that this model's own code imports",
            mend="Install them; for most models of sound it is `pip install 'mteb[audio]'`.",
        ) from error


def _require_modalities(name: str, modalities: list[str]) -> None:
    if not {"audio", "text"} <= set(modalities):
        raise problem(
            "encoder.unsupported",
            name,
            found=f"a model of {', '.join(modalities)}",
            expected="a model of audio and text",
            mend="Choose one that hears and reads, or name two encoders with --speech-encoder and --text-encoder.",
        )


def _encoded(model: Any, rows: Any, metadata: Any, kind: str, advance: Any) -> NDArray[np.float32]:
    """Vectors (n, d) of a dataset, some rows at a time."""
    from mteb._create_dataloaders import create_dataloader
    from mteb.types import PromptType

    parts = []
    for first in range(0, len(rows), _ROWS):
        chosen = rows.select(range(first, min(first + _ROWS, len(rows))))
        loader = create_dataloader(chosen, task_metadata=metadata, prompt_type=PromptType(kind))
        vectors = model.encode(
            loader,
            task_metadata=metadata,
            hf_split="full",
            hf_subset="default",
            prompt_type=PromptType(kind),
            show_progress_bar=False,
        )
        parts.append(_matrix(vectors, len(chosen), metadata.name))
        advance(len(chosen))
    return np.concatenate(parts)


def _matrix(vectors: Any, rows: int, where: str) -> NDArray[np.float32]:
    """What a model returned as (rows, d) float32: an array, or a tensor of any device and precision."""
    if hasattr(vectors, "detach"):
        vectors = vectors.detach().cpu().float().numpy()
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or len(vectors) != rows:
        raise problem(
            "encoder.output",
            where,
            found=f"output of shape {getattr(vectors, 'shape', type(vectors).__name__)}",
            expected=f"one vector for each of {rows} rows",
            mend="Choose a model with one vector for each input; several vectors cannot be compared by cosine.",
        )
    return vectors.astype(np.float32)
