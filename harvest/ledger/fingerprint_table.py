"""The table of fingerprints: apart from the pictures, so that queries about those do not read 2 GB for a million."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harvest.models import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.ledger.database import Ledger


# For a query about pictures: NULL where there is no fingerprint.
FINGERPRINT_OF_PICTURE = "(SELECT data FROM fingerprint WHERE fingerprint.picture = picture.id)"


def save_fingerprint(ledger: Ledger, picture: int, fingerprint: bytes | None) -> None:
    """Save the fingerprint of a picture, or with `None` remove it."""
    if fingerprint is None:
        ledger.execute("DELETE FROM fingerprint WHERE picture = ?", picture)
    else:  # there may be a damaged one, which queries do not see
        ledger.execute("INSERT OR REPLACE INTO fingerprint (picture, data) VALUES (?, ?)", picture, fingerprint)


def move_fingerprint(ledger: Ledger, picture: int, other: int) -> None:
    """Give the fingerprint of a picture to another one."""
    ledger.execute("UPDATE OR REPLACE fingerprint SET picture = ? WHERE picture = ?", other, picture)


def load_fingerprints(ledger: Ledger, pictures: Iterable[int]) -> dict[int, Fingerprint]:
    """Return the fingerprints of those pictures that have one."""
    query = "SELECT picture, data FROM fingerprint WHERE picture IN (SELECT value FROM json_each(?))"
    return {number: Fingerprint(data) for number, data in ledger.rows(query, json.dumps(list(pictures)))}
