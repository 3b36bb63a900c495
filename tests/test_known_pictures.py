"""Known pictures: recognised by hash and fingerprint, with most of what is known of them left in the ledger."""

from __future__ import annotations

import gc
import hashlib
import tracemalloc
from typing import TYPE_CHECKING

from harvest.dataset import Dataset
from harvest.duplicates import equal_hash_index
from harvest.duplicates.equal_hash_index import EqualHashIndex
from harvest.harvesting.known_pictures import KnownPictures
from harvest.ledger.fingerprint_table import save_fingerprint
from harvest.models import FINGERPRINT_BYTES
from tests.datasets import a_picture, fill, name

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def sha(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def test_memory_for_each_known_picture(tmp_path: Path) -> None:
    """A known picture takes less memory than its fingerprint alone: a million fit into 2 GB with the rest of a run."""
    count = 4000
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        with dataset._ledger.transaction():
            dataset._ledger.execute_many(
                "INSERT INTO picture (id, state, class, name, content, body, pixels, at)"
                " VALUES (?, 'present', 'king', ?, ?, ?, ?, '2026')",
                [
                    (number, f"{number}.jpg", *(sha(10 * number + part) for part in range(3)))
                    for number in range(1, count + 1)
                ],
            )
            for number in range(1, count + 1):
                fingerprint = hashlib.shake_128(b"%d" % number).digest(FINGERPRINT_BYTES)
                save_fingerprint(dataset._ledger, number, fingerprint)
        gc.collect()
        tracemalloc.start()
        known = KnownPictures(dataset.list_present(), dataset)
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        picture = next(dataset.list_present())
        assert known.find(picture).same == picture
    assert taken / count < FINGERPRINT_BYTES


def test_a_known_picture_is_as_the_ledger_has_it_now(tmp_path: Path) -> None:
    """A picture that was moved since is found in its present class, and an edited one by its earlier version."""
    root = tmp_path / "dataset"
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        fill(dataset, "king", range(3))
        (root / "king" / name(2)).write_bytes(a_picture(99).data)
        dataset.reconcile()
        known = KnownPictures(dataset.list_present(), dataset)
        dataset.move(dataset.find(name(1)), "coral", by="page")
        dataset.move(dataset.find(name(2)), "coral", by="page")
        moved, unknown = known.find_all_exact([a_picture(1), a_picture(7)])
        assert moved.class_name == "coral"
        edited = known.find(a_picture(2)).same
        assert (edited.class_name, edited.protected) == ("coral", True)
        assert unknown is None


def test_the_first_key_of_a_text_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after the texts are sorted, a text has its first key that is not discarded."""
    monkeypatch.setattr(equal_hash_index, "_MOST_NEW", 5)
    index, expected = EqualHashIndex(), {}
    for key in range(100):
        texts = [sha(key % 30), sha(1000 + key)]
        index.add(key, texts)
        for text in texts:
            expected.setdefault(text, []).append(key)
        if key % 7 == 0:
            index.discard(key - 3)
            expected = {text: [each for each in keys if each != key - 3] for text, keys in expected.items()}
        found = {text: index.find(text) for text in expected}
        assert {text: key for text, key in found.items() if key is not None}.keys() == {
            text for text, keys in expected.items() if keys
        }
        assert all(found[text] in keys for text, keys in expected.items() if keys)
