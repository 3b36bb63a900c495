"""Images that a person converted or saved under another name remain the same images."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from harvest import images
from harvest.dataset import (
    Change,
    Dataset,
    Placement,
    record_changes,
)
from harvest.images import process_image
from harvest.models import Picture, Recipe, Refusal
from harvest.verdicts import Verdict
from tests.datasets import a_hit, a_query, find
from tests.pictures import encoded, photo

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 25


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of one class of padded photographs, to be copied."""
    root = tmp_path_factory.mktemp("harvested") / "dataset"
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        tasks = find(dataset, [a_hit(number) for number in range(COUNT)])
        pictures = [
            process_image(encoded(photo(300, 220, task.hit.rank)), task.hit, Recipe(size=200)) for task in tasks
        ]
        assert all(isinstance(picture, Picture) for picture in pictures)
        dataset.place(
            [Placement(task, picture) for task, picture in zip(tasks, pictures, strict=True)]  # type: ignore[arg-type]
        )
    return root


@pytest.fixture
def root(harvested: Path, tmp_path: Path) -> Path:
    """Return a dataset to change."""
    return shutil.copytree(harvested, tmp_path / "dataset")


def files(root: Path) -> list[Path]:
    return sorted((root / "king").iterdir())


def convert(file: Path, target: str, **options: object) -> Path:
    """Save a file under a new name, and delete the old one."""
    path = file.with_name(target)
    with Image.open(file) as image:
        image.save(path, **options)
    file.unlink()
    return path


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_converted_class_keeps_its_provenance(root: Path, suffix: str) -> None:
    """A class in another format is edited: no rejections, no missing files, and every source known."""
    before = files(root)
    for file in before:
        convert(file, file.stem + suffix)

    with Dataset.open(root, create=True, exclusive=True) as dataset:
        changes = dataset.changes
        examples = [dataset.history_of_text(f"king/{file.name}") for file in files(root)]
        search = dataset.begin_search(a_query(text="another"), "FLICKR", COUNT)
        hits = [a_hit(number, "FLICKR") for number in range(COUNT)]
        ways = dataset.record_hits(search.id, "king", hits)

    assert changes.counts() == {"edited": {"king": COUNT}}
    assert changes.edited[0] == Change("king", before[0].name, f"king/{before[0].stem}{suffix}")
    assert not any(report.own for report in examples)
    assert {report.sources[0].url for report in examples} == {a_hit(number).url for number in range(COUNT)}
    assert [way.verdict for way in ways if isinstance(way, Refusal)] == [Verdict.DUPLICATE] * COUNT
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {}


def test_a_converted_part_is_edited(root: Path) -> None:
    """A converted image is edited, and an image deleted at the same time is deleted."""
    first, second, third, *_ = files(root)
    convert(first, f"{first.stem}.png")
    convert(second, f"{second.stem}.webp", quality=60)
    third.unlink()
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {"edited": {"king": 2}, "deleted": {"king": 1}}


@pytest.mark.parametrize("target", ["holiday.jpg", "holiday.png", "holiday.webp"])
def test_a_copy_under_another_name_is_the_image(root: Path, target: str) -> None:
    """An image saved under an unrelated name is recognised by its fingerprint, padded or not."""
    first = files(root)[0]
    with Dataset.open(root) as dataset:
        source = dataset.history_of_text(f"king/{first.name}").sources[0]
    convert(first, target, quality=80)
    with Dataset.open(root) as dataset:
        assert dataset.changes.edited == (Change("king", first.name, f"king/{target}"),)
        report = dataset.history_of_text(f"king/{target}")
        assert (report.sources[0].url, report.own) == (source.url, False)
        assert dataset.history_of_text(f"king/{first.name}").id == report.id


def test_another_image_is_not_taken_for_it(root: Path) -> None:
    """An image that a person adds while another is deleted is added, and the other is rejected."""
    first = files(root)[0]
    first.unlink()
    (root / "king" / "mine.png").write_bytes(encoded(photo(300, 220, 999), "PNG"))
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {"deleted": {"king": 1}, "added": {"king": 1}}
        assert dataset.history_of_text("king/mine.png").own


def test_what_is_no_image_is_compared_with_nothing(root: Path) -> None:
    """A new file that cannot be decoded is added, as always."""
    files(root)[0].unlink()
    (root / "king" / "mine.png").write_bytes(b"no image")
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {"deleted": {"king": 1}, "added": {"king": 1}}


def test_a_file_is_examined_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was compared with missing images is not decoded again when it is added."""
    examined = []
    examine = images.inspect_image
    monkeypatch.setattr(images, "inspect_image", lambda data, **how: examined.append(data) or examine(data, **how))
    files(root)[0].unlink()
    for number in range(3):
        (root / "king" / f"mine-{number}.png").write_bytes(encoded(photo(300, 220, 900 + number), "PNG"))
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {"deleted": {"king": 1}, "added": {"king": 3}}
    assert len(examined) == 3


def test_a_dry_run_sees_the_same(root: Path) -> None:
    """Read only, a conversion is reported as an edit too."""
    first = files(root)[0]
    convert(first, "holiday.png")
    with Dataset.open(root, read_only=True) as dataset:
        assert dataset.changes.counts() == {"edited": {"king": 1}}


def test_an_original_that_is_back_is_no_edit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the old file returns before the edit is recorded, the new one is not that image."""
    first = files(root)[0]
    data = first.read_bytes()
    convert(first, f"{first.stem}.png")
    record = record_changes.ChangeRecorder.record

    def come_back(recorder: record_changes.ChangeRecorder, findings: object) -> object:
        first.write_bytes(data)
        return record(recorder, findings)

    with monkeypatch.context() as patched:
        patched.setattr(record_changes.ChangeRecorder, "record", come_back)
        with Dataset.open(root) as dataset:
            assert dataset.changes.counts() == {}
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {"added": {"king": 1}}
