"""Announced changes of files that nobody has confirmed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.files.paths import Shelf, Spot, Stamp
from harvest.ledger import picture_updates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harvest.ledger import Ledger


class Placing(NamedTuple):
    """A picture about to be placed, and what it is to replace."""

    id: int
    spot: Spot
    content: str
    raw: Spot | None
    old: Spot | None
    old_raw: Spot | None
    old_stamp: Stamp | None
    old_content: str | None = None
    old_body: str | None = None  # SHA-256 of its original
    part: str | None = None  # its part file, recorded before the rename; `None`: no rename was begun


class Moving(NamedTuple):
    """A picture's file about to move."""

    id: int
    source: Spot
    target: Spot
    content: str


def places(ledger: Ledger) -> list[Placing]:
    """Return the pictures announced and not confirmed, in their order."""
    rows = ledger.rows(
        "SELECT new.id, new.class, new.name, new.content, new.raw,"
        " old.class, old.name, old.raw, old.content, old.body, old.size, old.mtime_ns, pending.name"
        " FROM pending CROSS JOIN picture AS new ON new.id = pending.picture"
        " LEFT JOIN picture AS old ON old.id = replaces WHERE action = 'place' ORDER BY new.id"
    )
    return [
        Placing(
            number,
            Spot(class_name, name),
            content,
            Spot(class_name, raw, Shelf.RAW) if raw else None,
            Spot(old_class, old_name) if old_name else None,
            Spot(old_class, old_raw, Shelf.RAW) if old_raw else None,
            Stamp(*stamp) if stamp[0] is not None else None,
            old_content,
            old_body,
            part,
        )
        for number, class_name, name, content, raw, *old, part in rows
        for old_class, old_name, old_raw, old_content, old_body, *stamp in [old]
    ]


def record_parts(ledger: Ledger, parts: Mapping[int, str | None]) -> None:
    """Write down, by picture, the part file that is about to be renamed; `None`: none is."""
    ledger.run_many(
        "UPDATE pending SET name = ? WHERE picture = ? AND action = 'place'",
        [(part, picture) for picture, part in parts.items()],
    )


def originals(ledger: Ledger, picture: int) -> list[tuple[Spot, str | None]]:
    """Return where an announced picture's original was to be kept, if it was, and its SHA-256."""
    rows = ledger.rows("SELECT class, raw, body FROM picture WHERE id = ? AND raw IS NOT NULL", picture)
    return [(Spot(class_name, raw, Shelf.RAW), body) for class_name, raw, body in rows]


def moves(ledger: Ledger, most: int) -> list[Moving]:
    """Return the next files that are about to move, in their order."""
    rows = ledger.rows(
        "SELECT id, shelf, pending.class, pending.name, picture.class, picture.name, state, content"
        " FROM pending CROSS JOIN picture ON id = picture WHERE action = 'move' ORDER BY id LIMIT ?",
        most,
    )
    return [
        Moving(
            number,
            Spot(old_class, old_name, Shelf(shelf)),
            Spot(class_name, name, Shelf.REJECTED if state == "rejected" else Shelf.TREE),
            content,
        )
        for number, shelf, old_class, old_name, class_name, name, state, content in rows
    ]


def is_being_replaced(ledger: Ledger, picture: int) -> bool:
    """Tell whether a better copy is taking a picture's place: its file may be gone already."""
    return ledger.one("SELECT 1 FROM pending WHERE replaces = ?", picture) is not None


def arrived(ledger: Ledger, move: Moving, name: str, stamp: Stamp | None) -> None:
    """Write down that a file has moved, under what name, or that there was none to move."""
    ledger.run("DELETE FROM pending WHERE picture = ? AND action = 'move'", move.id)
    ledger.run("UPDATE picture SET name = ? WHERE id = ?", name, move.id)
    picture_updates.stamp(ledger, move.id, stamp)
    if stamp is None and move.target.shelf is Shelf.REJECTED:
        picture_updates.unshelve(ledger, move.id)
