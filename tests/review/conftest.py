"""A dataset, and a review of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.datasets import copied
from tests.review.reviews import Review

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a dataset of 25 kings and 10 corals, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return copied(tmp_path / "dataset", king=range(25), coral=range(100, 110))


@pytest.fixture
def review(root: Path) -> Iterator[Review]:
    """Return a running review of the dataset."""
    with Review(root) as review:
        yield review
