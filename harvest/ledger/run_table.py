"""The runs of `harvest get` that wrote to a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest import __version__
from harvest.ledger import now

if TYPE_CHECKING:
    from harvest.ledger import Ledger


def begin(ledger: Ledger) -> int:
    """Open a new run, and return its number."""
    with ledger.writing():
        return ledger.run("INSERT INTO run (began, version) VALUES (?, ?)", now(), __version__)


def end(ledger: Ledger, run: int) -> None:
    """Write down that a run came to its end."""
    with ledger.writing():
        ledger.run("UPDATE run SET ended = ? WHERE id = ?", now(), run)
