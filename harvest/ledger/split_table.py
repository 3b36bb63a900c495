"""What a training asks and tells: where pictures are from, and where it put them; all by content."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harvest.ledger.database import Ledger


class Origin(NamedTuple):
    """What one hit says of where a picture is from; the provider gives an author's bare name its meaning."""

    content: str
    provider: str
    page: str | None
    author: str | None
    author_url: str | None


def origins(ledger: Ledger) -> list[Origin]:
    """Return the landing pages and authors of the pictures on disk, from every hit that led to them."""
    rows = ledger.rows(
        "SELECT DISTINCT content, hit.provider, page, author, author_url"
        " FROM picture JOIN hit ON hit.picture = picture.id"
        " WHERE state = 'present' AND coalesce(page, author, author_url) IS NOT NULL"
    )
    return [Origin(*row) for row in rows if all(value is None or isinstance(value, str) for value in row)]


def load_split(ledger: Ledger, deal: str) -> dict[str, str]:
    """Return the part of each content that a deal has put anywhere."""
    return dict(ledger.rows("SELECT content, part FROM split WHERE deal = ?", deal))


def save_split(ledger: Ledger, deal: str, parts: Mapping[str, str]) -> None:
    """Remember the parts that a deal put contents into."""
    ledger.execute_many(
        "INSERT OR REPLACE INTO split (deal, content, part) VALUES (?, ?, ?)",
        ((deal, content, part) for content, part in parts.items()),
    )
