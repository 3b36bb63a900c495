"""The review page of a dataset with images in shards, and in shards and class folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset
from tests.datasets import fill, jpeg, new, tree
from tests.review.reviews import Review

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["shards", "shards and folders"])
def review(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Review]:
    """Return a running review of eight kings and four corals."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "dataset"
    in_folders = {"king": range(4)} if request.param == "shards and folders" else {}
    new(root, **in_folders)
    with Dataset.open(root, exclusive=True) as dataset:
        dataset.use_shards(8000)
        fill(dataset, "king", range(len(in_folders.get("king", ())), 8))
        fill(dataset, "coral", range(10, 14))
    with Review(root) as review:
        yield review


def image_of(review: Review, number: int) -> bytes:
    """Return an image as the loupe asks for it, after its thumbnail as the grid does."""
    columns = review.get("/api/items", queue="rejected")
    version = columns["v"][columns["id"].index(number)]
    assert review.client.get(f"/thumb/{number}-{version}").status_code == 200
    return review.client.get(f"/image/{number}").content


def test_rejected_images_in_shards_are_shown_and_restored(review: Review) -> None:
    """Each rejected image is in Rejected and can be seen; restored ones are back, and undo takes that back."""
    every, before = review.ids(queue="all"), tree(review.root)
    assert len(every) == 12
    review.decide("reject", every)
    assert sorted(review.ids(queue="rejected")) == sorted(every)
    assert {image_of(review, number) for number in every} == {jpeg(number) for number in (*range(8), *range(10, 14))}

    review.decide("restore", every[:6])
    assert sorted(review.ids(queue="all")) == sorted(every[:6])
    answer = review.post("/api/undo")
    assert (answer["failed"], answer["state"]["queues"]["rejected"]) == ([], 12)
    review.post("/api/undo")
    assert sorted(review.ids(queue="all")) == sorted(every)
    assert tree(review.root) == before


def test_images_in_shards_are_moved_rated_and_kept(review: Review) -> None:
    """Every decision about an image in a shard is recorded, and undo returns each image to its class."""
    classes = {number: review.get(f"/api/item/{number}")["class"] for number in review.ids(queue="all")}
    first, second, third, *_ = classes
    for action, ids, value in (("move", [first], "new"), ("rate", [second], 7), ("keep", [third], None)):
        assert review.decide(action, ids, value=value)["failed"] == []
    assert review.get(f"/api/item/{first}")["class"] == "new"
    assert review.get("/api/state")["queues"]["unreviewed"] == 9
    for _ in range(3):
        assert review.post("/api/undo")["failed"] == []
    assert {number: review.get(f"/api/item/{number}")["class"] for number in review.ids(queue="all")} == classes
    assert review.get("/api/state")["queues"]["unreviewed"] == 12
