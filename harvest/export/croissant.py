"""croissant.json: the records of an export as Croissant 1.1 describes them, for its readers and for dataset search.

Image files are joined with ATTRIBUTION.csv by their names. Parquet files are read column by column. Of other formats,
only ATTRIBUTION.csv is described.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from harvest.counts_as_text import count, count_images
from harvest.export.attribution import TABLE
from harvest.files import disk

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.exporter import Exporter
    from harvest.export.records import ExportDataset

FILE = "croissant.json"
Json = dict[str, Any]
# The fields of records that are columns of ATTRIBUTION.csv.
_COLUMNS: dict[str, tuple[str, str | list[str]]] = {
    "image_id": ("ImageID", "sc:Text"),
    "split": ("Subset", ["sc:Text", "cr:Split"]),
    "label": ("Class", ["sc:Text", "cr:Label"]),
    "page_url": ("OriginalLandingURL", "sc:Text"),
    "license": ("SPDX", "sc:Text"),
    "license_url": ("License", "sc:Text"),
    "author": ("Author", "sc:Text"),
    "title": ("Title", "sc:Text"),
}
_TABLE_SOURCE = {"fileObject": {"@id": "attribution"}}
_TERMS = (
    *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty"),
    *("fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
    *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator"),
    *("source", "subField", "transform"),
)
# The context that the specification gives, in which the terms of this file have their meaning.
_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{name: f"cr:{name}" for name in _TERMS},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
}
_TYPES = {str: "sc:Text", int: "sc:Integer", bool: "sc:Boolean"}


def write_croissant(dataset: ExportDataset, exporter: Exporter, folder: Path) -> None:
    """Describe the export; ATTRIBUTION.csv must be in the folder."""
    if exporter.image_path(dataset.images[0]) is not None:
        files, fields = _describe_files(dataset, exporter)
    elif any((folder / "data").glob("*.parquet")):
        files, fields = _describe_parquet(dataset)
    else:
        files, fields = [], _table_fields()
    if any("fileObject" in field["source"] for field in fields):
        files = [_table_file(folder), *files]
    records = {"@type": "cr:RecordSet", "@id": "records", "name": "records", "field": fields}
    document = {
        **_describe_dataset(dataset),
        "distribution": files,
        "recordSet": [_describe_classes(dataset), records],
    }
    disk.write(folder / FILE, json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")


def _describe_dataset(dataset: ExportDataset) -> Json:
    licences = sorted(dataset.count_licences())
    urls = sorted({image.licence_url for image in dataset.images if image.licence_url})
    described: Json = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": dataset.name,
        "description": f"{count_images(len(dataset.images))} of {count(len(dataset.classes), 'class', 'classes')},"
        " with sources and licences.",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "license": urls or licences,
        "version": "1.0.0",
        "citeAs": f"{dataset.name}: {count_images(len(dataset.images))}, {dataset.facts.last_day}. Authors: {TABLE}",
    }
    if dataset.facts.last_day:
        described["datePublished"] = dataset.facts.last_day
    return described


def _describe_classes(dataset: ExportDataset) -> Json:
    """Describe the classes by number and name: in Parquet files, the label is the number."""
    fields = [
        {"@type": "cr:Field", "@id": f"classes/{name}", "name": name, "dataType": kind}
        for name, kind in (("number", "sc:Integer"), ("name", "sc:Text"))
    ]
    rows = [{"classes/number": number, "classes/name": name} for name, number in dataset.labels.items()]
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "key": {"@id": "classes/number"},
        "field": fields,
        "data": rows,
    }


def _table_file(folder: Path) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": "attribution",
        "name": "attribution",
        "contentUrl": TABLE,
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256((folder / TABLE).read_bytes()).hexdigest(),
    }


def _describe_files(dataset: ExportDataset, exporter: Exporter) -> tuple[list[Json], list[Json]]:
    """Describe files that are joined with the table by their names: a path in both would be mixed up by readers."""
    paths = [path for image in dataset.images if (path := exporter.image_path(image))]
    suffixes = sorted({path.rpartition(".")[2] for path in paths})
    folders = "/".join("*" for _ in paths[0].split("/")[:-1])
    images = {
        "@type": "cr:FileSet",
        "@id": "images",
        "name": "images",
        "encodingFormat": [f"image/{'jpeg' if suffix in {'jpg', 'jpeg'} else suffix}" for suffix in suffixes],
        "includes": [f"{folders}/*.{suffix}" for suffix in suffixes],
    }
    source = {"fileSet": {"@id": "images"}}
    name = _field("file_name", "sc:Text", _TABLE_SOURCE, {"column": "FileName"})
    name["references"] = {**source, "extract": {"fileProperty": "filename"}}
    image = _field("image", "sc:ImageObject", source, {"fileProperty": "content"})
    return [images], [image, name, *_table_fields()]


def _describe_parquet(dataset: ExportDataset) -> tuple[list[Json], list[Json]]:
    files = {
        "@type": "cr:FileSet",
        "@id": "parquet",
        "name": "parquet",
        "encodingFormat": "application/x-parquet",
        "includes": "data/*.parquet",
    }
    source = {"fileSet": {"@id": "parquet"}}
    image = _field("image", "sc:ImageObject", source, {"column": "image"})
    image["source"]["transform"] = {"jsonPath": "bytes"}
    fields = [
        image,
        _field(
            "split",
            ["sc:Text", "cr:Split"],
            source,
            {"fileProperty": "fullpath"},
            r"^(?:.*/)?(train|validation|test)-[^/]+$",
        ),
        _field("label", ["sc:Integer", "cr:Label"], source, {"column": "label"}),
    ]
    metadata = dataset.images[0].metadata()
    fields += [_field(name, _TYPES[type(value)], source, {"column": name}) for name, value in metadata.items()]
    return [files], fields


def _table_fields() -> list[Json]:
    return [_field(name, kind, _TABLE_SOURCE, {"column": column}) for name, (column, kind) in _COLUMNS.items()]


def _field(name: str, kind: str | list[str], source: Json, extract: Json, regex: str = "") -> Json:
    described: Json = {**source, "extract": extract}
    if regex:
        described["transform"] = {"regex": regex}
    return {"@type": "cr:Field", "@id": f"records/{name}", "name": name, "dataType": kind, "source": described}
