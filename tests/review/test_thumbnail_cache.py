"""The cache of thumbnails: its size limit, also when two servers use it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harvest.review.thumbnail_cache import ThumbnailCache
from tests.datasets import jpeg, sha

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MOST = 20_000  # bytes, of about 30 thumbnails
IMAGES = 80


def stored(folder: Path) -> list[Path]:
    """Return the files of the cache, the oldest first."""
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_mtime_ns)


def add(cache: ThumbnailCache, number: int) -> bytes:
    """Return the thumbnail of an image that is as old as its number."""
    made = cache.get(sha(jpeg(number)), lambda: jpeg(number))
    assert isinstance(made, bytes)
    return made


def test_the_cache_stays_below_its_limit(tmp_path: Path) -> None:
    """Two servers write more than the limit; the cache never exceeds it by more than what each writes unchecked."""
    caches = ThumbnailCache(tmp_path, MOST), ThumbnailCache(tmp_path, MOST)
    largest = 0
    for number in range(IMAGES):
        largest = max(largest, len(add(caches[number % 2], number)))
        for path in stored(tmp_path)[-1:]:
            os.utime(path, ns=(number, number))
        assert sum(path.stat().st_size for path in stored(tmp_path)) <= MOST + 2 * (MOST // 16 + largest)
    kept = {path.stem for path in stored(tmp_path)}
    assert 5 < len(kept) < IMAGES
    assert sha(jpeg(IMAGES - 1)) in kept
    assert sha(jpeg(0)) not in kept


def test_a_removed_thumbnail_is_made_again(tmp_path: Path) -> None:
    """A thumbnail that another server has removed is made again, and is the same."""
    cache = ThumbnailCache(tmp_path, MOST)
    made = add(cache, 1)
    for path in stored(tmp_path):
        path.unlink()
    assert add(cache, 1) == made
    assert len(stored(tmp_path)) == 1


def test_files_that_another_server_removes_meanwhile_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that disappears between the list and its removal is not an error, and no other is removed for it."""
    cache = ThumbnailCache(tmp_path, MOST)
    unlink, removed = os.unlink, []

    def unlink_twice(path: str) -> None:
        removed.append(path)
        unlink(path)
        unlink(path)

    monkeypatch.setattr(os, "unlink", unlink_twice)
    for number in range(IMAGES):
        add(cache, number)
    assert removed
    assert sum(path.stat().st_size for path in stored(tmp_path)) >= MOST // 2
