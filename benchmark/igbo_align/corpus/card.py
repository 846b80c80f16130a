"""The dataset card of a release: YAML configs read off its files, so that `load_dataset` finds everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..diagnostics.predictors import ACOUSTICS_FILE, TEXT_STATISTICS_FILE
from ..protocol.release import SPLITS
from ..protocol.spec import BenchmarkSpec


def dataset_card(folder: Path, spec: BenchmarkSpec, profile: dict[str, Any]) -> str:
    """`README.md` of a release whose other files are written already."""
    configs = "\n".join(_config(name, files) for name, files in dataset_configs(folder).items())
    counts = f"{profile['records']} records, {profile['kept']} passed the filters"
    notice = f"> **{spec.notice}**\n\n" if spec.notice else ""
    return f"""---
pretty_name: igbo-align {spec.name}
task_categories:
- text-retrieval
- feature-extraction
tags:
- audio
- speech
- cross-modal-retrieval
- benchmark
configs:
{configs}
---
# igbo-align: {spec.name} {spec.version}

{notice}A frozen benchmark of speech-text alignment: find the transcript of a recording among 100, and the reverse.

- Source: {" and ".join(source.dataset for source in spec.sources) or "see manifest.json"}; {counts}.
- Licence: {spec.licence or "that of the source"}
- Attribution: {spec.attribution or "see the source"}
- Language: {spec.language}
"""


def dataset_configs(folder: Path) -> dict[str, dict[str, str]]:
    """Config name -> split -> file, for every table of a release folder."""
    configs = {"pairs": _split_files("pairs")}
    for modality in ("speech", "text"):
        for path in sorted((folder / "embeddings" / modality).iterdir()):
            configs[f"{modality}_{path.name}"] = _split_files(f"embeddings/{modality}/{path.name}")
    for path in sorted((folder / "pools").iterdir()):
        files = sorted(path.glob("*.parquet"))
        configs[f"pools_{path.name}"] = {file.stem: file.relative_to(folder).as_posix() for file in files}
    configs["similarity_sample"] = {"test": "similarity_sample.parquet"}
    for file in (TEXT_STATISTICS_FILE, ACOUSTICS_FILE):
        if (folder / file).exists():
            configs[Path(file).stem] = {"full": file}
    if (folder / "audio").is_dir():
        configs["audio"] = _split_files("audio")
    return configs


def _split_files(folder: str) -> dict[str, str]:
    return {split: f"{folder}/{split}.parquet" for split in SPLITS}


def _config(name: str, files: dict[str, str]) -> str:
    default = "\n  default: true" if name == "pairs" else ""
    listed = "\n".join(f"  - split: {split}\n    path: {path}" for split, path in files.items())
    return f"- config_name: {name}{default}\n  data_files:\n{listed}"
