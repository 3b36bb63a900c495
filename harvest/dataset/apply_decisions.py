"""Carry out the decisions of a person in the ledger and in the folders.

An image in a shard stays where it is: a decision about it is in the ledger alone.

Each is one batch: recorded first, with the state that an undo restores, then carried out. What the disk does not
allow stays pending for the next process, or is cancelled for a caller that shows it to a person.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.files.ledger_names_to_paths import Area, FileKey
from harvest.ledger import near_duplicate_table, pending_changes, picture_updates
from harvest.ledger.decision_kinds import Action
from harvest.ledger.decision_log import Decision
from harvest.ledger.picture_state_for_undo import parse_state, read_state, write_conflicts, write_state

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from harvest.dataset.file_operations import FileOperations
    from harvest.errors import CannotWrite
    from harvest.files.place_and_list_files import Tree
    from harvest.ledger.database import Ledger
    from harvest.ledger.decision_log import DecisionLog
    from harvest.ledger.picture_table import PictureRow, PictureTable

MOST_RATING = 9


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The decisions that were made together, and the pictures whose files could not be changed."""

    batch: int
    pictures: frozenset[int] = frozenset()
    failed: Mapping[int, str] = field(default_factory=dict)


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
            batch = self._decisions.write(by, self._reject_all(self._rows(ids), reason))
        self._journal.complete_moves()
        return batch

    def restore(self, ids: Iterable[int], by: str) -> RestoreResult:
        """Take rejections back: the file returns, or else what led to the picture is fetched again."""
        with self._ledger.transaction():
            decisions = self._restore_all(self._rows(ids))
            batch = self._decisions.write(by, decisions)
        self._journal.complete_moves()
        back = sum(decision.target is not None for decision in decisions)
        return RestoreResult(batch, back, len(decisions) - back)

    def move(self, ids: Iterable[int], class_name: str, by: str) -> int:
        """Move pictures to another class; return the batch."""
        with self._ledger.transaction():
            held = [row for row in self._rows(ids) if row.class_name != class_name]
            batch = self._decisions.write(by, self._move_all(held, class_name))
        self._journal.complete_moves()
        return batch

    def decide(
        self, action: Action, ids: Collection[int], by: str, *, value: str | int | None = None, keep: Collection[int]
    ) -> BatchResult:
        """Make one decision about pictures; what the disk does not allow is cancelled, and stays as it was."""
        makers: dict[Action, Callable[[list[PictureRow]], list[Decision]]] = {
            Action.REJECT: lambda rows: self._reject_all(rows, str(value or "")),
            Action.RESTORE: self._restore_all,
            Action.KEEP: self._keep_all,
            Action.MOVE: lambda rows: self._sort_into(rows, str(value)),
            Action.RATE: lambda rows: self._rate_all(rows, value if isinstance(value, int) else None),
            Action.DISTINCT: lambda rows: self._resolve_pairs(rows, frozenset(row.id for row in rows)),
            Action.SETTLE: lambda rows: self._settle(
                rows, {row.id for row in self._rows(keep)}, str(value) if value else None
            ),
        }
        with self._ledger.transaction():
            decisions = makers[action](self._rows(ids))
            batch = self._decisions.write(by, decisions)
        return BatchResult(batch, pictures_of(decisions), self.carry_out(batch, by))

    def carry_out(self, batch: int, by: str) -> dict[int, str]:
        """Move the files of a batch; cancel what the disk does not allow, and return the reasons."""
        failed = self._journal.try_moves()
        if failed:
            with self._ledger.transaction():
                skips = [skip for number, error in failed.items() for skip in self._cancel(number, error, batch)]
                self._decisions.write(by, skips, batch)
        return {number: error.message for number, error in failed.items()}

    def _cancel(self, picture: int, error: CannotWrite, batch: int) -> Iterable[Decision]:
        """Put a picture back to its state before the batch, unless its file was moved after all."""
        row = self._ledger.first_row(
            'SELECT seq, content, "from", "to", before FROM decision WHERE batch = ? AND picture = ?'
            " AND before IS NOT NULL ORDER BY seq",
            batch,
            picture,
        )
        state = parse_state(row[4]) if row else None
        if row is None or state is None or self._tree.stat(state.spot) is None:
            return
        write_state(self._ledger, picture, state)
        classes = {str(path).partition("/")[0] for path in row[2:4] if path}
        write_conflicts(self._ledger, picture, state, classes)
        pending_changes.cancel_move(self._ledger, picture)
        yield Decision(Action.SKIP, picture, row[1], value=error.message, undoes=row[0])

    # The steps of a batch, within its transaction.

    def _reject_all(self, rows: Iterable[PictureRow], reason: str = "") -> list[Decision]:
        return [self._reject(held, reason) for held in rows if held.state == "present"]

    def _reject(self, held: PictureRow, reason: str) -> Decision:
        before = self._before(held)
        if held.shard is not None:
            picture_updates.reject(self._ledger, held.id, held.class_name, held.name, shelved=False)
            return _decision(Action.REJECT, held, None, reason, before)
        here = FileKey(held.class_name, held.name)
        there = self._journal.find_free_name(here._replace(area=Area.REJECTED))
        picture_updates.announce_move(self._ledger, held.id, here)
        picture_updates.reject(self._ledger, held.id, there.class_name, there.name, shelved=True)
        return _decision(Action.REJECT, held, None, reason, before)

    def _restore_all(self, rows: Iterable[PictureRow]) -> list[Decision]:
        return [self._restore(held) for held in rows if held.state == "rejected"]

    def _restore(self, held: PictureRow) -> Decision:
        before = self._before(held)
        if held.shard is not None and not self._journal.is_intact_in_shard(held):
            picture_updates.record_stat(self._ledger, held.id, None)
            picture_updates.lift_rejection(self._ledger, held)  # downloaded again
            return _decision(Action.RESTORE, held, None, "", before)
        if held.shard is not None:
            picture_updates.restore(self._ledger, held.id, held.class_name, held.name)
            return _decision(Action.RESTORE, held, FileKey(held.class_name, held.name), "", before)
        there = FileKey(held.class_name, held.name, Area.REJECTED)
        if not held.shelved or self._tree.stat(there) is None:
            picture_updates.lift_rejection(self._ledger, held)
            return _decision(Action.RESTORE, held, None, "", before)
        here = self._journal.find_free_name(there._replace(area=Area.TREE))
        picture_updates.announce_move(self._ledger, held.id, there)
        picture_updates.restore(self._ledger, held.id, here.class_name, here.name)
        return _decision(Action.RESTORE, held, here, "", before)

    def _move_all(self, rows: Iterable[PictureRow], class_name: str) -> list[Decision]:
        return [self._move(held, class_name) for held in rows if held.state == "present"]

    def _move(self, held: PictureRow, class_name: str) -> Decision:
        before = self._before(held)
        here = FileKey(held.class_name, held.name)
        if held.class_name == class_name:  # the person decided that it belongs here
            there = here
            picture_updates.record_review(self._ledger, held.id)
            picture_updates.resolve_conflicts(self._ledger, held.id)
        elif held.shard is not None:
            there = FileKey(class_name, held.name)
            picture_updates.relocate(self._ledger, held, class_name, held.name)
        else:
            there = self._journal.find_free_name(FileKey(class_name, held.name))
            picture_updates.announce_move(self._ledger, held.id, here)
            picture_updates.relocate(self._ledger, held, there.class_name, there.name)
        return _decision(Action.MOVE, held, there, "", before)

    def _sort_into(self, rows: list[PictureRow], class_name: str) -> list[Decision]:
        """Move pictures to a class; of files with the same bytes, one is moved and the others are rejected."""
        first: dict[str, PictureRow] = {}
        for held in sorted(rows, key=lambda row: row.class_name != class_name):
            if held.state == "present":
                first.setdefault(held.content, held)
        chosen = {held.id for held in first.values()}
        copies = [held for held in rows if held.state == "present" and held.id not in chosen]
        return [*self._move_all(first.values(), class_name), *self._reject_all(copies, "a copy in another class")]

    def _keep_all(self, rows: Iterable[PictureRow]) -> list[Decision]:
        return [decision for held in rows for decision in self._keep(held)]

    def _keep(self, held: PictureRow) -> Iterable[Decision]:
        before = read_state(self._ledger, held.id)
        if held.state == "present" and not before.reviewed:
            picture_updates.record_review(self._ledger, held.id)
            yield _decision(Action.KEEP, held, None, "", before.as_json())

    def _rate_all(self, rows: Iterable[PictureRow], rating: int | None) -> list[Decision]:
        return [decision for held in rows for decision in self._rate(held, rating)]

    def _rate(self, held: PictureRow, rating: int | None) -> Iterable[Decision]:
        before = read_state(self._ledger, held.id)
        if held.state == "present" and before.rating != rating:
            picture_updates.rate(self._ledger, held.id, rating)
            yield _decision(Action.RATE, held, None, str(rating or 0), before.as_json())

    def _settle(self, rows: list[PictureRow], keep: set[int], class_name: str | None) -> list[Decision]:
        """Keep some pictures of a group, in a class if one is named, and reject the others; the group is decided."""
        kept = [held for held in rows if held.id in keep]
        others = [held for held in rows if held.id not in keep]
        pairs = self._resolve_pairs(rows, frozenset(keep))
        stay = self._keep_all(kept) if class_name is None else self._sort_into(kept, class_name)
        return [*pairs, *stay, *self._reject_all(others, "a near-duplicate of another")]

    def _resolve_pairs(self, rows: list[PictureRow], stay: frozenset[int]) -> list[Decision]:
        """Resolve the pairs among pictures, so that nobody is asked about them again."""
        content = {held.id: held.content for held in rows}
        decisions = []
        for picture, other in near_duplicate_table.open_pairs(self._ledger, content):
            near_duplicate_table.resolve_pair(self._ledger, picture, other)
            action = Action.DISTINCT if {picture, other} <= stay else Action.SETTLE
            decisions.append(Decision(action, picture, content[picture], value=str(other)))
        return decisions

    def _before(self, held: PictureRow) -> str:
        return read_state(self._ledger, held.id).as_json()

    def _rows(self, ids: Iterable[int]) -> list[PictureRow]:
        """Return the rows of pictures, each once, also if several of its versions are named."""
        found = (self._pictures.get_row(number) for number in ids)
        return list({held.id: held for held in found if held is not None}.values())


def pictures_of(decisions: Iterable[Decision]) -> frozenset[int]:
    """Return the pictures that decisions are about."""
    return frozenset(made.picture for made in decisions if made.picture is not None)


def _decision(action: Action, held: PictureRow, target: FileKey | None, value: str, before: str) -> Decision:
    return Decision(
        action,
        held.id,
        held.content,
        f"{held.class_name}/{held.name}",
        f"{target.class_name}/{target.name}" if target else None,
        value or None,
        before=before,
    )
