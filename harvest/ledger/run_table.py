"""The table of runs: each `harvest get` that wrote to a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest import __version__
from harvest.ledger.database import now
from harvest.ledger.image_output_settings import dump_transform, load_transform

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger
    from harvest.models import Recipe


def begin_run(ledger: Ledger) -> int:
    """Start a new run, and return its id."""
    with ledger.transaction():
        return ledger.execute("INSERT INTO run (began, version) VALUES (?, ?)", now(), __version__)


def end_run(ledger: Ledger, run: int) -> None:
    """Record the end of a run."""
    with ledger.transaction():
        ledger.execute("UPDATE run SET ended = ? WHERE id = ?", now(), run)


def earlier_transforms(ledger: Ledger, run: int) -> list[Recipe]:
    """Return how earlier runs wrote images that are still there, the newest first, each form once."""
    rows = ledger.rows(
        "SELECT transform FROM run WHERE id < ? AND transform IS NOT NULL AND EXISTS"
        " (SELECT 1 FROM picture WHERE picture.run = run.id AND state = 'present' AND NOT own) ORDER BY id DESC",
        run,
    )
    found = (load_transform(transform) for (transform,) in rows)
    return list(dict.fromkeys(recipe for recipe in found if recipe is not None))


def record_transform(ledger: Ledger, run: int, recipe: Recipe) -> None:
    """Record how a run writes its images."""
    with ledger.transaction():
        ledger.execute("UPDATE run SET transform = ? WHERE id = ?", dump_transform(recipe), run)
