"""What can be undone and redone, computed from the log of decisions: it survives a restart, and has no limit.

An undo is a batch of decisions of its own, each of which refers to the one that it undoes; a redo undoes an undo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.ledger.decision_kinds import Action

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger

# Changes made in the folders cannot be undone here: the files are in the hands of the file manager.
_UNDOABLE = ("page", "cli")


class LoggedDecision(NamedTuple):
    """A row of the log, as an undo needs it."""

    seq: int
    action: Action
    picture: int | None
    content: str | None
    target: str | None
    value: str | None
    before: str | None


class UndoStep(NamedTuple):
    """What an undo or a redo would undo: the original decisions, by their batch."""

    batch: int  # to undo
    name: str  # of the action
    images: int
    at: str  # when this batch was decided


class UndoHistory:
    """The batches that can be undone and redone, the last one first to go; it reads only new rows of the log."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._undo: list[int] = []
        self._redo: list[int] = []
        self._origin: dict[int, int] = {}  # of an undo or a redo: the batch of the original decisions
        self._last = 0

    def next_undo(self) -> UndoStep | None:
        """Return the step that an undo would undo."""
        self._read()
        return self._describe(self._undo[-1]) if self._undo else None

    def next_redo(self) -> UndoStep | None:
        """Return the step that a redo would make again."""
        self._read()
        return self._describe(self._redo[-1]) if self._redo else None

    def decisions(self, batch: int) -> list[LoggedDecision]:
        """Return the decisions of a batch, the last one first, without those that were not possible."""
        rows = self._ledger.rows(
            'SELECT seq, action, picture, content, "to", value, before FROM decision'
            " WHERE seq >= ?1 AND batch = ?1 AND action <> 'skip' AND seq NOT IN"
            " (SELECT undoes FROM decision WHERE seq >= ?1 AND batch = ?1 AND action = 'skip' AND undoes IS NOT NULL)"
            " ORDER BY seq DESC",
            batch,
        )
        return [LoggedDecision(seq, Action(action), *rest) for seq, action, *rest in rows]

    def _read(self) -> None:
        rows = self._ledger.rows(
            "SELECT made.batch, max(made.seq), max(CASE WHEN undone.batch <> made.batch"
            " THEN undone.batch END), 2 * sum(coalesce(undone.batch = made.batch, 0)) >= count(*)"
            " FROM decision AS made LEFT JOIN decision AS undone ON undone.seq = made.undoes"
            f" WHERE made.seq > ? AND made.by IN {_UNDOABLE} GROUP BY made.batch ORDER BY made.batch",
            self._last,
        )
        for batch, last, undone, is_nothing in rows:
            self._last = max(self._last, last)
            if not is_nothing:
                self._add(batch, undone)

    def _add(self, batch: int, undone: int | None) -> None:
        if undone is None:
            self._undo.append(batch)
            self._redo.clear()
        else:
            self._origin[batch] = self._origin.get(undone, undone)
            source, target = (self._undo, self._redo) if undone in self._undo[-1:] else (self._redo, self._undo)
            if undone in source:
                source.remove(undone)
                target.append(batch)

    def _describe(self, batch: int) -> UndoStep:
        origin = self._origin.get(batch, batch)
        actions = self._ledger.rows(
            "SELECT action, count(DISTINCT picture) FROM decision WHERE seq >= ?1 AND batch = ?1 AND action <> 'skip'"
            " GROUP BY action",
            origin,
        )
        counts: dict[str, int] = dict(actions)
        name = Action.SETTLE if len(counts) > 1 else next(iter(counts), Action.SKIP)
        count = self._ledger.scalar(
            "SELECT count(DISTINCT picture) FROM decision WHERE seq >= ?1 AND batch = ?1", origin
        )
        row = self._ledger.first_row("SELECT max(at) FROM decision WHERE seq >= ?1 AND batch = ?1", batch)
        return UndoStep(batch, str(name), count, str(row[0]) if row else "")
