"""`harvest recipe`: what is written, and what is not."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset, Placement, save_split_in_ledger
from harvest.errors import CannotWrite, UsageError
from harvest.models import Recipe
from harvest.reproduce.read_recipe import read_recipe
from harvest.reproduce.write_recipe import write_recipe
from tests import datasets
from tests.reproduce.in_process import run_command

if TYPE_CHECKING:
    from pathlib import Path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def of_kind(path: Path, kind: str) -> list[dict]:
    return [line for line in lines(path) if line["kind"] == kind]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return datasets.copied(tmp_path / "snakes", king=range(3), coral=range(10, 12))


def place(root: Path, *hits, text: str = "king snake", recipe: Recipe | None = None) -> None:
    """Place an image for each hit."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        dataset.record_transform(recipe or Recipe())
        tasks = datasets.find(dataset, hits, text=text)
        dataset.place([Placement(task, datasets.a_picture(100 + n)) for n, task in enumerate(tasks)])


def test_a_recipe_has_every_query_result_and_image(root: Path) -> None:
    """Queries, results with their URLs in order, and images with their hashes are written."""
    write_recipe(root)
    path = root.with_name("snakes.recipe.jsonl")
    assert [line["query"] for line in of_kind(path, "search")] == ["king snake", "coral snake"]
    assert [line["url"] for line in of_kind(path, "result")] == [datasets.a_hit(n).url for n in (0, 1, 2, 10, 11)]
    first, picture = of_kind(path, "image")[0], datasets.a_picture(0)
    assert (first["content"], first["body"], first["pixels"]) == (picture.content, picture.body, picture.pixels)
    assert (first["class"], first["result"], of_kind(path, "result")[0]["image"]) == ("king", 1, 1)
    assert lines(path)[-1] == {"kind": "end", "lines": len(lines(path))}


def test_the_same_dataset_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    """A recipe that is written twice, also from a copy elsewhere, has the same bytes, and the dataset is unchanged."""
    before = (root / "harvest.db").read_bytes()
    first = write_recipe(root).path.read_bytes()
    assert write_recipe(root, tmp_path / "again.jsonl").path.read_bytes() == first
    assert (root / "harvest.db").read_bytes() == before


def test_a_recipe_has_decisions_and_splits(root: Path) -> None:
    """A rejection, a move and a rating are written with the classes and without the names of files or reasons."""
    with Dataset.open(root) as dataset:
        king = [dataset.find_file("king", datasets.name(n)) for n in range(3)]
        dataset.reject([king[0]], by="page", reason="the user's own words")
        dataset.move([king[1]], "coral", by="page")
        dataset.decide("rate", [king[2]], by="page", value=7)
    content = datasets.a_picture(2).content
    save_split_in_ledger(root, "10% 10% seed 1", {content: "test"})
    path = write_recipe(root).path
    made = [
        (line["action"], line.get("from"), line.get("to"), line.get("rating")) for line in of_kind(path, "decision")
    ]
    assert made[0][:2] == ("reject", "king")
    assert made[1][:3] == ("move", "king", "coral")
    assert made[2][3] == 7
    assert [line["state"] for line in of_kind(path, "image")[:3]] == ["rejected", "present", "present"]
    assert of_kind(path, "split") == [{"kind": "split", "rule": "10% 10% seed 1", "content": content, "part": "test"}]
    assert b"own words" not in path.read_bytes()
    assert b".jpg" not in b"".join(path.read_bytes().splitlines()[-5:])


def test_a_recipe_has_how_each_image_was_written(tmp_path: Path) -> None:
    """Size, padding and quality are those of the run that placed the image."""
    place(tmp_path / "one", datasets.a_hit(1), recipe=Recipe(size=500, pad=False))
    path = write_recipe(tmp_path / "one").path
    assert of_kind(path, "transform") == [{"kind": "transform", "id": 1, "size": 500, "pad": 0, "quality": 90}]


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.7/a.jpg",
        "http://nas/a.jpg",
        "http://printer.local/a.jpg",
        "https://ada:secret@example.org/a.jpg",
        "https://example.org/a.jpg?api_key=0123456789",
        "file:///home/ada/a.jpg",
    ],
)
def test_nothing_private_is_written(tmp_path: Path, url: str) -> None:
    """An address of a private network or with a key or a password is left out and counted, also that of a page."""
    private = datasets.a_hit(1, url=url, source=f"url:{url}")
    page = datasets.a_hit(2, page=url, author_url=url, others=(url,))
    place(tmp_path / "one", private, page)
    summary = write_recipe(tmp_path / "one")
    assert (summary.left_out, summary.unsourced, summary.results) == (1, 1, 1)
    text = summary.path.read_text("utf-8")
    assert url not in text
    assert not any(word in text for word in ("ada", "secret", "0123456789", "nas/", "printer", "192.168"))


def test_no_local_path_is_written(tmp_path: Path) -> None:
    """Of a query that is the path of a file, only the name of the file is written; the dataset is not named."""
    place(tmp_path / "one", datasets.a_hit(1, "URLS"), text="/home/ada/lists/kings.txt")
    path = write_recipe(tmp_path / "one").path
    assert [line["query"] for line in of_kind(path, "search")] == ["kings.txt"]
    assert str(tmp_path).encode() not in path.read_bytes()
    assert b"home" not in path.read_bytes()


def test_a_full_disk_leaves_no_recipe(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full in the middle, the recipe of before stays, and nothing half-written is left."""
    path = write_recipe(root).path
    before = path.read_bytes()
    monkeypatch.setattr("harvest.reproduce.write_recipe.format_end", _fill_disk)
    with pytest.raises(CannotWrite, match="No space left"):
        write_recipe(root)
    assert path.read_bytes() == before
    assert not list(root.parent.glob(".*.part"))


def _fill_disk(_lines: int) -> bytes:
    raise OSError(28, "No space left on device")


def test_what_is_not_a_dataset_is_refused(tmp_path: Path) -> None:
    """The recipe of a folder without a ledger is refused, and nothing is written."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"not a dataset"):
        write_recipe(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_command_shows_what_the_recipe_contains(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """`harvest recipe` prints the file, the counts and how to use it."""
    assert run_command("recipe", str(root), "-o", str(tmp_path / "r.jsonl")) == 0
    out = capsys.readouterr().out
    assert "5 images, 5 results" in out
    assert f"harvest replay {tmp_path / 'r.jsonl'} -o FOLDER" in out


def test_deleted_files_are_recorded_in_the_order_of_their_names(tmp_path: Path) -> None:
    """The decisions about files that were deleted at once do not depend on the hash seed of the process."""
    root = datasets.copied(tmp_path / "snakes", king=range(12))
    gone = sorted((root / "king").iterdir(), key=lambda path: path.name)[:10]
    for path in gone:
        path.unlink()
    with Dataset.open(root) as dataset:
        names = {row.id: row.name for row in dataset.recipe_rows.images()}
        assert [names[row.picture] for row in dataset.recipe_rows.decisions()] == [path.name for path in gone]


def test_a_file_that_is_not_a_recipe_is_kept(root: Path, capsys: pytest.CaptureFixture) -> None:
    """`-o` replaces a recipe, and no other file: not the ledger of the dataset itself."""
    ledger = (root / "harvest.db").read_bytes()
    assert run_command("recipe", str(root), "-o", str(root / "harvest.db")) == 2
    assert "exists and is not a recipe. It was not changed." in capsys.readouterr().err
    assert (root / "harvest.db").read_bytes() == ledger
    assert run_command("recipe", str(root)) == 0
    assert run_command("recipe", str(root)) == 0


def test_the_command_does_not_suggest_what_cannot_work(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Where no image has a public address, replay is not suggested."""
    place(tmp_path / "one", datasets.a_hit(1, url="http://127.0.0.1/a.jpg"))
    assert run_command("recipe", str(tmp_path / "one")) == 0
    out = capsys.readouterr().out
    assert "1 image without a public address: nobody can download them" in out
    assert "replay" not in out


def test_odd_values_of_a_ledger_give_a_valid_recipe(tmp_path: Path) -> None:
    """Empty texts, numbers out of range, odd folder names and damaged times are left out: the recipe can be read."""
    root = tmp_path / "one"
    place(root, datasets.a_hit(1, title="", author="", width=-1, height=10**18, rank=-5, source="x" * 9_000))
    (root / "what?").mkdir()
    (root / "what?" / "mine.jpg").write_bytes(datasets.jpeg(7))
    with Dataset.open(root):
        pass
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE search SET ended = x'00ff'")
        ledger.execute("UPDATE run SET version = x'00ff', transform = 7")
        ledger.execute(
            'INSERT INTO decision (at, by, session, batch, picture, action, "from") '
            "VALUES ('2026', 'page', '', 1, 1, 'keep', '../x/y.jpg')"
        )
    records = list(read_recipe(write_recipe(root).path))
    assert [type(record).__name__ for record in records][-2:] == ["RecipeResult", "RecipeImage"]
    assert (records[-2].hit.width, records[-2].hit.height, records[-2].hit.rank) == (None, None, 0)
