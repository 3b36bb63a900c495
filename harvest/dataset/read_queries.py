"""What a dataset answers; asking changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.dataset import page_mismatches
from harvest.ledger import history, rejections, statistics
from harvest.ledger.picture_table import PictureTable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from harvest.ledger.database import Ledger
    from harvest.ledger.history import PictureHistory
    from harvest.ledger.picture_table import KnownPicture
    from harvest.ledger.rejections import Rejection, RejectionBatch
    from harvest.ledger.statistics import ClassCounts, Conflict, KeepRate


class ReadQueries:
    """The part of a dataset that reads its ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pictures = PictureTable(ledger)

    def damage(self, most: int = 10) -> str:
        """Say which rows of the ledger are damaged and were skipped; "" where none is."""
        rows = self._ledger.damage
        if not rows:
            return ""
        title = f"{self._ledger.path} holds {len(rows):,} damaged row{'s' if len(rows) > 1 else ''}"
        lines = [f"{title}, skipped; no file was touched for {'them' if len(rows) > 1 else 'it'}:"]
        lines += [f"  {' '.join(row.split())}" for row in rows[:most]]
        return "\n".join(lines + ([f"  and {len(rows) - most:,} more"] if len(rows) > most else []))

    def list_present(self) -> Iterator[KnownPicture]:
        """Return the pictures on disk, and the earlier faces of those that were edited."""
        return self._pictures.list_present()

    def list_rejected(self) -> Iterator[KnownPicture]:
        """Return the rejected pictures, and their earlier faces."""
        return self._pictures.list_rejected()

    def count_present(self, class_name: str) -> int:
        """Count the pictures of a class that are on disk."""
        return self._pictures.count_present(class_name)

    def counts(self) -> dict[str, int]:
        """Count the pictures on disk by class."""
        return self._pictures.count_by_class()

    def count_licensed(self) -> int:
        """Count the pictures on disk whose source states their licence."""
        return self._pictures.count_licensed()

    def count_classes(self) -> list[ClassCounts]:
        """Tell of every class what it holds, what is new, and what a person did to it."""
        return statistics.count_classes(self._ledger)

    def unreadable(self) -> list[tuple[str, str]]:
        """Return class and name of the files added by hand that could not be decoded."""
        return statistics.unreadable(self._ledger)

    def keep_rates(self) -> list[KeepRate]:
        """Tell for each query and provider what a person left of the pictures it gave."""
        return statistics.compute_keep_rates(self._ledger)

    def conflicts(self) -> list[Conflict]:
        """List the pictures that two classes want, as long as nobody has decided."""
        return statistics.list_conflicts(self._ledger)

    def suspects(self, words: Mapping[str, Collection[str]] | None = None) -> list[page_mismatches.PageMismatch]:
        """List the pictures whose sources name another class and not their own.

        `words` are the phrases that name each class; left out, they are its name and what was searched for.
        """
        if words is None:
            searched = statistics.search_terms(self._ledger)
            words = {name: page_mismatches.class_phrases(name, queries) for name, queries in searched.items()}
        return list(
            page_mismatches.find_page_mismatches(
                (page_mismatches.PageText(*row) for row in statistics.page_texts(self._ledger)), words
            )
        )

    def find(self, text: str) -> list[int]:
        """Return the pictures that a path, file name or address means, those on disk first."""
        return history.find_pictures(self._ledger, text)

    def similar_names(self, text: str, most: int = 5) -> list[str]:
        """Return some `class/name` of pictures whose name holds a text."""
        return history.similar_names(self._ledger, text, most)

    def history_of_text(self, text: str) -> PictureHistory | None:
        """Tell all that is known of a path, file name or address; `None` where nothing is."""
        return history.history_of_text(self._ledger, text)

    def picture_history(self, picture: int) -> PictureHistory:
        """Tell all that is known of one picture."""
        return history.picture_history(self._ledger, picture)

    def rejections(self) -> list[Rejection]:
        """List what a person threw out, and what it would take to have each back."""
        return rejections.list_rejections(self._ledger)

    def last_batch(self) -> RejectionBatch:
        """Return what was thrown out together last, as far as it still is."""
        return rejections.last_batch(self._ledger)
