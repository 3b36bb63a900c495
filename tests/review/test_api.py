"""The endpoints of the review server, one by one, on a real server."""

from __future__ import annotations

import io
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from harvest.dataset import Dataset
from harvest.errors import StorageError
from tests.datasets import a_hit, a_query, jpeg, name, sha, tree
from tests.review.reviews import Review, wait_for

if TYPE_CHECKING:
    from pathlib import Path

KING, CORAL = 25, 10


def add_pairs(root: Path, *pairs: tuple[int, int], certain: bool = True) -> None:
    """Make pictures near-duplicates of each other."""
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        rows = [(*pair, certain) for pair in pairs]
        ledger.executemany("INSERT INTO near_duplicate VALUES (?, ?, ?, '2026', NULL)", rows)


def test_state(review: Review) -> None:
    """The state counts classes and queues, and has the values of each filter."""
    state = review.get("/api/state")
    assert state["dataset"] == "dataset"
    assert state["classes"] == [
        {"name": "coral", "kept": CORAL, "unreviewed": CORAL, "rejected": 0},
        {"name": "king", "kept": KING, "unreviewed": KING, "rejected": 0},
    ]
    every = KING + CORAL
    queues = {"conflicts": 0, "duplicates": 0, "suspects": 0, "unreviewed": every, "all": every, "rejected": 0}
    assert state["queues"] == queues
    assert (state["sources"], state["licences"], state["reasons"]) == (["BING"], ["unknown"], [])
    assert state["queries"] == ["coral snake", "king snake"]
    assert (state["undo"], state["redo"]) == (None, None)
    assert state["done"]["next"].startswith("python train.py ")
    assert state["done"]["warnings"] == [
        "Fewer than 30 images: coral, king.",
        f"{every} of {every} images have no known licence: do not publish them.",
    ]


def test_items_are_columns_of_equal_length(review: Review) -> None:
    """A list of images has one value of each column for each image."""
    items = review.get("/api/items", queue="all", order="rank")
    columns = {key: values for key, values in items.items() if key not in ("seq", "classes")}
    assert {len(values) for values in columns.values()} == {KING + CORAL}
    assert items["classes"] == ["coral", "king"]
    assert items["class"] == [0] * CORAL + [1] * KING
    assert set(items["state"]) == {"kept"}
    assert items["v"][0] == sha(jpeg(100))[:8]
    assert (items["w"][0], items["source"][0], items["reasons"][0], items["touched"][0]) == (24, "BING", [], 0)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"class": "king"}, KING),
        ({"source": "BING"}, KING + CORAL),
        ({"source": "FLICKR"}, 0),
        ({"query": "coral snake"}, CORAL),
        ({"licence": "unknown"}, KING + CORAL),
        ({"licence": "CC0-1.0"}, 0),
        ({"text": "pictures.example.com/7.jpg"}, 1),
        ({"text": "BING-"}, KING + CORAL),
        ({"min_size": "24"}, KING + CORAL),
        ({"min_size": "25"}, 0),
        ({"queue": "suspects"}, 0),
    ],
)
def test_items_can_be_filtered(review: Review, asked: dict[str, str], count: int) -> None:
    """Images are chosen by class, source, query, licence, text and size."""
    assert len(review.ids(**asked)) == count


@pytest.mark.parametrize(("order", "first"), [("newest", 100 + CORAL - 1), ("rank", 100), ("suspicious", 100)])
def test_items_are_ordered(review: Review, order: str, first: int) -> None:
    """Images come in the order that is asked for."""
    number = review.ids(order=order)[0]
    assert review.get(f"/api/item/{number}")["name"] == name(first)


def test_item_says_why_it_is_here(review: Review) -> None:
    """An image has its query, source, page, licence, sizes and decisions."""
    number = review.files(queue="all")[f"king/{name(3)}"]
    review.decide("rate", [number], value=4)
    item = review.get(f"/api/item/{number}")
    assert (item["query"], item["provider"], item["rank"]) == ("king snake", "BING", 3)
    assert item["url"] == a_hit(3).url
    assert item["file"] == f"dataset/king/{name(3)}"
    assert (item["size"], item["original_size"]) == ([24, 24], [240, 240])
    assert item["content"] == sha(jpeg(3))
    assert [each["action"] for each in item["decisions"]] == ["rate"]
    assert item["predicted"] is None


def test_thumbnails_are_made_once(review: Review, root: Path, tmp_path: Path) -> None:
    """A thumbnail is a JPEG that browsers keep, cached outside the dataset by the content of the image."""
    before = tree(root)
    items = review.get("/api/items")
    path = f"/thumb/{items['id'][0]}-{items['v'][0]}"
    response = review.client.get(path)
    assert response.headers["content-type"] == "image/jpeg"
    assert "immutable" in response.headers["cache-control"]
    assert Image.open(io.BytesIO(response.content)).size == (24, 24)
    (cached,) = (tmp_path / "cache").rglob("*.jpg")
    assert cached.read_bytes() == response.content
    assert review.client.get(path).content == response.content
    assert review.client.get(f"/thumb/{items['id'][0]}-00000000").status_code == 404
    assert tree(root) == before


def test_image_is_the_file(review: Review, root: Path) -> None:
    """The image is the file as it is, with the type of its content."""
    number = review.files()[f"king/{name(3)}"]
    response = review.client.get(f"/image/{number}")
    assert response.content == (root / "king" / name(3)).read_bytes()
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_page_reject_moves_files(review: Review, root: Path) -> None:
    """Rejected images are in dataset.rejected at once, fewer in the class folder, and a later get takes none."""
    files = review.files(**{"class": "king"})
    chosen = [f"king/{name(number)}" for number in range(5)]
    answer = review.decide("reject", [files[path] for path in chosen])
    assert set(tree(root.with_name("dataset.rejected"))) == set(chosen)
    assert len(list((root / "king").iterdir())) == KING - 5
    assert answer["failed"] == []
    assert answer["state"]["queues"]["rejected"] == 5
    assert answer["state"]["undo"].startswith("reject 5 images, ")
    assert sorted(review.ids(queue="rejected")) == sorted(files[path] for path in chosen)
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        search = dataset.begin_search(a_query(text="again"), "BING", 5)
        tasks = dataset.record_hits(search.id, "king", [a_hit(number) for number in range(5)])
        assert [str(task.verdict) for task in tasks] == ["rejected"] * 5


def test_decisions_answer_what_changed(review: Review) -> None:
    """The answer to a decision has the images that it changed, and no others."""
    review.seq = review.get("/api/state")["seq"]
    first, second, third = review.ids(**{"class": "king"})[:3]
    assert review.decide("keep", [first])["items"]["id"] == [first]
    moved = review.decide("move", [second], value="a new class")
    assert moved["items"]["id"] == [second]
    assert moved["items"]["classes"] == ["a new class", "coral", "king"]
    rated = review.decide("rate", [third], value=7)
    assert (rated["items"]["rating"], rated["items"]["reviewed"], rated["items"]["touched"]) == ([7], [1], [1])
    assert rated["state"]["queues"]["unreviewed"] == KING + CORAL - 3
    assert rated["state"]["pace"]["images"] == 3


def test_several_decisions_are_steps_of_their_own(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions that are sent together are made in turn, each with its own undo; what is impossible ends them."""
    made = [
        {"action": "reject", "ids": [1]},
        {"action": "reject", "ids": [2, 999]},
        {"action": "rate", "ids": [3], "value": 4},
    ]
    review.seq = review.get("/api/state")["seq"]
    answer = review.post("/api/decisions", decisions=made)
    assert answer["failed"] == [[], [{"id": 999, "why": "This image is not in the dataset any more."}], []]
    assert (sorted(answer["items"]["id"]), answer["state"]["queues"]["rejected"]) == ([1, 2, 3], 2)
    assert [review.post("/api/undo")["items"]["id"] for _ in made] == [[3], [2], [1]]

    decide = Dataset.decide

    def fail_at_two(dataset: Dataset, action: object, ids: list[int], **more: object) -> object:
        if ids == [2]:
            raise StorageError("cannot write", "Free some space.")
        return decide(dataset, action, ids, **more)

    monkeypatch.setattr(Dataset, "decide", fail_at_two)
    assert review.post("/api/decisions", decisions=made)["failed"] == [[]]
    assert review.send("/api/decisions", {"since": 0, "decisions": made[1:]}).status_code == 409
    assert review.ids(queue="rejected") == [1]


REJECT = {"action": "reject", "ids": [1]}


@pytest.mark.parametrize("decisions", [None, [], {}, [REJECT, 7], [REJECT, {}], [REJECT] * 101])
def test_a_list_of_decisions_is_valid_as_a_whole(review: Review, decisions: object) -> None:
    """A list with something else than decisions is refused, and nothing of it is done."""
    assert review.send("/api/decisions", {"since": 0, "decisions": decisions}).status_code == 400
    assert review.ids(queue="rejected") == []


def test_undo_and_redo(review: Review, root: Path) -> None:
    """Undo takes a batch back as one step, redo makes it again, and nothing to undo is a 409."""
    before = tree(root)
    ids = review.ids(**{"class": "coral"})
    review.decide("reject", ids)
    answer = review.post("/api/undo")
    assert answer["state"]["undo"] is None
    assert answer["ids"] == sorted(ids)
    assert tree(root) == before
    state = review.post("/api/redo")["state"]
    assert state["queues"]["rejected"] == CORAL
    assert state["undo"].startswith(f"reject {CORAL} images, ")
    review.post("/api/undo")
    response = review.send("/api/undo", {"since": 0})
    assert (response.status_code, response.json()["error"]) == (409, "There is nothing to undo.")


def test_duplicates_have_a_proposal(root: Path) -> None:
    """The proposal is the known open licence, then the larger original; what a person kept is never rejected."""
    add_pairs(root, (1, 2), (2, 3), (4, 5), (6, 7))
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE picture SET licence = 'CC-BY-4.0' WHERE id = 2")
        ledger.execute("UPDATE picture SET original_width = 2048, original_height = 1365 WHERE id = 5")
        ledger.execute("UPDATE picture SET reviewed = 1 WHERE id = 7")
    with Review(root) as review:
        groups = {group["key"]: group for group in review.get("/api/groups", queue="duplicates")["groups"]}
        by_ids = {frozenset(map(int, key.split("-"))): group for key, group in groups.items()}
        proposals = {tuple(sorted(ids)): (group["keep"], group["why"]) for ids, group in by_ids.items()}
        assert proposals == {
            (1, 2, 3): ([2], "known open licence: 240 × 240, CC-BY-4.0"),
            (4, 5): ([5], "larger original: 2048 × 1365"),
            (6, 7): ([7], "kept by you"),
        }
        answer = review.decide("settle", [1, 2, 3], keep=[2])
        assert answer["state"]["queues"]["duplicates"] == 2
        assert answer["state"]["queues"]["rejected"] == 2
        assert review.decide("distinct", [4, 5])["state"]["queues"]["duplicates"] == 1
        review.post("/api/undo")
        assert review.post("/api/undo")["state"]["queues"]["duplicates"] == 3


def test_probable_copies_have_no_proposal(root: Path) -> None:
    """A group with images that only may be copies proposes to reject none of them, and names the best one."""
    add_pairs(root, (1, 2), (4, 5))
    add_pairs(root, (2, 3), certain=False)
    with Review(root) as review:
        groups = review.get("/api/groups", queue="duplicates")["groups"]
        found = {len(group["members"]): group for group in groups}
    assert (found[3]["keep"], found[3]["why"].startswith("best: ")) == ([], True)
    assert len(found[2]["keep"]) == 1


def test_a_group_whose_image_to_keep_is_gone_is_not_settled(root: Path) -> None:
    """When the file of the image to keep is missing, the others of its group are not rejected."""
    add_pairs(root, (1, 2), (2, 3))
    with Review(root) as review:
        file = review.get("/api/item/2")
        (root / file["class"] / file["name"]).unlink()
        answer = review.decide("settle", [1, 2, 3], keep=[2])
        assert {each["id"]: each["why"] for each in answer["failed"]} == {
            1: "An image to keep is gone.",
            2: "Its file is missing.",
            3: "An image to keep is gone.",
        }
        assert review.get("/api/changes", since=0)["state"]["queues"]["rejected"] == 0


def test_a_group_is_settled_into_a_class_in_one_step(root: Path) -> None:
    """Keeping an image of a group in another class moves it, rejects the rest, and is undone by one undo."""
    add_pairs(root, (1, 2))
    before = tree(root)
    with Review(root) as review:
        answer = review.decide("settle", [1, 2], keep=[1], value="coral")
        assert answer["failed"] == []
        assert len(list((root / "coral").iterdir())) == CORAL + 1
        assert answer["state"]["queues"]["rejected"] == 1
        assert (
            review.send("/api/decide", {"action": "settle", "ids": [1], "keep": [1], "value": "../x"}).status_code
            == 400
        )
        review.post("/api/undo")
    assert tree(root) == before


def test_the_sharper_copy_is_proposed(root: Path) -> None:
    """Where licence and size are equal, the sharper of two copies is proposed."""
    blurred = Image.open(io.BytesIO(jpeg(0, 96))).resize((12, 12)).resize((96, 96))
    blurred.save(root / "king" / "a.png")
    Image.open(io.BytesIO(jpeg(0, 96))).resize((96, 96)).save(root / "king" / "b.png")
    with Dataset.open(root) as dataset:
        numbers = sorted(dataset.find("a.png") + dataset.find("b.png"))
        sharp = dataset.find("b.png")
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("DELETE FROM near_duplicate")
    add_pairs(root, (numbers[0], numbers[1]))
    with Review(root) as review:
        (group,) = review.get("/api/groups")["groups"]
    assert (group["keep"], group["why"]) == (sharp, "sharper: 96 × 96")


def test_a_conflict_has_classes_and_no_proposal(root: Path) -> None:
    """A file in two class folders is one conflict; choosing a class leaves one file there."""
    (root / "coral" / "copy.jpg").write_bytes((root / "king" / name(0)).read_bytes())
    with Review(root) as review:
        (group,) = review.get("/api/groups", queue="conflicts")["groups"]
        assert (group["kind"], group["classes"], group["keep"]) == ("conflict", ["coral", "king"], [])
        assert review.get("/api/groups", queue="duplicates")["groups"] == []  # where Enter would choose the class
        ids = [member["id"] for member in group["members"]]
        assert len(ids) == 2
        answer = review.decide("move", ids, value="king")
        assert answer["state"]["queues"]["conflicts"] == 0
    assert (root / "king" / name(0)).exists()
    assert not (root / "coral" / "copy.jpg").exists()


def test_keys_are_found_again_by_another_review(root: Path, tmp_path: Path) -> None:
    """The keys of a person are stored in the settings folder, without what is not a choice of keys."""
    chosen = {"keys": {"reject": ["r"]}, "letters": False, "digits": "ratings"}
    with Review(root) as review:
        assert review.get("/api/preferences") == {"keys": {}, "letters": True, "digits": "classes"}
        wrong = {"keys": chosen["keys"] | {"keep": "k", "accept": [1], "": []}, "more": 1}
        assert review.send("/api/preferences", chosen | wrong).json() == chosen
    with Review(root) as review:
        assert review.get("/api/preferences") == chosen
        (tmp_path / "config" / "harvest" / "review-keys.json").write_text("[" * 100_000)
        assert review.get("/api/preferences")["keys"] == {}


def test_the_page_knows_whether_suspects_are_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the first search for suspects ends, an empty queue of suspects does not mean that there are none."""
    can_end = threading.Event()
    monkeypatch.setattr("harvest.review.suspect_search.find_suspects", lambda *_: can_end.wait(60) and {})
    with Review(root) as review:
        assert review.get("/api/state")["is_searching"]
        can_end.set()
        wait_for(lambda: not review.get("/api/changes", since=0)["state"]["is_searching"])


def test_suspects_have_reasons(root: Path) -> None:
    """Suspicious images are in their queue with a reason, until a person decides."""
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE hit SET title = 'A coral snake' WHERE picture = 3")
    with Review(root) as review:
        wait_for(lambda: review.get("/api/state")["queues"]["suspects"] == 1)
        items = review.get("/api/items", queue="suspects")
        (reasons,) = items["reasons"]
        assert (items["id"], len(reasons)) == ([3], 1)
        assert review.get("/api/state")["reasons"] == reasons
        assert review.ids(reason=reasons[0]) == [3]
        assert review.decide("keep", [3])["state"]["queues"]["suspects"] == 0
