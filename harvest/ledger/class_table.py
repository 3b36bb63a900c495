"""The table of classes: their names, and the names that a person gave their folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.files.check_names_and_cells import fold_name

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger


def adopt_class(ledger: Ledger, name: str) -> None:
    """Record a class as the query file spells it, and forget that it was renamed."""
    if ledger.first_row("SELECT 1 FROM class WHERE name = ?", name) is None:
        known = [row[0] for row in ledger.rows("SELECT name FROM class UNION SELECT class FROM picture")]
        for other in known:
            if other != name and fold_name(other) == fold_name(name):
                rename_class(ledger, other, name)
                ledger.execute("UPDATE picture SET class = ? WHERE class = ?", name, other)
                ledger.execute("DELETE FROM class WHERE name = ?", other)
        ledger.execute("INSERT OR IGNORE INTO class (name) VALUES (?)", name)
    ledger.execute("UPDATE class SET renamed_to = NULL WHERE ? IN (name, renamed_to)", name)


def is_adopted(ledger: Ledger, name: str) -> bool:
    """Return whether a class is recorded under exactly this name and was not renamed."""
    row = ledger.first_row(
        "SELECT count(*), sum(name = ? AND renamed_to IS NULL) FROM class WHERE ? IN (name, renamed_to)",
        name,
        name,
    )
    return row == (1, 1)


def rename_class(ledger: Ledger, old: str, new: str) -> None:
    """Rename a class in its searches, hits and conflicts, so that they are not repeated; its pictures do not change."""
    back = ledger.first_row("SELECT 1 FROM class WHERE name = ? AND renamed_to = ?", new, old)
    ledger.execute("INSERT OR IGNORE INTO class (name) VALUES (?)", new)
    for table in ("hit", "search", "conflict"):
        ledger.execute(f"UPDATE OR IGNORE {table} SET class = ? WHERE class = ?", new, old)
    ledger.execute("UPDATE class SET renamed_to = NULL WHERE name = ?", new)
    if back:
        ledger.execute("DELETE FROM class WHERE name = ?", old)  # the rename is undone
    else:
        ledger.execute("UPDATE class SET renamed_to = ? WHERE name = ?", new, old)


def renamed_classes(ledger: Ledger) -> dict[str, str]:
    """Return the classes whose folder a person renamed, and the new names."""
    return dict(ledger.rows("SELECT name, renamed_to FROM class WHERE renamed_to IS NOT NULL ORDER BY name"))
