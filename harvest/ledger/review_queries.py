"""The images as the review page lists them: one row each, with the hit that its file was downloaded from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.ledger.database import Ledger

LOCAL = "local"  # the source of files that a person added

# The columns of hits are not checked when a ledger is opened, and may be of any type. They are checked in SQL: 50,000
# rows take a third of the time.
_HAS_IMAGE = "(state = 'present' OR (state = 'rejected' AND (shelved OR shard IS NOT NULL)))"
_QUERY = (
    "SELECT picture.id, picture.class, name, state = 'rejected', reviewed, touched, coalesce(rating, 0), content,"
    " coalesce(picture.width, 0), coalesce(picture.height, 0), coalesce(original_width, 0),"
    " coalesce(original_height, 0), CASE typeof(hit.rank) WHEN 'integer' THEN hit.rank ELSE 0 END,"
    f" CASE typeof(hit.provider) WHEN 'text' THEN hit.provider ELSE '{LOCAL}' END, picture.licence,"
    " CASE typeof(search.text) WHEN 'text' THEN search.text ELSE '' END"
    " FROM picture LEFT JOIN hit ON hit.id = picture.hit LEFT JOIN search ON search.id = hit.search"
    f" WHERE {_HAS_IMAGE}"
)


class ReviewRow(NamedTuple):
    """An image that can be shown: its file is in a class folder or in dataset.rejected, or it is in a shard."""

    id: int
    class_name: str
    name: str
    rejected: int
    reviewed: int
    touched: int
    rating: int
    content: str
    width: int
    height: int
    original_width: int
    original_height: int
    rank: int
    source: str
    licence: str | None
    query: str


def list_review_rows(ledger: Ledger) -> list[ReviewRow]:
    """Return all images that can be shown."""
    return [ReviewRow._make(row) for row in ledger.rows(_QUERY)]


def get_review_rows(ledger: Ledger, pictures: Iterable[int]) -> list[ReviewRow]:
    """Return those of some images that can be shown."""
    rows = (ledger.first_row(f"{_QUERY} AND picture.id = ?", picture) for picture in pictures)
    return [ReviewRow._make(row) for row in rows if row is not None]


class LedgerPosition(NamedTuple):
    """How much of the ledger was read: the last picture and decision, and the pictures that were being placed."""

    picture: int
    decision: int
    placing: frozenset[int]


def get_position(ledger: Ledger) -> LedgerPosition:
    """Return the position of the ledger now; get it before the rows are read."""
    placing = frozenset(row[0] for row in ledger.rows("SELECT picture FROM pending"))
    picture = ledger.scalar("SELECT coalesce(max(id), 0) FROM picture")
    return LedgerPosition(picture, ledger.scalar("SELECT coalesce(max(seq), 0) FROM decision"), placing)


def list_changed_since(ledger: Ledger, position: LedgerPosition) -> set[int]:
    """Return the pictures that were placed, replaced or decided on since; other changes are not recorded."""
    new = ledger.rows("SELECT id FROM picture WHERE id > ?", position.picture)
    placed = {row[0] for row in new} | position.placing
    replaced = {row[0] for each in placed for row in ledger.rows("SELECT id FROM picture WHERE became = ?", each)}
    decided = ledger.rows("SELECT picture FROM decision WHERE seq > ? AND picture IS NOT NULL", position.decision)
    return placed | replaced | {row[0] for row in decided}


def find_source_text(ledger: Ledger, text: str) -> set[int]:
    """Return the images that have a text in the title, page or address of one of their hits."""
    rows = ledger.rows(
        "SELECT DISTINCT picture FROM hit WHERE picture IS NOT NULL AND (instr(lower(coalesce(title, '')), ?1)"
        " OR instr(lower(url), ?1) OR instr(lower(coalesce(page, '')), ?1))",
        text.lower(),
    )
    return {row[0] for row in rows}


def list_open_pairs(ledger: Ledger) -> list[tuple[int, int, bool]]:
    """Return the near-duplicates on which no person has decided, and whether they certainly are copies.

    One of a pair may be rejected by now.
    """
    rows = ledger.rows("SELECT picture, other, certain FROM near_duplicate WHERE resolved IS NULL")
    return [(picture, other, bool(certain)) for picture, other, certain in rows]


def list_grouped_images(ledger: Ledger) -> set[int]:
    """Return the images that ever had a conflict or a near-duplicate, also those that a person decided about."""
    rows = ledger.rows(
        "SELECT picture FROM near_duplicate UNION SELECT other FROM near_duplicate UNION SELECT picture FROM conflict"
    )
    return {row[0] for row in rows}


def data_version(ledger: Ledger) -> int:
    """Return a number that changes when another process writes to the ledger."""
    return ledger.scalar("PRAGMA data_version")


def list_ratings(ledger: Ledger) -> list[tuple[str, str, str, int]]:
    """Return class, name, state and rating (0: none) of every image that can be shown, by path."""
    rows = ledger.rows(
        f"SELECT class, name, state, coalesce(rating, 0) FROM picture WHERE {_HAS_IMAGE} ORDER BY class, name"
    )
    return [(class_name, name, state, rating) for class_name, name, state, rating in rows]
