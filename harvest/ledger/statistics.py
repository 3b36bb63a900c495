"""Statistics of a ledger: the pictures of each class, and how many hits of each query a person kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harvest.ledger.picture_table import MADE_WITH_AI

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    counted: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for column, query in _COUNTS.items():
        for class_name, count in ledger.rows(f"{query} GROUP BY class"):
            counted[class_name][column] = count
    for conflict in list_conflicts(ledger):
        counts = counted[conflict.class_name]
        counts["conflicts"] = counts.get("conflicts", 0) + 1
    names = ledger.rows("SELECT name FROM class WHERE renamed_to IS NULL UNION SELECT class FROM picture")
    return [ClassCounts(name, **counted[name]) for (name,) in sorted(names)]


# The count of each column by class. All but three are answered by an index alone.
_COUNTS = {
    "kept": "SELECT class, count(*) FROM picture WHERE state = 'present'",
    "new": "SELECT class, count(*) FROM picture"
    " WHERE NOT own AND +state = 'present' AND run = (SELECT max(id) FROM run)",
    "own": "SELECT class, count(*) FROM picture WHERE own AND state = 'present'",
    "unreadable": "SELECT class, count(*) FROM picture WHERE own AND state = 'present' AND examined AND pixels IS NULL",
    # By its first move: a move that was undone, or made back by hand, is none.
    "moved": "SELECT class, count(*) FROM picture JOIN (SELECT picture, min(seq),"
    """ substr("from", 1, instr("from", '/') - 1) AS origin FROM decision WHERE action = 'move' GROUP BY picture)"""
    " ON picture.id = picture WHERE +state = 'present' AND origin <> class",
    "edited": "SELECT class, count(*) FROM picture WHERE +state = 'present'"
    " AND id IN (SELECT picture FROM decision WHERE action = 'edit')",
    "rejected": "SELECT class, count(*) FROM picture WHERE state = 'rejected'",
    "restorable": "SELECT class, count(*) FROM picture WHERE state = 'rejected' AND (shelved OR shard IS NOT NULL)",
    "ai": f"SELECT class, count(*) FROM picture WHERE state = 'present' AND source_type IN ({MADE_WITH_AI})",
}


def unreadable(ledger: Ledger) -> list[tuple[str, str]]:
    """Return class and name of the files that were added by hand and cannot be decoded."""
    return [
        (class_name, name)
        for class_name, name in ledger.rows(
            "SELECT class, name FROM picture"
            " WHERE state = 'present' AND own AND examined AND pixels IS NULL ORDER BY +class, name"
        )
    ]


# Whether a picture was placed and rejected in a dataset that this one was merged from: here no hit of it was kept.
_REJECTED_ELSEWHERE = (
    "(verdict = 'rejected' AND hit.picture IN (SELECT id FROM picture WHERE state = 'rejected' AND NOT own)"
    " AND NOT EXISTS (SELECT 1 FROM hit AS placed"
    " WHERE placed.picture = hit.picture AND placed.verdict IN ('kept', 'better')))"
)


def compute_keep_rates(ledger: Ledger) -> list[KeepRate]:
    """Return for each query and provider the hits, and how many of their pictures a person kept."""
    rows = ledger.rows(
        # Two hits can become one picture: the better copy replaced the other.
        "SELECT search.class, text, search.provider, count(*),"
        f" count(DISTINCT CASE WHEN verdict IN ('kept', 'better') OR {_REJECTED_ELSEWHERE} THEN hit.picture END),"
        " count(DISTINCT CASE WHEN verdict IN ('kept', 'better')"
        "  AND hit.picture IN (SELECT id FROM picture WHERE state = 'present') THEN hit.picture END)"
        " FROM search JOIN hit ON hit.search = search.id"
        " WHERE text <> ''"  # hits that were read from files were not found by a search
        " GROUP BY search.id ORDER BY search.class, text, search.provider"
    )
    return [KeepRate(*row) for row in rows]


def list_conflicts(ledger: Ledger) -> list[Conflict]:
    """Return the pictures found for two classes on which no person has decided."""
    rows = ledger.rows(
        # CROSS JOIN prevents SQLite from looking each of a million pictures up among a few conflicts.
        "SELECT picture.id, picture.class, name, conflict.class FROM conflict CROSS JOIN picture ON id = picture"
        # Files that cannot be decoded are not images of any class: empty ones have the same content everywhere.
        " WHERE resolved IS NULL AND state = 'present' AND NOT (own AND examined AND pixels IS NULL)"
        " ORDER BY picture.class, name, conflict.class"
    )
    return [Conflict(*row) for row in rows]


class SourceText(NamedTuple):
    """The text of one hit of a picture, and its class."""

    picture: int
    class_name: str
    text: str


_SOURCE_TEXT = "coalesce(title, '') || ' ' || coalesce(page, '') || ' ' || url"
_TEXTS_AT_ONCE = 10_000  # a million texts are 300 MB


def source_texts(ledger: Ledger) -> Iterator[SourceText]:
    """Yield the text of each hit that gave a picture, without a look at the picture: that takes ten times longer."""
    last = -1
    while rows := ledger.rows(
        f"SELECT id, picture, class, {_SOURCE_TEXT} FROM hit WHERE id > ? AND picture IS NOT NULL ORDER BY id LIMIT ?",
        last,
        _TEXTS_AT_ONCE,
    ):
        yield from (SourceText(picture, class_name, text) for _, picture, class_name, text in rows)
        last = rows[-1][0]


def page_texts(ledger: Ledger, pictures: Iterable[int]) -> list[Row]:
    """Return id, class, name and the texts of the sources of those pictures on disk that no person has changed."""
    query = (
        f"SELECT picture.id, picture.class, name, group_concat({_SOURCE_TEXT}, ' ')"
        " FROM picture JOIN hit ON hit.picture = picture.id AND hit.class = picture.class"
        " WHERE picture.id = ? AND +state = 'present' AND NOT touched GROUP BY picture.id"
    )
    rows = (row for picture in pictures for row in ledger.rows(query, picture))
    return sorted(rows, key=lambda row: (row[1], row[2]))


def search_terms(ledger: Ledger) -> dict[str, list[str]]:
    """Return the search terms of each class."""
    words: dict[str, list[str]] = {}
    for name, text in ledger.rows(
        "SELECT name, text FROM class LEFT JOIN search ON class = name WHERE renamed_to IS NULL"
    ):
        words.setdefault(name, []).extend([text] if text else [])
    return words
