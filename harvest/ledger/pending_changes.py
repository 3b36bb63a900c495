"""Changes of files that are announced and not confirmed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.files.ledger_names_to_paths import Area, FileKey, FileStat
from harvest.ledger import picture_updates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harvest.ledger.database import Ledger


class PendingPlacement(NamedTuple):
    """A picture about to be placed, and the picture that it replaces."""

    id: int
    spot: FileKey
    content: str
    raw: FileKey | None
    old: FileKey | None
    old_raw: FileKey | None
    old_stamp: FileStat | None
    old_content: str | None = None
    old_body: str | None = None  # SHA-256 of its original
    part: str | None = None  # its part file, recorded before the rename; `None`: no rename was started


class PendingMove(NamedTuple):
    """The file of a picture about to be moved."""

    id: int
    source: FileKey
    target: FileKey
    content: str


def pending_placements(ledger: Ledger) -> list[PendingPlacement]:
    """Return the pending placements in their order."""
    rows = ledger.rows(
        "SELECT new.id, new.class, new.name, new.content, new.raw,"
        " old.class, old.name, old.raw, old.content, old.body, old.size, old.mtime_ns, pending.name"
        " FROM pending CROSS JOIN picture AS new ON new.id = pending.picture"
        " LEFT JOIN picture AS old ON old.id = replaces WHERE action = 'place' ORDER BY new.id"
    )
    return [
        PendingPlacement(
            number,
            FileKey(class_name, name),
            content,
            FileKey(class_name, raw, Area.RAW) if raw else None,
            FileKey(old_class, old_name) if old_name else None,
            FileKey(old_class, old_raw, Area.RAW) if old_raw else None,
            FileStat(*stamp) if stamp[0] is not None else None,
            old_content,
            old_body,
            part,
        )
        for number, class_name, name, content, raw, *old, part in rows
        for old_class, old_name, old_raw, old_content, old_body, *stamp in [old]
    ]


def record_parts(ledger: Ledger, parts: Mapping[int, str | None]) -> None:
    """Record for each picture the part file that is about to be renamed, or `None`."""
    ledger.execute_many(
        "UPDATE pending SET name = ? WHERE picture = ? AND action = 'place'",
        [(part, picture) for picture, part in parts.items()],
    )


def originals(ledger: Ledger, picture: int) -> list[tuple[FileKey, str | None]]:
    """Return where an announced picture's original was to be kept, if it was, and its SHA-256."""
    rows = ledger.rows("SELECT class, raw, body FROM picture WHERE id = ? AND raw IS NOT NULL", picture)
    return [(FileKey(class_name, raw, Area.RAW), body) for class_name, raw, body in rows]


def pending_moves(ledger: Ledger, most: int, after: int = -1) -> list[PendingMove]:
    """Return the next pending moves in the order of their ids."""
    rows = ledger.rows(
        "SELECT id, shelf, pending.class, pending.name, picture.class, picture.name, state, content"
        " FROM pending CROSS JOIN picture ON id = picture WHERE action = 'move' AND id > ?"
        " ORDER BY id LIMIT ?",
        after,
        most,
    )
    return [
        PendingMove(
            number,
            FileKey(old_class, old_name, Area(area)),
            FileKey(class_name, name, Area.REJECTED if state == "rejected" else Area.TREE),
            content,
        )
        for number, area, old_class, old_name, class_name, name, state, content in rows
    ]


def cancel_move(ledger: Ledger, picture: int) -> None:
    """Drop a pending move that was not carried out."""
    ledger.execute("DELETE FROM pending WHERE picture = ? AND action = 'move'", picture)


def is_being_replaced(ledger: Ledger, picture: int) -> bool:
    """Return whether a better copy is replacing a picture: its file may be gone already."""
    return ledger.first_row("SELECT 1 FROM pending WHERE replaces = ?", picture) is not None


def confirm_move(ledger: Ledger, move: PendingMove, name: str, stamp: FileStat | None) -> None:
    """Record that a file was moved, and its new name, or that there was no file to move."""
    ledger.execute("DELETE FROM pending WHERE picture = ? AND action = 'move'", move.id)
    ledger.execute("UPDATE picture SET name = ? WHERE id = ?", name, move.id)
    picture_updates.record_stat(ledger, move.id, stamp)
    if stamp is None and move.target.area is Area.REJECTED:
        picture_updates.record_rejected_file_gone(ledger, move.id)
