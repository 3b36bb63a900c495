"""The classes of a ledger: their names, and what a person renamed them to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.files.names import fold_name

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger


def adopt_class(ledger: Ledger, name: str) -> None:
    """Take a query file's word for a class: it is wanted under this name, and spelled so."""
    if ledger.first_row("SELECT 1 FROM class WHERE name = ?", name) is None:
        known = [row[0] for row in ledger.rows("SELECT name FROM class UNION SELECT class FROM picture")]
        for alike in known:
            if alike != name and fold_name(alike) == fold_name(name):
                rename_class(ledger, alike, name)
                ledger.execute("UPDATE picture SET class = ? WHERE class = ?", name, alike)
                ledger.execute("DELETE FROM class WHERE name = ?", alike)
        ledger.execute("INSERT OR IGNORE INTO class (name) VALUES (?)", name)
    ledger.execute("UPDATE class SET renamed_to = NULL WHERE ? IN (name, renamed_to)", name)


def is_adopted(ledger: Ledger, name: str) -> bool:
    """Tell whether a class is known under this very name, and no rename waits for the query file's word."""
    row = ledger.first_row(
        "SELECT count(*), sum(name = ? AND renamed_to IS NULL) FROM class WHERE ? IN (name, renamed_to)",
        name,
        name,
    )
    return row == (1, 1)


def rename_class(ledger: Ledger, old: str, new: str) -> None:
    """Give what was asked for a class another name, so that it is not asked again; pictures stay put."""
    back = ledger.first_row("SELECT 1 FROM class WHERE name = ? AND renamed_to = ?", new, old)
    ledger.execute("INSERT OR IGNORE INTO class (name) VALUES (?)", new)
    for table in ("hit", "search", "conflict"):
        ledger.execute(f"UPDATE OR IGNORE {table} SET class = ? WHERE class = ?", new, old)
    ledger.execute("UPDATE class SET renamed_to = NULL WHERE name = ?", new)
    if back:
        ledger.execute("DELETE FROM class WHERE name = ?", old)  # as if nothing had been
    else:
        ledger.execute("UPDATE class SET renamed_to = ? WHERE name = ?", new, old)


def renamed_classes(ledger: Ledger) -> dict[str, str]:
    """Return the classes that a person gave another folder name, and that name."""
    return dict(ledger.rows("SELECT name, renamed_to FROM class WHERE renamed_to IS NOT NULL ORDER BY name"))
