"""`croissant.json`: the files and columns of a version in Croissant 1.0 (https://docs.mlcommons.org/croissant/)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ....shards.exports.versions import sums
from ..base import ViewOptions
from .rows import selected

NAME = "croissant.json"
_CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "samplingRate": "cr:samplingRate",
    "equivalentProperty": "cr:equivalentProperty", "transform": "cr:transform",
}  # fmt: skip
_DESCRIBED = {
    "id": "the id of the sample", "text": "the transcript or the description", "audio": "path of the sound",
    "video": "path of the video", "modality": "audio, video, mixed or text", "dataset": "the dataset of the sample",
    "split": "its split", "language": "its language", "license": "its licence",
    "extra": "further fields of the source, as JSON",
}  # fmt: skip


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write the description; paths in it are relative to the folder."""
    import pyarrow.parquet as pq

    columns = pq.read_schema(rows).names
    counts = dict(selected(rows, "SELECT dataset, count(*) FROM rows GROUP BY ALL ORDER BY ALL"))
    terms = "SELECT DISTINCT license FROM rows WHERE license <> '' ORDER BY 1"
    licences = [str(name) for (name,) in selected(rows, terms)]
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "rows",
        "description": f"Rows of {', '.join(f'{name} ({count:,})' for name, count in counts.items())}.",
        **({"license": licences if len(licences) > 1 else licences[0]} if licences else {}),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "data.parquet",
                "name": "data.parquet",
                "contentUrl": "data.parquet",
                "encodingFormat": "application/x-parquet",
                "sha256": sums(rows)["sha256"],
            }
        ],
        "recordSet": [
            {"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "key": {"@id": "rows/id"},
             "field": [_field(name) for name in columns if name in _DESCRIBED]}
        ],
    }  # fmt: skip
    (folder / NAME).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _field(name: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"rows/{name}",
        "name": name,
        "description": _DESCRIBED[name],
        "dataType": "sc:Text",
        "source": {"fileObject": {"@id": "data.parquet"}, "extract": {"column": name}},
    }
