"""What a dataset answers; asking changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.dataset import page_mismatches
from harvest.ledger import history, rejections, statistics
from harvest.ledger.picture_table import Pictures

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from harvest.ledger import Ledger
    from harvest.ledger.history import Story
    from harvest.ledger.picture_table import Known
    from harvest.ledger.rejections import Batch, Rejection
    from harvest.ledger.statistics import Conflict, KeepRate, Tally


class Questions:
    """The part of a dataset that reads its ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pictures = Pictures(ledger)

    def damage(self, most: int = 10) -> str:
        """Say which rows of the ledger are damaged and were skipped; "" where none is."""
        rows = self._ledger.damage
        if not rows:
            return ""
        title = f"{self._ledger.path} holds {len(rows):,} damaged row{'s' if len(rows) > 1 else ''}"
        lines = [f"{title}, skipped; no file was touched for {'them' if len(rows) > 1 else 'it'}:"]
        lines += [f"  {' '.join(row.split())}" for row in rows[:most]]
        return "\n".join(lines + ([f"  and {len(rows) - most:,} more"] if len(rows) > most else []))

    def known(self) -> Iterator[Known]:
        """Return the pictures on disk, and the earlier faces of those that were edited."""
        return self._pictures.known()

    def thrown_out(self) -> Iterator[Known]:
        """Return the rejected pictures, and their earlier faces."""
        return self._pictures.thrown_out()

    def kept(self, class_name: str) -> int:
        """Count the pictures of a class that are on disk."""
        return self._pictures.kept(class_name)

    def counts(self) -> dict[str, int]:
        """Count the pictures on disk by class."""
        return self._pictures.totals()

    def licence_known(self) -> int:
        """Count the pictures on disk whose source states their licence."""
        return self._pictures.licence_known()

    def tallies(self) -> list[Tally]:
        """Tell of every class what it holds, what is new, and what a person did to it."""
        return statistics.tallies(self._ledger)

    def unreadable(self) -> list[tuple[str, str]]:
        """Return class and name of the files added by hand that could not be decoded."""
        return statistics.unreadable(self._ledger)

    def keep_rates(self) -> list[KeepRate]:
        """Tell for each query and provider what a person left of the pictures it gave."""
        return statistics.keep_rates(self._ledger)

    def conflicts(self) -> list[Conflict]:
        """List the pictures that two classes want, as long as nobody has decided."""
        return statistics.conflicts(self._ledger)

    def suspects(self, words: Mapping[str, Collection[str]] | None = None) -> list[page_mismatches.Suspect]:
        """List the pictures whose sources name another class and not their own.

        `words` are the phrases that name each class; left out, they are its name and what was searched for.
        """
        if words is None:
            searched = statistics.searched(self._ledger)
            words = {name: page_mismatches.phrases(name, queries) for name, queries in searched.items()}
        return list(
            page_mismatches.suspects(
                (page_mismatches.Told(*row) for row in statistics.told(self._ledger)), words
            )
        )

    def find(self, text: str) -> list[int]:
        """Return the pictures that a path, file name or address means, those on disk first."""
        return history.pictures_named(self._ledger, text)

    def names_like(self, text: str, most: int = 5) -> list[str]:
        """Return some `class/name` of pictures whose name holds a text."""
        return history.names_like(self._ledger, text, most)

    def why(self, text: str) -> Story | None:
        """Tell all that is known of a path, file name or address; `None` where nothing is."""
        return history.story(self._ledger, text)

    def story_of(self, picture: int) -> Story:
        """Tell all that is known of one picture."""
        return history.story_of(self._ledger, picture)

    def rejections(self) -> list[Rejection]:
        """List what a person threw out, and what it would take to have each back."""
        return rejections.rejections(self._ledger)

    def last_batch(self) -> Batch:
        """Return what was thrown out together last, as far as it still is."""
        return rejections.last_batch(self._ledger)
