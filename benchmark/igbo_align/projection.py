"""The paper's projection as a thing to use: fitted on a release or on your own vectors, saved, loaded, pushed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import __version__
from .baselines.inputs import Pairs, reference_encoder, reference_inputs
from .files import new_folder, readable_json, write_text
from .problems import problem
from .protocol.release import Release

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
_SEED = 42
_LAYER_NORM_EPSILON = 1e-5

_CARD = """---
library_name: igbo-align
pipeline_tag: feature-extraction
tags:
- igbo-align
- speech-text-alignment
---
# A projection from speech vectors into the space of text vectors

f(s) = Norm(LayerNorm(W s + b)), from {d_speech} to {d_text} dimensions, {n_parameters:,} parameters, trained with
symmetric InfoNCE and mined hard negatives on {n_pairs} pairs. Made by igbo-align {version}.

```python
from huggingface_hub import snapshot_download
import igbo_align as ia

projection = ia.Projection.load(snapshot_download("REPOSITORY"))
vectors = projection.transform(speech)  # (n, {d_speech}) -> (n, {d_text}), unit length
```

Compare the result with text vectors by their cosine. What it was fitted to:

```json
{config}
```
"""


@dataclass(frozen=True, eq=False)
class Projection:
    """A fitted projection f(s) = Norm(LayerNorm(W s + b)); section 3.3 of the paper.

    Attributes:
        weight: W, (d_text, d_speech) float32.
        bias: b, (d_text,) float32.
        fitted_to: number of pairs, seed, and where they come from.
        training_log: losses of every epoch and the mining of negatives; empty after loading.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    fitted_to: Mapping[str, Any] = field(default_factory=dict)
    training_log: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(cls, release: Release, seed: int = _SEED) -> Projection:
        """Fit to the train pairs of a release; the loss of its test pairs is logged and used for nothing.

        Raises:
            ProblemsFound: the release holds no reference vectors (`release.missing`).
        """
        inputs = reference_inputs(release)
        origin = {"benchmark": release.benchmark()}
        for modality in ("speech", "text"):
            encoder = reference_encoder(release, modality)
            origin[f"{modality}_encoder"] = {name: encoder[name] for name in ("id", "revision", "pooling")}
        return cls._fitted(inputs.train, inputs.test, seed, origin)

    @classmethod
    def fit_matrices(
        cls, speech: ArrayLike, text: ArrayLike, *, groups: ArrayLike | None = None, seed: int = _SEED
    ) -> Projection:
        """Fit to your own vectors.

        Args:
            speech: (n, d_speech) finite numbers.
            text: (n, d_text) finite numbers; row i belongs to row i of `speech`. The dimensions may differ.
            groups: (n,) equal labels for pairs with equal texts, which are no negatives of each other; by default
                rows with equal text vectors.
            seed: of the first weights, the batches and the dropout.

        Raises:
            ValueError: other shapes, or numbers that are not finite.
        """
        rows, targets = _matrix(speech), _matrix(text)
        labels = targets if groups is None else np.asarray(groups)
        lengths = {len(rows), len(targets), len(labels)}
        if len(lengths) != 1 or not min(lengths):
            raise ValueError(f"expected as many rows of speech, text and groups, found {sorted(lengths)}")
        numbers = np.unique(labels, axis=0, return_inverse=True)[1].ravel()
        return cls._fitted(Pairs(rows, targets, numbers.astype(np.int64)), None, seed, {})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Projection:
        """Load what `save` wrote.

        Raises:
            ProblemsFound: the folder is missing (`folder.missing`) or its files are damaged (`file.corrupt`).
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = Path(folder)
        if not path.is_dir():
            expected, mend = "a folder that `Projection.save` wrote", "Check the path."
            raise problem("folder.missing", path.name, found="no such folder", expected=expected, mend=mend)
        try:
            tensors = load_file(path / WEIGHTS_FILE)
            fitted_to = json.loads((path / CONFIG_FILE).read_bytes())["fitted_to"]
            weight, bias = tensors["weight"], tensors["bias"]
        except (OSError, SafetensorError, ValueError, LookupError, TypeError) as error:
            raise _damaged(path, "files that cannot be read") from error
        if weight.ndim != 2 or bias.shape != weight.shape[:1] or {weight.dtype, bias.dtype} != {np.dtype(np.float32)}:
            raise _damaged(path, f"a weight {weight.shape} and a bias {bias.shape}")
        return cls(weight, bias, fitted_to)

    @property
    def n_parameters(self) -> int:
        """Number of trained parameters: d_text * d_speech + d_text."""
        return self.weight.size + self.bias.size

    def transform(self, speech: ArrayLike) -> NDArray[np.float32]:
        """Unit vectors (n, d_text) in the space of the texts, float32.

        Args:
            speech: (n, d_speech).

        Raises:
            ValueError: another number of dimensions than the fitted one.
        """
        rows = np.asarray(speech, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.weight.shape[1]:
            raise ValueError(f"expected an array (n, {self.weight.shape[1]}), found the shape {rows.shape}")
        linear = rows @ self.weight.T.astype(np.float64) + self.bias
        centred = linear - linear.mean(axis=1, keepdims=True)
        normed = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + _LAYER_NORM_EPSILON)
        lengths = np.sqrt((normed**2).sum(axis=1, keepdims=True))
        return (normed / np.maximum(lengths, np.finfo(np.float64).tiny)).astype(np.float32)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a new folder: weights (safetensors), `config.json`, and a README that is a model card.

        Raises:
            ProblemsFound: the folder exists already (`folder.exists`).
        """
        from safetensors.numpy import save_file

        with new_folder(Path(folder)) as temporary:
            tensors = {"weight": np.ascontiguousarray(self.weight), "bias": np.ascontiguousarray(self.bias)}
            save_file(tensors, temporary / WEIGHTS_FILE)
            write_text(temporary / CONFIG_FILE, readable_json(self._config()))
            write_text(temporary / "README.md", self._model_card())

    def push_to_hub(self, repository: str, *, private: bool = False) -> str:
        """Upload to a model repository `org/name`, made if need be, and return the address of the commit.

        Raises:
            EnvironmentProblem: the Hub cannot be reached or refuses (`environment.hub`).
        """
        from .hub import push_model

        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "projection"
            self.save(folder)
            card = folder / "README.md"
            write_text(card, card.read_text().replace("REPOSITORY", repository))
            return push_model(folder, repository, private=private)

    @classmethod
    def _fitted(cls, train: Pairs, watched: Pairs | None, seed: int, origin: Mapping[str, Any]) -> Projection:
        from .baselines.trained import fit_map, fitted_numbers, new_projection
        from .baselines.training import one_thread

        with one_thread():
            mapping, log = fit_map(new_projection, train, seed, watched)
        numbers = {name: array.astype(np.float32) for name, array in fitted_numbers(mapping).items()}
        fitted_to = {"n_pairs": len(train), "seed": seed, **origin}
        return cls(numbers["linear.weight"], numbers["linear.bias"], fitted_to, log)

    def _config(self) -> dict[str, Any]:
        d_text, d_speech = self.weight.shape
        shape = {"model_type": "igbo-align-projection", "d_speech": d_speech, "d_text": d_text}
        return shape | {"package_version": __version__, "fitted_to": dict(self.fitted_to)}

    def _model_card(self) -> str:
        d_text, d_speech = self.weight.shape
        return _CARD.format(
            d_speech=d_speech,
            d_text=d_text,
            n_parameters=self.n_parameters,
            n_pairs=self.fitted_to.get("n_pairs", "unknown"),
            version=__version__,
            config=readable_json(self._config()).strip(),
        )


def _matrix(values: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ValueError("expected finite numbers in an array with two axes (n, d)")
    return matrix


def _damaged(path: Path, found: str) -> Exception:
    expected, mend = "what `Projection.save` wrote", "Save or fetch it again."
    return problem("file.corrupt", path.name, found=found, expected=expected, mend=mend)
