"""Each export is loaded by the readers of its format, and every record is compared."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harvest import export_dataset
from harvest.export.export_formats import FORMATS
from tests.datasets import sha
from tests.export.small_dataset import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.export.export_dataset import ExportResult

WITH_METADATA = ("hf", "imagefolder")


@pytest.fixture(scope="module")
def exports(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExportResult]:
    """Return an export in each format."""
    folder = tmp_path_factory.mktemp("exports")
    return {to: export_dataset(template, folder / to, to=to, nd=True) for to in FORMATS}


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return Hugging Face's library, with its cache in a temporary folder."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf-home")))
    patch.setenv("HF_HUB_OFFLINE", "1")
    library = pytest.importorskip("datasets", reason="pip install datasets", exc_type=ImportError)
    library.disable_progress_bars()
    yield library
    patch.undo()


@pytest.mark.parametrize("to", WITH_METADATA)
@pytest.mark.filterwarnings("ignore")  # of the libraries
def test_datasets_loads_every_record(exports: dict[str, ExportResult], datasets: Any, tmp_path: Path, to: str) -> None:
    """`datasets.load_dataset(OUT)` gives each image, its label as a ClassLabel, its split and all its metadata."""
    exported = exports[to].dataset

    loaded = datasets.load_dataset(str(exports[to].out), cache_dir=str(tmp_path))

    assert set(loaded) == set(exported.splits)
    for split in exported.splits:
        rows = loaded[split].cast_column("image", datasets.Image(decode=False))
        assert rows.features["label"].names == list(exported.classes)
        expected = {image.stem: image for image in exported.of_split(split)}
        assert len(rows) == len(expected)
        for row in rows:
            image = expected[row["id"]]
            assert {name: row[name] for name in image.metadata()} == image.metadata()
            assert exported.classes[row["label"]] == image.class_name
            assert sha(row["image"]["bytes"] or Path(row["image"]["path"]).read_bytes()) == image.content
        assert loaded[split][0]["image"].size == (24, 24)


@pytest.mark.parametrize("to", ["ultralytics", "tfds", "kaggle", "csv", "webdataset"])
@pytest.mark.filterwarnings("ignore")
def test_datasets_loads_the_splits_of_other_formats(
    exports: dict[str, ExportResult], datasets: Any, tmp_path: Path, to: str
) -> None:
    """`datasets` also finds the splits, the classes and the images of these formats, by the card."""
    exported = exports[to].dataset

    loaded = datasets.load_dataset(str(exports[to].out), cache_dir=str(tmp_path))

    expected = Counter((image.split, exported.labels[image.class_name], image.content) for image in exported.images)
    found: Counter[tuple[str, int, str]] = Counter()
    for split, rows in loaded.items():
        name, label = ("jpg", "cls") if to == "webdataset" else ("image", "label")
        for row in rows.cast_column(name, datasets.Image(decode=False)):
            body = row[name]["bytes"] or Path(row[name]["path"]).read_bytes()
            found[split, row[label], sha(body)] += 1
    assert found == expected


@pytest.mark.parametrize("to", sorted(FORMATS))
@pytest.mark.filterwarnings("ignore")
def test_mlcroissant_loads_every_record(exports: dict[str, ExportResult], to: str) -> None:
    """croissant.json is valid without a warning, and its records are those of the export."""
    mlcroissant = pytest.importorskip("mlcroissant", reason="pip install mlcroissant", exc_type=ImportError)
    exported = exports[to].dataset

    described = mlcroissant.Dataset(str(exports[to].out / "croissant.json"))
    records = {text(record, "image_id", "id"): record for record in described.records("records")}

    assert not described.metadata.ctx.issues.errors
    assert not described.metadata.ctx.issues.warnings
    assert len(records) == len(exported.images)
    for image in exported.images:
        record = records[image.stem]
        label = record["records/label"]
        assert (exported.classes[label] if to == "hf" else label.decode()) == image.class_name
        assert text(record, "split") == image.split
        assert text(record, "license") == image.spdx
        assert (text(record, "author") or "") == image.author
        if to != "webdataset":
            assert record["records/image"].size == (image.width, image.height)
    names = {row["classes/number"]: row["classes/name"] for row in described.records("classes")}
    assert names == {number: name for name, number in exported.labels.items()}


def text(record: dict[str, Any], *names: str) -> str | None:
    """Return the first of some fields that a record has, as text."""
    value = next(record[f"records/{name}"] for name in names if f"records/{name}" in record)
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("to", sorted(FORMATS))
@pytest.mark.filterwarnings("ignore")
def test_reuse_finds_the_licence_of_every_file(exports: dict[str, ExportResult], to: str) -> None:
    """`reuse lint` finds every export compliant: each file has a copyright and a licence, each licence its text."""
    project = pytest.importorskip("reuse.project", reason="pip install reuse", exc_type=ImportError)
    report = pytest.importorskip("reuse.report", reason="pip install reuse", exc_type=ImportError)

    found = report.ProjectReport.generate(
        project.Project.from_directory(exports[to].out), multiprocessing=False, do_checksum=False
    )

    assert found.is_compliant, found.to_dict_lint()["non_compliant"]
    assert len(found.file_reports) > 5


def test_the_front_matter_is_read_by_the_hub(exports: dict[str, ExportResult]) -> None:
    """`huggingface_hub` parses the YAML of the card: licence, task, size and the files of each split."""
    hub = pytest.importorskip("huggingface_hub", reason="pip install huggingface_hub", exc_type=ImportError)

    card = hub.DatasetCard.load(exports["hf"].out / "README.md")

    assert card.data.license == "other"
    assert card.data.pretty_name == "snakes"
    assert card.data.task_categories == ["image-classification"]
    (config,) = card.data.to_dict()["configs"]
    assert [each["split"] for each in config["data_files"]] == list(exports["hf"].dataset.splits)


def class_folders(folder: Path) -> dict[str, list[str]]:
    """List class folders as torchvision and keras do: a folder is a class, and its files are the images."""
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    return {name: sorted(path.name for path in (folder / name).rglob("*") if path.is_file()) for name in classes}


def test_class_folders_are_read_by_torchvision_and_keras(exports: dict[str, ExportResult]) -> None:
    """In every split folder of `imagefolder`, the folders are the classes, and only images are in them."""
    exported = exports["imagefolder"].dataset

    for split in exported.splits:
        expected: dict[str, list[str]] = {}
        for image in exported.of_split(split):
            expected.setdefault(image.class_name, []).append(image.file_name)
        assert class_folders(exports["imagefolder"].out / split) == {
            name: sorted(names) for name, names in sorted(expected.items())
        }


def test_hostile_titles_reach_the_readers_as_text(exports: dict[str, ExportResult]) -> None:
    """A title that looks like a formula, a link and HTML is in the records, without its control characters."""
    (image,) = (each for each in exports["hf"].dataset.images if each.author == "Eve | *")

    assert image.title.startswith('=HYPERLINK("http://evil.example","x") | [a](javascript:x) <b>')
    assert image.title != HOSTILE
