"""Recognise images that were saved again under another name, by their fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from harvest.dataset.inspect_new_files import inspect_file
from harvest.models import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harvest.dataset.folder_change_kinds import UnexpectedFile
    from harvest.files.place_and_list_files import Tree
    from harvest.images import InspectedImage
    from harvest.ledger.picture_table import PictureRow, PictureTable


class CopyFinder:
    """Compares files with the fingerprints of images; `seen` has the inspected files, by content hash."""

    def __init__(self, pictures: PictureTable, tree: Tree) -> None:
        self._pictures = pictures
        self._tree = tree
        self.seen: dict[str, InspectedImage | Refusal | None] = {}

    def find(
        self, rows: Sequence[PictureRow], files: Sequence[UnexpectedFile]
    ) -> Iterator[tuple[PictureRow, UnexpectedFile]]:
        """Yield each image with each file that is a copy of it; a pair may come twice."""
        from harvest.duplicates.index import DuplicateIndex  # noqa: PLC0415 - slow to load, and rarely needed

        fingerprints = [(row, fingerprint) for row in rows for fingerprint in self._pictures.list_fingerprints(row.id)]
        if not fingerprints:
            return
        index = DuplicateIndex((number, fingerprint) for number, (_, fingerprint) in enumerate(fingerprints))
        for file, seen in self._inspect(files):
            for row in dict.fromkeys(fingerprints[number][0] for number in index.find(seen.fingerprint).certain):
                yield row, file

    def _inspect(self, files: Sequence[UnexpectedFile]) -> Iterator[tuple[UnexpectedFile, InspectedImage]]:
        """Yield files with their fingerprints; for a square also the one without white bars.

        The fingerprint of a padded image was computed without its bars, and a conversion may drop our Exif mark.
        """
        new = [file for file in files if file.content not in self.seen]
        inspected = self._tree.map_threads(inspect_file, [self._tree.path(file.spot) for file in new])
        self.seen |= {file.content: seen for file, seen in zip(new, inspected, strict=True)}
        both = [(file, seen) for file in files if _is_seen(seen := self.seen[file.content])]
        squares = [file for file, seen in both if seen.width == seen.height]
        bare = self._tree.map_threads(_inspect_unpadded, [self._tree.path(file.spot) for file in squares])
        yield from both
        yield from ((file, seen) for file, seen in zip(squares, bare, strict=True) if _is_seen(seen))


def _inspect_unpadded(path: Path) -> InspectedImage | Refusal | None:
    return inspect_file(path, unpad=True)


def _is_seen(result: InspectedImage | Refusal | None) -> TypeGuard[InspectedImage]:
    return result is not None and not isinstance(result, Refusal)
