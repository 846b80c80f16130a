"""The card of a published release: the hand-written part in `dataset_card/`, and all that can be read off the data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import pyarrow.parquet as pq

from ..corpus.card import dataset_configs
from ..problems import problem
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS
from ..scoring.leaderboard import Leaderboard, mean_mrr_estimate
from ..scoring.scores import Estimate
from .features import dataset_info

_PACKAGE = Path(__file__).parent.parent
#: In an installed wheel the hand-written part lies in the package, in a checkout at the top.
_FOLDERS = (_PACKAGE / "dataset_card", _PACKAGE.parent.parent / "dataset_card")
#: The Hub wants two letters where a language has them.
_LANGUAGES = {
    "ibo": "ig",
    "eng": "en",
    "ewe": "ee",
    "ful": "ff",
    "hau": "ha",
    "ita": "it",
    "kik": "ki",
    "lug": "lg",
    "swa": "sw",
    "twi": "tw",
    "yor": "yo",
}
_LICENCE = re.compile(r"cc0-1\.0|cc-by(-(sa|nc|nd|nc-sa|nc-nd))?-\d\.\d", re.IGNORECASE)
_SIZES = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))


@dataclass(frozen=True)
class Publication:
    """What is published where: the release, `org/name`, the licences confirmed, and scored baselines, if any."""

    release: Release
    repository: str
    licences: Sequence[str]
    baselines: Leaderboard | None = None


def confirmed_licences(release: Release, stated: Sequence[str]) -> list[str]:
    """Licences to publish under, as the Hub names them.

    Args:
        release: to be published.
        stated: what the maintainer confirmed with `--licence`; nothing is taken for granted of WAXAL.

    Raises:
        ProblemsFound: none was confirmed for what comes from WAXAL, or none is known (`publish.licence`).
    """
    known = list(dict.fromkeys(match[0].lower() for match in _LICENCE.finditer(release.spec.licence)))
    waxal = is_from_waxal(release)
    listed = ", ".join(known) or "none that is known"
    if stated and not (waxal and known and not set(stated) <= set(known)):
        return list(stated)
    if known and not waxal and not stated:
        return known
    raise problem(
        "publish.licence",
        "--licence",
        found=f"{', '.join(stated) or 'no licence'}, where the source lists {listed}",
        expected="the licence that you read and confirm, such as cc-by-4.0",
        mend="Read on the page of the source which licence covers these recordings, then name it with --licence; "
        "share-alike would bind everyone who uses what is published.",
    )


def is_from_waxal(release: Release) -> bool:
    """Whether a release says, in its specification or its manifest, that it comes from WAXAL."""
    return any("waxal" in name.lower() for name in (*_datasets(release), release.spec.name))


def _datasets(release: Release) -> list[str]:
    """Datasets and folders that a release says it comes from, in its specification and in its manifest."""
    read = [release.manifest.get("source", {}), *release.manifest.get("sources", ())]
    return [source.dataset for source in release.spec.sources] + [str(held.get("dataset", "")) for held in read]


def publication_card(publication: Publication) -> str:
    """`README.md` of a published release: front matter for the Hub, then the text for people."""
    return f"---\n{_yaml(front_matter(publication))}---\n{_body(publication)}"


def front_matter(publication: Publication) -> dict[str, Any]:
    """Metadata of the card: languages, licence, configs for `load_dataset`, tags."""
    release = publication.release
    languages = [_LANGUAGES.get(name, name) for name in release.spec.language.split("+") if name != "und"]
    licences = list(publication.licences)
    fields: dict[str, Any] = {"language": languages} if languages else {}
    fields |= {"license": licences[0] if len(licences) == 1 else licences}
    fields |= {"pretty_name": f"igbo-align {release.spec.name} {release.spec.version}"}
    fields |= {"size_categories": [_size(len(release.ids))], "annotations_creators": ["found"]}
    datasets = [source.dataset for source in release.spec.sources if source.dataset.count("/") == 1]
    fields |= {"source_datasets": datasets} if datasets else {}
    fields |= {"task_categories": ["text-retrieval", "feature-extraction", "sentence-similarity"]}
    fields |= {"task_ids": ["utterance-retrieval"]}
    fields |= {"tags": ["audio", "speech", "cross-modal-retrieval", "benchmark", "mteb"]}
    configs = dataset_configs(release.folder)
    fields["configs"] = [_config(name, files) for name, files in configs.items()]
    return fields | {"dataset_info": dataset_info(release.folder, configs)}


def responsible_ai(release: Release) -> dict[str, str]:
    """The Responsible-AI statements for this kind of release, from `dataset_card/responsible_ai.json`."""
    statements = json.loads((_hand_written() / "responsible_ai.json").read_bytes())
    return statements[_kind(release)]


def _body(publication: Publication) -> str:
    release = publication.release
    spec, profile = release.spec, release.manifest.get("profile", {})
    configs = dataset_configs(release.folder)
    template = Template((_hand_written() / "README.template.md").read_text(encoding="utf-8"))
    spoken = spec.licence or "that of the source"
    confirmed = f"Published under {', '.join(publication.licences)}."
    return template.substitute(
        title=f"igbo-align: {spec.name} {spec.version}",
        notice=f"> **{spec.notice}**\n\n" if spec.notice else "",
        summary="A frozen benchmark of speech-text alignment: find the transcript of a recording among candidates, "
        "and the reverse.",
        fingerprint=release.fingerprint,
        contents=f"{len(release.ids)} pairs, {int(release.is_test.sum())} of them test pairs; {profile.get('records')} "
        f"records were read and {profile.get('kept')} passed the filters. {len(set(release.column('speaker_id')))} "
        "speakers.",
        configs="\n".join(f"| `{name}` | {_counts(release.folder, files)} |" for name, files in configs.items()),
        repository=publication.repository,
        speech_config=next((name for name in configs if name.startswith("speech_")), "speech"),
        baselines=_baselines(publication.baselines),
        licence=f"{confirmed} The source says: {spoken}. Attribution: {spec.attribution or 'see the source'}.",
        about=(_hand_written() / "sources" / f"{_kind(release)}.md").read_text(encoding="utf-8").rstrip(),
        responsible="\n".join(f"- {_words(name)}: {text}" for name, text in responsible_ai(release).items()),
        attribution=spec.attribution or "see above",
    )


def _baselines(board: Leaderboard | None) -> str:
    if board is None:
        return "None were scored when this card was made; `igbo-align baseline` makes them."
    lines = [
        "Track `heldout`, recomputed from vectors; 95 % intervals. Systems of one rank cannot be told apart.",
        "",
        "| rank | system | R@1 speech to text | R@1 text to speech | MRR |",
        "|---|---|---|---|---|",
    ]
    for rank, _, scores in board.rank_rows("heldout"):
        recalls = [scores.tracks["heldout"][direction]["recall@1"] for direction in DIRECTIONS]
        cells = [_interval(item) for item in (*recalls, mean_mrr_estimate(scores, "heldout"))]
        lines.append(f"| {rank} | {scores.card['system']['name']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _counts(folder: Path, files: Mapping[str, str]) -> str:
    return ", ".join(f"{split} {pq.read_metadata(folder / file).num_rows}" for split, file in files.items())


def _config(name: str, files: Mapping[str, str]) -> dict[str, Any]:
    default = {"default": True} if name == "pairs" else {}
    return {"config_name": name} | default | {"data_files": [{"split": s, "path": p} for s, p in files.items()]}


def _size(pairs: int) -> str:
    return next((name for bound, name in _SIZES if pairs < bound), "100K<n<1M")


def _kind(release: Release) -> str:
    """Which hand-written part describes a release."""
    if len(release.manifest.get("sources", ())) > 1:
        return "several"
    if is_from_waxal(release):
        return "waxal-igbo" if release.spec.name == "waxal-igbo" else "waxal"
    if "google/fleurs" in _datasets(release):
        return "fleurs"
    return "demo" if release.spec.name == "demo" else "custom"


def _hand_written() -> Path:
    return next(folder for folder in _FOLDERS if folder.is_dir())


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def _yaml(fields: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=120)
