"""`harvest status`: changes, counts and images to check."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from harvest.cli.shortened_lists import print_list
from harvest.dataset import Dataset, HitVerdict, Placement
from harvest.images import process_image
from harvest.models import Picture, Recipe
from harvest.verdicts import Verdict
from tests.datasets import a_hit, a_picture, fill, find, jpeg, name, new

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]


@pytest.mark.usefixtures("root")
def test_an_unchanged_dataset_counts_its_pictures(harvest: Harvest) -> None:
    """Without changes: the count of each class, the total, and no empty column."""
    status = harvest("status")

    assert (status.code, status.err) == (0, "")
    assert "changed on disk since the last command: nothing" in status.lines
    assert status.lines[2:6] == ["class kept new", "coral 25 25", "king 25 25", "50 50"]


def test_the_dataset_can_be_an_argument(root: Path, harvest: Harvest) -> None:
    """Another folder than `dataset` is the argument."""
    root.rename(root.with_name("snakes"))

    assert harvest("status", "snakes/").lines[5] == "50 50"


def test_each_change_is_reported_once(root: Path, harvest: Harvest) -> None:
    """Changes in the folders are listed by kind, by the first command after them."""
    king, coral = root / "king", root / "coral"
    rejected = root.with_name("dataset.rejected") / "king"
    rejected.mkdir(parents=True)
    (king / name(0)).unlink()
    (king / name(1)).rename(coral / name(1))
    (king / name(2)).rename(rejected / name(2))
    (king / name(3)).write_bytes(jpeg(500))
    (king / "mine.jpg").write_bytes(jpeg(501))
    shutil.copy(king / name(4), coral / "copy.jpg")

    result = harvest("status")
    again = harvest("status")

    assert result.lines[:7] == [
        "changed on disk since the last command:",
        f"deleted king/{name(0)}",
        f"rejected king/{name(2)}",
        f"moved king/{name(1)} → coral/{name(1)}",
        f"edited king/{name(3)}",
        "added by hand king/mine.jpg",
        "in two classes coral/copy.jpg",
    ]
    assert again.lines[0] == "changed on disk since the last command: nothing"


def test_a_file_moved_back_is_reported(root: Path, harvest: Harvest) -> None:
    """A picture that is back in its folder counts as restored."""
    spot = root / "king" / name(0)
    data = spot.read_bytes()
    spot.unlink()
    harvest("status")
    spot.write_bytes(data)

    assert harvest("status").lines[1] == f"restored king/{name(0)}"


def test_the_table_counts_the_changes_of_the_user(root: Path, harvest: Harvest) -> None:
    """Only columns with counts appear, each with its legend."""
    (root / "king" / name(0)).unlink()
    (root / "king" / name(1)).rename(root / "coral" / name(1))
    (root / "coral" / "mine.jpg").write_bytes(jpeg(501))
    (root / "coral" / "odd.jpg").write_bytes(b"no picture")

    status = harvest("status")

    assert "class kept new by hand unreadable moved rejected" in status.lines
    assert "coral 28 26 2 1 1 –" in status.lines
    assert "king 23 23 – – – 1" in status.lines
    assert "51 49 2 1 1 1" in status.lines
    assert "your own files" in status.out
    assert "which of the 1 rejected images can be restored" in status.out


def test_a_renamed_class_is_reported_until_the_query_file_agrees(root: Path, harvest: Harvest) -> None:
    """A renamed class folder is reported each time, and its pictures do not count as moved."""
    (root / "king").rename(root / "lampropeltis")

    for _ in range(2):
        status = harvest("status")
        assert "class renamed king → lampropeltis" in status.lines
        assert "until the query file uses the name lampropeltis too" in status.out
        assert "lampropeltis 25 25" in status.lines


def test_lists_are_short_unless_all_is_asked_for(root: Path, harvest: Harvest) -> None:
    """Ten lines of a kind are shown, then the number of hidden ones; `--all` shows them."""
    for number in range(15):
        (root / "king" / name(number)).unlink()
        (root / "coral" / f"mine-{number}.jpg").write_bytes(jpeg(500 + number))

    short = harvest("status")

    assert short.out.count("deleted") == short.out.count("added by hand") == 10
    assert short.lines.count("… and 5 more (--all shows them)") == 2


def test_all_shows_every_line(root: Path, harvest: Harvest) -> None:
    """`--all` shows every line."""
    for number in range(15):
        (root / "king" / name(number)).unlink()

    status = harvest("status", "--all")

    assert {f"deleted king/{name(number)}" for number in range(15)} < set(status.lines)
    assert "more (" not in status.out


def test_conflicts_are_listed_with_their_files(root: Path, harvest: Harvest) -> None:
    """A picture found for two classes is listed with the other class and how to resolve it."""
    with Dataset.open(root) as dataset:
        (task,) = find(dataset, [a_hit(900)], "coral")
        (known,) = (known for known in dataset.list_present() if known.content == a_picture(3).content)
        dataset.record_verdicts([HitVerdict(task.id, Verdict.CONFLICT, "the same picture", known.id)])

    status = harvest("status")

    assert "conflicts: 1 image found for two classes" in status.lines
    assert f"dataset/king/{name(3)} was also found for coral" in status.lines
    assert "king 25 25 1" in status.lines
    assert "where an image comes from" in status.out


def test_suspects_are_listed_with_the_class_they_name(tmp_path: Path, harvest: Harvest) -> None:
    """A picture whose source mentions another class and not its own is counted as a suspect."""
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        fill(dataset, "coral", [1])
        (task,) = find(dataset, [a_hit(2, title="A coral snake")], "king", "lampropeltis")
        dataset.place([Placement(task, a_picture(2))])

    status = harvest("status")

    assert "suspects: 1 image whose source mentions another class" in status.lines
    assert f"dataset/king/{name(2)} may belong to coral" in status.lines
    assert "king 1 1 1" in status.lines


def test_keep_rates_of_each_search(root: Path, harvest: Harvest) -> None:
    """Each query and source is rated by the share of its pictures that the user kept."""
    with Dataset.open(root) as dataset:
        fill(dataset, "king", range(30, 34), provider="FLICKR")
    for number in (0, 1, 2, 3, 4, 30):
        provider = "flickr" if number == 30 else "bing"
        (root / "king" / name(number, provider)).unlink()

    status = harvest("status")

    assert "class source query found placed kept rate" in status.lines
    assert "king bing king snake 25 25 20 80%" in status.lines
    assert "king flickr king snake 4 4 3 75%" in status.lines


def test_a_better_copy_counts_as_one_picture(root: Path, harvest: Harvest) -> None:
    """Two hits of a search that became one picture are counted once."""
    with Dataset.open(root) as dataset:
        first, better = find(dataset, [a_hit(900), a_hit(901)], text="another")
        (known,) = dataset.place([Placement(first, a_picture(900))])
        dataset.place([Placement(better, a_picture(901), known)])

    assert "king bing another 2 1 1 100%" in harvest("status").lines


def test_a_search_without_pictures_has_no_rate(tmp_path: Path, harvest: Harvest) -> None:
    """Without placed pictures there are no rates."""
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        (task,) = find(dataset, [a_hit(1)], text="x" * 60)
        dataset.record_verdicts([HitVerdict(task.id, Verdict.GONE, "HTTP 404")])

    status = harvest("status")

    assert f"king bing {'x' * 39}… 1 0 0 –" in status.lines
    assert "harvest QUERIES.csv -o dataset" in status.out


def test_a_dataset_without_classes_is_no_error(tmp_path: Path, harvest: Harvest) -> None:
    """A dataset without a search is reported."""
    new(tmp_path / "dataset")

    status = harvest("status")

    assert status.code == 0
    assert "no class yet" in status.lines


def test_json_says_the_same_in_full(root: Path, harvest: Harvest) -> None:
    """`--json` is one document with every change, class, conflict, suspect and rate."""
    for number in range(15):
        (root / "king" / name(number)).unlink()
    (root / "king" / name(20)).rename(root / "coral" / name(20))

    document = harvest("status", "--json").json

    assert document["dataset"] == "dataset"
    assert len(document["changes"]["deleted"]) == 15
    assert document["changes"]["moved"] == [{"class": "king", "name": name(20), "to": f"coral/{name(20)}"}]
    coral, king = document["classes"]
    assert (coral["class"], coral["kept"], coral["moved"]) == ("coral", 26, 1)
    assert (king["class"], king["kept"], king["rejected"]) == ("king", 9, 15)
    assert document["keep_rates"][1] == {
        "class": "king",
        "provider": "BING",
        "query": "king snake",
        "found": 25,
        "placed": 25,
        "kept": 10,
    }
    assert (document["conflicts"], document["suspects"], document["missing_files"]) == ([], [], "")


# Missing files.


def test_a_missing_class_stops_the_command(root: Path, harvest: Harvest) -> None:
    """A missing class is not taken for a deletion: exit code 3, a command to confirm, nothing recorded."""
    shutil.move(root / "king", root.with_name("elsewhere"))

    status = harvest("status")

    assert status.code == 3
    assert "dataset: 25 of 25 images of king are gone. Nothing was recorded." in status.err
    assert "Check that the drive is attached." in status.err
    assert "If you deleted them: harvest status dataset --accept-missing" in status.err
    assert status.lines[0] == "seen on disk, but not recorded:"
    assert "… and 15 more (--all shows them)" in status.lines

    shutil.move(root.with_name("elsewhere"), root / "king")
    assert harvest("status").lines[0] == "changed on disk since the last command: nothing"


def test_a_missing_class_in_json(root: Path, harvest: Harvest) -> None:
    """With `--json` stdout stays one document, and the exit code is 3."""
    shutil.rmtree(root / "king")

    status = harvest("status", "--json")

    assert status.code == 3
    assert status.json["missing_files"] == "25 of 25 images of king are gone"
    assert len(status.json["changes"]["deleted"]) == 25


def test_accept_missing_records_them(root: Path, harvest: Harvest) -> None:
    """`--accept-missing` records the missing pictures as rejected."""
    shutil.rmtree(root / "king")

    status = harvest("status", "--accept-missing")

    assert status.code == 0
    assert "king – – 25" in status.lines
    assert harvest("status").lines[0] == "changed on disk since the last command: nothing"


# Folders that are not datasets.


@pytest.mark.parametrize(
    ("asked", "result", "guess"),
    [
        ("datset", "there is no folder datset.", "Did you mean dataset?"),
        (
            "../nowhere/snakes",
            "there is no folder ../nowhere/snakes.",
            "harvest QUERIES.csv -o ../nowhere/snakes",
        ),
        ("dataset/king", "dataset/king is not a dataset: it has no harvest.db.", "contains it? dataset"),
        ("dataset.rejected", "there is no folder dataset.rejected.", "contains it? dataset"),
        ("file.csv", "file.csv is not a folder, so not a dataset.", "Did you mean dataset?"),
    ],
)
def test_a_folder_that_is_not_a_dataset(root: Path, harvest: Harvest, asked: str, result: str, guess: str) -> None:
    """A folder that is not a dataset is an error with a suggestion."""
    root.with_name("file.csv").touch()

    status = harvest("status", asked)

    assert (status.code, status.out) == (2, "")
    assert result in status.err
    assert guess in status.err


def test_several_datasets_are_named(root: Path, harvest: Harvest) -> None:
    """Without a similar name, the datasets in the folder are listed."""
    new(root.with_name("my snakes"))

    status = harvest("status", "xyz")

    assert status.code == 2
    assert "Datasets there: dataset, 'my snakes'" in status.err


def test_inside_a_dataset_the_command_is_shown(root: Path, harvest: Harvest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the dataset, the error shows the right command."""
    monkeypatch.chdir(root)

    assert "contains it? ." in harvest("status").err
    assert harvest("status", ".").code == 0


def test_a_damaged_ledger_is_an_error_of_its_own(root: Path, harvest: Harvest) -> None:
    """An unreadable ledger is reported as damaged, with exit code 6."""
    (root / "harvest.db").write_bytes(b"no ledger" * 1000)

    status = harvest("status")

    assert status.code == 6
    assert "is damaged" in status.err


# Text from outside.


def test_hostile_names_do_not_reach_the_terminal(root: Path, harvest: Harvest) -> None:
    """A name with escapes, newlines and direction marks is printed as sanitized text on one line."""
    evil = root / "king\x1b[2J\n deleted  x"
    try:
        evil.mkdir()
        (evil / "own\u202e\x9b2J.jpg").write_bytes(jpeg(500))
    except OSError:
        pytest.skip("this system has no such names")

    status = harvest("status")

    assert "added by hand king\\x1b[2J\\x0a deleted x/own??2J.jpg" in status.lines
    assert "king\\x1b[2J\\x0a deleted x 1 – 1" in status.lines


def test_hostile_names_are_escaped_in_json(root: Path, harvest: Harvest) -> None:
    """JSON keeps every character; control characters are escaped."""
    evil = "king\x9b2J\u202e\U000e0041"
    try:
        (root / evil).mkdir()
        (root / evil / "ключ.jpg").write_bytes(jpeg(500))
    except OSError:
        pytest.skip("this system has no such names")

    status = harvest("status", "--json")

    assert status.json["changes"]["added"] == [{"class": evil, "name": "ключ.jpg", "to": ""}]
    assert "ключ.jpg" in status.out


def test_X14_a_lost_ledger_is_named(root: Path, harvest: Harvest) -> None:
    """A folder of images that harvest placed, without their ledger, is not called an unknown folder."""
    picture = process_image(jpeg(1, 240), a_hit(1), Recipe())
    assert isinstance(picture, Picture)
    shutil.rmtree(root / "king")
    (root / "king").mkdir()
    (root / "king" / f"bing-{picture.content[:12]}.jpg").write_bytes(picture.data)
    (root / "harvest.db").unlink()

    status = harvest("status")

    assert status.code == 3
    assert "has lost its ledger, harvest.db" in status.err
    assert "--new-ledger" in status.err


def test_only_the_lines_that_are_shown_are_made(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a long list, only the items that are printed are described: there may be 10,000 near-duplicates."""
    described: list[int] = []

    def describe(item: int) -> str:
        described.append(item)
        return f"image {item}"

    print_list(range(10_000), 10, more="--all shows them", describe=describe)
    assert described == list(range(10))
    assert capsys.readouterr().out.endswith("   image 9\n   … and 9,990 more (--all shows them)\n")
