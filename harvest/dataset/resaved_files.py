"""Images that were saved anew under another name: recognised by what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from harvest.dataset.inspect_new_files import examine_file
from harvest.models import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harvest.dataset.reconcile import UnexpectedFile
    from harvest.files.tree import Tree
    from harvest.images import InspectedImage
    from harvest.ledger.picture_table import PictureRow, PictureTable


class CopyFinder:
    """Compares files with the fingerprints of images; `seen` keeps what was examined, by content."""

    def __init__(self, pictures: PictureTable, tree: Tree) -> None:
        self._pictures = pictures
        self._tree = tree
        self.seen: dict[str, InspectedImage | Refusal | None] = {}

    def find(
        self, rows: Sequence[PictureRow], files: Sequence[UnexpectedFile]
    ) -> Iterator[tuple[PictureRow, UnexpectedFile]]:
        """Yield each image with each file that is certainly a copy of it; a pair may come twice."""
        from harvest.duplicates.fingerprint import PACKED  # noqa: PLC0415 - the same
        from harvest.duplicates.index import DuplicateIndex  # noqa: PLC0415 - slow to load, and rarely needed

        looks = [
            (row, look) for row in rows for look in self._pictures.looks(row.id) if len(look.data) == PACKED.itemsize
        ]
        if not looks:
            return
        twins = DuplicateIndex((number, look) for number, (_, look) in enumerate(looks))
        for file, seen in self._inspect(files):
            for row in dict.fromkeys(looks[number][0] for number in twins.find(seen.fingerprint)):
                yield row, file

    def _inspect(self, files: Sequence[UnexpectedFile]) -> Iterator[tuple[UnexpectedFile, InspectedImage]]:
        """Yield files and how they look; a square also without its white bars.

        The fingerprint of an image that we padded was taken without them, and a conversion may drop our mark.
        """
        new = [file for file in files if file.content not in self.seen]
        examined = self._tree.map_threads(examine_file, [self._tree.path(file.spot) for file in new])
        self.seen |= {file.content: seen for file, seen in zip(new, examined, strict=True)}
        both = [(file, seen) for file in files if _is_seen(seen := self.seen[file.content])]
        squares = [file for file, seen in both if seen.width == seen.height]
        bare = self._tree.map_threads(_examine_unpadded, [self._tree.path(file.spot) for file in squares])
        yield from both
        yield from ((file, seen) for file, seen in zip(squares, bare, strict=True) if _is_seen(seen))


def _examine_unpadded(path: Path) -> InspectedImage | Refusal | None:
    return examine_file(path, unpad=True)


def _is_seen(result: InspectedImage | Refusal | None) -> TypeGuard[InspectedImage]:
    return result is not None and not isinstance(result, Refusal)
