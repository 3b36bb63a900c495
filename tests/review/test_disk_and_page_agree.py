"""The page and the folders agree: what a person does in the file manager is on the page, and the other way round."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset
from harvest.review import disk_watch
from harvest.review.disk_watch import DiskWatch
from harvest.review.images_in_memory import Snapshot
from harvest.review.pace import Pace
from tests.command import run_code
from tests.datasets import fill, jpeg, name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.review.reviews import Review

ENDLESS_SEARCH = """
import sys, threading, time
from pathlib import Path
from harvest.review import suspect_search
from tests.review.reviews import Review
suspect_search.find_suspects = lambda dataset, wait: time.sleep(3600) or {}
with Review(Path(sys.argv[1])) as review:
    while not any(thread.name == "suspects" for thread in threading.enumerate()):
        time.sleep(0.01)
print("closed")
"""


def test_deleted_and_moved_files_are_on_the_page(review: Review, root: Path) -> None:
    """Three deleted and two moved files are in the next answer to what changed, and so is one that is moved back."""
    seq = review.get("/api/state")["seq"]
    files = review.files(**{"class": "king"})
    numbers = {number: files[f"king/{name(number)}"] for number in range(6)}
    for number in range(3):
        (root / "king" / name(number)).unlink()
    for number in (3, 4):
        (root / "king" / name(number)).rename(root / "coral" / name(number))
    changes = review.get("/api/changes", since=seq)
    assert sorted(changes["gone"]) == sorted(numbers[number] for number in range(3))
    assert sorted(changes["items"]["id"]) == sorted(numbers[number] for number in (3, 4))
    assert set(changes["items"]["class"]) == {changes["items"]["classes"].index("coral")}
    assert changes["items"]["reviewed"] == [1, 1]
    assert [(each["name"], each["kept"]) for each in changes["state"]["classes"]] == [("coral", 12), ("king", 20)]

    review.seq = changes["seq"]
    answer = review.decide("reject", [numbers[5]])
    rejected = root.with_name("dataset.rejected") / "king" / name(5)
    rejected.rename(root / "king" / name(5))
    changes = review.get("/api/changes", since=answer["seq"])
    assert (changes["items"]["id"], changes["items"]["state"]) == ([numbers[5]], ["kept"])
    assert changes["state"]["queues"]["rejected"] == 0


def test_nothing_changed_is_nothing_sent(review: Review) -> None:
    """Without a change the answer has no images; a number of an earlier server gets everything."""
    seq = review.get("/api/changes", since=0)["seq"]
    changes = review.get("/api/changes", since=seq)
    assert (changes["items"]["id"], changes["gone"], changes["reset"]) == ([], [], False)
    old = review.get("/api/changes", since=seq - 10**6)
    assert (len(old["items"]["id"]), old["reset"]) == (35, True)


def test_added_and_edited_files_are_on_the_page(review: Review, root: Path) -> None:
    """A file that a person adds appears as local, and an edited one has to be looked at again."""
    number = review.files()[f"king/{name(3)}"]
    seq = review.decide("keep", [number])["seq"]
    (root / "king" / "mine.jpg").write_bytes(jpeg(700))
    (root / "king" / name(3)).write_bytes(jpeg(701))
    items = review.get("/api/changes", since=seq)["items"]
    assert dict(zip(items["source"], items["reviewed"], strict=True)) == {"local": 0, "BING": 0}


def test_images_of_a_running_get_appear(review: Review, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a `get` places and what a command rejects is in the next answer, and a `get` causes no full comparison."""
    number = review.files()[f"king/{name(3)}"]
    seq = review.get("/api/changes", since=0)["seq"]
    monkeypatch.setattr(disk_watch, "_ROUND", math.inf)
    with Dataset.open(root, create=True, exclusive=True) as get:
        with monkeypatch.context() as until_rejected:
            until_rejected.setattr(review.dataset, "reconcile", lambda: pytest.fail("all folders are compared"))
            until_rejected.setattr(Snapshot, "replace", lambda *_: pytest.fail("all rows are read"))
            for start, total in ((50, 40), (60, 45)):
                fill(get, "king", range(start, start + 5))
                changes = review.get("/api/changes", since=seq)
                assert changes["items"]["state"] == ["kept"] * 5
                assert changes["state"]["queues"]["all"] == total
                seq = changes["seq"]
        get.reject([number], by="cli")
    changes = review.get("/api/changes", since=seq)
    assert (changes["items"]["id"], changes["items"]["state"]) == ([number], ["rejected"])


def test_missing_files_are_a_warning(review: Review, root: Path) -> None:
    """When a class folder is gone, nothing is recorded, and the page shows a warning."""
    (root / "king").rename(root.parent / "king")
    state = review.get("/api/changes", since=0)["state"]
    assert "25 of 25 images of king are gone" in state["done"]["warnings"][0]
    assert state["queues"]["rejected"] == 0
    (root.parent / "king").rename(root / "king")
    state = review.get("/api/changes", since=0)["state"]
    assert not any("are gone" in warning for warning in state["done"]["warnings"])
    assert state["queues"]["all"] == 35


def test_folders_are_compared_only_after_a_change(tmp_path: Path) -> None:
    """A folder whose modification time is unchanged is compared again only in its turn, once in half a minute."""
    now = [0.0]
    folders = [tmp_path / "dataset" / name for name in ("coral", "king", "milk")]
    for folder in folders:
        folder.mkdir(parents=True)
        os.utime(folder, ns=(1, 1))
    watch = DiskWatch(tmp_path / "dataset", 1e9, lambda: now[0])
    assert watch.take_change() == (False, set())
    os.utime(folders[1], ns=(2, 2))
    assert watch.take_change() == (False, {str(folders[1])})
    assert watch.take_change() == (False, set())
    os.utime(folders[1], ns=(3, 3))
    assert not watch.is_current()
    watch.accept()
    assert watch.take_change() == (False, set())
    for folder in [*folders, folders[0]]:
        now[0] += 11
        assert watch.take_change() == (False, {str(folder)})
    now[0] += 1000
    assert watch.take_change().folders == {str(folder) for folder in folders[1:]}
    folders[0].with_name("kukri").mkdir()
    assert watch.take_change().is_everything


def test_folders_that_changed_during_the_scan_are_compared_first(tmp_path: Path) -> None:
    """Only folders that may have changed since the dataset was compared are in the first change."""
    folders = [tmp_path / "dataset" / name for name in ("coral", "king")]
    for folder, when in zip(folders, (10**9, 3 * 10**9), strict=True):
        folder.mkdir(parents=True)
        os.utime(folder, ns=(when, when))
    assert DiskWatch(tmp_path / "dataset", 4.0).take_change() == (False, {str(folders[1])})


def test_a_long_search_for_suspects_does_not_delay_the_end(root: Path, tmp_path: Path) -> None:
    """The process ends although the search for suspects would take another hour."""
    assert run_code(ENDLESS_SEARCH, tmp_path, root) == "closed\n"


def test_pace_counts_images_and_leaves_out_pauses() -> None:
    """The pace counts each image once, and no time of more than a minute without a decision."""
    now = [0.0]
    pace = Pace(lambda: now[0])
    pace.start()
    for seconds, images in ((10, {1, 2}), (20, {2, 3}), (600, {4})):
        now[0] += seconds
        pace.add(images)
    assert pace.as_json() == {"images": 4, "seconds": 30}
