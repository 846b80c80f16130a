"""`croissant.json`: the release described for machines, with the Responsible-AI fields that the Hub does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..corpus.card import dataset_configs
from ..files import sha256_of_file
from .card import Publication, responsible_ai

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "separator": "cr:separator",
    "equivalentProperty": "cr:equivalentProperty",
    "parentField": "cr:parentField",
    "isLiveDataset": "cr:isLiveDataset",
    "replace": "cr:replace",
    "jsonPath": "cr:jsonPath",
    "samplingRate": "cr:samplingRate",
    "subField": "cr:subField",
    "regex": "cr:regex",
    "format": "cr:format",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "arrayShape": "cr:arrayShape",
    "key": "cr:key",
    "md5": "cr:md5",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "repeated": "cr:repeated",
    "sc": "https://schema.org/",
    "source": "cr:source",
    "transform": "cr:transform",
}
_URL = "https://huggingface.co/datasets"
_LICENCES = "https://spdx.org/licenses/{}.html"


def croissant(publication: Publication) -> dict[str, Any]:
    """The Croissant 1.1 document of a release; `mlcroissant` accepts it."""
    release, folder = publication.release, publication.release.folder
    spec, url = release.spec, f"{_URL}/{publication.repository}"
    files = {
        f"{config}/{split}": path for config, held in dataset_configs(folder).items() for split, path in held.items()
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": f"igbo-align-{spec.name}",
        "description": f"igbo-align {spec.name} {spec.version}, a frozen benchmark of speech-text alignment. "
        f"{spec.notice}".strip(),
        "url": url,
        "version": f"{spec.version}.0",
        "license": [_LICENCES.format(_spdx(name)) for name in publication.licences],
        "creator": {"@type": "sc:Organization", "name": "The igbo-align authors"},
        "citeAs": spec.attribution or f"igbo-align {spec.name}",
        **{f"rai:{name}": text for name, text in responsible_ai(release).items()},
        "distribution": [_file(folder, path, url) for path in files.values()],
        "recordSet": [_records(folder, name, path) for name, path in files.items()],
    }


def _file(folder: Path, path: str, url: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": f"{url}/resolve/main/{path}",
        "encodingFormat": "application/x-parquet",
        "sha256": sha256_of_file(folder / path),
    }


def _records(folder: Path, name: str, path: str) -> dict[str, Any]:
    schema = pq.read_schema(folder / path)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column.name}",
                "name": column.name,
                **_type(column.type),
                "source": {"fileObject": {"@id": path}, "extract": {"column": column.name}},
            }
            for column in schema
        ],
    }


def _type(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_fixed_size_list(kind):
        return _type(kind.value_type) | {"isArray": True, "arrayShape": str(kind.list_size)}
    if pa.types.is_list(kind):
        return _type(kind.value_type) | {"isArray": True, "arrayShape": "-1"}
    if pa.types.is_struct(kind):
        return {"dataType": "sc:AudioObject"}
    if pa.types.is_boolean(kind):
        return {"dataType": "sc:Boolean"}
    if pa.types.is_integer(kind):
        return {"dataType": "sc:Integer"}
    return {"dataType": "sc:Float" if pa.types.is_floating(kind) else "sc:Text"}


def _spdx(name: str) -> str:
    """`CC-BY-SA-4.0` of the Hub's `cc-by-sa-4.0`."""
    return name.upper()
