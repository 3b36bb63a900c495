"""Record the sources that image files state themselves, for a new ledger in place of a lost one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest import photo_keys
from harvest.ledger import hit_table
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger
    from harvest.models import Hit

NO_QUERY = ""  # the search text of such hits: the query of a person is never empty


class Unsourced(NamedTuple):
    """An image whose source the ledger does not know."""

    id: int
    class_name: str
    name: str
    shelved: bool


def list_without_source(ledger: Ledger) -> list[Unsourced]:
    """Return the images without a source whose files exist, the kept ones first."""
    rows = ledger.rows(
        "SELECT id, class, name, shelved FROM picture WHERE own AND hit IS NULL"
        " AND (state = 'present' OR (state = 'rejected' AND shelved)) ORDER BY state, class, name, id"
    )
    return [Unsourced(number, class_name, name, bool(shelved)) for number, class_name, name, shelved in rows]


def attach(ledger: Ledger, image: Unsourced, hit: Hit) -> bool:
    """Record the hit that an image came from; return `False` if another file of the class has that source.

    The image stays protected: only the lost ledger knew whether a person moved or edited it.
    """
    key = (hit.provider, image.class_name, NO_QUERY)
    ledger.execute(
        "INSERT OR IGNORE INTO search (provider, class, text, filters) VALUES (?, ?, ?, '{}')",
        *key,
    )
    search = ledger.scalar("SELECT id FROM search WHERE provider = ? AND class = ? AND text = ?", *key)
    if ledger.first_row("SELECT 1 FROM hit WHERE search = ? AND source = ?", search, hit.source) is not None:
        return False
    number = hit_table.insert_hit(ledger, search, image.class_name, hit, (photo_keys.source_key(hit.url), hit.source))
    ledger.execute("UPDATE hit SET verdict = ?, picture = ? WHERE id = ?", Verdict.KEPT, image.id, number)
    # The size and format of the original are not known.
    ledger.execute(
        "UPDATE picture SET hit = ?, licence = ?, own = 0, touched = 1,"
        " original_width = NULL, original_height = NULL, format = NULL WHERE id = ?",
        number,
        hit.licence.id,
        image.id,
    )
    return True
