"""What a stranger types to open a published release: by `datasets` and by our API; prints what was found."""

from __future__ import annotations

import json
import sys

import datasets
import igbo_align as ia
import numpy as np

place, revision = sys.argv[1:3]
configs = datasets.get_dataset_config_names(place, **({"revision": revision} if revision else {}))


def rows(config: str):
    chosen = {"revision": revision} if revision else {}
    return datasets.concatenate_datasets(list(datasets.load_dataset(place, config, **chosen).values()))


release = ia.load_release(f"{place}@{revision}" if revision else place)
names = {kind: next(name for name in configs if name.startswith(kind)) for kind in ("speech_", "text_")}
vectors = {kind: rows(name).with_format("numpy") for kind, name in names.items()}
matrices = {kind: np.asarray(held["embedding"][:]) for kind, held in vectors.items()}
ids = list(vectors["speech_"]["id"])
card = ia.Card.model_validate(
    {
        "schema_version": 1,
        "system": {"name": "door", "org": "tests", "revision": "1", "licence": "MIT"},
        "speech_encoder": {"id": "a"},
        "text_encoder": {"id": "b"},
        "alignment": {"method": "none", "trained_on_pairs": "none"},
        "submitter": "tests",
        "created": "2026-01-02",
        "benchmark": release.benchmark(),
    }
)
scored = [
    ia.score(ia.Submission(card, ia.Embeddings(np.array(names), speech, text)), release)
    for names, speech, text in (
        (ids, matrices["speech_"], matrices["text_"]),
        (release.ids, release.embeddings("speech"), release.embeddings("text")),
    )
]
json.dump(
    {
        "configs": configs,
        "rows": {name: len(rows(name)) for name in configs},
        "pool": len(rows("pools_paper")[0]["corpus-ids"]),
        "fingerprint": release.fingerprint,
        "shapes": [list(matrix.shape) for matrix in matrices.values()],
        "dtypes": [str(matrix.dtype) for matrix in matrices.values()],
        "recall": [item.tracks["heldout"]["speech_to_text"]["recall@1"].value for item in scored],
    },
    sys.stdout,
)
