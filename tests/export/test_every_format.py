"""What holds for the export of every format: complete, repeatable, with attribution, and nothing outside its folder."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tarfile
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from harvest import export_dataset
from harvest.errors import UsageError
from harvest.export.export_formats import FORMATS
from harvest.export.records import SPLITS

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.export_dataset import ExportResult

COMMON = {"ATTRIBUTION.csv", "ATTRIBUTION.md", "LICENSES", "REUSE.toml"}
# The names that formats give to the parts of the split.
SPLIT_NAMES = {**{name: name for name in SPLITS}, "val": "validation"}


@pytest.fixture(scope="module", params=sorted(FORMATS))
def result(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    """Return the export of the small dataset in each format."""
    for package in FORMATS[request.param].packages:
        pytest.importorskip(package)
    return export_dataset(template, tmp_path_factory.mktemp(request.param) / "out", to=request.param, nd=True)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file, by its path in the folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def list_images(out: Path) -> Counter[str]:
    """Return the SHA-256 of every image in the files of an export, also within tar and Parquet files."""
    bodies: list[bytes] = []
    for path, body in read_files(out).items():
        if path.endswith(".tar"):
            with tarfile.open(fileobj=io.BytesIO(body)) as archive:
                names = [name for name in archive.getnames() if name.endswith(".jpg")]
                bodies += [archive.extractfile(name).read() for name in names]
        elif path.endswith(".parquet") and "metadata" not in path:
            import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

            bodies += [row["bytes"] for row in pq.read_table(io.BytesIO(body))["image"].to_pylist()]
        elif path.count("/") > 1 and path.endswith(".jpg"):
            bodies.append(body)
    return Counter(hashlib.sha256(body).hexdigest() for body in bodies)


def test_every_image_is_exported_once(result: ExportResult) -> None:
    """The images in the files of the export are those of the records, each as often as there."""
    assert list_images(result.out) == Counter(image.content for image in result.dataset.images)


def test_a_repeated_export_has_the_same_bytes(result: ExportResult, template: Path, tmp_path: Path) -> None:
    """Every file is the same when the export is repeated in another place."""
    again = export_dataset(template, tmp_path / "again", to=result.options.to, nd=True)

    assert read_files(again.out) == read_files(result.out)


def test_no_group_is_in_two_splits(result: ExportResult) -> None:
    """All images of a group, such as those of one photographer, are in the same split."""
    splits: dict[int, set[str]] = {}
    for image in result.dataset.images:
        splits.setdefault(image.group, set()).add(image.split)

    assert all(len(found) == 1 for found in splits.values())
    assert len(splits) < len(result.dataset.images)


def test_folders_named_for_splits_hold_these_splits(result: ExportResult) -> None:
    """A file below a folder that has the name of a split is an image of this split."""
    for image in result.dataset.images:
        path = result.options.exporter.image_path(image)
        if path is not None:
            first, _, _ = path.partition("/")
            assert SPLIT_NAMES.get(first, image.split) == image.split
            assert (result.out / path).is_file()


def test_every_export_has_its_attribution(result: ExportResult) -> None:
    """The table of attribution has one row for every image, and the files of every export are there."""
    with (result.out / "ATTRIBUTION.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert Counter(row["SHA256"] for row in rows) == Counter(image.content for image in result.dataset.images)
    assert {path.name for path in result.out.iterdir()} >= COMMON


def test_nothing_is_outside_the_folder(result: ExportResult) -> None:
    """The export leaves no other file beside it, no link and no file that can be run."""
    assert [path.name for path in result.out.parent.iterdir()] == ["out"]
    for path in result.out.rglob("*"):
        assert not path.is_symlink()
        assert path.is_dir() or not os.access(path, os.X_OK)


def test_an_existing_folder_is_not_overwritten(result: ExportResult, template: Path) -> None:
    """A second export to the same folder is refused, and the first one stays as it is."""
    before = read_files(result.out)

    with pytest.raises(UsageError, match="exists, and is not overwritten"):
        export_dataset(template, result.out, to=result.options.to, nd=True)

    assert read_files(result.out) == before


def test_a_problem_is_found_before_anything_is_written(root: Path, tmp_path: Path) -> None:
    """A dataset that a format cannot hold leaves no folder, and the message lists what to change."""
    (root / "coral").rename(root / "蛇")

    with pytest.raises(UsageError, match="the format retrain cannot hold this dataset") as caught:
        export_dataset(root, tmp_path / "out", to="retrain")

    assert "Rename its folder." in caught.value.message
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.part").exists()


def test_every_format_describes_itself() -> None:
    """Each format has a title for the help, and the line that loads it names the folder."""
    for exporter in FORMATS.values():
        assert exporter.title
        assert "OUT" in exporter.reads
    assert len({exporter.title for exporter in FORMATS.values()}) == len(FORMATS)
