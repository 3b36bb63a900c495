"""Update the rows of pictures: announce, confirm, move, edit, reject, restore.

Each function is one step within a transaction of its caller; none changes a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.files.ledger_names_to_paths import Area, FileStat
from harvest.ledger import hit_table, near_duplicate_table
from harvest.ledger.database import now
from harvest.ledger.fingerprint_table import FINGERPRINT_OF_PICTURE, move_fingerprint, save_fingerprint
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.files.ledger_names_to_paths import FileKey
    from harvest.ledger.database import Ledger, Row
    from harvest.ledger.picture_table import PictureRow
    from harvest.models import Picture, Task

_IMAGE_COLUMNS = (
    "content, body, pixels, width, height, original_width, original_height, format, hit, licence, source_type"
)


def announce_placement(
    ledger: Ledger,
    task: Task,
    picture: Picture,
    spot: FileKey,
    *,
    raw: str | None,
    replaces: int | None,
    run: int | None,
) -> int:
    """Record that a picture is about to be placed, and return its id."""
    number = ledger.execute(
        f"INSERT INTO picture (state, class, name, raw, run, at, {_IMAGE_COLUMNS})"
        f" VALUES ('placing', ?, ?, ?, ?, ?{', ?' * 11})",
        spot.class_name,
        spot.name,
        raw,
        run,
        now(),
        picture.content,
        picture.body,
        picture.pixels,
        picture.width,
        picture.height,
        picture.original_width,
        picture.original_height,
        picture.original_format,
        task.id,
        task.hit.licence.id,
        picture.source_type,
    )
    save_fingerprint(ledger, number, picture.fingerprint.data)
    ledger.execute("INSERT INTO pending (picture, action, replaces) VALUES (?, 'place', ?)", number, replaces)
    return number


def announce_move(ledger: Ledger, picture: int, source: FileKey) -> None:
    """Record that the file of a picture is about to be moved from a path to the path in its row."""
    ledger.execute(
        "INSERT OR REPLACE INTO pending (picture, action, shelf, class, name) VALUES (?, 'move', ?, ?, ?)",
        picture,
        source.area,
        source.class_name,
        source.name,
    )


def confirm_placement(ledger: Ledger, picture: int, run: int | None, *, replaced: bool) -> None:
    """Make an announced picture present; `replaced` if it replaced another, whose file is gone."""
    row = ledger.first_row(
        "SELECT replaces, hit FROM picture LEFT JOIN pending ON pending.picture = id WHERE id = ?", picture
    )
    assert row is not None
    replaces, hit = row
    better = replaced and replaces
    ledger.execute("UPDATE picture SET state = 'present' WHERE id = ?", picture)
    ledger.execute("DELETE FROM pending WHERE picture = ?", picture)
    verdict = Verdict.BETTER if better else Verdict.KEPT
    hit_table.record_verdicts(ledger, [hit_table.HitVerdict(hit, verdict, picture_id=picture)], run)
    if better:
        replace_picture(ledger, replaces, picture)


def drop_placement(ledger: Ledger, picture: int) -> None:
    """Drop a placement that did not happen; its hit is left for the next run."""
    ledger.execute("DELETE FROM pending WHERE picture = ?", picture)
    near_duplicate_table.forget_pairs(ledger, picture)
    save_fingerprint(ledger, picture, None)
    ledger.execute("DELETE FROM picture WHERE id = ? AND state = 'placing'", picture)


def record_stat(ledger: Ledger, picture: int, seen: FileStat | None) -> None:
    """Record the size and time of a file of its own, which recognise it without reading it."""
    size, mtime_ns = seen or (None, None)
    ledger.execute(
        "UPDATE picture SET size = ?, mtime_ns = ?, shard = NULL, shard_offset = NULL WHERE id = ?",
        size,
        mtime_ns,
        picture,
    )


def add_own_file(ledger: Ledger, spot: FileKey, content: str, seen: FileStat) -> None:
    """Add a file that a person added; a copy of an inspected picture need not be inspected."""
    rejected = spot.area is Area.REJECTED
    number = ledger.execute(
        "INSERT INTO picture (state, class, name, shelved, size, mtime_ns, content, own, examined, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 1, 0, ?)",
        "rejected" if rejected else "present",
        spot.class_name,
        spot.name,
        int(rejected),
        *seen,
        content,
        now(),
    )
    copy = ledger.first_row(
        f"SELECT pixels, width, height, format, {FINGERPRINT_OF_PICTURE}"
        " FROM picture WHERE content = ? AND examined AND id <> ?",
        content,
        number,
    )
    if copy:
        record_inspection(ledger, number, copy)


def record_edit(ledger: Ledger, held: PictureRow, content: str) -> None:
    """Record the new content of an edited file; its earlier fingerprint still recognises its source."""
    if ledger.scalar("SELECT own FROM picture WHERE id = ?", held.id):
        save_fingerprint(ledger, held.id, None)
    else:
        version = ledger.execute(
            f"INSERT INTO picture (state, class, name, became, run, at, {_IMAGE_COLUMNS})"
            f" SELECT 'edited', class, name, id, run, at, {_IMAGE_COLUMNS} FROM picture WHERE id = ?",
            held.id,
        )
        move_fingerprint(ledger, held.id, version)
    ledger.execute(
        "UPDATE picture SET content = ?, pixels = NULL, examined = 0, touched = 1, reviewed = 0 WHERE id = ?",
        content,
        held.id,
    )
    near_duplicate_table.forget_pairs(ledger, held.id)  # they are found again when the file is inspected


def record_inspection(
    ledger: Ledger, picture: int, seen: tuple[str, int, int, str, bytes] | Row | None, *, compared: bool = True
) -> None:
    """Record pixels, width, height, format and fingerprint of a file, or that it cannot be decoded.

    A fingerprint that is not `compared` with the others yet is compared later, by the next command after a kill.
    """
    *values, fingerprint = seen or (None,) * 5
    ledger.execute(
        "UPDATE picture SET examined = ?, pixels = ?, width = ?, height = ?, format = coalesce(format, ?) WHERE id = ?",
        int(compared),
        *values,
        picture,
    )
    ledger.execute(
        "UPDATE picture SET original_width = width, original_height = height WHERE id = ? AND original_width IS NULL",
        picture,
    )
    save_fingerprint(ledger, picture, fingerprint)


def record_fingerprint(ledger: Ledger, picture: int, fingerprint: bytes, *, compared: bool) -> None:
    """Replace a fingerprint that an earlier version of harvest computed."""
    save_fingerprint(ledger, picture, fingerprint)
    ledger.execute("UPDATE picture SET examined = ? WHERE id = ?", int(compared), picture)


def record_comparison(ledger: Ledger, pictures: Iterable[int]) -> None:
    """Record that the fingerprints of these pictures were compared with the others."""
    ledger.execute_many("UPDATE picture SET examined = 1 WHERE id = ?", ((picture,) for picture in pictures))


def relocate(ledger: Ledger, held: PictureRow, class_name: str, name: str, *, decided: bool = True) -> None:
    """Record a new path of a picture; if a person `decided` so, resolve its conflicts about the class."""
    ledger.execute(
        "UPDATE picture SET class = ?, name = ?, touched = max(touched, ?), reviewed = max(reviewed, ?) WHERE id = ?",
        class_name,
        name,
        int(decided),
        int(decided and class_name != held.class_name),
        held.id,
    )
    if decided and class_name != held.class_name:
        resolve_conflict(ledger, held.id, class_name)
        resolve_conflict(ledger, held.id, held.class_name)


def reject(ledger: Ledger, picture: int, class_name: str, name: str, *, shelved: bool) -> None:
    """Reject a picture, and resolve its conflicts."""
    ledger.execute(
        "UPDATE picture SET state = 'rejected', class = ?, name = ?, shelved = ? WHERE id = ?",
        class_name,
        name,
        int(shelved),
        picture,
    )
    resolve_conflicts(ledger, picture)


def record_rejected_file_gone(ledger: Ledger, picture: int) -> None:
    """Record that the file of a rejected picture is gone."""
    ledger.execute("UPDATE picture SET shelved = 0 WHERE id = ?", picture)


def restore(ledger: Ledger, picture: int, class_name: str, name: str) -> None:
    """Make a rejected picture present again, whose file is back."""
    ledger.execute(
        "UPDATE picture SET state = 'present', class = ?, name = ?, shelved = 0, touched = 1, reviewed = 1"
        " WHERE id = ?",
        class_name,
        name,
        picture,
    )


def record_review(ledger: Ledger, picture: int) -> None:
    """Record that a person looked at a picture and keeps it: no better copy replaces it."""
    ledger.execute("UPDATE picture SET reviewed = 1, touched = 1 WHERE id = ?", picture)


def rate(ledger: Ledger, picture: int, rating: int | None) -> None:
    """Record the rating of a picture, 1 to 9, or that it has none."""
    ledger.execute("UPDATE picture SET rating = ? WHERE id = ?", rating, picture)
    record_review(ledger, picture)


def lift_rejection(ledger: Ledger, held: PictureRow) -> None:
    """Lift the rejection of a picture without a file: its hits are downloaded again."""
    ledger.execute("UPDATE picture SET state = 'lifted', shelved = 0 WHERE id = ?", held.id)
    ledger.execute(
        "UPDATE hit SET verdict = NULL, detail = '', attempts = 0, picture = NULL WHERE picture = ? AND class = ?",
        held.id,
        held.class_name,
    )
    ledger.execute("UPDATE hit SET picture = NULL WHERE picture = ?", held.id)


def replace_picture(ledger: Ledger, old: int, new: int) -> None:
    """Replace a picture by another, which gets its sources and conflicts."""
    ledger.execute("UPDATE picture SET state = 'replaced', became = ? WHERE id = ?", new, old)
    ledger.execute("UPDATE picture SET became = ? WHERE became = ?", new, old)
    ledger.execute("UPDATE hit SET picture = ? WHERE picture = ?", new, old)
    ledger.execute("UPDATE OR IGNORE conflict SET picture = ? WHERE picture = ?", new, old)
    ledger.execute("DELETE FROM conflict WHERE picture = ?", old)
    near_duplicate_table.replace_in_pairs(ledger, old, new)


def merge_copy(ledger: Ledger, held: PictureRow) -> None:
    """Merge a picture whose file is gone with a copy that is still there; the one with a source is kept."""
    other = ledger.first_row(
        "SELECT id, class, name, size, mtime_ns, own, content FROM picture"
        " WHERE +state = 'present' AND id <> ?"
        " AND (content = ? OR (class = ? AND name = ?)) ORDER BY own",
        held.id,
        held.content,
        held.class_name,
        held.name,
    )
    if other is None:
        return
    number, class_name, name, size, mtime_ns, own, content = other
    if own and content == held.content:
        replace_picture(ledger, number, held.id)
        relocate(ledger, held, class_name, name)
        record_stat(ledger, held.id, FileStat(size, mtime_ns))
    else:
        replace_picture(ledger, held.id, number)
        resolve_conflict(ledger, number, held.class_name)


def resolve_conflicts(ledger: Ledger, picture: int) -> None:
    """Resolve the conflicts of a picture: a person decided that it belongs to its class."""
    ledger.execute("UPDATE conflict SET resolved = ? WHERE picture = ? AND resolved IS NULL", now(), picture)


def open_conflict(ledger: Ledger, picture: int, class_name: str) -> None:
    """Open a conflict: the picture was found for another class too. A resolved conflict stays resolved."""
    ledger.execute("INSERT OR IGNORE INTO conflict (picture, class, at) VALUES (?, ?, ?)", picture, class_name, now())


def resolve_conflict(ledger: Ledger, picture: int, class_name: str) -> None:
    """Resolve a conflict, which is then never opened again: a person decided where the picture belongs."""
    open_conflict(ledger, picture, class_name)
    ledger.execute(
        "UPDATE conflict SET resolved = coalesce(resolved, ?) WHERE picture = ? AND class = ?",
        now(),
        picture,
        class_name,
    )
