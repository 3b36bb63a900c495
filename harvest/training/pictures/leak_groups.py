"""Pictures that must stay together: who learned one knows the others, and the exam would be a copy."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from harvest import source_keys
from harvest.duplicates import index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from harvest.dataset import Origin
    from harvest.training.pictures.labelled_pictures import LabelledPictures

_VARIANT = "_nohash_"  # TensorFlow's sign: what follows it numbers variants of one thing
# An author or page with more pictures than this is an agency, a museum or a page of results: no bond.
_CROWD, _SHARE = 10, 0.1
_NOBODY = frozenset({"", "unknown", "anonymous", "unknown author", "n/a", "none", "-"})

Bonds = dict[tuple[str, ...], list[int]]  # what pictures share, and their places


def find_leak_groups(album: LabelledPictures, *, say: Callable[[str], None]) -> NDArray[np.int64]:
    """Return one number for each picture, the same for all that must not be dealt to different parts."""
    bonds = [
        _chain(_group_by_content(album)),
        album.duplicates,
        _chain(_group_by_name(album)),
        _chain(_group_by_origin(album, say)),
    ]
    return index.group_duplicates(np.concatenate(bonds), len(album.examples))


def _chain(bonds: Bonds) -> NDArray[np.int64]:
    """Return the pairs that hold the pictures of each bond together."""
    pairs = [pair for rows in bonds.values() for pair in pairwise(rows)]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _group_by_key(keys: Iterable[tuple[tuple[str, ...], int]]) -> Bonds:
    bonds: Bonds = defaultdict(list)
    for key, row in keys:
        bonds[key].append(row)
    return bonds


def _group_by_content(album: LabelledPictures) -> Bonds:
    return _group_by_key(((example.content,), row) for row, example in enumerate(album.examples))


def _group_by_name(album: LabelledPictures) -> Bonds:
    """Gather names equal up to `_nohash_`, in whatever class: "ada_nohash_1.jpg" shows Ada in all of them."""
    names = (PurePosixPath(example.path).name.partition(_VARIANT) for example in album.examples)
    return _group_by_key(((name,), row) for row, (name, sign, _) in enumerate(names) if name and sign)


def _group_by_origin(album: LabelledPictures, say: Callable[[str], None]) -> Bonds:
    """Gather pictures of one landing page or one author, as far as the ledger knows them."""
    rows = _group_by_content(album)
    bonds = _group_by_key(
        (key, row)
        for origin in album.ledger_facts.origins
        for key in _keys(origin)
        for row in rows.get((origin.content,), ())
    )
    most = max(_CROWD, _SHARE * len(album.examples))
    crowds = {key: len(set(members)) for key, members in bonds.items() if len(set(members)) > most}
    for key, count in crowds.items():
        if count < len(album.examples):  # what all share is news to nobody
            say(f"{count:,} pictures share the {key[0]} {key[-1]}: too many to keep together")
        del bonds[key]
    return bonds


def _keys(origin: Origin) -> Iterator[tuple[str, ...]]:
    if origin.page and origin.page.strip():
        yield "page", source_keys.source_key(origin.page)
    if origin.author_url and origin.author_url.strip():
        yield "author", source_keys.source_key(origin.author_url)
    elif origin.author and origin.author.strip().casefold() not in _NOBODY:
        yield "author", origin.provider, origin.author.strip()
