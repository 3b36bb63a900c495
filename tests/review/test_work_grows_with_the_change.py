"""What a decision and a poll cost depends on what changed, not on the size of the dataset."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from harvest.dataset import Dataset
from harvest.dataset.dataset_reader import DatasetReader
from harvest.review import suspect_search
from harvest.review.images_in_memory import Snapshot
from tests.datasets import fill
from tests.review.reviews import Review, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_groups_are_found_again_only_if_they_are_concerned(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision about an image of a group, and its undo, find the groups again; one about another image does not."""
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("INSERT INTO near_duplicate VALUES (1, 2, 1, '2026', NULL)")
    asked: list[DatasetReader] = []
    pairs = DatasetReader.open_pairs
    monkeypatch.setattr(DatasetReader, "open_pairs", lambda reader: asked.append(reader) or pairs(reader))
    with Review(root) as review:
        assert review.get("/api/state")["queues"]["duplicates"] == 1
        for decide in (lambda: review.decide("reject", [5]), lambda: review.post("/api/undo")):
            assert decide()["state"]["queues"]["duplicates"] == 1
        assert len(asked) == 1
        assert review.decide("reject", [1])["state"]["queues"]["duplicates"] == 0
        assert review.post("/api/undo")["state"]["queues"]["duplicates"] == 1
        assert len(asked) == 3
        assert review.decide("settle", [1, 2], keep=[1])["state"]["queues"]["duplicates"] == 0
        assert review.post("/api/undo")["state"]["queues"]["duplicates"] == 1


def test_suspects_are_searched_for_when_images_come(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision starts no search among all images within a minute; a new image does."""
    searches: list[float] = []
    find = suspect_search.find_suspects

    def count(dataset: object, wait: object) -> object:
        searches.append(time.monotonic())
        return find(dataset, wait)

    monkeypatch.setattr(suspect_search, "find_suspects", count)
    monkeypatch.setattr(suspect_search, "_AGAIN", 1e6)
    wait_for(lambda: review.get("/api/changes", since=0) and searches)
    review.decide("reject", [5])
    for _ in range(3):
        review.get("/api/changes", since=0)
    assert len(searches) == 1
    with Dataset.open(review.root, create=True, exclusive=True) as get:
        fill(get, "king", range(50, 51))
    wait_for(lambda: review.get("/api/changes", since=0) and len(searches) == 2)


def test_a_poll_without_a_change_reads_no_image(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a folder was touched and nothing in it changed, the images are not read from the ledger again."""
    review.get("/api/changes", since=0)
    monkeypatch.setattr(DatasetReader, "review_rows", lambda *_: 1 / 0)
    (review.root / "king" / "notes.txt").write_text("mine")
    assert review.get("/api/changes", since=0)["state"]["queues"]["all"] == 35


def test_what_changed_last_comes_first() -> None:
    """The changes after a number are found without looking at older ones."""
    snapshot = Snapshot()
    snapshot._changed |= {1: snapshot.seq - 1, 2: snapshot.seq + 1, 3: snapshot.seq + 2}
    start, snapshot.seq = snapshot.seq, snapshot.seq + 2
    assert snapshot.since(start) == ([3, 2], [], False)
