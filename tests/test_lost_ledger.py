"""A lost ledger is detected, and a new one reads the sources of the images from their files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset, Placement, remember_dataset_paths
from harvest.errors import LedgerMissing, LedgerUnusable
from harvest.images import process_image
from harvest.licences import Evidence, Licence
from harvest.models import Picture, Recipe, Refusal
from harvest.verdicts import Verdict
from tests import datasets
from tests.datasets import a_hit, a_query, find, tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.models import Hit

LICENCE = Licence("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/", Evidence.STATED)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a settings folder for this test alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path / "settings" / "harvest"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a dataset of two classes with two real images each."""
    return fill(tmp_path / "dataset")


def a_described_hit(number: int) -> Hit:
    return a_hit(
        number,
        page=f"https://example.com/{number}.html",
        title=f"Snake {number}",
        author="Ada",
        licence=LICENCE,
    )


def fill(root: Path, **how: bool) -> Path:
    with Dataset.open(root, create=True, exclusive=True, **how) as dataset:
        for class_name, numbers in {"king": (1, 2), "coral": (3, 4)}.items():
            hits = [a_described_hit(number) for number in numbers]
            tasks = find(dataset, hits, class_name, f"{class_name} snake")
            dataset.place([Placement(task, developed(task.hit)) for task in tasks])
    return root


def developed(hit: Hit) -> Picture:
    picture = process_image(datasets.jpeg(hit.rank, 240), hit, Recipe(size=120, min_size=50))
    assert isinstance(picture, Picture)
    return picture


def lose(root: Path) -> None:
    for file in root.glob("harvest.*"):
        file.unlink()


def get(root: Path, **how: bool) -> Dataset:
    return Dataset.open(root, create=True, exclusive=True, **how)


def forget(settings: Path) -> None:
    (settings / "datasets.json").unlink()


def ways(dataset: Dataset, numbers: Iterable[int], class_name: str = "king") -> list[Verdict | None]:
    search = dataset.begin_search(a_query(class_name, "another"), "FLICKR", 9)
    found = dataset.record_hits(search.id, class_name, [a_hit(number, "FLICKR") for number in numbers])
    return [way.verdict if isinstance(way, Refusal) else None for way in found]


def test_X14_marks_in_the_files_show_that_a_ledger_is_gone(root: Path, settings: Path) -> None:
    """Without a ledger, images with our names and our mark stop the run, and nothing is written."""
    lose(root)
    forget(settings)
    before = sorted(root.rglob("*"))
    with pytest.raises(LedgerMissing, match=r"has lost its ledger, harvest\.db") as caught:
        get(root)
    assert "backup" in caught.value.hint
    assert "--new-ledger" in caught.value.hint
    assert caught.value.exit_code == 3
    assert sorted(root.rglob("*")) == before


def test_X14_the_advice_for_a_damaged_ledger_works(root: Path) -> None:
    """A damaged ledger is moved away and `--new-ledger` creates another, with the sources, as the message says."""
    ledger = root / "harvest.db"
    ledger.write_bytes(b"damaged" * 1000)
    with pytest.raises(LedgerUnusable) as caught:
        get(root)
    assert "move it away and run harvest with --new-ledger" in caught.value.hint
    ledger.rename(root.parent / "away.db")
    with pytest.raises(LedgerMissing):
        get(root)
    with get(root, new_ledger=True) as dataset:
        assert (dataset.counts(), dataset.provenance_read) == ({"king": 2, "coral": 2}, 4)


def test_X14_rejected_images_show_it_too(root: Path, settings: Path) -> None:
    """Marked images in dataset.rejected alone are a sign too."""
    with Dataset.open(root) as dataset:
        dataset.reject([known.id for known in dataset.list_present()], by="test")
    shutil.rmtree(root)
    forget(settings)
    with pytest.raises(LedgerMissing, match="has lost its ledger"):
        get(root)


def test_X14_a_dry_run_asks_too(root: Path) -> None:
    """A dry run reports the same error as the run."""
    lose(root)
    with pytest.raises(LedgerMissing):
        Dataset.open(root, read_only=True)


def test_X14_images_of_a_person_are_no_sign(tmp_path: Path) -> None:
    """Class folders that a person brings along, with any names, need no ledger to start with."""
    root = tmp_path / "dataset"
    for name in ("mine.jpg", "bing-0123456789ab.jpg", "flickr_000001.jpg"):
        (root / "king").mkdir(parents=True, exist_ok=True)
        (root / "king" / name).write_bytes(datasets.jpeg(1))
    with get(root) as dataset:
        assert dataset.counts() == {"king": 3}


def test_X14_a_dataset_of_fastclass_is_no_sign(root: Path, settings: Path) -> None:
    """FastClass writes the same mark, but other names: its datasets are accepted without a question."""
    lose(root)
    forget(settings)
    for number, file in enumerate(sorted(root.rglob("*.jpg"))):
        file.rename(file.with_name(f"bing_{number:06}.jpg"))
    with get(root) as dataset:
        assert dataset.counts() == {"king": 2, "coral": 2}


def test_X14_a_new_ledger_reads_provenance_back(root: Path) -> None:
    """With `new_ledger` the URL, page, title, author and licence of each image are known again."""
    lose(root)
    before = tree(root)
    with get(root, new_ledger=True) as dataset:
        assert dataset.provenance_read == 4
        assert dataset.counts() == {"king": 2, "coral": 2}
        (source,) = dataset.history_of_text("https://pictures.example.com/3.jpg").sources
        report = dataset.history_of_text("https://pictures.example.com/3.jpg")
    hit = a_described_hit(3)
    assert (source.provider, source.url, source.page, source.title, source.author, source.licence) == (
        hit.provider,
        hit.url,
        hit.page,
        hit.title,
        hit.author,
        hit.licence,
    )
    assert not report.own
    assert tree(root) == before


def test_X14_after_a_new_ledger_nothing_there_is_fetched_again(root: Path) -> None:
    """Hits of existing images are duplicates; the images stay as they are, protected."""
    lose(root)
    with get(root, new_ledger=True) as dataset:
        assert ways(dataset, (1, 2, 9)) == [Verdict.DUPLICATE, Verdict.DUPLICATE, None]
        assert all(known.protected and known.fingerprint for known in dataset.list_present())


def test_X14_what_lies_among_the_rejected_stays_rejected(root: Path) -> None:
    """Images in dataset.rejected are rejected in the new ledger too, also by their URLs."""
    with Dataset.open(root) as dataset:
        dataset.reject([dataset.history_of_text("https://pictures.example.com/1.jpg").id], by="test")
    lose(root)
    with get(root, new_ledger=True) as dataset:
        assert ways(dataset, (1, 2)) == [Verdict.REJECTED, Verdict.DUPLICATE]


def test_X14_a_killed_recovery_is_completed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a kill before provenance is read, the same command reads it; another time changes nothing."""
    lose(root)
    with monkeypatch.context() as killed:
        killed.setattr("harvest.dataset.dataset.read_provenance", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            get(root, new_ledger=True)
    with get(root, new_ledger=True) as dataset:
        assert dataset.provenance_read == 4
    with get(root, new_ledger=True) as dataset:
        assert dataset.provenance_read == 0


def _interrupt(*_: object) -> int:
    raise KeyboardInterrupt


def test_X14_two_files_of_one_source_share_it_once(root: Path) -> None:
    """Of two files of a class with the same source, the second stays an added file."""
    (file,) = (path for path in (root / "king").iterdir() if b"/1.jpg" in path.read_bytes())
    shutil.copy(file, file.with_name(f"{file.stem}-2.jpg"))
    lose(root)
    with get(root, new_ledger=True) as dataset:
        assert dataset.provenance_read == 4
        assert dataset.counts() == {"king": 3, "coral": 2}


def test_X14_an_empty_path_that_held_a_dataset(root: Path) -> None:
    """An empty folder at the path of a dataset, as an unmounted drive leaves it, stops the run."""
    shutil.rmtree(root)
    root.mkdir()
    with pytest.raises(LedgerMissing, match="contained a dataset before") as caught:
        get(root)
    assert "drive" in caught.value.hint
    assert "--new-ledger" in caught.value.hint
    assert list(root.iterdir()) == []


def test_X14_a_deleted_dataset_begins_anew_when_told(root: Path) -> None:
    """`new_ledger` says that the dataset was deleted; from then on runs are not stopped."""
    shutil.rmtree(root)
    fill(root, new_ledger=True)
    with get(root) as dataset:
        assert dataset.counts() == {"king": 2, "coral": 2}


def test_X14_a_new_path_is_not_asked_about(root: Path) -> None:
    """Another path is a new dataset, whatever was seen elsewhere."""
    with get(root.with_name("another")) as dataset:
        assert dataset.counts() == {}


def test_X14_a_dataset_without_images_is_no_loss(tmp_path: Path) -> None:
    """A path whose dataset never had an image is not recorded."""
    get(tmp_path / "dataset").close()
    shutil.rmtree(tmp_path / "dataset")
    get(tmp_path / "dataset").close()


def test_X14_a_moved_dataset_is_named(root: Path) -> None:
    """A moved dataset works at its new path, and the message at the old one names the new one."""
    there = root.rename(root.with_name("moved"))
    with get(there) as dataset:
        assert dataset.counts() == {"king": 2, "coral": 2}
    with pytest.raises(LedgerMissing) as caught:
        get(root)
    assert f"move it to {there}" in caught.value.hint


def test_X14_the_memory_holds_paths_and_ids_alone(root: Path, settings: Path) -> None:
    """The settings folder has the path of the dataset and its id, in a file that only this user can read."""
    file = settings / "datasets.json"
    with Dataset.open(root):
        pass
    ((path, seen),) = json.loads(file.read_bytes()).items()
    assert path == os.path.realpath(root)
    assert len(seen) == 32
    assert file.stat().st_mode & 0o077 == 0 or os.name != "posix"
    assert [each.name for each in settings.iterdir()] == [file.name]


def test_X14_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the least recently used path is dropped; a path that is too long is never recorded."""
    monkeypatch.setattr(remember_dataset_paths, "_MOST", 3)
    for name in ("a", "b", "a", "c", "d", "e" * 2000):
        remember_dataset_paths.remember(Path("/") / name, "1" * 32)
    seen = [name for name in "abcd" if remember_dataset_paths.seen_at(Path("/") / name)]
    assert seen == ["a", "c", "d"]


@pytest.mark.parametrize("damage", [b"", b"no JSON", b"[1, 2]", b'{"/x": 7}', b"[" * 100_000, b"\xff" * 9])
def test_X14_a_damaged_memory_is_none(root: Path, settings: Path, damage: bytes) -> None:
    """Whatever the file contains, every command works, and the next one replaces it."""
    (settings / "datasets.json").write_bytes(damage)
    with Dataset.open(root) as dataset:
        assert dataset.counts() == {"king": 2, "coral": 2}
    assert remember_dataset_paths.seen_at(root)


def test_X14_a_memory_that_cannot_be_written_is_no_error(root: Path, settings: Path) -> None:
    """A settings folder that is not writable, or not a folder, stops nothing."""
    shutil.rmtree(settings)
    settings.write_bytes(b"a file")
    with get(root) as dataset:
        assert dataset.counts() == {"king": 2, "coral": 2}
