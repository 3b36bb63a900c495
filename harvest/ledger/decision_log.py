"""The log of decisions, one row each; rows are never changed: an undo is a row of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.ledger.database import now

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger
    from harvest.ledger.decision_kinds import Action


class Decision(NamedTuple):
    """A row to write: the picture, and what it changes from and to."""

    action: Action
    picture: int | None = None
    content: str | None = None
    source: str | None = None
    target: str | None = None
    value: str | None = None
    undoes: int | None = None
    before: str | None = None  # the state that an undo restores


class DecisionLog:
    """Writes the decisions of one session: one opening of a dataset."""

    def __init__(self, ledger: Ledger, session: str) -> None:
        self._ledger = ledger
        self._session = session

    def write(self, by: str, decisions: list[Decision], batch: int = 0) -> int:
        """Write decisions that were made together, or add them to a batch, and return the id of the batch."""
        if not decisions:
            return 0
        batch = batch or self._ledger.scalar("SELECT max(seq) FROM decision") + 1
        self._ledger.execute_many(
            "INSERT INTO decision"
            ' (at, by, session, batch, action, picture, content, "from", "to", value, undoes, before)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(now(), by, self._session, batch, *decision) for decision in decisions],
        )
        return batch
