"""Leak groups: copies, variants, and images of one page or one author stay in one part."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from harvest.dataset import Dataset, Origin, ReadOnlyDataset
from harvest.labelled_pictures.leak_groups import find_leak_groups
from harvest.labelled_pictures.ledger_facts import LedgerFacts
from harvest.splits.split_images import make_split
from harvest.training.split_warnings import find_warnings
from tests import datasets
from tests.pictures import encoded, photo
from tests.training.labelled_trees import content, imagine, look, paths, plant
from tests.training.shapes import tree as shapes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harvest.labelled_pictures.load_pictures import LabelledPictures


def together(labelled: LabelledPictures) -> list[set[str]]:
    """Return the names of the images that share a group; no message is expected."""
    return groups_of(labelled, [])


def groups_of(labelled: LabelledPictures, messages: list[str]) -> list[set[str]]:
    numbers = find_leak_groups(labelled, say=messages.append).tolist()
    found = {number: set() for number in numbers}
    for number, path in zip(numbers, paths(labelled), strict=True):
        found[number].add(path)
    return sorted((names for names in found.values() if len(names) > 1), key=sorted)


def with_origins(root: Path, count: int, origins: Iterable[tuple[int, dict[str, str]]]) -> LabelledPictures:
    """Return images of one class, with the ledger's facts about some of them."""
    labelled = imagine(root, ((("king", "coral")[number % 2], number) for number in range(count)))
    usual = {"provider": "FLICKR", "page": None, "author": None, "author_url": None}
    known = tuple(Origin(content(number), **usual | what) for number, what in origins)
    object.__setattr__(labelled, "ledger_facts", LedgerFacts(known))
    return labelled


def numbers_of(sets: list[set[str]]) -> list[list[int]]:
    return [sorted(int(path[-10:-4]) for path in names) for names in sets]


# Without a ledger.


def test_T05_copies_are_one_group(tmp_path: Path) -> None:
    """A copy, also smaller, of lower quality or in another format or class, is in the group of its original."""
    plant(tmp_path, {"king": range(6), "coral": range(10, 16)})
    picture = photo(96, 72, seed=3)
    (tmp_path / "coral" / "same.jpg").write_bytes((tmp_path / "king" / "003.jpg").read_bytes())
    (tmp_path / "king" / "poor.jpg").write_bytes(encoded(picture, quality=40))
    (tmp_path / "king" / "other.png").write_bytes(encoded(picture.resize((64, 48)), "PNG"))
    labelled = look(tmp_path)
    assert together(labelled) == [{"king/003.jpg", "king/poor.jpg", "king/other.png", "coral/same.jpg"}]


def test_different_pictures_are_groups_of_their_own(tmp_path: Path) -> None:
    """Images that only share a style are in separate groups."""
    assert together(look(plant(tmp_path, {"king": range(40), "coral": range(40, 80)}))) == []


def test_drawn_shapes_are_mostly_different_groups(tmp_path: Path) -> None:
    """Small plain drawings, which are often similar, do not all form one group."""
    labelled = look(shapes(tmp_path, {"disc": 60, "square": 60, "cross": 60}))
    assert max(map(len, together(labelled)), default=1) < 10


def test_names_equal_up_to_nohash_are_one_group(tmp_path: Path) -> None:
    """Names equal up to _nohash_, as in TensorFlow, form a group across classes; others do not."""
    plant(tmp_path, {"king": [1, 2, 3, 4, 5], "coral": [2, 11, 12, 13]})
    for old, new in {
        "king/001": "king/ada_nohash_1",
        "king/002": "king/ada_nohash_2",
        "coral/011": "coral/ada_nohash_1",
        "king/003": "king/ada",
        "king/004": "king/_nohash_1",
        "king/005": "king/_nohash_2",
    }.items():
        (tmp_path / f"{old}.jpg").rename(tmp_path / f"{new}.jpg")
    (tmp_path / "coral" / "002.jpg").unlink()
    assert together(look(tmp_path)) == [{"king/ada_nohash_1.jpg", "king/ada_nohash_2.jpg", "coral/ada_nohash_1.jpg"}]


def test_T05_groups_do_not_depend_on_the_path(tmp_path: Path) -> None:
    """The same images in another folder, under other names, have the same groups and parts."""
    deals = []
    for place in ("here", "there/further down"):
        labelled = look(plant(tmp_path / place, {"king": range(20), "coral": range(20, 40)}))
        split = make_split(
            labelled, find_leak_groups(labelled, say=pytest.fail), valid=20, test=10, seed=42, remembered={}
        )
        contents = (example.content for example in labelled.examples)
        deals.append(dict(zip(contents, split.parts, strict=True)))
    assert deals[0] == deals[1]


# Facts of a ledger.


def test_one_landing_page_is_one_group(tmp_path: Path) -> None:
    """Images of one page form a group, whatever the rest of the URL; a host alone does not count."""
    labelled = with_origins(
        tmp_path,
        10,
        [
            (1, {"page": "https://a.example/trip?utm_source=mail#top"}),
            (2, {"page": "https://A.example/trip", "provider": "BING"}),
            (3, {"page": "https://a.example/other"}),
            (4, {"page": " "}),
            (5, {"page": " "}),
        ],
    )
    assert numbers_of(together(labelled)) == [[1, 2]]


def test_one_author_is_one_group(tmp_path: Path) -> None:
    """An author is identified by the URL, else by the name within one provider; no name is no author."""
    labelled = with_origins(
        tmp_path,
        20,
        [
            (1, {"author": "Ada", "author_url": "https://a.example/ada"}),
            (2, {"author": "Ada L.", "author_url": "https://a.example/ada"}),
            (3, {"author": "Bob"}),
            (4, {"author": " Bob "}),
            (5, {"author": "Bob", "provider": "GBIF"}),
            (6, {"author": "Unknown"}),
            (7, {"author": "unknown"}),
            (8, {"author": ""}),
            (9, {"author": ""}),
        ],
    )
    assert numbers_of(together(labelled)) == [[1, 2], [3, 4]]


def test_groups_are_transitive(tmp_path: Path) -> None:
    """Groups are transitive: a shared page and a shared author join three images."""
    labelled = with_origins(
        tmp_path,
        9,
        [
            (1, {"page": "https://a.example/1"}),
            (2, {"page": "https://a.example/1", "author": "Ada"}),
            (3, {"author": "Ada"}),
        ],
    )
    assert numbers_of(together(labelled)) == [[1, 2, 3]]


def test_an_agency_is_no_author(tmp_path: Path) -> None:
    """A page or author with more than a tenth of all images joins none of them, which is reported."""
    many = [(number, {"author": "Stock"}) for number in range(11)]
    messages: list[str] = []
    assert groups_of(with_origins(tmp_path, 100, many), messages) == []
    assert messages == ["11 images share the author Stock: too many to keep in one part"]
    assert len(together(with_origins(tmp_path, 110, many))[0]) == 11


def test_a_single_author_is_not_reported(tmp_path: Path) -> None:
    """A tree of a single author is not reported."""
    messages: list[str] = []
    assert groups_of(with_origins(tmp_path, 12, [(n, {"author": "Me"}) for n in range(12)]), messages) == []
    assert messages == []


def test_a_harvest_knows_pages_and_authors(tmp_path: Path) -> None:
    """Pages and authors from the search results of a harvest form groups."""
    root = tmp_path / "dataset"
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        hits = [
            datasets.a_hit(1, page="https://a.example/trip"),
            datasets.a_hit(2, page="https://a.example/trip"),
            datasets.a_hit(3, page="https://a.example/more", author="Ada"),
        ]
        tasks = datasets.find(dataset, hits)
        dataset.place([datasets.Placement(task, datasets.a_picture(n)) for n, task in enumerate(tasks, 1)])
        datasets.fill(dataset, "coral", [4])
    (root / "king" / datasets.name(2)).rename(root / "coral" / "moved.jpg")
    assert together(look(root)) == [{f"king/{datasets.name(1)}", "coral/moved.jpg"}]


def test_reading_a_ledger_records_nothing(tmp_path: Path) -> None:
    """A training records neither moved nor deleted images in the ledger."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(5), coral=range(10, 15))
    (root / "king" / datasets.name(2)).unlink()
    look(root)
    with Dataset.open(root) as dataset:
        assert [change.name for change in dataset.changes.deleted] == [datasets.name(2)]


# Unusable ledgers.


DAMAGE = {
    "cut": lambda data: data[: len(data) // 2],
    "text": lambda _: b"this is not a ledger, though it is long enough to be looked at\n" * 100,
    "empty": lambda _: b"",
    "scribbled": lambda data: data[:4096] + b"\xff" * (len(data) - 4096),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_ledger_stops_no_training(tmp_path: Path, damage: str) -> None:
    """With an unreadable ledger, images are grouped by content, and a warning names the ledger."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(5), coral=range(10, 15))
    file = root / "harvest.db"
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    before = file.read_bytes()
    labelled = look(root)
    split = make_split(labelled, find_leak_groups(labelled, say=pytest.fail), valid=20, test=10, seed=42, remembered={})
    assert any("the ledger is not used" in text and "harvest.db" in text for text in find_warnings(labelled, split))
    assert file.read_bytes() == before


def test_a_newer_ledger_stops_no_training(tmp_path: Path) -> None:
    """A ledger of a newer version is not changed, and the training continues."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(3), coral=range(10, 13))
    with closing(sqlite3.connect(root / "harvest.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "newer harvest" in look(root).ledger_facts.trouble


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_ledger_in_use_is_read(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that another program is writing to is read directly or from a copy."""
    monkeypatch.setattr("harvest.ledger.database.BUSY_TIMEOUT", 0.1)
    root = tmp_path / "dataset"
    datasets.new(root, king=range(3), coral=range(10, 13))
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.execute("BEGIN EXCLUSIVE")
        assert look(root).ledger_facts.trouble == ""


def test_a_ledger_that_is_a_folder_stops_no_training(tmp_path: Path) -> None:
    """A folder called harvest.db does not stop the training."""
    (plant(tmp_path, {"king": [1], "coral": [2]}) / "harvest.db").mkdir()
    assert look(tmp_path).ledger_facts.trouble


def test_a_ledger_that_cannot_be_written_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger on a read-only disk is read from a copy in memory."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(3), coral=range(10, 13))
    real = sqlite3.connect

    def frozen(address: str, **more: object) -> sqlite3.Connection:
        return real(address.replace("mode=rw", "mode=ro"), **more)

    monkeypatch.setattr(sqlite3, "connect", frozen)
    with closing(real(root / "harvest.db")) as connection:
        connection.execute("PRAGMA journal_mode = delete")
    with ReadOnlyDataset.open(root) as consulted:
        assert consulted.counts() == {"king": 3, "coral": 3}


def test_plain_images_are_not_one_group(tmp_path: Path) -> None:
    """Plain images of different colors, whose hashes are nearly equal, do not form one group."""
    plant(tmp_path, {"king": range(3), "coral": range(10, 13)})
    for number in range(12):
        colour = tuple((number * step) % 256 for step in (20, 57, 91))
        Image.new("RGB", (64, 64), colour).save(tmp_path / "king" / f"plain-{number}.png")
    assert max(map(len, together(look(tmp_path))), default=1) <= 2
