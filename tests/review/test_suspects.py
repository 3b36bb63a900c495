"""Suspicion without a model: planted bad images come first, each with a reason, and good ones have none."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from harvest.dataset import Dataset
from harvest.errors import StorageError
from harvest.review import appearance_cache
from harvest.review.find_suspects_without_model import WEIGHTS, find_suspects
from harvest.review.suspicion_order import order_by_suspicion
from tests.bad_images import KINDS
from tests.datasets import copied, fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache folder for this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path / "cache" / "harvest"


@pytest.fixture
def no_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no image: only the ledger gives reasons."""
    monkeypatch.setattr("harvest.review.find_suspects_without_model.measure_images", lambda *_: {})


def photo(number: int) -> Image.Image:
    """Draw something with the coarse and fine detail of a photograph."""
    rng = np.random.default_rng(number)
    sides = ((5, 4, 60), (20, 15, 40), (80, 60, 25), (200, 150, 20))
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (high, wide, 3), np.uint8)).resize((320, 240)), np.float32)
        * weight
        / 145
        for wide, high, weight in sides
    ]
    return Image.fromarray(np.clip(sum(layers), 0, 255).astype(np.uint8))  # type: ignore[call-overload]


def plant(folder: Path, good: int, bad: int) -> None:
    """Write good images and planted bad ones of every kind into a class folder."""
    folder.mkdir(parents=True)
    rng = random.Random(1)
    for number in range(good):
        photo(number).save(folder / f"good{number}.jpg", quality=90)
    for number in range(bad):
        kind = list(KINDS)[number % len(KINDS)]
        KINDS[kind][0](photo(good + number), rng).save(folder / f"{kind}{number}.jpg", quality=90)


def reasons_by_name(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    reasons = find_suspects(dataset)
    return {row.name: reasons[row.id] for row in dataset.review_rows() if row.id in reasons}


def test_planted_bad_images_come_first(tmp_path: Path) -> None:
    """Of 40 bad images among 400, at least 32 are among the first 80, and at most 1 % of the good have a reason."""
    plant(tmp_path / "tree" / "class", 360, 40)
    with Dataset.open(tmp_path / "tree", create=True) as dataset:
        reasons, rows = find_suspects(dataset), dataset.review_rows()
    first = order_by_suspicion(rows, reasons)[:80]
    assert len(rows) == 400
    assert sum(not row.name.startswith("good") for row in first) >= 32
    assert sum(row.name.startswith("good") and row.id in reasons for row in rows) <= 3


def test_each_kind_has_its_reason(tmp_path: Path) -> None:
    """Every planted image has a reason that fits it, of at most three words."""
    plant(tmp_path / "tree" / "class", 70, len(KINDS) * 3)
    with Dataset.open(tmp_path / "tree", create=True) as dataset:
        found = reasons_by_name(dataset)
    for name, reasons in found.items():
        kind = name.removesuffix(".jpg").rstrip("0123456789")
        assert kind in KINDS, f"{name} {reasons}"
        assert KINDS[kind][1] & set(reasons), f"{name} {reasons}"
    assert len(found) == len(KINDS) * 3
    assert all(len(reason.split()) <= 3 for reason in WEIGHTS)


def test_an_image_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """The next call reads the measures from the cache folder, whatever a kill left at its end; new images are added."""
    plant(tmp_path / "tree" / "class", 20, 3)
    with Dataset.open(tmp_path / "tree", create=True) as dataset:
        first = find_suspects(dataset)
        assert len(first) == 3
        (file,) = cache.rglob("*.jsonl")
        with file.open("ab") as opened:
            opened.write(b'["half a li\n["x", ["NaN"]]\n[1]\n{}\n' + b"[" * 5000 + b"\n\xff")
        monkeypatch.setattr(appearance_cache, "measure_appearance", _refuse)
        assert find_suspects(dataset) == first
        assert file.is_relative_to(cache)
        assert sorted(path.name for path in (tmp_path / "tree").iterdir() if not path.name.startswith("harvest.")) == [
            "class"
        ]


def _refuse(_body: bytes) -> None:
    raise AssertionError("an image is measured again")


def test_an_edited_image_is_measured_again(tmp_path: Path) -> None:
    """Measures belong to the content of a file, not to its path."""
    plant(tmp_path / "tree" / "class", 10, 0)
    with Dataset.open(tmp_path / "tree", create=True) as dataset:
        assert find_suspects(dataset) == {}
        Image.new("RGB", (300, 300), "white").save(tmp_path / "tree" / "class" / "good3.jpg")
        dataset.reconcile()
        assert reasons_by_name(dataset) == {"good3.jpg": ("nearly empty",)}


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, cache: Path) -> None:
    """Without a cache folder, all images are measured."""
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(b"a file")
    plant(tmp_path / "tree" / "class", 10, 2)
    with Dataset.open(tmp_path / "tree", create=True) as dataset:
        assert len(find_suspects(dataset)) == 2


def test_a_broken_image_is_no_suspect(tmp_path: Path) -> None:
    """A file that cannot be decoded stops nothing; `harvest status` lists it."""
    plant(tmp_path / "tree" / "class", 3, 0)
    (tmp_path / "tree" / "class" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    with Dataset.open(tmp_path / "tree", create=True) as dataset:
        assert find_suspects(dataset) == {}


def test_a_file_that_cannot_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be read stops nothing, and is measured by the next call."""
    plant(tmp_path / "tree" / "class", 10, 2)
    with Dataset.open(tmp_path / "tree", create=True) as dataset:
        with monkeypatch.context() as failing:
            failing.setattr(dataset, "read_image", _fail)
            assert find_suspects(dataset) == {row.id: ("tiny",) for row in dataset.review_rows() if "tiny" in row.name}
        assert len(find_suspects(dataset)) == 2


def _fail(*_: object, **__: object) -> None:
    raise StorageError("cannot read it")


@pytest.mark.usefixtures("no_pixels")
def test_a_page_that_names_another_class(tmp_path: Path) -> None:
    """An image whose source names another class is suspicious."""
    root = copied(tmp_path / "dataset", king=range(25), coral=range(100, 125))
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE hit SET title = 'A coral snake' WHERE picture = 3")
    with Dataset.open(root) as dataset:
        assert find_suspects(dataset) == {3: ("names another class",)}


@pytest.mark.usefixtures("no_pixels")
def test_a_source_that_is_often_rejected(tmp_path: Path) -> None:
    """With half of ten decided images rejected, the rest of that source in that class is suspicious, up to the cap."""
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        bing = [known.id for known in fill(dataset, "king", range(40))]
        fill(dataset, "king", range(100, 140), provider="FLICKR")
        dataset.reject(bing[:9], by="test")
        assert find_suspects(dataset) == {}
        dataset.reject(bing[9:10], by="test")
        found = find_suspects(dataset)
    assert set(found.values()) == {("source often rejected",)}
    assert set(found) <= set(bing)
    assert len(found) == 21  # 30 % of 70


@pytest.mark.usefixtures("no_pixels")
def test_a_low_search_rank(tmp_path: Path) -> None:
    """The last tenth of the images of a search with many images is suspicious."""
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        placed = fill(dataset, "king", range(60))
        assert find_suspects(dataset) == {known.id: ("low search rank",) for known in placed[54:]}


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[list]:
    """Return the rows of 40 images."""
    with Dataset.open(copied(tmp_path / "dataset", king=range(40))) as dataset:
        yield dataset.review_rows()


def test_every_eighth_is_an_ordinary_image(rows: list) -> None:
    """After seven suspects comes an image without a reason; the rest follow, and none is lost or repeated."""
    reasons: Mapping[int, tuple[str, ...]] = {row.id: ("blurred",) for row in rows[:21]}
    ordered = order_by_suspicion(rows, reasons)
    assert [row.id in reasons for row in ordered] == ([True] * 7 + [False]) * 3 + [False] * 16
    assert sorted(row.id for row in ordered) == sorted(row.id for row in rows)
    assert order_by_suspicion(reversed(rows), reasons) == ordered


def test_the_most_suspicious_come_first(rows: list) -> None:
    """A plain sign weighs more than two vague ones, and two signs more than one."""
    one, two, three = rows[5], rows[4], rows[3]
    reasons = {
        one.id: ("nearly empty", "tiny"),
        two.id: ("dark",),
        three.id: ("source often rejected", "low search rank"),
    }
    assert order_by_suspicion(rows, reasons)[:3] == [one, two, three]
