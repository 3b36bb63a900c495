"""The table of near-duplicates: pairs of pictures that may be copies of each other, and are both kept."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from harvest.ledger.database import now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.ledger.database import Ledger

    Pair = tuple[int, int, bool]  # two pictures, and whether they are certainly copies


class NearDuplicate(NamedTuple):
    """A picture of a group of near-duplicates."""

    id: int
    class_name: str
    name: str


def add_near_duplicates(ledger: Ledger, pairs: Iterable[Pair]) -> None:
    """Add pairs; the second may be the earlier version of an edited picture. Decisions of a person stay."""
    for picture, other, certain in pairs:
        ledger.execute(
            "INSERT INTO near_duplicate (picture, other, certain, at) SELECT min(one, two), max(one, two), ?3, ?4"
            " FROM (SELECT ?1 AS one, coalesce(became, id) AS two FROM picture WHERE id = ?2) WHERE one <> two"
            " ON CONFLICT DO UPDATE SET certain = excluded.certain",
            picture,
            other,
            int(certain),
            now(),
        )


def replace_in_pairs(ledger: Ledger, old: int, new: int) -> None:
    """Give the pairs of a picture to the one that replaces it."""
    ledger.execute(
        "INSERT OR IGNORE INTO near_duplicate SELECT min(?2, third), max(?2, third), certain, at, resolved"
        " FROM (SELECT *, picture + other - ?1 AS third FROM near_duplicate WHERE ?1 IN (picture, other))"
        " WHERE third <> ?2",
        old,
        new,
    )
    forget_pairs(ledger, old)


def forget_pairs(ledger: Ledger, picture: int) -> None:
    """Delete the pairs of a picture that was replaced, or that was never placed."""
    ledger.execute("DELETE FROM near_duplicate WHERE ? IN (picture, other)", picture)


def list_groups(ledger: Ledger) -> list[list[NearDuplicate]]:
    """Return the groups of near-duplicates on disk on which no person has decided, in the order of their paths."""
    pairs = ledger.rows(
        "SELECT picture, other FROM near_duplicate CROSS JOIN picture AS one ON one.id = picture"
        " CROSS JOIN picture AS two ON two.id = other"
        " WHERE resolved IS NULL AND one.state = 'present' AND two.state = 'present'"
    )
    members: defaultdict[int, list[NearDuplicate]] = defaultdict(list)
    for picture, first in _first_of_group(pairs).items():
        row = ledger.first_row("SELECT class, name FROM picture WHERE id = ?", picture)
        if row is not None:
            members[first].append(NearDuplicate(picture, *row))
    return sorted(sorted(group, key=lambda each: each[1:]) for group in members.values() if len(group) > 1)


def _first_of_group(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Return for each picture of connected pairs the first one of its group."""
    parent: dict[int, int] = {}

    def find(picture: int) -> int:
        while parent.setdefault(picture, picture) != picture:
            parent[picture] = parent[parent[picture]]
            picture = parent[picture]
        return picture

    for one, two in pairs:
        low, high = sorted((find(one), find(two)))
        parent[high] = low
    return {picture: find(picture) for picture in parent}


def list_like_rejected(ledger: Ledger) -> list[NearDuplicate]:
    """Return the pictures on disk that are near-duplicates of a rejected one."""
    # Each side by itself and the pairs first: otherwise SQLite reads all pictures, which takes seconds.
    sides = (
        "SELECT kept.id, kept.class, kept.name FROM near_duplicate"
        f" CROSS JOIN picture AS kept ON kept.id = {mine} CROSS JOIN picture AS rejected ON rejected.id = {its}"
        " WHERE resolved IS NULL AND kept.state = 'present' AND rejected.state = 'rejected'"
        for mine, its in (("near_duplicate.picture", "other"), ("other", "near_duplicate.picture"))
    )
    rows = ledger.rows(" UNION ".join(sides) + " ORDER BY 2, 3")
    return [NearDuplicate(*row) for row in rows]


def near_duplicates_of(ledger: Ledger, picture: int) -> list[str]:
    """Return `class/name` of the near-duplicates of a picture, with a note at a rejected one."""
    rows = ledger.rows(
        "SELECT class || '/' || name, state FROM near_duplicate JOIN picture ON id = picture + other - ?1"
        " WHERE ?1 IN (near_duplicate.picture, other) AND state IN ('present', 'rejected') ORDER BY 1",
        picture,
    )
    return [f"{path} (rejected)" if state == "rejected" else path for path, state in rows]


def open_pairs(ledger: Ledger, pictures: Iterable[int]) -> list[tuple[int, int]]:
    """Return the pairs among these pictures on which no person has decided."""
    wanted = set(pictures)
    rows = (
        row
        for picture in sorted(wanted)
        for row in ledger.rows(
            "SELECT picture, other FROM near_duplicate WHERE picture = ? AND resolved IS NULL", picture
        )
    )
    return [(picture, other) for picture, other in rows if other in wanted]


def resolve_pair(ledger: Ledger, picture: int, other: int, *, resolved: bool = True) -> None:
    """Record that a person decided about a pair, or that no person did."""
    ledger.execute(
        "UPDATE near_duplicate SET resolved = ?1 WHERE picture = min(?2, ?3) AND other = max(?2, ?3)",
        now() if resolved else None,
        picture,
        other,
    )


def is_resolved(ledger: Ledger, picture: int, other: int) -> bool:
    """Return whether a person decided about a pair."""
    return bool(
        ledger.scalar(
            "SELECT resolved IS NOT NULL FROM near_duplicate WHERE picture = min(?1, ?2) AND other = max(?1, ?2)",
            picture,
            other,
        )
    )
