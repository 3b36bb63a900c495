"""Carry out the decisions of a person in the ledger and in the folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.files.paths import Area, FileKey
from harvest.ledger import picture_updates
from harvest.ledger.actions import Action
from harvest.ledger.decision_log import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.dataset.file_operations import FileOperations
    from harvest.files.tree import Tree
    from harvest.ledger.database import Ledger
    from harvest.ledger.decision_log import DecisionLog
    from harvest.ledger.picture_table import PictureRow, PictureTable


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The result of a restore: files that are back, and pictures that the next `get` downloads again."""

    batch: int
    back: int = 0
    to_fetch: int = 0


class Decisions:
    """Records decisions and then carries them out, batch by batch."""

    def __init__(
        self,
        ledger: Ledger,
        pictures: PictureTable,
        tree: Tree,
        journal: FileOperations,
        decisions: DecisionLog,
    ) -> None:
        self._ledger = ledger
        self._pictures = pictures
        self._tree = tree
        self._journal = journal
        self._decisions = decisions

    def reject(self, ids: Iterable[int], by: str, reason: str = "") -> int:
        """Reject pictures and move their files to dataset.rejected; return the batch."""
        with self._ledger.transaction():
            decisions = [self._reject(held, reason) for held in self._rows(ids) if held.state == "present"]
            batch = self._decisions.write(by, decisions)
        self._journal.complete_moves()
        return batch

    def _reject(self, held: PictureRow, reason: str) -> Decision:
        here = FileKey(held.class_name, held.name)
        there = self._journal.find_free_name(here._replace(area=Area.REJECTED))
        picture_updates.announce_move(self._ledger, held.id, here)
        picture_updates.reject(self._ledger, held.id, there.class_name, there.name, shelved=True)
        return _decision(Action.REJECT, held, None, reason)

    def restore(self, ids: Iterable[int], by: str) -> RestoreResult:
        """Take rejections back: the file returns, or else what led to the picture is fetched again."""
        with self._ledger.transaction():
            rejected = [held for held in self._rows(ids) if held.state == "rejected"]
            decisions = [self._restore(held) for held in rejected]
            batch = self._decisions.write(by, decisions)
        self._journal.complete_moves()
        back = sum(decision.target is not None for decision in decisions)
        return RestoreResult(batch, back, len(decisions) - back)

    def _restore(self, held: PictureRow) -> Decision:
        there = FileKey(held.class_name, held.name, Area.REJECTED)
        if not held.shelved or self._tree.stat(there) is None:
            picture_updates.lift_rejection(self._ledger, held)
            return _decision(Action.RESTORE, held, None)
        here = self._journal.find_free_name(there._replace(area=Area.TREE))
        picture_updates.announce_move(self._ledger, held.id, there)
        picture_updates.restore(self._ledger, held.id, here.class_name, here.name)
        return _decision(Action.RESTORE, held, here)

    def move(self, ids: Iterable[int], class_name: str, by: str) -> int:
        """Move pictures to another class; return the batch."""
        with self._ledger.transaction():
            decisions = [
                self._move(held, class_name)
                for held in self._rows(ids)
                if held.state == "present" and held.class_name != class_name
            ]
            batch = self._decisions.write(by, decisions)
        self._journal.complete_moves()
        return batch

    def _move(self, held: PictureRow, class_name: str) -> Decision:
        here = FileKey(held.class_name, held.name)
        there = self._journal.find_free_name(FileKey(class_name, held.name))
        picture_updates.announce_move(self._ledger, held.id, here)
        picture_updates.relocate(self._ledger, held, there.class_name, there.name)
        return _decision(Action.MOVE, held, there)

    def _rows(self, ids: Iterable[int]) -> list[PictureRow]:
        """Return the rows of pictures, each once, also if several of its versions are named."""
        found = (self._pictures.get_row(number) for number in ids)
        return list({held.id: held for held in found if held is not None}.values())


def _decision(action: Action, held: PictureRow, target: FileKey | None, value: str = "") -> Decision:
    return Decision(
        action,
        held.id,
        held.content,
        f"{held.class_name}/{held.name}",
        f"{target.class_name}/{target.name}" if target else None,
        value or None,
    )
