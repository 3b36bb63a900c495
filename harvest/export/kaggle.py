"""A Kaggle dataset: class folders, and `dataset-metadata.json` for its upload."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from harvest.counts_as_text import count, count_images
from harvest.export.exporter import FolderExporter
from harvest.export.json_text import encode_json
from harvest.files import disk
from harvest.licences import NO_ASSERTION
from harvest.spdx import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harvest.export.exporter import Progress
    from harvest.export.records import ExportDataset

METADATA = "dataset-metadata.json"
_OWNER = "INSERT_USERNAME_HERE"
_SHORTEST, _LONGEST = 6, 50  # characters of a title, and of the last part of an id
_NOT_IN_SLUGS = re.compile(r"[^a-z0-9]+")
_OTHER = "other"
_UNKNOWN = "unknown"
# The licences that Kaggle names as SPDX does; the description of a dataset with others says what they are.
_LICENCES = frozenset(
    {
        *("CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-ND-4.0", "CC-BY-NC-4.0"),
        *("CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0", "CC-BY-3.0-IGO", "CC-BY-NC-SA-3.0-IGO"),
    }
)
_NAMED_OTHERWISE = {"PDDL-1.0": "PDDL", f"{REFERENCE}US-Gov": "US-Government-Works", NO_ASSERTION: _UNKNOWN}


class Kaggle(FolderExporter):
    """The layout `train/CLASS/NAME`. `kaggle datasets create` packs each folder, with `--dir-mode zip`."""

    title = "folders with dataset-metadata.json, for a Kaggle dataset"
    reads = "kaggle datasets create -p OUT --dir-mode zip"
    advice = f"Replace {_OWNER} in {METADATA} by the name of your Kaggle account before you upload."

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:
        """Yield why Kaggle would refuse the name of the dataset."""
        yield from super().find_problems(dataset)
        if not _SHORTEST <= len(make_title(dataset.name)) <= _LONGEST:
            yield (
                f"a Kaggle title has {_SHORTEST} to {_LONGEST} characters, and {make_title(dataset.name)!r} has"
                f" {len(make_title(dataset.name))}. Rename the folder of the dataset."
            )
        elif not _SHORTEST <= len(make_slug(dataset.name)) <= _LONGEST:
            yield (
                f"a Kaggle address has {_SHORTEST} to {_LONGEST} of the characters a-z, 0-9 and '-', and"
                f" {make_slug(dataset.name)!r} has {len(make_slug(dataset.name))}. Rename the folder of the dataset."
            )

    def write(self, dataset: ExportDataset, folder: Path, progress: Progress) -> None:
        """Place the images and write the metadata; the user puts in the name of the Kaggle account."""
        super().write(dataset, folder, progress)
        metadata = {
            "title": make_title(dataset.name),
            "id": f"{_OWNER}/{make_slug(dataset.name)}",
            "licenses": [{"name": choose_licence(dataset)}],
            "description": _describe(dataset),
        }
        disk.write(folder / METADATA, encode_json(metadata))


def make_title(name: str) -> str:
    """Return the title of a dataset: the name of its folder."""
    return " ".join(unicodedata.normalize("NFC", name).replace("_", " ").split())


def make_slug(name: str) -> str:
    """Return the last part of the address of a dataset on Kaggle.

    >>> make_slug("My Snakes_é")
    'my-snakes-e'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _NOT_IN_SLUGS.sub("-", plain).strip("-")


def choose_licence(dataset: ExportDataset) -> str:
    """Return the only licence that Kaggle accepts for a dataset: that of every image, else "other"."""
    licences = set(dataset.count_licences())
    if len(licences) != 1:
        return _OTHER
    only = licences.pop()
    return _NAMED_OTHERWISE.get(only, only if only in _LICENCES else _OTHER)


def _describe(dataset: ExportDataset) -> str:
    counts = ", ".join(f"{name} ({images:,})" for name, images in dataset.count_licences().items())
    size = f"{count_images(len(dataset.images))} of {count(len(dataset.classes), 'class', 'classes')}"
    return (
        f"{size}. Each image has its own licence, which"
        f" ATTRIBUTION.csv names together with its source: {counts}. NOASSERTION means that the licence is unknown."
    )
