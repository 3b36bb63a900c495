"""What people decided, one line each, never changed: an undo is a line of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.ledger.database import now

if TYPE_CHECKING:
    from harvest.ledger.actions import Action
    from harvest.ledger.database import Ledger


class Decision(NamedTuple):
    """A line to be written: about which picture, and from where to where."""

    action: Action
    picture: int | None = None
    content: str | None = None
    source: str | None = None
    target: str | None = None
    value: str | None = None
    undoes: int | None = None


class DecisionLog:
    """Writes the decisions of one opening of a dataset, its session."""

    def __init__(self, ledger: Ledger, session: str) -> None:
        self._ledger = ledger
        self._session = session

    def write(self, by: str, decisions: list[Decision]) -> int:
        """Write decisions that were made together, and return the number of their batch."""
        if not decisions:
            return 0
        batch = self._ledger.scalar("SELECT max(seq) FROM decision") + 1
        self._ledger.execute_many(
            "INSERT INTO decision"
            ' (at, by, session, batch, action, picture, content, "from", "to", value, undoes)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(now(), by, self._session, batch, *decision) for decision in decisions],
        )
        return batch
