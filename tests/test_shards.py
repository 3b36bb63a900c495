"""Shards: images in tar files instead of class folders, with everything that a dataset knows of them."""

from __future__ import annotations

import gc
import itertools
import json
import pickle
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset, Placement
from harvest.errors import DamagedShards, MissingFiles, UsageError
from harvest.export.export_dataset import export_dataset
from harvest.harvesting.deduplicate import Deduplicator
from harvest.labelled_pictures.load_pictures import load_pictures
from harvest.models import Outcome, Recipe
from harvest.options import RunOptions, Sink
from harvest.verdicts import Verdict
from tests.datasets import a_hit, a_picture, fill, find, jpeg, name, new, tree
from tests.reproduce.in_process import run_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 8000  # bytes: two to three samples


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a dataset of nine images in shards."""
    root = tmp_path / "dataset"
    with opened(root) as dataset:
        fill(dataset, "king", range(7))
        fill(dataset, "coral", range(10, 12))
    return root


def opened(root: Path, **how: bool) -> Dataset:
    """Open a dataset as a run does that writes shards."""
    dataset = Dataset.open(root, create=True, exclusive=True, **how)
    dataset.use_shards(SIZE)
    return dataset


def samples(root: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each member of the shards."""
    for path in sorted(root.glob("shard-*")):
        assert path.suffix == ".tar"
        assert path.stat().st_size <= SIZE
        with tarfile.open(path) as shard:
            for member in shard:
                yield member.name, shard.extractfile(member).read()


def test_images_are_samples_of_tar_files(root: Path) -> None:
    """Each image is in one shard, beside its metadata, and no class folder is made."""
    assert not [path for path in root.iterdir() if path.is_dir()]
    members = dict(samples(root))
    numbers = [*range(7), 10, 11]
    assert len(members) == 2 * len(numbers)
    for number in numbers:
        assert members[name(number)] == jpeg(number)
        about = json.loads(members[name(number).replace(".jpg", ".json")])
        assert about["class"] == ("king" if number < 10 else "coral")
        assert about["image_url"] == a_hit(number).url
        assert about["sha256"] == a_picture(number).content


@pytest.fixture
def _files_left_open() -> Iterator[None]:
    """Let webdataset leave files to the garbage collector, and collect them before the next test."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("_files_left_open")
def test_the_webdataset_library_reads_shards(root: Path) -> None:
    """The library webdataset reads image and metadata of each sample."""
    webdataset = pytest.importorskip("webdataset")
    paths = sorted(map(str, root.glob("shard-*.tar")))
    read = webdataset.WebDataset(paths, shardshuffle=False).decode("rgb8").to_tuple("jpg", "json")
    assert sorted(about["class"] for image, about in read if image.shape == (24, 24, 3)) == ["coral"] * 2 + ["king"] * 7


def test_the_ledger_has_the_place_of_each_image(root: Path) -> None:
    """The bytes at the offset that the ledger has are those of the image, also by its class and name."""
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {}
        assert dataset.counts() == {"king": 7, "coral": 2}
        assert dataset.count_in_shards().images == 9
        for number in range(7):
            place = dataset.picture_history(dataset.find(name(number))[0]).shard
            with (root / f"shard-{place.shard:06d}.tar").open("rb") as shard:
                shard.seek(place.offset)
                assert shard.read(place.length) == jpeg(number)
            assert dataset.read_image("king", name(number), most=10_000) == jpeg(number)


def test_a_later_run_fills_the_last_shard(tmp_path: Path) -> None:
    """A run continues the last shard until it is full, and what an interrupted run left behind it is overwritten."""
    root = tmp_path / "dataset"
    with opened(root) as dataset:
        fill(dataset, "king", [1])
    (root / "shard-000000.tar").rename(root / "shard-000000.tar.part")
    with (root / "shard-000000.tar.part").open("ab") as shard:
        shard.write(b"half a sample")
    with opened(root) as dataset:
        fill(dataset, "king", [2])
    assert [path.name for path in root.glob("shard-*")] == ["shard-000000.tar"]
    assert [each for each, _ in samples(root)] == [
        name(number).replace(".jpg", suffix) for number in (1, 2) for suffix in (".json", ".jpg")
    ]


def test_an_image_larger_than_a_shard_has_its_own(tmp_path: Path) -> None:
    """A sample that is larger than the limit is written alone."""
    root = tmp_path / "dataset"
    with opened(root) as dataset:
        dataset.use_shards(1000)
        fill(dataset, "king", range(2))
    assert len(list(root.glob("shard-*.tar"))) == 2


def test_a_file_with_the_name_of_a_shard_is_not_touched(tmp_path: Path) -> None:
    """A file that the ledger does not know is left alone, and the shards have other numbers."""
    root = tmp_path / "dataset"
    root.mkdir()
    (root / "shard-000000.tar").write_bytes(b"mine")
    with opened(root) as dataset:
        fill(dataset, "king", [1])
    assert (root / "shard-000000.tar").read_bytes() == b"mine"
    assert (root / "shard-000001.tar").exists()


def test_a_folder_or_a_link_with_the_name_of_a_shard_is_not_touched(tmp_path: Path) -> None:
    """A folder and a broken link keep their names, and the shards have other numbers."""
    root = tmp_path / "dataset"
    root.mkdir()
    (root / "shard-000000.tar").mkdir()
    (root / "shard-000001.tar.part").symlink_to(tmp_path / "nowhere")
    with opened(root) as dataset:
        fill(dataset, "king", [1])
    assert (root / "shard-000000.tar").is_dir()
    assert (root / "shard-000001.tar.part").is_symlink()
    assert not (tmp_path / "nowhere").exists()
    assert (root / "shard-000002.tar").is_file()


_urls = itertools.count(1000)


def arrive(dataset: Dataset, number: int, **changes: object) -> Verdict:
    """Add a picture under another URL."""
    url = next(_urls)
    (task,) = find(dataset, [a_hit(url)], "king", f"search {url}")
    picture = replace(a_picture(number), **changes)
    return Deduplicator(dataset).record_outcomes([Outcome(task, picture)])[0]


def test_duplicates_are_found_across_shards_and_folders(root: Path) -> None:
    """An image that is in any shard, or in a class folder, is not written again."""
    with opened(root) as dataset:
        dataset.use_shards(None)
        fill(dataset, "king", [20])
        for size in (None, SIZE):
            dataset.use_shards(size)
            assert arrive(dataset, 0, body=f"{size}") is Verdict.DUPLICATE
            assert arrive(dataset, 20, body=f"{size}") is Verdict.DUPLICATE
    assert list(tree(root)) == [f"king/{name(20)}", *(path.name for path in sorted(root.glob("shard-*")))]


def test_a_better_copy_is_placed_where_the_worse_one_is(root: Path) -> None:
    """A better copy of an image in a shard goes into a shard, whatever the run writes; the ledger has only this one."""
    larger = a_picture(0, size=32)
    with opened(root) as dataset:
        dataset.use_shards(None)
        (task,) = find(dataset, [a_hit(50)], text="larger")
        (worse,) = (known for known in dataset.list_present() if known.content == a_picture(0).content)
        dataset.place([Placement(task, larger, worse)])
        assert dataset.counts()["king"] == 7
        assert dataset.read_image("king", f"bing-{larger.content[:12]}.jpg", most=10_000) == larger.data
        assert dataset.picture_history(dataset.find(name(0))[0]).content == larger.content


def test_rejected_stays_rejected_and_can_be_restored(root: Path) -> None:
    """A rejected image is in the ledger alone: it is not written again, and a restore or an undo brings it back."""
    before = tree(root)
    with opened(root) as dataset:
        dataset.reject(dataset.find(name(3)), by="page")
        assert dataset.counts()["king"] == 6
        assert arrive(dataset, 3) is Verdict.REJECTED
        dataset.undo(by="page")
        assert dataset.counts()["king"] == 7
        dataset.redo(by="page")
        assert dataset.restore(dataset.find(name(3)), by="cli").back == 1
        assert dataset.read_image("king", name(3), most=10_000) == jpeg(3)
        dataset.move(dataset.find(name(3)), "coral", by="page")
        assert dataset.read_image("coral", name(3), most=10_000) == jpeg(3)
    assert tree(root) == before
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts() == {}
        assert dataset.counts() == {"king": 6, "coral": 3}


def test_a_deleted_shard_is_not_taken_for_a_decision(root: Path) -> None:
    """A missing shard is reported with its images, nothing is recorded and no run starts; then it may come back."""
    shard = root / "shard-000001.tar"
    with Dataset.open(root) as dataset:
        inside = sum(dataset.picture_history(known.id).shard.shard == 1 for known in dataset.list_present())
    shard.rename(root.parent / "away")
    with Dataset.open(root) as dataset:
        assert dataset.changes.missing_files == f"images in shards ({inside} from shard-000001.tar) are gone"
        assert sum(dataset.counts().values()) == 9
    with pytest.raises(MissingFiles, match=r"from shard-000001\.tar\) are gone"):
        opened(root)
    (root.parent / "away").rename(shard)
    with opened(root) as dataset:
        assert not dataset.changes.missing_files


def test_a_deleted_shard_can_be_accepted(root: Path) -> None:
    """With --accept-missing the images of a deleted shard are rejected; restored, they are downloaded again."""
    (root / "shard-000001.tar").unlink()
    with opened(root, accept_missing=True) as dataset:
        gone = [change.name for change in dataset.changes.deleted]
        assert gone
        assert sum(dataset.counts().values()) == 9 - len(gone)
        assert dataset.restore(dataset.find(gone[0]), by="cli").to_fetch == 1
    with opened(root) as dataset:
        assert dataset.changes.counts() == {}
        (number,) = (number for number in range(12) if name(number) == gone[0])
        fill(dataset, "king", [number])
        assert dataset.read_image("king", gone[0], most=10_000) == jpeg(number)


def test_of_a_shortened_shard_only_the_end_is_gone(root: Path) -> None:
    """Images that a truncated shard still contains are not reported."""
    shard = root / "shard-000000.tar"
    with shard.open("r+b") as file:
        file.truncate(4000)
    with Dataset.open(root) as dataset:
        assert dataset.changes.missing_files == "images in shards (1 from shard-000000.tar) are gone"


def test_the_sink_follows_the_dataset() -> None:
    """Without --sink a run writes shards where there are some; --sink decides otherwise, and -k is refused."""
    assert RunOptions().choose_sink(has_shards=False) is Sink.FOLDERS
    assert RunOptions().choose_sink(has_shards=True) is Sink.SHARDS
    assert RunOptions(sink=Sink.FOLDERS).choose_sink(has_shards=True) is Sink.FOLDERS
    originals = Recipe(keep_original=True)
    with pytest.raises(UsageError, match="-k cannot be used"):
        RunOptions(sink=Sink.SHARDS, recipe=originals)
    with pytest.raises(UsageError, match="-k cannot be used"):
        RunOptions(recipe=originals).choose_sink(has_shards=True)


def test_files_and_shards_can_be_in_one_dataset(tmp_path: Path) -> None:
    """A dataset with class folders continues in shards: its files stay, and both are counted."""
    root = tmp_path / "dataset"
    new(root, king=range(3))
    with opened(root) as dataset:
        fill(dataset, "king", range(5, 7))
        assert dataset.counts() == {"king": 5}
    (root / "king" / name(1)).unlink()
    with Dataset.open(root) as dataset:
        assert [change.name for change in dataset.changes.deleted] == [name(1)]
        assert dataset.counts() == {"king": 4}


@pytest.mark.parametrize(("form", "pattern"), [("imagefolder", "*/*/*.jpg"), ("webdataset", "*.tar"), ("hf", "*/*")])
def test_shards_are_exported(root: Path, form: str, pattern: str) -> None:
    """An export has the images of shards and of class folders, without those that were rejected, and their sources."""
    with opened(root) as dataset:
        dataset.reject(dataset.find(name(3)), by="page")
        dataset.use_shards(None)
        fill(dataset, "coral", [20])
    result = export_dataset(root, root.parent / "out", to=form)
    assert {image.content for image in result.dataset.images} == {
        a_picture(number).content for number in (0, 1, 2, 4, 5, 6, 10, 11, 20)
    }
    assert {image.provider for image in result.dataset.images} == {"BING"}
    assert list((root.parent / "out").glob(pattern))
    for path in (root.parent / "out").glob("*/*/*.jpg"):
        assert path.read_bytes() in {jpeg(number) for number in range(21)}


def damage(root: Path, number: int, how: str) -> Path:
    """Damage the image of a number, or what is around it, without changing the length of its shard."""
    with Dataset.open(root) as dataset:
        place = dataset.picture_history(dataset.find(name(number))[0]).shard
    path = root / f"shard-{place.shard:06d}.tar"
    start = {"header": place.offset - 400, "image": place.offset + place.length // 2, "block": place.offset - 500}[how]
    with path.open("r+b") as file:
        file.seek(start)
        old = file.read(1)
        file.seek(start)
        file.write(bytes(600) if how == "block" else bytes([old[0] ^ 0x10]))
    return path


@pytest.mark.parametrize("how", ["image", "block"])
@pytest.mark.parametrize("form", ["imagefolder", "webdataset", "hf"])
def test_damaged_images_are_left_out_of_an_export(root: Path, form: str, how: str) -> None:
    """Images that are not as they were written are left out and named; the others are exported."""
    path = damage(root, 1, how)
    said: list[str] = []
    result = export_dataset(root, root.parent / "out", to=form, say=said.append)
    assert len(result.dataset.images) == 8
    assert a_picture(1).content not in {image.content for image in result.dataset.images}
    assert f"{path.name} is damaged in 1 image: king/{name(1)}" in said
    assert "1 image left out: damaged in a shard" in said


def test_a_damaged_header_concerns_no_image(root: Path) -> None:
    """Images are read by their place in the ledger, so that a bit flip in the header of a tar member loses none."""
    damage(root, 1, "header")
    result = export_dataset(root, root.parent / "out", to="imagefolder")
    assert len(result.dataset.images) == 9
    assert not result.dataset.damaged
    with Dataset.open(root, check_shards=True) as dataset:
        assert not dataset.changes.missing_files


def test_an_export_of_damaged_images_alone_writes_nothing(root: Path) -> None:
    """If no image is left, the error says what to do, and there is no folder."""
    for path in root.glob("shard-*.tar"):
        path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(DamagedShards) as error:
        export_dataset(root, root.parent / "out", to="imagefolder")
    assert "--check-shards --accept-missing" in error.value.hint
    assert not (root.parent / "out").exists()


def test_a_damaged_image_is_not_read(root: Path) -> None:
    """The bytes of a damaged image are not returned, and the dataset remembers which they were."""
    damage(root, 1, "image")
    with Dataset.open(root) as dataset:
        assert dataset.read_image("king", name(1), most=10_000) is None
        assert dataset.read_image("king", name(2), most=10_000) == jpeg(2)
        assert dataset.damaged_shard_images.describe() == [f"shard-000000.tar is damaged in 1 image: king/{name(1)}"]


def test_damaged_images_are_downloaded_again(root: Path) -> None:
    """A check finds them; accepted as missing and restored, they are written again."""
    damage(root, 1, "image")
    with Dataset.open(root, check_shards=True) as dataset:
        assert dataset.changes.missing_files == "images in shards (1 in shard-000000.tar) are damaged"
        assert dataset.counts()["king"] == 7
    with Dataset.open(root, check_shards=True, accept_missing=True) as dataset:
        assert [change.name for change in dataset.changes.deleted] == [name(1)]
        assert dataset.restore(dataset.last_batch().pictures, by="cli").to_fetch == 1
    with opened(root) as dataset:
        fill(dataset, "king", [1])
        assert dataset.read_image("king", name(1), most=10_000) == jpeg(1)
    with Dataset.open(root, check_shards=True) as dataset:
        assert not dataset.changes.missing_files


def test_a_rejected_damaged_image_is_downloaded_again_when_restored(root: Path) -> None:
    """A restore does not bring back damaged bytes."""
    damage(root, 1, "image")
    with opened(root) as dataset:
        dataset.reject(dataset.find(name(1)), by="page")
        assert dataset.restore(dataset.find(name(1)), by="cli").to_fetch == 1


def test_a_training_reads_files_and_shards(root: Path) -> None:
    """All images are labelled, and their bytes are read by their paths; those that are damaged or missing are not."""
    with opened(root) as dataset:
        dataset.use_shards(None)
        fill(dataset, "coral", [20])
    pictures = load_pictures(root, say=pytest.fail)
    reader = pickle.loads(pickle.dumps(pictures.reader))  # as processes that decode get it
    written = {f"{'king' if number < 10 else 'coral'}/{name(number)}": number for number in (*range(7), 10, 11, 20)}
    assert {each.path: reader.read(each.path) for each in pictures.examples} == {
        path: jpeg(number) for path, number in written.items()
    }
    damage(root, 1, "image")
    assert reader.read(f"king/{name(1)}") is None
    for path in root.glob("shard-*.tar"):
        path.unlink()
    assert [path for path in written if reader.read(path)] == [f"coral/{name(20)}"]


def test_a_merge_names_damaged_images(root: Path, capsys: pytest.CaptureFixture) -> None:
    """A merge leaves out what is damaged in a shard, names it, and ends with exit code 3."""
    damage(root, 1, "image")
    new(root.parent / "other", coral=[30])
    assert run_command("merge", root, root.parent / "other", "-o", root.parent / "all") == 3
    printed = capsys.readouterr()
    assert f"shard-000000.tar is damaged in 1 image: king/{name(1)}" in printed.err
    assert "1 image left out: damaged" in printed.err
    with Dataset.open(root.parent / "all") as merged:
        assert merged.counts() == {"king": 6, "coral": 3}
