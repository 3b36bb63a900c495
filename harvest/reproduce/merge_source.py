"""One of the datasets to merge: its records under common class names, its files, and the rejections that count."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from harvest.files.check_names_and_cells import fold_name
from harvest.files.ledger_names_to_paths import FileKey
from harvest.harvesting.known_pictures import KnownPictures
from harvest.images import inspect_image
from harvest.models import FINGERPRINT_BYTES, Picture, Refusal
from harvest.reproduce.collect_records import RecordCollector
from harvest.reproduce.format_records import digest_records
from harvest.reproduce.recipe_records import RecipeDecision, RecipeImage, RecipeRecord, RecipeSearch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harvest.dataset import Dataset
    from harvest.ledger.recipe_rows import ImageRow


class MergeSource:
    """A dataset that is read; `names` is the common name of each class."""

    def __init__(self, dataset: Dataset, names: Mapping[str, str]) -> None:
        self.rows = dataset.recipe_rows
        self._dataset = dataset
        self._names = names
        self._originals = dataset.find_originals()
        self._by_content = {
            (names[row.class_name], row.content): row
            for row in self.rows.images()
            if row.state == "present" and not row.is_own
        }

    def records(self) -> Iterator[RecipeRecord]:
        """Yield the records with the common class names."""
        for record in RecordCollector(self.rows, is_public=False).collect():
            if isinstance(record, RecipeSearch | RecipeImage):
                yield replace(record, class_name=self._names[record.class_name])
            elif isinstance(record, RecipeDecision):
                source, target = (name and self._names.get(name, name) for name in (record.source, record.target))
                yield replace(record, source=source, target=target)
            else:
                yield record

    def digest(self) -> str:
        """Return a digest of the records, which does not depend on where the dataset is."""
        return digest_records(self.records())

    def find_unenforced(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """Return class and content of the rejections that count, and of those that an image on disk outranks."""
        present = KnownPictures(self._dataset.list_present(), self._dataset)
        enforced: set[tuple[str, str]] = set()
        outranked: set[tuple[str, str]] = set()
        for known in self._dataset.list_rejected():
            key = (self._names.get(known.class_name, known.class_name), known.content)
            (enforced if present.find(known).same is None else outranked).add(key)
        return enforced, outranked

    def own_images(self) -> list[ImageRow]:
        """Return the images that a person added, and the others without a source."""
        return [
            row._replace(class_name=self._names[row.class_name])
            for row in self.rows.images()
            if row.state == "present" and (row.is_own or row.hit is None)
        ]

    def read_own(self, row: ImageRow) -> bytes | None:
        """Return the file of an image that a person added, or `None` if it is gone."""
        real = self.rows.image(row.id)
        return None if real is None else self._dataset.read_file(FileKey(real.class_name, real.name))

    def load_picture(self, class_name: str, content: str) -> Picture | None:
        """Return an image of this dataset with its file and its original, or `None` if it has no such image."""
        row = self._by_content.get((class_name, content))
        data = None if row is None else self._dataset.read_file(FileKey(row.class_name, row.name))
        if row is None or data is None or hashlib.sha256(data).hexdigest() != content:
            return None
        return as_picture(row, data, self._read_original(row))

    def _read_original(self, row: ImageRow) -> bytes | None:
        spot = self._originals.get(row.raw or "")
        data = None if spot is None else self._dataset.read_file(spot)
        return data if data is not None and hashlib.sha256(data).hexdigest() == row.body else None


def as_picture(row: ImageRow, data: bytes, original: bytes | None = None) -> Picture | None:
    """Return a row with its file as a picture to place, or `None` for a file that cannot be decoded."""
    fingerprint = row.fingerprint
    if fingerprint is not None and len(fingerprint.data) != FINGERPRINT_BYTES:
        fingerprint = None
    pixels = row.pixels
    if fingerprint is None or pixels is None:
        seen = inspect_image(data, unpad=True)
        if isinstance(seen, Refusal):
            return None
        fingerprint, pixels = seen.fingerprint, pixels or seen.pixels
    content = hashlib.sha256(data).hexdigest()
    return Picture(
        data=data,
        content=content,
        body=row.body or content,
        pixels=pixels,
        fingerprint=fingerprint,
        width=row.width or 0,
        height=row.height or 0,
        original_width=row.original_width or 0,
        original_height=row.original_height or 0,
        original_format=row.format or "JPEG",
        original=original,
        source_type=row.source_type,
    )


def find_common_names(classes: Iterable[str]) -> dict[str, str]:
    """Return the common name of each class: names that differ only in case or accents are one class.

    >>> find_common_names(["King", "king", "coral"])
    {'King': 'King', 'king': 'King', 'coral': 'coral'}
    """
    classes = list(classes)
    first: dict[str, str] = {}
    for name in sorted(classes):
        first.setdefault(fold_name(name), name)
    return {name: first[fold_name(name)] for name in classes}
