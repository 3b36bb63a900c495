"""Small trees of drawn photographs, and labelled images without files."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

from harvest.labelled_pictures.load_pictures import Example, LabelledPictures, load_pictures
from tests.pictures import encoded, photo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from harvest.labelled_pictures.load_pictures import SplitPart


@cache
def jpeg(number: int, *, quality: int = 85) -> bytes:
    """Draw a photograph that differs from those of other numbers."""
    return encoded(photo(96, 72, seed=number), quality=quality)


def plant(root: Path, classes: Mapping[str, Iterable[int]]) -> Path:
    """Write a tree: in each class folder one image per number, named by its number."""
    for folder, numbers in classes.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            (root / folder / f"{number:03}.jpg").write_bytes(jpeg(number))
    return root


def look(root: Path, **more: Path) -> LabelledPictures:
    """Load the images of a tree, with no messages but those of the tree itself."""
    messages: list[str] = []
    labelled = load_pictures(root, say=messages.append, **more)
    assert messages == []
    return labelled


def paths(labelled: LabelledPictures) -> list[str]:
    return [example.path for example in labelled.examples]


def reasons(labelled: LabelledPictures) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in labelled.skipped}


def content(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def imagine(root: Path, pictures: Iterable[tuple[str, int]], part: SplitPart | None = None) -> LabelledPictures:
    """Return labelled images without files, each of a class and with a number as content."""
    examples = sorted(
        (Example(f"{label}/{number:06}.jpg", label, content(number), part) for label, number in pictures),
        key=lambda example: example.path,
    )
    return LabelledPictures(root, tuple(examples), tuple(sorted({example.label for example in examples})))
