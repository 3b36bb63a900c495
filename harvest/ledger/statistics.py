"""Statistics of a ledger: the pictures of each class, and how many hits of each query a person kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from harvest.ledger.picture_table import MADE_WITH_AI

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger, Row


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """The pictures of one class: `kept` are on disk; the other numbers count some of them, or others."""

    class_name: str
    kept: int = 0
    new: int = 0  # placed by the last run
    own: int = 0  # added by hand
    unreadable: int = 0  # added by hand, and cannot be decoded
    moved: int = 0  # moved here from another class by a person
    edited: int = 0
    rejected: int = 0
    restorable: int = 0  # rejected, and the file is there
    ai: int = 0  # made with AI, as their downloads stated
    conflicts: int = 0  # found for another class too


class KeepRate(NamedTuple):
    """One query at one provider: the hits, those that became pictures, and those that a person kept."""

    class_name: str
    query: str
    provider: str
    found: int
    placed: int
    kept: int


class Conflict(NamedTuple):
    """A picture that was found for another class too."""

    id: int
    class_name: str
    name: str
    other: str


def count_classes(ledger: Ledger) -> list[ClassCounts]:
    """Return the counts of every class that has pictures or was searched for."""
    last = ledger.scalar("SELECT max(id) FROM run")
    rows = ledger.rows(
        "SELECT class, sum(present), sum(present AND NOT own AND run = ?), sum(present AND own),"
        " sum(present AND own AND examined AND look IS NULL),"
        " sum(present AND moved), sum(present AND edited), sum(rejected), sum(rejected AND shelved),"
        f" sum(present AND coalesce(source_type IN ({MADE_WITH_AI}), 0))"
        " FROM (SELECT picture.*, state = 'present' AS present, state = 'rejected' AS rejected,"
        # By its first move: a move that was undone, or made back by hand, is none.
        '  coalesce((SELECT substr("from", 1, instr("from", \'/\') - 1) FROM decision'
        "   WHERE picture = picture.id AND action = 'move' ORDER BY seq LIMIT 1) <> class, 0) AS moved,"
        "  EXISTS (SELECT 1 FROM decision WHERE picture = picture.id AND action = 'edit') AS edited"
        "  FROM picture) GROUP BY class",
        last,
    )
    of_conflicts = Counter(conflict.class_name for conflict in list_conflicts(ledger))
    found = {row[0]: replace(ClassCounts(*row), conflicts=of_conflicts[row[0]]) for row in rows}
    names = [row[0] for row in ledger.rows("SELECT name FROM class WHERE renamed_to IS NULL")]
    return [found.get(name, ClassCounts(name)) for name in sorted({*names, *found})]


def unreadable(ledger: Ledger) -> list[tuple[str, str]]:
    """Return class and name of the files that were added by hand and cannot be decoded."""
    return [
        (class_name, name)
        for class_name, name in ledger.rows(
            "SELECT class, name FROM picture"
            " WHERE state = 'present' AND own AND examined AND look IS NULL ORDER BY class, name"
        )
    ]


def compute_keep_rates(ledger: Ledger) -> list[KeepRate]:
    """Return for each query and provider the hits, and how many of their pictures a person kept."""
    rows = ledger.rows(
        # Two hits can become one picture: the better copy replaced the other.
        "SELECT search.class, text, search.provider, count(*),"
        " count(DISTINCT CASE WHEN verdict IN ('kept', 'better') THEN picture.id END),"
        " count(DISTINCT CASE WHEN verdict IN ('kept', 'better') AND state = 'present' THEN picture.id END)"
        " FROM search JOIN hit ON hit.search = search.id LEFT JOIN picture ON picture.id = hit.picture"
        " WHERE text <> ''"  # hits that were read from files were not found by a search
        " GROUP BY search.id ORDER BY search.class, text, search.provider"
    )
    return [KeepRate(*row) for row in rows]


def list_conflicts(ledger: Ledger) -> list[Conflict]:
    """Return the pictures found for two classes on which no person has decided."""
    rows = ledger.rows(
        "SELECT picture.id, picture.class, name, conflict.class FROM conflict JOIN picture ON id = picture"
        # Files that cannot be decoded are no images of any class: empty ones have the same content everywhere.
        " WHERE resolved IS NULL AND state = 'present' AND NOT (own AND examined AND look IS NULL)"
        " ORDER BY picture.class, name, conflict.class"
    )
    return [Conflict(*row) for row in rows]


def page_texts(ledger: Ledger) -> list[Row]:
    """Return id, class, name and the texts of the sources of each picture on disk that no person has changed."""
    return ledger.rows(
        "SELECT picture.id, picture.class, name,"
        " group_concat(coalesce(title, '') || ' ' || coalesce(page, '') || ' ' || url, ' ')"
        " FROM picture JOIN hit ON hit.picture = picture.id AND hit.class = picture.class"
        " WHERE state = 'present' AND NOT touched GROUP BY picture.id ORDER BY picture.class, name"
    )


def search_terms(ledger: Ledger) -> dict[str, list[str]]:
    """Return the search terms of each class."""
    words: dict[str, list[str]] = {}
    for name, text in ledger.rows(
        "SELECT name, text FROM class LEFT JOIN search ON class = name WHERE renamed_to IS NULL"
    ):
        words.setdefault(name, []).extend([text] if text else [])
    return words
