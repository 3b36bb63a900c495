"""Undo and redo decisions, a batch at a time: the log says what was decided and what was there before.

A picture that changed since, in the folders or by another command, is left alone, and the reason is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.dataset.apply_decisions import BatchResult, pictures_of
from harvest.ledger import near_duplicate_table, picture_updates
from harvest.ledger.decision_kinds import Action
from harvest.ledger.decision_log import Decision
from harvest.ledger.picture_state_for_undo import (
    parse_state,
    read_state,
    write_conflicts,
    write_judgement,
    write_state,
)
from harvest.ledger.undo_and_redo_from_log import UndoHistory

if TYPE_CHECKING:
    from harvest.dataset.apply_decisions import Decisions
    from harvest.dataset.file_operations import FileOperations
    from harvest.files.place_and_list_files import Tree
    from harvest.ledger.database import Ledger
    from harvest.ledger.decision_log import DecisionLog
    from harvest.ledger.picture_state_for_undo import PictureState
    from harvest.ledger.picture_table import PictureTable
    from harvest.ledger.undo_and_redo_from_log import LoggedDecision, UndoStep

_PAIRS = frozenset({Action.DISTINCT, Action.SETTLE})
_JUDGEMENTS = frozenset({Action.KEEP, Action.RATE})


class DecisionUndoer:
    """Undoes the last batch that is not undone, and redoes the last undo."""

    def __init__(
        self,
        ledger: Ledger,
        pictures: PictureTable,
        tree: Tree,
        journal: FileOperations,
        log: DecisionLog,
        *,
        decisions: Decisions,
    ) -> None:
        self._ledger = ledger
        self._pictures = pictures
        self._tree = tree
        self._journal = journal
        self._log = log
        self._decisions = decisions
        self.history = UndoHistory(ledger)

    def undo(self, by: str) -> BatchResult:
        """Undo the last batch of decisions; a result without a batch means that there is none."""
        return self._undo(by, redo=False)

    def redo(self, by: str) -> BatchResult:
        """Make the decisions again that were undone last."""
        return self._undo(by, redo=True)

    def _undo(self, by: str, *, redo: bool) -> BatchResult:
        failed: dict[int, str] = {}
        with self._ledger.transaction():
            step: UndoStep | None = self.history.next_redo() if redo else self.history.next_undo()
            if step is None:
                return BatchResult(0)
            made = [self._undo_one(each, failed) for each in self.history.decisions(step.batch)]
            batch = self._log.write(by, made)
        failed |= self._decisions.carry_out(batch, by)
        return BatchResult(batch, pictures_of(made), failed)

    def _undo_one(self, made: LoggedDecision, failed: dict[int, str]) -> Decision:
        assert made.picture is not None
        if made.action in _PAIRS:
            return self._undo_pair(made, made.picture)
        before = parse_state(made.before)
        reason = "it was decided by an earlier version of harvest" if before is None else self._objection(made, before)
        if before is None or reason:
            failed[made.picture] = f"Not undone: {reason}."
            return Decision(Action.SKIP, made.picture, made.content, value=reason, undoes=made.seq)
        return self._restore_state(made, made.picture, before)

    def _undo_pair(self, made: LoggedDecision, picture: int) -> Decision:
        """Toggle a pair of near-duplicates: the row of an undo has the value of the row that it undoes."""
        other = int(made.value) if made.value and made.value.isdecimal() else 0
        is_resolved = near_duplicate_table.is_resolved(self._ledger, picture, other)
        near_duplicate_table.resolve_pair(self._ledger, picture, other, resolved=not is_resolved)
        return Decision(made.action, picture, made.content, value=made.value, undoes=made.seq)

    def _objection(self, made: LoggedDecision, before: PictureState) -> str:
        """Return why a decision cannot be undone: the picture is no longer as the decision left it."""
        held = self._pictures.get_row(made.picture or 0)
        if held is None or held.id != made.picture:
            return "a better copy has replaced it"
        if held.content != made.content:
            return "its file was edited since"
        now = read_state(self._ledger, held.id)
        if made.action in _JUDGEMENTS:
            return "" if now.state == "present" else "it was rejected since"
        reason = _describe_change(made, now)
        if not reason and held.shard is None and before.has_file and now.state != "lifted":
            seen = self._tree.stat(now.spot)
            if seen != (held.size, held.mtime_ns):
                reason = "its file was changed since" if seen else "its file is gone"
        return reason

    def _restore_state(self, made: LoggedDecision, picture: int, before: PictureState) -> Decision:
        now = read_state(self._ledger, picture)
        source, target = now.spot, before.spot
        if made.action in _JUDGEMENTS:
            write_judgement(self._ledger, picture, before)
        else:
            row = self._pictures.get_row(picture)
            in_shard = row is not None and row.shard is not None
            if before.has_file and source != target and not in_shard:
                target = self._journal.find_free_name(target)
                picture_updates.announce_move(self._ledger, picture, source)
            write_state(self._ledger, picture, before._replace(name=target.name))
            write_conflicts(self._ledger, picture, before, {source.class_name, target.class_name})
        return Decision(
            _inverse(made.action, now, before),
            picture,
            made.content,
            f"{source.class_name}/{source.name}",
            f"{target.class_name}/{target.name}" if before.state == "present" else None,
            str(before.rating or 0) if made.action is Action.RATE else None,
            made.seq,
            now.as_json(),
        )


_STATES = {"present": "in its class folder", "rejected": "rejected", "lifted": "to be downloaded again"}


def _describe_change(made: LoggedDecision, now: PictureState) -> str:
    """Return how the place of a picture differs from where a decision put it."""
    expected = {Action.REJECT: "rejected"}.get(made.action, "present" if made.target else "lifted")
    if now.state != expected:
        return f"it is {_STATES.get(now.state, now.state)} now"
    if expected == "present" and made.target != f"{now.class_name}/{now.name}":
        return f"it is in {now.class_name} now"
    return ""


def _inverse(action: Action, now: PictureState, before: PictureState) -> Action:
    if now.state == before.state:
        return action
    return Action.REJECT if before.state == "rejected" else Action.RESTORE
