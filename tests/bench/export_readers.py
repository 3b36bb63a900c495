"""Load exports with the programs that read them, and compare every record: readers too heavy for the tests.

    python tests/bench/export_readers.py

Each reader that is installed gets two exports of two classes in three splits: in the second, a class has no image in
the validation split. Nothing is downloaded, and nothing is uploaded.
"""

# ruff: noqa: PLC0415 - a reader is imported only if it is installed
from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[2]))

from harvest.export.export_formats import FORMATS
from tests.export.written_records import Sample, digest, list_samples, make_records, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from harvest.export.records import ExportDataset

SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


def read_with_ultralytics(out: Path, _: ExportDataset) -> list[Sample]:
    """Read as a training of YOLO does, with its check of every image."""
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import ClassificationDataset
    from ultralytics.data.utils import check_cls_dataset

    found = []
    described = check_cls_dataset(str(out))
    for name in ("train", "val", "test"):
        dataset = ClassificationDataset(described[name], args=get_cfg(overrides={"imgsz": 32}), prefix=name)
        for path, number, *_ in dataset.samples:
            found.append(Sample(SPLITS[name], described["names"][number], digest(Path(path))))
    return found


def read_with_torchvision(out: Path, _: ExportDataset) -> list[Sample]:
    """Read each split alone, as a data loader does; the numbers of the classes must agree."""
    from torchvision.datasets import ImageFolder

    found, numberings = [], set()
    for folder in sorted(path for path in out.iterdir() if path.name in SPLITS):
        dataset = ImageFolder(str(folder), allow_empty=True)
        numberings.add(tuple(dataset.classes))
        found += [
            Sample(SPLITS[folder.name], dataset.classes[number], digest(Path(path))) for path, number in dataset.samples
        ]
    assert len(numberings) == 1, numberings
    return found


def read_with_tfds(out: Path, _: ExportDataset) -> list[Sample]:
    """Read every split, decoding the images."""
    import tensorflow_datasets as tfds

    builder = tfds.ImageFolder(str(out))
    label = builder.info.features["label"]
    return [
        Sample(split, label.int2str(int(row["label"])), digest(Path(row["image/filename"].numpy().decode())))
        for split in builder.info.splits
        for row in builder.as_dataset(split=split)
    ]


def read_with_keras(out: Path, _: ExportDataset) -> list[Sample]:
    """Read each split alone, as `fit` does."""
    import keras

    found = []
    for folder in sorted(path for path in out.iterdir() if path.name in SPLITS):
        dataset = keras.utils.image_dataset_from_directory(str(folder), batch_size=None, shuffle=False, verbose=False)
        numbers = [int(label) for _, label in dataset]
        found += [
            Sample(folder.name, dataset.class_names[number], digest(Path(path)))
            for path, number in zip(dataset.file_paths, numbers, strict=True)
        ]
    return found


def read_with_label_studio(out: Path, _: ExportDataset) -> list[Sample]:
    """Validate every task against the interface, as an import into Label Studio does."""
    from label_studio_sdk.label_interface import LabelInterface

    interface = LabelInterface((out / "label_config.xml").read_text("utf-8"))
    interface.validate()
    found = []
    for task in json.loads((out / "tasks.json").read_text("utf-8")):
        for prediction in task["predictions"]:
            assert not interface.validate_prediction(prediction, return_errors=True)
        assert all(map(interface.validate_annotation, task.get("annotations", [])))
        (label,) = (*task.get("annotations", []), *task["predictions"])
        found.append(Sample(task["data"]["split"], *label["result"][0]["value"]["choices"], task["data"]["sha256"]))
    return found


def read_with_kaggle(out: Path, dataset: ExportDataset) -> list[Sample]:
    """Let Kaggle's program check the metadata, up to where it would ask the server; it uploads nothing."""
    with mock.patch.dict(os.environ, {"KAGGLE_USERNAME": "nobody", "KAGGLE_KEY": "none"}):
        from kaggle.api.kaggle_api_extended import KaggleApi

        api = KaggleApi()
    api.config_values = {"username": "nobody"}
    with mock.patch.object(api, "dataset_status", return_value="ready"):
        answer = api.dataset_create_new(str(out), dir_mode="zip")
    assert "already in use" in answer.error, answer.error  # the checks before this one have passed
    return list_samples(dataset)


READERS: tuple[tuple[str, str, str, Callable[[Path, Any], list[Sample]]], ...] = (
    ("ultralytics", "ultralytics", "ultralytics", read_with_ultralytics),
    ("ultralytics", "torchvision", "torchvision", read_with_torchvision),
    ("tfds", "torchvision", "torchvision", read_with_torchvision),
    ("tfds", "tfds", "tensorflow-datasets", read_with_tfds),
    ("tfds", "keras", "keras", read_with_keras),
    ("labelstudio", "label-studio-sdk", "label-studio-sdk", read_with_label_studio),
    ("kaggle", "kaggle (metadata)", "kaggle", read_with_kaggle),
)


def main() -> None:
    """Print one line for each format and reader."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["YOLO_CONFIG_DIR"] = folder
        records = make_records(Path(folder), per_split=3)
        kept = [image for image in records.images if (image.split, image.class_name) != ("validation", "king")]
        uneven = replace(records, images=tuple(kept))
        for format_name, reader, package, read in READERS:
            try:
                shown = f"{reader}, {version(package)}"
            except PackageNotFoundError:
                print(f"{format_name:12} {reader:26} not installed")
                continue
            for name, dataset in (("full", records), ("uneven", uneven)):
                out = write(FORMATS[format_name], dataset, Path(folder) / f"{format_name}-{reader}-{name}")
                found = sorted(read(out, dataset))
                result = "equal" if found == list_samples(dataset) else "DIFFERENT"
                print(f"{format_name:12} {shown:26} {name:7} {len(found):3} images: {result}")


if __name__ == "__main__":
    main()
