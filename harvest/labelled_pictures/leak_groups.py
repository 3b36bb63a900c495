"""Group images that must be in the same part of the split, because they are near copies of each other."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from harvest import photo_keys
from harvest.duplicates import index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from harvest.dataset import Origin
    from harvest.labelled_pictures.load_pictures import LabelledPictures

_VARIANT = "_nohash_"  # TensorFlow's marker: what follows it numbers the variants of one subject
# An author or page with more images than both is an agency, a museum or a page of results: its images are not
# grouped.
_MOST_IMAGES, _MOST_SHARE = 10, 0.1
_NO_AUTHOR = frozenset({"", "unknown", "anonymous", "unknown author", "n/a", "none", "-"})

Groups = dict[tuple[str, ...], list[int]]  # what images share → their row numbers


def find_leak_groups(pictures: LabelledPictures, *, say: Callable[[str], None]) -> NDArray[np.int64]:
    """Return a group number for each image; the images of a group must be in the same part."""
    pairs = [
        _pair_up(_group_by_content(pictures)),
        pictures.duplicates.pairs,
        _pair_up(_group_by_name(pictures)),
        _pair_up(_group_by_origin(pictures, say)),
    ]
    return index.group_duplicates(np.concatenate(pairs), len(pictures.examples))


def _pair_up(groups: Groups) -> NDArray[np.int64]:
    """Return pairs of rows that connect the images of each group."""
    pairs = [pair for rows in groups.values() for pair in pairwise(rows)]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _group_by_key(keys: Iterable[tuple[tuple[str, ...], int]]) -> Groups:
    groups: Groups = defaultdict(list)
    for key, row in keys:
        groups[key].append(row)
    return groups


def _group_by_content(pictures: LabelledPictures) -> Groups:
    return _group_by_key(((example.content,), row) for row, example in enumerate(pictures.examples))


def _group_by_name(pictures: LabelledPictures) -> Groups:
    """Group names that are equal up to `_nohash_`, in any class: "ada_nohash_1.jpg" and "ada_nohash_2.jpg"."""
    names = (PurePosixPath(example.path).name.partition(_VARIANT) for example in pictures.examples)
    return _group_by_key(((name,), row) for row, (name, marker, _) in enumerate(names) if name and marker)


def _group_by_origin(pictures: LabelledPictures, say: Callable[[str], None]) -> Groups:
    """Group images of one landing page or one author, as far as the ledger knows them."""
    rows = _group_by_content(pictures)
    groups = _group_by_key(
        (key, row)
        for origin in pictures.ledger_facts.origins
        for key in _keys(origin)
        for row in rows.get((origin.content,), ())
    )
    most = max(_MOST_IMAGES, _MOST_SHARE * len(pictures.examples))
    too_large = {key: len(set(members)) for key, members in groups.items() if len(set(members)) > most}
    for key, count in too_large.items():
        if count < len(pictures.examples):  # no message about what all images share
            say(f"{count:,} images share the {key[0]} {key[-1]}: too many to keep in one part")
        del groups[key]
    return groups


def _keys(origin: Origin) -> Iterator[tuple[str, ...]]:
    if origin.page and origin.page.strip():
        yield "page", photo_keys.source_key(origin.page)
    if origin.author_url and origin.author_url.strip():
        yield "author", photo_keys.source_key(origin.author_url)
    elif origin.author and origin.author.strip().casefold() not in _NO_AUTHOR:
        yield "author", origin.provider, origin.author.strip()
