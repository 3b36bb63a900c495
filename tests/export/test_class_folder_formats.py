"""Formats of class folders: what the rule of each reader makes of them, and what is refused before it is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harvest.export.kaggle import METADATA, Kaggle, choose_licence, make_slug
from harvest.export.tensorflow_retrain import RetrainFolder, make_label
from harvest.export.tfds_imagefolder import TensorFlowFolder
from harvest.export.ultralytics import Ultralytics
from tests.export.folder_readers import read_as_retrain, read_as_tfds, read_as_torchvision
from tests.export.written_records import Sample, digest, list_samples, make_image, make_records, with_image, write

if TYPE_CHECKING:
    from harvest.export.exporter import Exporter
    from harvest.export.records import ExportDataset

VAL = {"validation": "val"}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> ExportDataset:
    return make_records(tmp_path_factory.mktemp("records"))


def problems(exporter: Exporter, dataset: ExportDataset) -> str:
    return "\n".join(exporter.find_problems(dataset))


def test_ultralytics_reads_every_image(records: ExportDataset, tmp_path: Path) -> None:
    """The split folders of Ultralytics, read by torchvision's rule as it reads them, have all images and classes."""
    out = write(Ultralytics(), records, tmp_path / "out")

    found = []
    for split in records.splits:
        classes, samples = read_as_torchvision(out / VAL.get(split, split))
        assert classes == list(records.classes)
        found += [Sample(split, classes[number], digest(path)) for path, number in samples]
    assert sorted(found) == list_samples(records)
    assert sorted(path.name for path in out.iterdir()) == ["test", "train", "val"]


def test_a_class_without_images_in_a_split_has_a_folder_for_ultralytics(records: ExportDataset, tmp_path: Path) -> None:
    """The numbers of the classes, which are those of the folders of a split, are the same in every split."""
    kept = [image for image in records.images if (image.split, image.class_name) != ("validation", "coral snake")]

    out = write(Ultralytics(), replace(records, images=tuple(kept)), tmp_path / "out")

    assert read_as_torchvision(out / "val")[0] == read_as_torchvision(out / "train")[0]


def test_what_ultralytics_skips_is_refused(records: ExportDataset, tmp_path: Path) -> None:
    """Images under 10 pixels, GIFs, class names like ImageNet codes and a missing training split are refused."""
    gif = make_image(tmp_path, "king", "train", 90, kind="GIF", suffix="gif")
    held_out = [image for image in records.images if image.split != "train"]
    coded = replace(records, classes=("n01_red", "x"))

    assert "1 image has fewer than 10 pixels" in problems(Ultralytics(), with_image(records, height=9))
    assert "another type: king/king-90.gif" in problems(Ultralytics(), replace(records, images=(gif, *held_out)))
    assert "no image is in the training split" in problems(Ultralytics(), replace(records, images=tuple(held_out)))
    assert "as ImageNet codes if the first, 'n01_red'" in problems(Ultralytics(), coded)


def test_tfds_reads_every_image(records: ExportDataset, tmp_path: Path) -> None:
    """`tfds.ImageFolder` finds the three splits and every image in them; a folder without folders is not a split."""
    out = write(TensorFlowFolder(), records, tmp_path / "out")
    (out / "LICENSES").mkdir()

    found = read_as_tfds(out)

    samples = [Sample(split, label, digest(path)) for split, rows in found.items() for path, label in rows]
    assert sorted(samples) == list_samples(records)


@pytest.mark.parametrize(("kind", "suffix"), [("WEBP", "webp"), ("WEBP", "jpg"), ("JPEG", "jfif")])
def test_tfds_refuses_what_it_cannot_decode(records: ExportDataset, tmp_path: Path, kind: str, suffix: str) -> None:
    """Only JPEG and PNG are exported for TensorFlow; neither the suffix nor the content may be of another type."""
    other = make_image(tmp_path, "king", "train", 91, kind=kind, suffix=suffix)

    message = problems(TensorFlowFolder(), replace(records, images=(other, *records.images)))

    assert message == (
        f"1 image is of another type: king/king-91.{suffix}. tfds.ImageFolder reads only JPEG, PNG. Convert the files,"
        " or export with --to hf, which holds every image."
    )


def test_retrain_reads_every_image_and_divides_no_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """retrain.py finds every image under its label, and never puts two of one class and group into two splits."""
    records = make_records(tmp_path, ("Coral_Snake", "king"), per_split=12)
    groups = {image.content: image.group for image in records.images}

    write(RetrainFolder(), records, tmp_path / "out")
    monkeypatch.chdir(tmp_path)  # the split is a hash of the whole path
    found = read_as_retrain(Path("out") / "images")

    assert list(found) == ["coral snake", "king"]
    contents = [(label, digest(path)) for label, parts in found.items() for part in parts.values() for path in part]
    assert sorted(contents) == sorted((make_label(image.class_name), image.content) for image in records.images)
    for parts in found.values():
        assert all(parts.values())
        places = [{groups[digest(path)] for path in part} for part in parts.values()]
        assert sum(map(len, places)) == len(set.union(*places))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("coral snake", "Coral_Snake"), "'coral snake' and 'Coral_Snake' would become one class, 'coral snake',"),
        (("蛇", "king"), "retrain.py reads only a-z and 0-9 of class names, and '蛇' has none."),
        (("king [adult]", "x"), "retrain.py finds no image in 'king [adult]', because of its '['."),
        (("king_nohash_1", "x"), "retrain.py would put all images of 'king_nohash_1' into one split"),
    ],
)
def test_class_names_that_retrain_misreads_are_refused(
    records: ExportDataset, classes: tuple[str, ...], message: str
) -> None:
    """A class that retrain.py would merge, lose, not find or not split is named, with what to do."""
    found = problems(RetrainFolder(), replace(records, classes=classes))

    assert message in found
    assert "Rename" in found


def test_retrain_refuses_all_but_jpeg(records: ExportDataset, tmp_path: Path) -> None:
    """A PNG is refused, also if it is named .jpg: retrain.py decodes JPEG only."""
    png = make_image(tmp_path, "king", "train", 92, kind="PNG", suffix="jpg")

    assert "retrain.py reads only JPEG." in problems(RetrainFolder(), replace(records, images=(png,)))


def test_kaggle_accepts_the_metadata(records: ExportDataset, tmp_path: Path) -> None:
    """The metadata passes the checks of `kaggle datasets create`, and the images are in folders that it packs."""
    out = write(Kaggle(), records, tmp_path / "out")

    metadata = json.loads((out / METADATA).read_text("utf-8"))
    owner, slug = metadata["id"].split("/")
    assert (metadata["title"], owner, slug) == ("my snakes", "INSERT_USERNAME_HERE", "my-snakes")
    assert 6 <= len(metadata["title"]) <= 50
    assert 6 <= len(slug) <= 50
    assert metadata["licenses"] == [{"name": "CC-BY-4.0"}]
    assert "18 images of 2 classes" in metadata["description"]
    samples = [Sample(split, label, digest(path)) for split, rows in read_as_tfds(out).items() for path, label in rows]
    assert sorted(samples) == list_samples(records)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cats", "a Kaggle title has 6 to 50 characters, and 'cats' has 4."),
        ("x" * 51, "' has 51."),
        ("蛇蛇蛇蛇蛇蛇", "a Kaggle address has 6 to 50 of the characters a-z, 0-9 and '-', and '' has 0."),
    ],
)
def test_names_that_kaggle_refuses_are_refused(records: ExportDataset, name: str, message: str) -> None:
    """A name too short or too long for a title or an address on Kaggle is refused before anything is written."""
    found = problems(Kaggle(), replace(records, name=name))

    assert message in found
    assert "Rename the folder of the dataset." in found


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (("CC0-1.0",), "CC0-1.0"),
        (("NOASSERTION",), "unknown"),
        (("CC-BY-2.0",), "other"),
        (("LicenseRef-US-Gov",), "US-Government-Works"),
        (("CC0-1.0", "CC-BY-4.0"), "other"),
    ],
)
def test_kaggle_gets_one_licence(records: ExportDataset, licences: tuple[str, ...], expected: str) -> None:
    """The licence of all images where Kaggle has it; "other" where they differ, "unknown" where none is known."""
    images = tuple(replace(image, spdx=licences[number % len(licences)]) for number, image in enumerate(records.images))

    assert choose_licence(replace(records, images=images)) == expected


def test_an_address_on_kaggle_has_no_double_hyphens() -> None:
    """Runs of other characters become one hyphen, and none is at the ends."""
    assert make_slug("_My  snakes (2026)_") == "my-snakes-2026"
