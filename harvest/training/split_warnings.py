"""Find problems of the images and their split before the training takes hours."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harvest.counts_as_text import count, count_images
from harvest.files.check_names_and_cells import fold_name
from harvest.labelled_pictures.find_files import SplitPart
from harvest.splits.persist import load_training_contents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.splits.split_images import Split

_FEW = 20  # images of a class, as in TensorFlow's retrain.py
_UNEVEN = 5  # ratio of the largest to the smallest class
_NAMED = 3  # names in a message


def find_warnings(
    pictures: LabelledPictures, split: Split, *, source: Path | None = None, balanced: bool = True
) -> list[str]:
    """Return the warnings to show before the training starts.

    `source` is the name or path of the network: an earlier run may have been trained on some of the images.
    `balanced`: the classes have equal weights in the loss.
    """
    return [
        *(_network_warnings(pictures, split, source) if source else ()),
        *_ledger_warnings(pictures),
        *_class_warnings(pictures, balanced=balanced),
        *_label_warnings(pictures),
        *_part_warnings(pictures, split),
    ]


def _network_warnings(pictures: LabelledPictures, split: Split, source: Path) -> Iterator[str]:
    trained_on = load_training_contents(source)
    rows = [row for row, example in enumerate(pictures.examples) if example.content in trained_on]
    if not rows:
        return
    yield (
        f"{source} was trained on {len(rows):,} of these images: its out-of-fold predictions for them are too good,"
        " so wrong labels may be missed, and the learning curve is left out"
    )
    held_out = [pictures.examples[row].path for row in rows if split.parts[row] is not SplitPart.TRAIN]
    if held_out:
        of_them = count(len(held_out), "of them is", "of them are")
        yield f"{of_them} in valid or test, so the accuracy is too high: {_some(held_out)}"


def _ledger_warnings(pictures: LabelledPictures) -> Iterator[str]:
    if pictures.ledger_facts.trouble:
        yield (
            f"the ledger is not used, so landing pages and authors are unknown and the split is only saved in the"
            f" run: {pictures.ledger_facts.trouble}"
        )
    if pictures.ledger_facts.damage:
        yield pictures.ledger_facts.damage
    paths = {example.path for example in pictures.examples}
    open_conflicts = [
        f"{conflict.class_name}/{conflict.name} (or {conflict.other}?)"
        for conflict in pictures.ledger_facts.conflicts
        if f"{conflict.class_name}/{conflict.name}" in paths
    ]
    if open_conflicts:
        images = count(len(open_conflicts), "image has", "images have")
        yield f"{images} an open conflict between two classes: {_some(open_conflicts)}"


def _class_warnings(pictures: LabelledPictures, *, balanced: bool) -> Iterator[str]:
    counts = pictures.counts()
    if pictures.empty:
        yield f"class folders without a usable image are left out: {_some(pictures.empty)}"
    few = [f"{label} ({count})" for label, count in counts.items() if count < _FEW]
    if few:
        yield f"classes with fewer than {_FEW} images: {_some(few)}; more images would help most"
    least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[most] >= _UNEVEN * counts[least]:
        weights = (
            "weights the classes equally, but" if balanced else "weights all images equally (--class-weights none):"
        )
        yield (
            f"{most} has {counts[most]:,} images, {least} has {counts[least]:,}: the loss {weights}"
            " check the metrics of each class, not only the overall accuracy"
        )
    spellings = defaultdict(list)
    for label in pictures.labels:
        spellings[fold_name(label)].append(label)
    similar = [" and ".join(labels) for labels in spellings.values() if len(labels) > 1]
    if similar:
        yield f"classes that differ only in case or accents: {_some(similar)}; are they the same class?"


def _label_warnings(pictures: LabelledPictures) -> Iterator[str]:
    """Warn of copies with different labels: at least one label is wrong."""
    copies = defaultdict(list)
    for row, example in enumerate(pictures.examples):
        copies[example.content].append(row)
    found, is_certain = pictures.duplicates
    identical = {(rows[0], row) for rows in copies.values() for row in rows}
    certain = _name_pairs(pictures, {*identical, *map(tuple, found[is_certain].tolist())})
    if certain:
        yield f"{count(len(certain), 'image is', 'images are')} in two classes: {_some(certain)}"
    probable = _name_pairs(pictures, map(tuple, found[~is_certain].tolist()))
    if probable:
        yield f"{count_images(len(probable))} may be copies of an image of another class: {_some(probable)}"


def _name_pairs(pictures: LabelledPictures, pairs: Iterable[tuple[int, int]]) -> list[str]:
    """Return the paths of the pairs with different labels."""
    examples = pictures.examples
    return [
        f"{examples[one].path} = {examples[two].path}"
        for one, two in sorted(pairs)
        if examples[one].label != examples[two].label
    ]


def _part_warnings(pictures: LabelledPictures, split: Split) -> Iterator[str]:
    table = split.table(pictures)
    for part in (SplitPart.VALID, SplitPart.TEST):
        missing = [label for label, counts in table.items() if not counts[part]]
        if missing and (len(missing) < len(table) or part is SplitPart.VALID):
            yield f"classes with too few images for {part}: {_some(missing)}"
    parts_of_group = defaultdict(set)
    for number, part in zip(split.groups, split.parts, strict=True):
        parts_of_group[number].add(part)
    leaking = [
        example.path
        for example, number, part in zip(pictures.examples, split.groups, split.parts, strict=True)
        if part is not SplitPart.TRAIN and SplitPart.TRAIN in parts_of_group[number]
    ]
    if leaking:
        images = count(len(leaking), "image of valid or test has", "images of valid or test have")
        yield f"{images} a near-duplicate in train, so the accuracy is too high: {_some(leaking)}"


def _some(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others.

    >>> _some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
