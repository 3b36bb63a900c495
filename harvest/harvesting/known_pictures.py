"""Recognise pictures of a dataset: exactly by bytes or pixels, approximately by fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.duplicates.equal_hash_index import EqualHashIndex
from harvest.duplicates.index import Copies, DuplicateIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harvest.dataset import KnownPicture
    from harvest.dataset.dataset_reader import DatasetReader
    from harvest.models import Fingerprint, Picture


class Match(NamedTuple):
    """The known picture that is certainly the same as another, and the ids of those that may be copies of it."""

    same: KnownPicture | None = None
    similar: tuple[int, ...] = ()


class KnownPictures:
    """Pictures of a dataset to recognise; many at a time are found faster than one by one.

    In memory are 0.6 kB of each, its hashes; the others of its 3 kB are read from the ledger when it is compared.
    """

    def __init__(self, pictures: Iterable[KnownPicture], dataset: DatasetReader) -> None:
        self._dataset = dataset
        self._exact = EqualHashIndex()
        self._forgotten: set[int] = set()
        self._duplicates = DuplicateIndex(self._remember_all(pictures), load=dataset.load_fingerprints)

    def _remember_all(self, pictures: Iterable[KnownPicture]) -> Iterator[tuple[int, Fingerprint]]:
        for known in pictures:
            self._exact.add(known.id, list_hashes(known))
            if known.fingerprint is not None:
                yield known.id, known.fingerprint

    def add(self, known: KnownPicture) -> None:
        """Add a picture."""
        for number, fingerprint in self._remember_all([known]):
            self._duplicates.add(number, fingerprint)

    def forget(self, known: KnownPicture) -> None:
        """Remove a picture."""
        self._exact.discard(known.id)
        self._duplicates.discard(known.id)
        self._forgotten.add(known.id)

    def has_forgotten(self, match: Match) -> bool:
        """Return whether a picture of an earlier match was removed since."""
        ids = match.similar if match.same is None else (match.same.id, *match.similar)
        return not self._forgotten.isdisjoint(ids)

    def find_all_exact(self, pictures: Sequence[Picture | KnownPicture]) -> list[KnownPicture | None]:
        """Return for each picture the one with the same bytes or pixels."""
        candidates = {name: self._exact.find(name) for picture in pictures for name in list_hashes(picture)}
        loaded = self._load(candidates.values())

        def find_loaded(picture: Picture | KnownPicture) -> KnownPicture | None:
            for name in list_hashes(picture):
                known = loaded.get(candidates[name] or 0)
                if known is not None and name in list_hashes(known):
                    return known
            return None

        return [find_loaded(picture) for picture in pictures]

    def find(self, picture: Picture | KnownPicture) -> Match:
        """Return the match of one picture."""
        return self.find_all([picture])[0]

    def find_all(self, pictures: Sequence[Picture | KnownPicture]) -> list[Match]:
        """Return the match of each picture."""
        exact = self.find_all_exact(pictures)
        copies = self._find_copies(pictures)
        nearest = [certain[0] if certain else None for certain, _ in copies]
        loaded = self._load(nearest)
        same = [known or loaded.get(number or 0) for known, number in zip(exact, nearest, strict=True)]
        return [
            Match(known, tuple(number for number in probable if known is None or number != known.id))
            for known, (_, probable) in zip(same, copies, strict=True)
        ]

    def _find_copies(self, pictures: Sequence[Picture | KnownPicture]) -> list[Copies]:
        """Return the ids of the copies of each picture; of one without a fingerprint, none."""
        found = iter(self._duplicates.find_all([each.fingerprint for each in pictures if each.fingerprint]))
        return [next(found) if each.fingerprint else Copies([], []) for each in pictures]

    def _load(self, numbers: Iterable[int | None]) -> dict[int, KnownPicture]:
        wanted = {number for number in numbers if number}  # from 1 on
        return self._dataset.load_known(wanted) if wanted else {}


def list_hashes(picture: Picture | KnownPicture) -> list[str]:
    """Return the hashes that identify a picture."""
    return [name for name in (picture.body, picture.pixels, picture.content) if name]
