"""What an export needs to know of every image on disk: where it comes from, its licence, and what a person decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger

# A hit is not checked before it is read, so a value of the wrong type reads as missing.
_TEXT = "CASE typeof({0}) WHEN 'text' THEN {0} ELSE '' END"
_NUMBER = "CASE typeof({0}) WHEN 'integer' THEN {0} ELSE 0 END"
_COLUMNS = (
    "picture.content",
    "picture.class",
    *(_NUMBER.format(f"picture.{name}") for name in ("width", "height", "original_width", "original_height")),
    _TEXT.format("picture.body"),
    _TEXT.format("picture.format"),
    _TEXT.format("picture.licence"),
    _TEXT.format("picture.source_type"),
    _NUMBER.format("picture.rating"),
    "picture.reviewed",
    "picture.own",
    "EXISTS (SELECT 1 FROM decision WHERE decision.picture = picture.id AND action = 'edit')",
    "picture.at",
    *(_TEXT.format(f"hit.{name}") for name in ("provider", "url", "page", "title", "author", "author_url")),
    *(_TEXT.format(f"hit.{name}") for name in ("licence_url", "evidence")),
    _NUMBER.format("hit.rank"),
    _TEXT.format("search.text"),
)


class ImageProvenance(NamedTuple):
    """One image on disk; missing texts are empty and missing numbers are 0."""

    content: str
    class_name: str
    width: int
    height: int
    original_width: int
    original_height: int
    original_sha256: str
    original_format: str
    licence: str
    source_type: str
    rating: int
    is_reviewed: int
    is_own: int  # added by a person
    is_edited: int
    fetched: str  # when it was placed, or found
    provider: str
    image_url: str
    page_url: str
    title: str
    author: str
    author_url: str
    licence_url: str
    evidence: str
    rank: int
    query: str


class RunRecord(NamedTuple):
    """One run: when it began, and the version of harvest."""

    began: str
    version: str


class SearchCount(NamedTuple):
    """One query at one provider, and its hits."""

    class_name: str
    query: str
    provider: str
    hits: int


def list_provenance(ledger: Ledger) -> list[ImageProvenance]:
    """Return the provenance of every image on disk, from the hit that it was downloaded from."""
    rows = ledger.rows(
        f"SELECT {', '.join(_COLUMNS)} FROM picture LEFT JOIN hit ON hit.id = picture.hit"
        " LEFT JOIN search ON search.id = hit.search WHERE picture.state = 'present' ORDER BY picture.id"
    )
    return [ImageProvenance._make(row) for row in rows]


def list_runs(ledger: Ledger) -> list[RunRecord]:
    """Return the runs, in their order."""
    rows = ledger.rows("SELECT began, version FROM run ORDER BY id")
    return [RunRecord(*row) for row in rows if _are_texts(row)]


def count_searches(ledger: Ledger) -> list[SearchCount]:
    """Return every query with the number of its hits; hits that were read from files have no query."""
    rows = ledger.rows(
        "SELECT search.class, text, search.provider, count(hit.id) FROM search"
        " LEFT JOIN hit ON hit.search = search.id WHERE text <> '' GROUP BY search.id ORDER BY 1, 2, 3"
    )
    return [SearchCount(*row) for row in rows]


def count_verdicts(ledger: Ledger) -> dict[str, int]:
    """Return the number of hits with each verdict."""
    rows = ledger.rows("SELECT verdict, count(*) FROM hit WHERE verdict IS NOT NULL GROUP BY verdict ORDER BY verdict")
    return {verdict: count for verdict, count in rows if isinstance(verdict, str)}


def split_rules(ledger: Ledger) -> list[str]:
    """Return the rules of the splits that the ledger remembers."""
    return [row[0] for row in ledger.rows("SELECT DISTINCT deal FROM split ORDER BY deal")]


def _are_texts(row: tuple[Any, ...]) -> bool:
    return all(isinstance(value, str) for value in row)
