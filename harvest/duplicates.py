"""Perceptual twins: neighbours by hash of any part, confirmed by a second look at the parts that met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harvest.looks import PACKED, PARTS, alike, unpack
from harvest.neighbours import RADIUS, Index, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from harvest.looks import Looks
    from harvest.models import Look

    Ints = NDArray[np.intp]

_ROOM = 512  # looks that are compared one by one: as fast as asking an index
_CROWD = 1000  # neighbours that get a second look: pictures of one colour may have any number of them
_BATCH = 20_000  # second looks at a time, 2 kB each


class Twins:
    """The looks known so far, by their keys; finds the twins of another look among them.

    >>> from PIL import Image
    >>> from harvest.looks import look
    >>> picture = Image.radial_gradient("L").convert("RGB")
    >>> twins = Twins([(7, look(picture))])
    >>> twins.find(look(picture.resize((90, 90))))
    [7]
    """

    def __init__(self, looks: Iterable[tuple[int, Look]] = ()) -> None:
        known = dict(looks)
        self._keys = np.fromiter(known, np.int64, len(known))
        self._looks = unpack(list(known.values()))
        self._alive = np.ones(len(known), np.bool_)
        self._rows = {key: row for row, key in enumerate(known)}
        self._settle()

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: int, look: Look) -> None:
        """Remember a look under its key; a key already known gets the new look."""
        self.discard(key)
        if self._end == len(self._keys):
            self._settle()
        self._keys[self._end] = key
        self._looks[self._end] = unpack([look])[0]
        self._alive[self._end] = True
        self._rows[key] = self._end
        self._end += 1

    def discard(self, key: int) -> None:
        """Forget a key; one not known is no error."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._alive[row] = False

    def find(self, look: Look) -> list[int]:
        """Return the keys of the confirmed twins of a look, the most alike first."""
        asked = unpack([look])
        _, part = _hashed(asked)
        met, row, other = self._near(asked["hashes"][0, part])
        living = np.flatnonzero(self._alive[row])[:_CROWD]
        if not len(living):
            return []
        met, row, other = met[living], row[living], other[living]
        likeness = alike(np.repeat(asked, len(row)), part[met], self._looks[row], other)
        best = np.argsort(-likeness, kind="stable")
        twins = dict.fromkeys(row[best[likeness[best] > 0]].tolist())
        return [int(self._keys[row]) for row in twins]

    def _near(self, hashes: NDArray[np.uint64]) -> tuple[Ints, Ints, Ints]:
        """Return the hashes asked for, and the rows and parts that are near them."""
        asked, found = self._index.near(hashes)
        late = self._looks["hashes"][self._settled : self._end].reshape(-1, 1)
        place, near = np.divmod(np.flatnonzero(np.bitwise_count(late ^ hashes) <= RADIUS), len(hashes))
        row, part = np.divmod(place, len(PARTS))
        return (
            np.concatenate((asked, near)),
            np.concatenate((self._row[found], self._settled + row)),
            np.concatenate((self._part[found], part)),
        )

    def _settle(self) -> None:
        """Index what is alive, and make room for some more."""
        living = np.flatnonzero(self._alive)
        self._end = len(living)
        room = max(_ROOM, self._end // 32)
        self._keys = np.concatenate((self._keys[living], np.zeros(room, np.int64)))
        self._looks = np.concatenate((self._looks[living], np.zeros(room, PACKED)))
        self._alive = np.arange(self._end + room) < self._end
        self._rows = {key: row for row, key in enumerate(self._keys[: self._end].tolist())}
        self._settled = self._end if self._end > _ROOM else 0
        settled = self._looks[: self._settled]
        self._row, self._part = _hashed(settled)
        self._index = Index(settled["hashes"][self._row, self._part])


def pairs(looks: Sequence[Look]) -> NDArray[np.int64]:
    """Return confirmed twins among looks, each pair once, as rows of two positions, the smaller first.

    Of a set of looks that are the same to the byte, only the pairs with the first are returned: as many as it
    takes to hang them together.
    """
    _, first, same = np.unique(
        unpack(looks).view(f"V{PACKED.itemsize}"), return_index=True, return_inverse=True
    )
    packed = unpack(looks)[first]
    row, part = _hashed(packed)
    found = [np.stack((first[same], np.arange(len(looks))), axis=1)]
    for one, two in _candidates(packed["hashes"][row, part]):
        for start in range(0, len(one), _BATCH):
            a, b = one[start : start + _BATCH], two[start : start + _BATCH]
            twins = alike(packed[row[a]], part[a], packed[row[b]], part[b]) > 0
            found.append(np.sort(np.stack((first[row[a[twins]]], first[row[b[twins]]]), axis=1), axis=1))
    both = np.unique(np.concatenate(found), axis=0)
    return both[both[:, 0] < both[:, 1]]


def _candidates(hashes: NDArray[np.uint64]) -> Iterator[tuple[Ints, Ints]]:
    """Yield the positions of hashes near each other; in a crowd of equal ones each meets only the next."""
    value, inverse, count = np.unique(hashes, return_inverse=True, return_counts=True)
    order = np.argsort(inverse, kind="stable")
    start = np.cumsum(count) - count
    for apart in range(1, min(int(count.max(initial=0)), _CROWD)):
        place = np.flatnonzero(inverse[order[apart:]] == inverse[order[:-apart]])
        yield order[place], order[place + apart]
    few = np.minimum(count, _CROWD)
    for one, two in join(value):
        many = few[one] * few[two]
        pair = np.repeat(np.arange(len(one)), many)
        number = np.arange(len(pair)) - np.repeat(np.cumsum(many) - many, many)
        a = order[start[one[pair]] + number // few[two[pair]]]
        b = order[start[two[pair]] + number % few[two[pair]]]
        yield a, b


def groups(twins: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return for each of `count` pictures the smallest position among those it hangs together with.

    >>> groups(np.array([[1, 3], [3, 4]]), 5).tolist()
    [0, 1, 2, 1, 1]
    """
    label = np.arange(count)
    while True:
        low = np.minimum(label[twins[:, 0]], label[twins[:, 1]])
        before = label.copy()
        np.minimum.at(label, twins[:, 0], low)
        np.minimum.at(label, twins[:, 1], low)
        label = label[label]
        if (label == before).all():
            return label


def _hashed(looks: Looks) -> tuple[Ints, Ints]:
    """Return the row and the part of every hash that no part before it in the same look has."""
    hashes = looks["hashes"]
    new = [(hashes[:, :part] != hashes[:, part : part + 1]).all(axis=1) for part in range(hashes.shape[1])]
    row, part = np.nonzero(np.stack(new, axis=1))
    return row, part
