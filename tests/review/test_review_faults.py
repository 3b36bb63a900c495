"""Faults of the disk and of other programs while the review page is open: nothing is lost, and the page says why."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

from harvest.dataset import Dataset
from harvest.dataset.adopt_tree import adopt_tree
from harvest.errors import CannotWrite
from harvest.files.place_and_list_files import Tree
from harvest.ledger import database
from tests.datasets import copied, jpeg
from tests.review.reviews import TOKEN, Review, running_process, wait_for

if TYPE_CHECKING:
    from pathlib import Path


def images(root: Path) -> dict[str, bytes]:
    """Return every file of the class folders and of the rejected ones."""
    folders = (root, root.with_name(f"{root.name}.rejected"))
    return {str(path.relative_to(root.parent)): path.read_bytes() for each in folders for path in each.glob("*/*.jpg")}


def poll(review: Review):
    return review.client.get("/api/changes", params={"since": 0})


def reject(review: Review, *ids: int):
    return review.send("/api/decide", {"since": 0, "action": "reject", "ids": ids})


def test_rejected_that_is_a_file(review: Review, root: Path) -> None:
    """Where dataset.rejected is a file nothing is rejected, and each answer says so until it is gone."""
    before = images(root)
    wall = root.with_name("dataset.rejected")
    wall.write_text("mine")
    failed = reject(review, 1, 2).json()["failed"]
    assert [each["id"] for each in failed] == [1, 2]
    for _ in range(2):
        answer = poll(review)
        assert answer.status_code == 409
        assert "dataset.rejected" in answer.json()["error"]
    assert images(root) == before
    wall.unlink()
    assert poll(review).status_code == 200
    assert reject(review, 1, 2).json()["failed"] == []


@pytest.mark.parametrize("link", ["dataset.rejected", "dataset.rejected/king", "dataset/king"])
def test_a_link_is_not_written_through(review: Review, root: Path, tmp_path: Path, link: str) -> None:
    """A folder that was replaced by a symbolic link gets no file, and its target neither loses nor gains one."""
    (ids,) = {tuple(review.ids(**{"class": "king"})[:2])}
    outside = tmp_path / "outside"
    path = root.parent / link
    if path.exists():
        shutil.move(path, outside)
    outside.mkdir(exist_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(outside)
    before = sorted(outside.iterdir())
    answer = reject(review, *ids)
    assert answer.status_code == 409 or len(answer.json()["failed"]) == 2
    assert sorted(outside.iterdir()) == before
    assert len(list(root.glob("*/*.jpg"))) == 35


def test_a_detached_drive_records_nothing(review: Review, root: Path) -> None:
    """While a class is missing the page shows why, its images cannot be decided, and they come back unchanged."""
    kings, corals = (review.ids(**{"class": name}) for name in ("king", "coral"))
    shutil.move(root / "king", root.parent / "elsewhere")
    assert poll(review).json()["state"]["missing"].startswith("25 of 25 images of king")
    answer = reject(review, kings[0], corals[0]).json()
    assert [(each["id"], each["why"]) for each in answer["failed"]] == [(kings[0], "Its file is missing.")]
    shutil.move(root.parent / "elsewhere", root / "king")
    state = poll(review).json()["state"]
    assert state["missing"] == ""
    assert (state["queues"]["unreviewed"], state["queues"]["rejected"]) == (34, 1)


def test_a_dataset_that_is_gone_at_the_first_question(review: Review, root: Path) -> None:
    """A dataset that is renamed before the first check is noticed by it, and continues when it is back."""
    root.rename(root.with_name("other"))
    assert poll(review).json()["state"]["missing"]
    assert reject(review, 1).status_code == 409 or reject(review, 1).json()["failed"]
    root.with_name("other").rename(root)
    assert poll(review).json()["state"]["missing"] == ""
    assert reject(review, 1).json()["failed"] == []


@pytest.mark.parametrize("place", ["ledger", "folders"])
def test_a_full_disk_loses_no_image(review: Review, root: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A reject on a full disk says so and changes nothing; with room the same reject works, and so does its undo."""
    before = images(root)
    with monkeypatch.context() as full:
        if place == "ledger":
            full.setattr(database.Ledger, "transaction", _raise_disk_full)
        else:
            full.setattr(Tree, "move", _raise_disk_full)
        answer = reject(review, 1, 2, 3)
        reason = answer.json()["error"] if place == "ledger" else answer.json()["failed"][0]["why"]
        assert "No space left" in reason
    assert images(root) == before
    assert reject(review, 1, 2, 3).json()["failed"] == []
    review.post("/api/undo")
    assert images(root) == before


def _raise_disk_full(*_: object) -> None:
    raise CannotWrite("cannot write: No space left on device")


def test_a_locked_ledger_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds the ledger a decision is refused with that reason; reading still works."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.1)
    with Review(root) as review:
        with closing(sqlite3.connect(root / "harvest.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = reject(review, 1)
            assert answer.status_code == 409
            assert "another program has locked it" in answer.json()["error"]
            assert review.get("/api/item/1")["id"] == 1
        assert reject(review, 1).json()["failed"] == []


def test_what_replaces_an_image_is_not_read(review: Review, root: Path) -> None:
    """A FIFO, a folder and a file of many gigabytes in the place of an image are not served, and stop nothing."""
    paths = [
        root / each["class"] / each["name"] for each in (review.get(f"/api/item/{number}") for number in (1, 2, 3))
    ]
    for path in paths:
        path.unlink()
    os.mkfifo(paths[0])
    paths[1].mkdir()
    with paths[2].open("wb") as file:
        file.truncate(20 << 30)
    for number in (1, 2, 3):
        assert review.client.get(f"/image/{number}").status_code == 404
    assert poll(review).status_code == 200
    assert review.client.get("/image/4").status_code == 200


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_class_with_an_unusual_name_can_be_reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of a class folder whose name harvest would not give are rejected and restored like any other."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "dataset"
    for name in ('a "quoted" name?', "king"):
        (root / name).mkdir(parents=True)
        (root / name / "a.jpg").write_bytes(jpeg(len(name)))
    adopt_tree(root).close()
    with Review(root) as review:
        (number,) = review.ids(**{"class": 'a "quoted" name?'})
        assert reject(review, number).json()["failed"] == []
        assert (root.with_name("dataset.rejected") / 'a "quoted" name?' / "a.jpg").exists()
        review.post("/api/undo")
    assert (root / 'a "quoted" name?' / "a.jpg").exists()


def test_tabs_and_a_command_at_once(review: Review, root: Path) -> None:
    """Rejects, undos and moves of two tabs and of another process leave every image once, where the ledger says."""
    contents = sorted(images(root).values())
    errors: list[BaseException] = []

    def repeat(act) -> None:
        try:
            for number in range(8):
                act(number)
        except BaseException as error:  # noqa: BLE001 - reported below
            errors.append(error)

    def command(_number: int) -> None:
        with Dataset.open(root) as dataset:
            dataset.restore([each.id for each in dataset.rejections()], by="cli")

    def undo(_number: int) -> None:
        review.send("/api/undo", {"since": 0})

    acts = [
        lambda number: reject(review, *range(number + 1, number + 12)),
        lambda number: review.send(
            "/api/decide", {"since": 0, "action": "move", "ids": [number + 5], "value": "coral"}
        ),
        undo,
        command,
    ]
    threads = [threading.Thread(target=repeat, args=(act,)) for act in acts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []
    assert sorted(images(root).values()) == contents
    poll(review)
    listed = {(row.rejected, row.class_name, row.name) for row in review.dataset.review_rows()}
    on_disk = {("rejected" in path.split("/")[0], *path.split("/")[1:]) for path in images(root)}
    assert {(bool(rejected), *rest) for rejected, *rest in listed} == on_disk


def test_a_kill_during_a_large_reject_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it moves 500 files, the next start finishes it; each image exists once; undo returns all."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = copied(tmp_path / "dataset", king=range(500))
    before = images(root)
    with running_process(root) as (process, port):
        sender = threading.Thread(target=_reject_all, args=(port,))
        sender.start()
        rejected = root.with_name("dataset.rejected") / "king"
        wait_for(lambda: rejected.exists() and any(rejected.iterdir()))
        process.kill()
        sender.join()
    assert sorted(images(root).values()) == sorted(before.values())

    with Review(root) as review:
        queues = review.get("/api/changes", since=0)["state"]["queues"]
        assert queues["rejected"] + queues["all"] == 500
        assert queues["rejected"] == len(list(rejected.glob("*.jpg")))
        while review.send("/api/undo", {"since": 0}).status_code == 200:
            pass
    assert images(root) == before


def _reject_all(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        client.get("/", params={"token": TOKEN})
        ids = client.get("/api/items").json()["id"]
        document = {"since": 0, "action": "reject", "ids": ids}
        try:
            client.post("/api/decide", json=document, headers={"Sec-Fetch-Site": "same-origin"})
        except httpx.TransportError:
            return  # killed
