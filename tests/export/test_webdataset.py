"""WebDataset: its own two packages read every sample, and what they cannot read is refused."""

from __future__ import annotations

import gc
import hashlib
import json
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harvest.export import webdataset as format_module
from harvest.export.webdataset import CLASSES, WebDataset
from tests.export.written_records import Sample, list_samples, make_image, make_records, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harvest.export.records import ExportDataset


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> ExportDataset:
    return make_records(tmp_path_factory.mktemp("records"), per_split=5)


@pytest.fixture(scope="module")
def exported(records: ExportDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(format_module, "_SHARD_IMAGES", 4)
        return write(WebDataset(), records, tmp_path_factory.mktemp("tar") / "out")


@pytest.fixture
def _files_left_open() -> Iterator[None]:
    """Let both packages leave files to the garbage collector, and collect them before the next test."""
    yield
    gc.collect()


IGNORED = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@IGNORED
@pytest.mark.usefixtures("_files_left_open")
def test_webdataset_reads_every_sample(records: ExportDataset, exported: Path) -> None:
    """The package webdataset finds every image with its class number and its metadata, and every key once."""
    webdataset = pytest.importorskip("webdataset")
    classes = json.loads((exported / CLASSES).read_text("utf-8"))
    images = {image.content: image for image in records.images}
    samples, keys = [], set()
    for split in records.splits:
        shards = [str(path) for path in sorted(exported.glob(f"{split}-*.tar"))]
        assert len(shards) == 3
        for sample in webdataset.WebDataset(shards, shardshuffle=False).decode(only=["cls", "json"]):
            content = hashlib.sha256(sample["jpg"]).hexdigest()
            samples.append(Sample(split, classes[sample["cls"]], content))
            keys.add((split, sample["__key__"]))
            image = images[content]
            assert sample["json"] == {"class": image.class_name, **image.metadata()}
    assert sorted(samples) == list_samples(records)
    assert len(keys) == len(records.images)


@IGNORED
@pytest.mark.usefixtures("_files_left_open")
def test_wids_reads_every_sample_by_its_number(records: ExportDataset, exported: Path, tmp_path: Path) -> None:
    """The package wids finds as many samples as the index counts, each with the bytes of an image."""
    wids = pytest.importorskip("wids", reason="wids does not run on Windows", exc_type=ImportError)
    classes = json.loads((exported / CLASSES).read_text("utf-8"))
    samples = []
    for split in records.splits:
        dataset = wids.ShardListDataset(
            str(exported / f"{split}.json"), transformations=[], cache_dir=str(tmp_path / split), keep=True
        )
        for number in range(len(dataset)):
            sample = dataset[number]
            content = hashlib.sha256(sample[".jpg"].read()).hexdigest()
            samples.append(Sample(split, classes[int(sample[".cls"].read())], content))
    assert sorted(samples) == list_samples(records)


def test_the_index_describes_the_files(exported: Path) -> None:
    """Each entry of an index has the name, the size, the MD5 and the number of samples of a tar file."""
    for index in exported.glob("t*.json"):
        document = json.loads(index.read_text("utf-8"))
        assert (document["__kind__"], document["wids_version"]) == ("wids-shard-index-v1", 1)
        for entry in document["shardlist"]:
            path = exported / entry["url"]
            with tarfile.open(path) as archive:
                names = archive.getnames()
            assert entry["md5sum"] == hashlib.md5(path.read_bytes()).hexdigest()
            assert entry["filesize"] == path.stat().st_size
            assert entry["nsamples"] * 3 == len(names)
            assert names[:3] == [f"{names[0][:8]}.{suffix}" for suffix in ("jpg", "cls", "json")]


def test_tar_headers_are_the_same_everywhere(exported: Path) -> None:
    """No member has a date, a user or a group, and none needs an extended header, which wids does not read."""
    with tarfile.open(exported / "train-000000.tar") as archive:
        members = archive.getmembers()

    assert {(each.mtime, each.uid, each.gid, each.uname, each.gname, each.mode) for each in members} == {
        (0, 0, 0, "", "", 0o644)
    }
    assert not any(each.pax_headers for each in members)


def test_classes_are_mixed_within_a_tar_file(tmp_path: Path) -> None:
    """The images of a split are not sorted by class: a reader shuffles only some thousand at a time."""
    records = make_records(tmp_path, per_split=12)

    out = write(WebDataset(), records, tmp_path / "out")

    with tarfile.open(out / "train-000000.tar") as archive:
        numbers = [archive.extractfile(name).read() for name in archive.getnames() if name.endswith(".cls")]
    assert len(numbers) == 24
    assert numbers != sorted(numbers)


def test_a_file_larger_than_the_limit_has_a_tar_file_of_its_own(
    records: ExportDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tar file ends before it is larger than the limit, and one image alone may be larger."""
    monkeypatch.setattr(format_module, "_SHARD_BYTES", 10)

    out = write(WebDataset(), records, tmp_path / "out")

    assert len(list(out.glob("train-*.tar"))) == 10


def test_images_of_several_types_are_refused(records: ExportDataset, tmp_path: Path) -> None:
    """All samples have the same members, so that `to_tuple` works on each of them; a PNG named .jpg is a PNG."""
    png = make_image(tmp_path, "king", "train", 90, kind="PNG", suffix="jpg")

    (message,) = WebDataset().find_problems(replace(records, images=(*records.images, png)))

    assert message.startswith("the images are of several types: 30 jpg, 1 png.")
    assert "--to hf" in message


def test_only_png_images_are_exported_as_png(tmp_path: Path) -> None:
    """A dataset of PNG files has samples with the member .png."""
    pngs = tuple(make_image(tmp_path, "king", "train", number, kind="PNG", suffix="png") for number in range(2))
    records = replace(make_records(tmp_path, ("king",)), images=pngs)

    out = write(WebDataset(), records, tmp_path / "out")

    with tarfile.open(out / "train-000000.tar") as archive:
        assert archive.getnames()[0] == "00000000.png"
