"""The CSV tables: the columns of Open Images, and one row per image."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from harvest.export.open_images_csv import CLASSES, IMAGES, LABELS, OpenImagesCsv
from tests.export.written_records import Sample, digest, list_samples, make_records, with_image, write

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.records import ExportDataset

OPEN_IMAGES = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,OriginalSize,OriginalMD5,"
    "Thumbnail300KURL,Rotation"
)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> ExportDataset:
    return make_records(tmp_path_factory.mktemp("records"))


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_tables_name_every_image(records: ExportDataset, tmp_path: Path) -> None:
    """The tables joined by their keys give every image with its split and the name of its class."""
    out = write(OpenImagesCsv(), records, tmp_path / "out")

    names = {row["LabelName"]: row["DisplayName"] for row in read_table(out / CLASSES)}
    labels = {row["ImageID"]: row for row in read_table(out / LABELS)}
    found = [
        Sample(row["Subset"], names[labels[row["ImageID"]]["LabelName"]], digest(out / row["Path"]))
        for row in read_table(out / IMAGES)
    ]
    assert sorted(found) == list_samples(records)
    sources = {image.stem: "verification" if image.is_reviewed else "machine" for image in records.images}
    assert {name: row["Source"] for name, row in labels.items()} == sources
    assert {row["Confidence"] for row in labels.values()} == {"1"}


def test_the_first_columns_are_those_of_open_images(records: ExportDataset, tmp_path: Path) -> None:
    """Programs for Open Images find each column by its name and by its number."""
    out = write(OpenImagesCsv(), records, tmp_path / "out")

    first = read_table(out / IMAGES)[0]
    assert list(first)[:12] == OPEN_IMAGES.split(",")
    assert (first["Author"], first["Title"]) == ("Ada Schütz", 'A "coral", snake')
    assert (first["SPDX"], first["License"]) == ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/")
    assert list(read_table(out / LABELS)[0]) == ["ImageID", "Source", "LabelName", "Confidence"]


def test_no_cell_is_a_formula(records: ExportDataset, tmp_path: Path) -> None:
    """A title that a spreadsheet would run begins with an apostrophe."""
    out = write(OpenImagesCsv(), with_image(records, title="=1+1"), tmp_path / "out")

    assert read_table(out / IMAGES)[0]["Title"] == "'=1+1"
