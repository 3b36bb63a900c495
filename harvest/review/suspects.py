"""Find the images that may be wrong, with the reasons for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvest.dataset import Dataset


def find_suspects(dataset: Dataset) -> dict[int, tuple[str, ...]]:
    """Return the suspicious images, and for each the reasons in a few words."""
    return {found.id: (f"its page names {found.other}",) for found in dataset.suspects()}
