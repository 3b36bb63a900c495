"""`harvest restore`: restored files, images to download again, and usage errors."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from harvest.cli.demo import demo_queries
from harvest.dataset import LIMIT_REACHED, Dataset, Placement
from tests.datasets import a_hit, a_picture, fill, find, jpeg, name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]


def reject(root: Path, *numbers: int) -> None:
    """Reject pictures as the review page does: their files move to dataset.rejected."""
    with Dataset.open(root) as dataset:
        dataset.reject([dataset.find(name(number))[0] for number in numbers], by="page")


def delete(root: Path, *numbers: int) -> None:
    """Delete pictures as a file manager does, and let a command record it."""
    for number in numbers:
        next(root.glob(f"*/{name(number)}")).unlink()
    Dataset.open(root).close()


def there(root: Path, numbers: Iterable[int]) -> set[int]:
    """Return which of the pictures lie in a class folder."""
    return {number for number in numbers if any(root.glob(f"*/{name(number)}"))}


# What there is to restore.


@pytest.mark.usefixtures("root")
def test_without_rejections_there_is_nothing_to_do(harvest: Harvest) -> None:
    """A dataset without rejections is reported."""
    result = harvest("restore")

    assert (result.code, result.lines) == (0, ["no image was rejected from dataset/"])


def test_without_a_selection_it_lists_and_changes_nothing(root: Path, harvest: Harvest) -> None:
    """Rejected images are counted by class and result, and the options are listed."""
    reject(root, 0, 1, 100)
    delete(root, *range(5, 17))

    result = harvest("restore", "dataset")

    assert result.code == 0
    assert result.lines[:4] == [
        "15 images rejected from dataset/",
        "class with a file to fetch again",
        "coral 1 –",
        "king 2 12",
    ]
    assert "last rejections, in the folders, " in result.out
    assert "… and 2 more (--json shows them)" in result.lines
    assert "next harvest restore dataset --last the last rejections" in result.lines
    assert "harvest restore dataset --class NAME all images of a class" in result.lines
    assert not there(root, [0, 1, 100])


def test_json_lists_everything(root: Path, harvest: Harvest) -> None:
    """`--json` without a selection is every rejection, and the size of the last batch."""
    reject(root, 0)
    delete(root, *range(5, 17))

    document = harvest("restore", "--json").json

    assert len(document["rejected"]) == 13
    assert {"class": "king", "name": name(0), "file": True, "own": False, "hits": 1} in document["rejected"]
    assert (document["last"]["by"], document["last"]["count"]) == ("files", 12)


# What is chosen.


@pytest.mark.parametrize(
    "words",
    [
        ["{name}"],
        ["king/{name}"],
        ["dataset", "{name}"],
        ["dataset/king/{name}"],
        ["dataset.rejected/king/{name}"],
        ["{root}.rejected/king/{name}"],
        ["dataset", "dataset.rejected/king/{name}"],
        ["https://pictures.example.com/3.jpg"],
    ],
)
def test_every_way_to_name_a_picture_restores_it(root: Path, harvest: Harvest, words: list[str]) -> None:
    """A name, class/name, path or URL restores exactly one file."""
    reject(root, 3, 4)

    result = harvest("restore", *(word.format(name=name(3), root=root) for word in words))

    assert (result.code, result.err) == (0, "")
    assert result.lines[0].startswith("1 image back in ")
    assert result.lines[1:] == [f"king/{name(3)}"]
    assert there(root, [3, 4]) == {3}


def test_several_pictures_can_be_named(root: Path, harvest: Harvest) -> None:
    """Paths from a shell pattern are restored, each once."""
    reject(root, 3, 4, 5)

    files = [f"dataset.rejected/king/{name(number)}" for number in (3, 4, 5)]
    result = harvest("restore", *files, name(3))

    assert result.lines[0] == "3 images back in dataset/"
    assert there(root, [3, 4, 5]) == {3, 4, 5}


def test_a_class_can_be_restored(root: Path, harvest: Harvest) -> None:
    """`--class` restores the rejected images of a class, and can be repeated."""
    reject(root, 3, 100, 101)

    assert harvest("restore", "--class", "coral").lines[0] == "2 images back in dataset/"
    assert there(root, [3, 100, 101]) == {100, 101}

    reject(root, 100)
    harvest("restore", "--class", "coral", "--class", "king")
    assert there(root, [3, 100]) == {3, 100}


def test_all_restores_everything(root: Path, harvest: Harvest) -> None:
    """`--all` restores all rejected images."""
    reject(root, 3, 100)
    delete(root, 4)

    result = harvest("restore", "--all")

    assert result.lines[0] == "2 images back in dataset/"
    assert "1 image to be downloaded again by the next get: the file is gone" in result.lines
    assert harvest("restore").lines == ["no image was rejected from dataset/"]


def test_last_undoes_the_last_pruning_and_then_the_one_before(root: Path, harvest: Harvest) -> None:
    """`--last` restores the last batch; a second call restores the batch before it."""
    reject(root, 3, 4)
    reject(root, 5)

    assert harvest("restore", "--last").lines == ["1 image back in dataset/", f"king/{name(5)}"]
    assert harvest("restore", "--last").lines[0] == "2 images back in dataset/"
    assert harvest("restore", "--last").lines == ["nothing to restore"]
    assert there(root, [3, 4, 5]) == {3, 4, 5}


def test_last_undoes_deletions_in_the_file_manager(root: Path, harvest: Harvest) -> None:
    """Files deleted since the last command form the last batch; the next get downloads them again."""
    reject(root, 5)
    for number in (3, 4):
        (root / "king" / name(number)).unlink()

    result = harvest("restore", "--last")

    assert result.err == "note: recorded changes in the folders: 2 deleted\n"
    assert result.lines[0] == "2 images to be downloaded again by the next get: the file is gone"
    assert "next harvest QUERIES.csv -o dataset the command you harvested with" in result.lines
    with Dataset.open(root) as dataset:
        assert [task.hit.rank for task in dataset.unsettled_tasks(1)] == [3, 4]


def test_the_demo_is_harvested_again_by_its_own_command(tmp_path: Path, harvest: Harvest) -> None:
    """Where an image of the demo has to be downloaded again, the next step is `harvest demo`."""
    with Dataset.open(tmp_path / "shapes", create=True, exclusive=True) as dataset:
        query = demo_queries()[0]
        search = dataset.begin_search(query, "SAMPLE", 2)
        tasks = dataset.record_hits(search.id, query.class_name, [a_hit(1, "SAMPLE"), a_hit(2, "SAMPLE")])
        dataset.finish_search(search.id, LIMIT_REACHED, 2)
        dataset.place([Placement(task, a_picture(number)) for number, task in enumerate(tasks, 1)])
    (tmp_path / "shapes" / query.class_name / name(1, "sample")).unlink()

    result = harvest("restore", "shapes", "--last")

    assert "next harvest demo -o shapes the command you harvested with" in result.lines


def test_last_undoes_files_dragged_to_the_rejected(root: Path, harvest: Harvest) -> None:
    """A batch can consist of files that the user moved, including own files."""
    (root / "king" / "mine.jpg").write_bytes(jpeg(500))
    harvest("status")
    rejected_folder = root.with_name("dataset.rejected") / "king"
    rejected_folder.mkdir(parents=True)
    (root / "king" / name(3)).rename(rejected_folder / name(3))
    (root / "king" / "mine.jpg").rename(rejected_folder / "mine.jpg")
    (rejected_folder / "new.jpg").write_bytes(jpeg(501))

    result = harvest("restore", "--last")

    assert result.lines[0] == "3 images back in dataset/"
    assert {path.name for path in (root / "king").iterdir()} >= {name(3), "mine.jpg", "new.jpg"}


# What comes of it.


def test_dry_run_changes_nothing(root: Path, harvest: Harvest) -> None:
    """`-n` shows what would be restored, and changes nothing."""
    reject(root, 3)
    delete(root, 4)

    result = harvest("restore", "--all", "-n")

    assert result.lines[0] == "1 image would be in dataset/"
    assert not there(root, [3])
    assert len(harvest("restore", "--json").json["rejected"]) == 2


def test_json_lists_the_restored_images(root: Path, harvest: Harvest) -> None:
    """`--json` lists the pictures by result."""
    reject(root, 3)
    delete(root, 4)

    document = harvest("restore", "--all", "--json").json

    assert document["back"] == [f"king/{name(3)}"]
    assert document["to_fetch"] == [f"king/{name(4)}"]
    assert (document["lost"], document["dry_run"]) == ([], False)


def test_an_own_file_cannot_be_downloaded_again(root: Path, harvest: Harvest) -> None:
    """A deleted own file is allowed again, but cannot be downloaded."""
    (root / "king" / "mine.jpg").write_bytes(jpeg(500))
    harvest("status")
    (root / "king" / "mine.jpg").unlink()

    result = harvest("restore", "mine.jpg")

    assert result.lines[0] == "1 image allowed again, but not downloadable: put the files back yourself"
    assert "next" not in result.out


def test_a_restored_file_gets_a_free_name(root: Path, harvest: Harvest) -> None:
    """A restored file never overwrites another: it gets a free name, which is printed."""
    reject(root, 3)
    (root / "king" / name(3)).write_bytes(jpeg(500))

    result = harvest("restore", f"dataset.rejected/king/{name(3)}")

    stem = name(3).removesuffix(".jpg")
    assert result.lines[1] == f"king/{stem}-2.jpg"
    assert (root / "king" / f"{stem}-2.jpg").read_bytes() == jpeg(3)
    assert (root / "king" / name(3)).read_bytes() == jpeg(500)


def test_many_pictures_are_not_all_listed(root: Path, harvest: Harvest) -> None:
    """A long list ends with how many more there are."""
    reject(root, *range(15))

    result = harvest("restore", "--all")

    assert result.lines[0] == "15 images back in dataset/"
    assert result.lines[-1] == "… and 5 more (--json shows them)"


@pytest.mark.usefixtures("root")
def test_restoring_a_picture_that_is_not_rejected(harvest: Harvest) -> None:
    """Restoring a picture that is not rejected is not an error."""
    result = harvest("restore", name(3))

    assert (result.code, result.lines) == (0, ["nothing to restore"])
    assert f"{name(3)} is not rejected" in result.err


def test_restoring_a_picture_twice(root: Path, harvest: Harvest) -> None:
    """Restoring a picture twice is not an error."""
    delete(root, 3)
    harvest("restore", name(3))

    result = harvest("restore", name(3))

    assert (result.code, result.lines) == (0, ["nothing to restore"])
    assert "is already restored" in result.err


# What was never meant.


def test_one_unknown_name_stops_everything(root: Path, harvest: Harvest) -> None:
    """Nothing is restored if one of the names is unknown."""
    reject(root, 3)

    result = harvest("restore", name(3), "holiday.jpg")

    assert (result.code, result.out) == (2, "")
    assert "dataset has no image holiday.jpg." in result.err
    assert not there(root, [3])


def test_a_class_without_its_option_is_explained(root: Path, harvest: Harvest) -> None:
    """For the name or the rejected folder of a class, the error names `--class`."""
    reject(root, 3)

    for word in ("king", "dataset.rejected/king", "dataset.rejected/king/"):
        result = harvest("restore", word)
        assert result.code == 2
        assert "king is a class, not an image." in result.err
        assert "harvest restore dataset --class king" in result.err


def test_an_unknown_class_names_those_there_are(root: Path, harvest: Harvest) -> None:
    """A class without rejected images is an error that lists the classes with some."""
    reject(root, 3)

    result = harvest("restore", "--class", "kings")

    assert result.code == 2
    assert "no image of a class kings was rejected." in result.err
    assert "Classes with rejected images: king." in result.err


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (["datset", "--last"], "Did you mean dataset?"),
        (["snakes/king/a.jpg"], "there is no folder snakes."),
        (["https://www.example.com/x.jpg"], "no search for dataset has returned the URL"),
    ],
)
@pytest.mark.usefixtures("root")
def test_wrong_arguments_are_named(harvest: Harvest, words: list[str], result: str) -> None:
    """Invalid arguments are an error with exit code 2."""
    messages = harvest("restore", *words)

    assert (messages.code, messages.out) == (2, "")
    assert result in messages.err


def test_a_misspelt_dataset_is_recognised(root: Path, harvest: Harvest) -> None:
    """Without a `dataset`, a bare word is taken for a misspelled dataset."""
    root.rename(root.with_name("snakes"))

    result = harvest("restore", "snake", "--last")

    assert result.code == 2
    assert "there is no folder snake." in result.err
    assert "Did you mean snakes?" in result.err


def test_nothing_is_restored_while_a_class_is_missing(root: Path, harvest: Harvest) -> None:
    """If a whole class is missing, nothing is changed, and the exit code is 3."""
    reject(root, 3)
    shutil.rmtree(root / "coral")

    result = harvest("restore", "--all")

    assert (result.code, result.out) == (3, "")
    assert "dataset: 25 of 25 images of coral are gone. Nothing was recorded." in result.err
    assert "harvest status dataset --accept-missing" in result.err
    assert not there(root, [3])


def test_the_next_get_downloads_restored_images(root: Path, harvest: Harvest) -> None:
    """The URLs of a restored picture are no longer refused."""
    delete(root, 3)
    harvest("restore", name(3))

    with Dataset.open(root, exclusive=True) as dataset:
        assert [task.hit.rank for task in dataset.unsettled_tasks(1)] == [3]
        assert len(find(dataset, [a_hit(3, "FLICKR")], text="another")) == 1
        fill(dataset, "king", [50])


def test_hostile_class_names_are_sanitized(root: Path, harvest: Harvest) -> None:
    """A class folder with terminal escapes in its name is printed as sanitized text."""
    evil = root.with_name("dataset.rejected") / "king\x1b[2J\nall is well"
    try:
        evil.mkdir(parents=True)
    except OSError:
        pytest.skip("this system has no such names")
    (evil / "a.jpg").write_bytes(jpeg(500))

    result = harvest("restore")
    by_class = harvest("restore", "--class", "x\x1b[2J\ny")

    assert "king\\x1b[2J\\x0aall is well 1" in result.lines
    assert "no image of a class x?[2J y was rejected." in by_class.err
