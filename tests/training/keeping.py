"""A program of a test that saves features again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harvest.training.features.feature_cache import FeatureCache

if TYPE_CHECKING:
    from pathlib import Path

WIDTH = 5000
ROUNDS = 30


def store(path: Path) -> FeatureCache:
    return FeatureCache(path, (WIDTH,))


def keep(path: Path, writer: int) -> None:
    """Save rows of features whose values depend on their contents."""
    for number in range(ROUNDS):
        name = writer * ROUNDS + number
        store(path).add({f"{name:08x}" + "0" * 56: np.full(WIDTH, name, np.float32)}, say=print)
