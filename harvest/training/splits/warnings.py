"""What may surprise about an album and its split, said before it costs hours."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harvest.files.names import fold_name
from harvest.training.pictures.find_files import SplitPart
from harvest.training.splits.persist import load_training_contents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harvest.training.pictures.labelled_pictures import LabelledPictures
    from harvest.training.splits.split import Split

_FEW = 20  # pictures of a class, as TensorFlow's retrain.py had it
_UNEVEN = 5  # times as many pictures as another class
_NAMED = 3


def find_warnings(album: LabelledPictures, split: Split, *, source: Path | None = None) -> list[str]:
    """Return what a person should know of the pictures before the training begins.

    `source` is where the network comes from: if it is an earlier run, some pictures may be no news to it.
    """
    return [
        *(_network_warnings(album, split, source) if source else ()),
        *_ledger_warnings(album),
        *_class_warnings(album),
        *_label_warnings(album),
        *_part_warnings(album, split),
    ]


def _network_warnings(album: LabelledPictures, split: Split, source: Path) -> Iterator[str]:
    learned = load_training_contents(source)
    rows = [row for row, example in enumerate(album.examples) if example.content in learned]
    if not rows:
        return
    yield (
        f"{source} learned from {len(rows):,} of these pictures: out of fold it knows them still, so that"
        " fewer are suspected than should be, and whether more pictures would help is not measured"
    )
    exam = [album.examples[row].path for row in rows if split.parts[row] is not SplitPart.TRAIN]
    if exam:
        yield f"{len(exam):,} of them are in valid or test, which flatters: {_some(exam)}"


def _ledger_warnings(album: LabelledPictures) -> Iterator[str]:
    if album.ledger_facts.trouble:
        yield (
            f"going on without the ledger, so landing pages and authors are not known and the split is"
            f" remembered in the run alone: {album.ledger_facts.trouble}"
        )
    if album.ledger_facts.damage:
        yield album.ledger_facts.damage
    there = {example.path for example in album.examples}
    wanted = [
        f"{conflict.class_name}/{conflict.name} (or {conflict.other}?)"
        for conflict in album.ledger_facts.conflicts
        if f"{conflict.class_name}/{conflict.name}" in there
    ]
    if wanted:
        yield f"{len(wanted):,} pictures are wanted by two classes, and nobody has decided: {_some(wanted)}"


def _class_warnings(album: LabelledPictures) -> Iterator[str]:
    counts = album.counts()
    if album.empty:
        yield f"class folders without a picture to train on, left out: {_some(album.empty)}"
    few = [f"{label} ({count})" for label, count in counts.items() if count < _FEW]
    if few:
        yield f"fewer than {_FEW} pictures: {_some(few)}; more would help more than anything else"
    least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[most] >= _UNEVEN * counts[least]:
        yield (
            f"{most} has {counts[most]:,} pictures, {least} {counts[least]:,}: classes are weighted to make"
            " up for it, but look at the figures of each class, not at the accuracy of all"
        )
    spellings = defaultdict(list)
    for label in album.labels:
        spellings[fold_name(label)].append(label)
    alike = [" and ".join(labels) for labels in spellings.values() if len(labels) > 1]
    if alike:
        yield f"classes that differ only in case or accents: {_some(alike)}; are they one?"


def _label_warnings(album: LabelledPictures) -> Iterator[str]:
    """Tell of one picture in two classes: whatever is answered, one of them is wrong."""
    copies = defaultdict(list)
    for row, example in enumerate(album.examples):
        copies[example.content].append(row)
    pairs = {(rows[0], row) for rows in copies.values() for row in rows}
    pairs.update(map(tuple, album.duplicates.tolist()))
    twins = [
        f"{album.examples[one].path} = {album.examples[two].path}"
        for one, two in sorted(pairs)
        if album.examples[one].label != album.examples[two].label
    ]
    if twins:
        yield f"{len(twins):,} pictures are in two classes: {_some(twins)}"


def _part_warnings(album: LabelledPictures, split: Split) -> Iterator[str]:
    table = split.table(album)
    for part in (SplitPart.VALID, SplitPart.TEST):
        without = [label for label, counts in table.items() if not counts[part]]
        if without and (len(without) < len(table) or part is SplitPart.VALID):
            yield f"classes with too few pictures for {part}: {_some(without)}"
    lying = defaultdict(set)
    for number, part in zip(split.groups, split.parts, strict=True):
        lying[number].add(part)
    seen = [
        example.path
        for example, number, part in zip(album.examples, split.groups, split.parts, strict=True)
        if part is not SplitPart.TRAIN and SplitPart.TRAIN in lying[number]
    ]
    if seen:
        yield f"{len(seen):,} pictures of valid or test have a twin in train, which flatters: {_some(seen)}"


def _some(names: Sequence[str]) -> str:
    """Name a few, and count the rest.

    >>> _some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
