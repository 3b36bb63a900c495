"""Load the labelled images of a folder: only those that decode; all other files are listed with a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from harvest.duplicates.index import CopyPairs
from harvest.errors import TrainingError
from harvest.labelled_pictures.find_duplicates import find_duplicate_pairs
from harvest.labelled_pictures.find_files import Skipped, SplitPart, find_files
from harvest.labelled_pictures.image_reader import ImageInShard, ImageReader
from harvest.labelled_pictures.ledger_facts import LedgerFacts, read_known_files, read_ledger_facts
from harvest.labelled_pictures.shard_images import read_shard_images
from harvest.labelled_pictures.size_and_fingerprint_cache import DecodeCache, DecodedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harvest.labelled_pictures.find_files import FoundFiles

__all__ = ["Example", "LabelledPictures", "Skipped", "SplitPart", "load_pictures"]


@dataclass(frozen=True, slots=True)
class Example:
    """One image with its label; `part` is set if the dataset has its own folders for the parts."""

    path: str  # relative to the dataset folder, with slashes
    label: str
    content: str  # SHA-256 of the file
    part: SplitPart | None = None
    size: tuple[int, int] = (0, 0)


def _no_pairs() -> CopyPairs:
    return CopyPairs(np.empty((0, 2), np.int64), np.empty(0, np.bool_))


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """The images of a dataset folder, sorted by path."""

    root: Path
    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    empty: tuple[str, ...] = ()  # class folders without an image
    duplicates: CopyPairs = field(default_factory=_no_pairs, repr=False, compare=False)  # of indices of examples
    ledger_facts: LedgerFacts = field(default_factory=LedgerFacts, repr=False)
    in_shards: Mapping[str, ImageInShard] = field(default_factory=dict, repr=False)  # by path: those without a file

    @property
    def reader(self) -> ImageReader:
        """What reads these images by their paths."""
        return ImageReader(self.root, self.in_shards)

    def counts(self) -> dict[str, int]:
        """Count the images of each class."""
        counted = Counter(example.label for example in self.examples)
        return {label: counted[label] for label in self.labels}

    @property
    def targets(self) -> NDArray[np.int64]:
        """The class of each image, as its index in the labels."""
        index = {label: number for number, label in enumerate(self.labels)}
        return np.fromiter((index[example.label] for example in self.examples), np.int64, len(self.examples))

    def subset(self, rows: Sequence[int]) -> LabelledPictures:
        """Return the images of these rows, with all the classes."""
        new_row = np.full(len(self.examples), -1, np.int64)
        new_row[np.asarray(rows, np.intp)] = np.arange(len(rows))
        pairs = np.sort(new_row[self.duplicates.pairs], axis=1)
        stays = (pairs >= 0).all(axis=1)
        return replace(
            self,
            examples=tuple(self.examples[row] for row in rows),
            duplicates=CopyPairs(pairs[stays], self.duplicates.is_certain[stays]),
        )


def _list_in_shards(root: Path, paths: set[str]) -> list[tuple[Example, DecodedFile, ImageInShard]]:
    """Return the images in shards, except those that are files with the same class and name too."""
    return [
        (
            Example(path, image.class_name, image.content, None, decoded.size),
            decoded,
            ImageInShard(image.place, image.content),
        )
        for image, decoded in read_shard_images(root)
        if (path := f"{image.class_name}/{image.name}") not in paths
    ]


def _ignore_progress(_done: int, _total: int) -> None:
    """Do nothing: the default progress callback."""


def load_pictures(
    root: Path,
    *,
    say: Callable[[str], None],
    tick: Callable[[int, int], None] = _ignore_progress,
    cache: Path | None = None,
    least_classes: int = 2,
) -> LabelledPictures:
    """Decode every image of a dataset folder; `cache` is a folder that keeps the results for the next run.

    Those in shards, which were decoded when they were written, are returned as the ledger has them. Fewer classes with
    images than `least_classes` raise `TrainingError`.
    """
    found = find_files(root)
    _check_names(root, found.folders)
    inspected, skipped = _inspect_files(root, found, say, tick, cache)
    in_shards = _list_in_shards(root, {example.path for example, _ in inspected})
    inspected += ((example, file) for example, file, _ in in_shards)
    trained = {example.label for example, _ in inspected if example.part in {None, SplitPart.TRAIN}}
    skipped += [
        Skipped(example.path, "the train part has no image of its class")
        for example, _ in inspected
        if example.label not in trained
    ]
    if len(trained) < least_classes:
        raise _too_few_classes(root, trained, found, skipped)
    kept = sorted((pair for pair in inspected if pair[0].label in trained), key=lambda pair: pair[0].path)
    return LabelledPictures(
        root=root,
        examples=tuple(example for example, _ in kept),
        labels=tuple(sorted(trained)),
        skipped=tuple(sorted(skipped)),
        empty=tuple(sorted(found.folders - trained)),
        duplicates=find_duplicate_pairs([decoded for _, decoded in kept], cache),
        in_shards={example.path: found for example, _, found in in_shards},
        ledger_facts=read_ledger_facts(root, {example.content for example, _ in inspected}),
    )


def _inspect_files(
    root: Path, found: FoundFiles, say: Callable[[str], None], tick: Callable[[int, int], None], cache: Path | None
) -> tuple[list[tuple[Example, DecodedFile]], list[Skipped]]:
    """Return the files that decode, each with its result, and all files that are skipped so far."""
    inspected, skipped = [], list(found.skipped)
    with DecodeCache(cache, say, read_known_files(root)) as decode_cache:
        paths = [root / file.path for file in found.files]
        for file, result in zip(found.files, decode_cache.inspect(paths, tick), strict=True):
            if isinstance(result, str):
                skipped.append(Skipped(file.path, result))
            else:
                inspected.append((Example(file.path, file.label, result.content, file.part, result.size), result))
    return inspected, skipped


def _check_names(root: Path, names: set[str]) -> None:
    """Raise TrainingError for a class name that is not one line of text, as labels.txt needs."""
    for name in sorted(names):
        if name.splitlines() != [name] or not _is_text(name):
            raise TrainingError(
                f"{root} has a folder whose name cannot be a label: {name!a}.",
                "Labels are written one per line. Rename the folder.",
            )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8
        return False
    return True


def _too_few_classes(root: Path, trained: set[str], found: FoundFiles, skipped: Sequence[Skipped]) -> TrainingError:
    content = f"images of one class only, {next(iter(trained))}" if trained else "no image in a class folder"
    hint = "A classifier needs at least two classes, with one folder of images for each."
    if found.deeper:
        hint = f"The folder {min(found.deeper)} contains folders. Are the class folders one level deeper?"
    elif skipped:
        hint += f" Skipped: {skipped[0].path} ({skipped[0].reason})"
        hint += f" and {len(skipped) - 1:,} more." if len(skipped) > 1 else "."
    elif empty := sorted(found.folders - trained):
        hint += f" Empty class folders: {', '.join(empty)}."
    return TrainingError(f"{root} contains {content}.", hint)
