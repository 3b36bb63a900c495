"""What trainings read and write: origins and fingerprints of pictures, and their parts of the splits, by content."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.files.shard_files import ShardPlace
from harvest.ledger.fingerprint_table import FINGERPRINT_OF_PICTURE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harvest.ledger.database import Ledger


_IN_SHARD = "class, name, content, shard, shard_offset, size"
_HAS_PLACE = "WHERE shard IS NOT NULL AND state = 'present' AND shard_offset IS NOT NULL AND size > 0"


class Origin(NamedTuple):
    """The origin of a picture according to one hit; the name of an author is unique per provider only."""

    content: str
    provider: str
    page: str | None
    author: str | None
    author_url: str | None


def origins(ledger: Ledger) -> list[Origin]:
    """Return the pages and authors of the pictures on disk, from all their hits."""
    rows = ledger.rows(
        "SELECT DISTINCT content, hit.provider, page, author, author_url"
        " FROM picture JOIN hit ON hit.picture = picture.id"
        " WHERE state = 'present' AND coalesce(page, author, author_url) IS NOT NULL"
    )
    return [Origin(*row) for row in rows if all(value is None or isinstance(value, str) for value in row)]


def list_licences(ledger: Ledger) -> dict[str, str]:
    """Return the licence of the pictures on disk that have one, by content."""
    return dict(
        ledger.rows(
            "SELECT content, licence FROM picture"
            " WHERE state = 'present' AND typeof(content) = 'text' AND typeof(licence) = 'text'"
        )
    )


def list_fingerprints(ledger: Ledger) -> Iterator[tuple[object, ...]]:
    """Yield content, width, height and fingerprint of the pictures on disk; any value may be of another type."""
    yield from ledger.rows(
        "SELECT content, width, height, data FROM picture JOIN fingerprint ON fingerprint.picture = picture.id"
        " WHERE state = 'present' AND coalesce(width, 0) > 0 AND coalesce(height, 0) > 0"
    )


class ShardImage(NamedTuple):
    """An image in a shard; the ledger may come from others, so sizes and fingerprint may be of any type."""

    class_name: str
    name: str
    content: str
    place: ShardPlace
    width: object
    height: object
    fingerprint: object


def list_shard_images(ledger: Ledger) -> list[ShardImage]:
    """Return the images on disk that are in shards."""
    rows = ledger.rows(f"SELECT {_IN_SHARD}, width, height, {FINGERPRINT_OF_PICTURE} FROM picture {_HAS_PLACE}")
    return [
        ShardImage(class_name, name, content, ShardPlace(*place), width, height, fingerprint)
        for class_name, name, content, *place, width, height, fingerprint in rows
    ]


def list_shard_places(ledger: Ledger) -> Iterator[tuple[str, str, str, ShardPlace]]:
    """Yield the class, name, content hash and place of the images on disk that are in shards."""
    for class_name, name, content, *place in ledger.rows(f"SELECT {_IN_SHARD} FROM picture {_HAS_PLACE}"):
        yield class_name, name, content, ShardPlace(*place)


def load_split(ledger: Ledger, rule: str) -> dict[str, str]:
    """Return the part of each content hash in one split, which the percentages and the seed identify."""
    return dict(ledger.rows("SELECT content, part FROM split WHERE deal = ?", rule))


def save_split(ledger: Ledger, rule: str, parts: Mapping[str, str]) -> None:
    """Save the parts of content hashes in one split."""
    ledger.execute_many(
        "INSERT OR REPLACE INTO split (deal, content, part) VALUES (?, ?, ?)",
        ((rule, content, part) for content, part in parts.items()),
    )
