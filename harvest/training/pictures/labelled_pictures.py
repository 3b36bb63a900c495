"""The labelled pictures of a tree: every one decodes, and what else lies there is listed with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from harvest.errors import TrainingError
from harvest.training.pictures.decode_cache import DecodeCache, DecodedFile
from harvest.training.pictures.find_duplicates import find_duplicate_pairs
from harvest.training.pictures.find_files import Skipped, SplitPart, find_files
from harvest.training.pictures.ledger_facts import LedgerFacts, read_ledger_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harvest.training.pictures.find_files import FoundFiles

__all__ = ["Example", "LabelledPictures", "Skipped", "SplitPart", "load_pictures"]


@dataclass(frozen=True, slots=True)
class Example:
    """One picture and what it is said to show; `part` only where the tree's own folders say it."""

    path: str  # relative to the tree, with slashes
    label: str
    content: str  # SHA-256 of the file
    part: SplitPart | None = None
    size: tuple[int, int] = (0, 0)


def _none() -> NDArray[np.int64]:
    return np.empty((0, 2), np.int64)


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """The pictures of a tree, in the order of their paths."""

    root: Path
    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    empty: tuple[str, ...] = ()  # class folders without a picture
    duplicates: NDArray[np.int64] = field(default_factory=_none, repr=False, compare=False)  # rows of two places
    ledger_facts: LedgerFacts = field(default_factory=LedgerFacts, repr=False)

    def file(self, example: Example) -> Path:
        """Return where a picture lies."""
        return self.root / example.path

    def counts(self) -> dict[str, int]:
        """Count the pictures of each class."""
        counted = Counter(example.label for example in self.examples)
        return {label: counted[label] for label in self.labels}

    @property
    def targets(self) -> NDArray[np.int64]:
        """The class of each picture, as its place among the labels."""
        place = {label: number for number, label in enumerate(self.labels)}
        return np.fromiter((place[example.label] for example in self.examples), np.int64, len(self.examples))

    def subset(self, rows: Sequence[int]) -> LabelledPictures:
        """Return an album of some of the pictures, with all the classes."""
        place = np.full(len(self.examples), -1, np.int64)
        place[np.asarray(rows, np.intp)] = np.arange(len(rows))
        twins = np.sort(place[self.duplicates], axis=1)
        return replace(
            self,
            examples=tuple(self.examples[row] for row in rows),
            duplicates=twins[(twins >= 0).all(axis=1)],
        )


def _ignore_progress(_done: int, _total: int) -> None:
    """Hear how far it is, and do nothing."""


def load_pictures(
    root: Path,
    *,
    say: Callable[[str], None],
    tick: Callable[[int, int], None] = _ignore_progress,
    cache: Path | None = None,
) -> LabelledPictures:
    """Decode every picture of a tree of class folders; `cache` is a folder that remembers what was seen."""
    found = find_files(root)
    _check_names(root, found.folders)
    skipped = list(found.skipped)
    examples: list[Example] = []
    taken: list[DecodedFile] = []
    sights = DecodeCache(cache, say)
    try:
        paths = [root / spotted.path for spotted in found.files]
        for spotted, seen in zip(found.files, sights.inspect(paths, tick), strict=True):
            if isinstance(seen, str):
                skipped.append(Skipped(spotted.path, seen))
            else:
                examples.append(Example(spotted.path, spotted.label, seen.content, spotted.part, seen.size))
                taken.append(seen)
    finally:
        sights.save()
    taught = {example.label for example in examples if example.part in {None, SplitPart.TRAIN}}
    skipped += [
        Skipped(example.path, "there is nothing of its class to train on")
        for example in examples
        if example.label not in taught
    ]
    _check_enough(root, taught, found, skipped)
    order = sorted(
        (row for row, example in enumerate(examples) if example.label in taught),
        key=lambda row: examples[row].path,
    )
    examples = [examples[row] for row in order]
    return LabelledPictures(
        root=root,
        examples=tuple(examples),
        labels=tuple(sorted(taught)),
        skipped=tuple(sorted(skipped)),
        empty=tuple(sorted(found.folders - taught)),
        duplicates=find_duplicate_pairs([taken[row] for row in order], cache),
        ledger_facts=read_ledger_facts(root, {example.content for example in examples}),
    )


def _check_names(root: Path, names: set[str]) -> None:
    """Refuse a class that no list of labels could hold: they are text, one a line."""
    for name in sorted(names):
        if name.splitlines() != [name] or not _is_text(name):
            raise TrainingError(
                f"{root} holds a folder that cannot be a label: {name!a}.",
                "Labels are written one a line: rename the folder.",
            )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False
    return True


def _check_enough(root: Path, taught: set[str], found: FoundFiles, skipped: Sequence[Skipped]) -> None:
    if len(taught) > 1:
        return
    holds = f"pictures of one class only, {next(iter(taught))}" if taught else "no picture in a class folder"
    hint = "A classifier tells at least two classes apart: one folder of pictures for each."
    if found.deeper:
        hint = f"The folder {min(found.deeper)} holds folders: are the class folders one step further down?"
    elif skipped:
        hint += f" Left out: {skipped[0].path} ({skipped[0].reason})"
        hint += f" and {len(skipped) - 1:,} more." if len(skipped) > 1 else "."
    elif empty := sorted(found.folders - taught):
        hint += f" Without a picture: {', '.join(empty)}."
    raise TrainingError(f"{root} holds {holds}.", hint)
