"""The rejections of a ledger, and what a restore of each would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger


class Rejection(NamedTuple):
    """A rejected picture; if `shelved`, its file is in dataset.rejected, or it is still in its shard."""

    id: int
    class_name: str
    name: str
    shelved: bool
    own: bool
    hits: int  # downloaded again when the rejection is lifted and there is no file


class RejectionBatch(NamedTuple):
    """Pictures that were rejected together, with the time and the place of the decision."""

    at: str = ""
    by: str = ""
    pictures: tuple[int, ...] = ()


def list_rejections(ledger: Ledger) -> list[Rejection]:
    """Return all rejected pictures."""
    rows = ledger.rows(
        "SELECT id, class, name, shelved OR shard IS NOT NULL, own,"
        " (SELECT count(*) FROM hit WHERE hit.picture = picture.id AND hit.class = picture.class)"
        " FROM picture WHERE state = 'rejected' ORDER BY class, name, id"
    )
    return [
        Rejection(number, class_name, name, bool(shelved), bool(own), hits)
        for number, class_name, name, shelved, own, hits in rows
    ]


def last_batch(ledger: Ledger) -> RejectionBatch:
    """Return the pictures of the last batch of rejections that are still rejected."""
    # A file that a person moved to dataset.rejected was not a picture when that was recorded: only its content
    # identifies the picture that it became.
    rows = ledger.rows(
        "SELECT batch, at, by, id FROM (SELECT decision.*, picture.id FROM decision"
        "  JOIN picture ON picture.id = decision.picture WHERE action = 'reject' AND state = 'rejected'"
        " UNION ALL SELECT decision.*, picture.id FROM decision"
        "  JOIN picture ON picture.content = decision.content"
        "  WHERE action = 'reject' AND decision.picture IS NULL AND state = 'rejected')"
        " ORDER BY batch DESC, id"
    )
    if not rows:
        return RejectionBatch()
    last, at, by, _ = rows[0]
    return RejectionBatch(at, by, tuple(dict.fromkeys(row[3] for row in rows if row[0] == last)))
