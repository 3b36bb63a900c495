"""Near-duplicates: images that may be copies of each other are kept, recorded and shown."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw

from harvest.dataset import Dataset, outdated_fingerprints
from harvest.duplicates.fingerprint import PACKED
from harvest.harvesting.deduplicate import Deduplicator
from harvest.images import process_image
from harvest.models import EARLIER_FINGERPRINT_BYTES, Hit, Outcome, Picture, Recipe
from harvest.verdicts import Verdict
from tests.datasets import find
from tests.web import Photo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result


def another_shot(number: int, colour: str = "yellow") -> bytes:
    """Return a photo of the same place, with something in it that was not there before."""
    image = Image.open(io.BytesIO(Photo(number).body)).convert("RGB")
    ImageDraw.Draw(image).ellipse((120, 100, 160, 140), fill=colour, outline="black", width=3)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photos"


def arrive(dataset: Dataset, url: str, body: bytes, to: str = "coral", recipe: Recipe | None = None) -> Verdict:
    hit = Hit(f"https://{url}", "BING", f"url:{url}", 1)
    (task,) = find(dataset, [hit], to, url)
    picture = process_image(body, hit, recipe or Recipe())
    assert isinstance(picture, Picture)
    (verdict,) = Deduplicator(dataset).record_outcomes([Outcome(task, picture)])
    return verdict


def classes(groups) -> list[list[str]]:
    return [[each.class_name for each in group] for group in groups]


def test_a_probable_copy_is_kept_and_recorded(root: Path) -> None:
    """An image that is only probably a copy is kept, and both are a group of near-duplicates."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert arrive(dataset, "a.example/1", Photo(1).body) is Verdict.KEPT
        assert arrive(dataset, "b.example/1", another_shot(1)) is Verdict.KEPT
        assert arrive(dataset, "c.example/1", Photo(2).body) is Verdict.KEPT
        assert classes(dataset.near_duplicates()) == [["coral", "coral"]]


def test_a_probable_copy_in_another_class_is_no_conflict(root: Path) -> None:
    """An image that is probably a copy of one of another class is kept in its own: only certain copies conflict."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        arrive(dataset, "a.example/1", Photo(1).body)
        assert arrive(dataset, "b.example/1", another_shot(1), to="king") is Verdict.KEPT
        assert dataset.conflicts() == []
        assert classes(dataset.near_duplicates()) == [["coral", "king"]]


def test_a_probable_copy_of_a_rejected_image_is_kept_and_shown(root: Path) -> None:
    """Only a certain copy of a rejected image is refused; a probable one is kept and listed."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        arrive(dataset, "a.example/1", Photo(1).body)
    for file in root.glob("coral/*"):
        file.unlink()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert arrive(dataset, "b.example/1", Photo(1).changed("rough")) is Verdict.REJECTED
        assert arrive(dataset, "c.example/1", another_shot(1)) is Verdict.KEPT
        assert dataset.near_duplicates() == []
        assert [each.class_name for each in dataset.like_rejected()] == ["coral"]


def test_a_better_copy_inherits_the_near_duplicates(root: Path) -> None:
    """The larger copy that replaces an image is in its group."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        arrive(dataset, "a.example/1", Photo(1).changed("smaller"))
        arrive(dataset, "b.example/1", another_shot(1))
        ((first, second),) = dataset.near_duplicates()
        assert arrive(dataset, "c.example/1", Photo(1).changed("larger")) is Verdict.BETTER
        ((one, two),) = dataset.near_duplicates()
        assert len({first.id, second.id} & {one.id, two.id}) == 1


def test_own_files_are_compared(root: Path) -> None:
    """A file that a person adds is compared with the images on disk; also a certain copy of one is shown."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        arrive(dataset, "a.example/1", Photo(1).body)
        arrive(dataset, "a.example/2", Photo(2).body)
    (root / "king").mkdir()
    (root / "king" / "mine.jpg").write_bytes(another_shot(1))
    (root / "king" / "same.jpg").write_bytes(Photo(2).changed("rough"))
    with Dataset.open(root) as dataset:
        assert classes(dataset.near_duplicates()) == [["coral", "king"], ["coral", "king"]]
    (root / "king" / "mine.jpg").write_bytes(Photo(7).body)
    with Dataset.open(root) as dataset:
        assert [[each.name for each in group][1:] for group in dataset.near_duplicates()] == [["same.jpg"]]


def test_status_and_why_show_them(root: Path, harvest: Callable[..., Result]) -> None:
    """`harvest status` lists the groups, its JSON has them, and `harvest why` names what an image is like."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        arrive(dataset, "a.example/1", Photo(1).body)
        arrive(dataset, "b.example/1", another_shot(1), to="king")
    (coral,), (king,) = root.glob("coral/*"), root.glob("king/*")
    text = harvest("status", root).out
    assert "near-duplicates: 2 images that may be copies of each other" in text
    assert f"{coral}  {king}" in text
    (group,) = json.loads(harvest("status", root, "--json").out)["near_duplicates"]
    assert group == [{"class": "coral", "name": coral.name}, {"class": "king", "name": king.name}]
    assert f"king/{king.name}: they may be copies" in harvest("why", coral).out
    assert json.loads(harvest("why", coral, "--json").out)["near_duplicates"] == [f"king/{king.name}"]


def as_earlier(root: Path) -> None:
    """Give the ledger of a dataset the fingerprints of the version before."""
    with closing(sqlite3.connect(root / "harvest.db")) as connection:
        for number, data in connection.execute("SELECT picture, data FROM fingerprint").fetchall():
            packed = np.frombuffer(data, PACKED)[0]
            hashes = np.resize(packed["hashes"][[-2, 0, 1, 2, 3]], 12)
            thumbnails = packed["luma"][::2, ::2][:16, :16].tobytes() + packed["chroma"].tobytes()
            old = hashes.tobytes() + packed["frame"].tobytes() + thumbnails
            assert len(old) == EARLIER_FINGERPRINT_BYTES
            connection.execute("UPDATE fingerprint SET data = ? WHERE picture = ?", (old, number))
        connection.execute("DELETE FROM near_duplicate")
        connection.commit()


def test_earlier_fingerprints_are_computed_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fingerprints of the version before are computed again from the files, also after a kill in between."""
    padded = Recipe(size=200, pad=True)
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        for number in range(4):
            arrive(dataset, f"a.example/{number}", Photo(number).body, recipe=padded)
        arrive(dataset, "b.example/1", another_shot(1))
        before = {known.id: known.fingerprint for known in dataset.list_present()}
    as_earlier(root)
    with monkeypatch.context() as stopped:
        stopped.setattr(outdated_fingerprints, "BATCH", 2)
        inspect = outdated_fingerprints.inspect_file
        seen: list[Path] = []

        def inspect_some(path: Path) -> object:
            seen.append(path)
            if len(seen) > 3:
                raise KeyboardInterrupt
            return inspect(path)

        stopped.setattr(outdated_fingerprints, "inspect_file", inspect_some)
        with pytest.raises(KeyboardInterrupt):
            Dataset.open(root)
    said: list[str] = []
    with Dataset.open(root, say=said.append) as dataset:
        after = {known.id: known.fingerprint for known in dataset.list_present()}
        assert {len(each.data) for each in after.values()} == {PACKED.itemsize}
        assert after.keys() == before.keys()
        assert classes(dataset.near_duplicates()) == [["coral", "coral"]]
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        assert arrive(dataset, "c.example/2", Photo(2).changed("rough")) is Verdict.DUPLICATE


def test_an_earlier_fingerprint_without_a_file_is_kept(root: Path) -> None:
    """The fingerprint of a rejected image without a file stays, and still refuses its copies."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        arrive(dataset, "a.example/1", Photo(1).body)
        arrive(dataset, "a.example/2", Photo(2).body)
    as_earlier(root)
    min(root.glob("coral/*")).unlink()
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        lengths = sorted(len(known.fingerprint.data) for known in (*dataset.list_present(), *dataset.list_rejected()))
        assert lengths == [EARLIER_FINGERPRINT_BYTES, PACKED.itemsize]


def own_photos(root: Path, numbers: range) -> None:
    for number in numbers:
        for name, body in {"a": Photo(number).body, "b": another_shot(number)}.items():
            (root / "coral").mkdir(parents=True, exist_ok=True)
            (root / "coral" / f"{name}{number}.jpg").write_bytes(body)


def near_duplicate_pairs(root: Path) -> list[tuple[int, int, int]]:
    with closing(sqlite3.connect(root / "harvest.db")) as ledger:
        return sorted(ledger.execute("SELECT picture, other, certain FROM near_duplicate"))


def test_many_new_images_are_compared_at_once_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing all images at once finds the pairs that comparing one by one finds."""
    pairs = []
    for most in (0, 10_000):
        monkeypatch.setattr("harvest.dataset.record_near_duplicates._MANY", most)
        root = tmp_path / str(most)
        own_photos(root, range(3))
        Dataset.open(root, create=True).close()
        pairs.append([pair[:2] for pair in near_duplicate_pairs(root)])
    assert pairs[0] == pairs[1]
    assert len(pairs[0]) == 3


@pytest.mark.parametrize("most", [0, 10_000])
def test_a_kill_before_the_comparison_loses_no_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """If the program is killed after the fingerprints are computed, the next command compares them."""
    monkeypatch.setattr("harvest.dataset.record_near_duplicates._MANY", most)
    own_photos(tmp_path, range(3))
    with monkeypatch.context() as killed:
        killed.setattr("harvest.dataset.dataset.compare_new_pictures", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            Dataset.open(tmp_path, create=True)
    assert not near_duplicate_pairs(tmp_path)
    with Dataset.open(tmp_path) as dataset:
        assert len(dataset.near_duplicates()) == 3


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
