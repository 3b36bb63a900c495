"""The table of shards, and the images in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harvest.files.shard_files import ShardPlace
    from harvest.ledger.database import Ledger


class ShardRow(NamedTuple):
    """A shard, and the length of its complete samples in bytes."""

    number: int
    length: int


class ShardCounts(NamedTuple):
    """The number of shards, and of the images on disk that are in one."""

    shards: int
    images: int


def list_shards(ledger: Ledger) -> list[ShardRow]:
    """Return the shards in their order."""
    return [ShardRow(*row) for row in ledger.rows("SELECT number, length FROM shard ORDER BY number")]


def last_shard(ledger: Ledger) -> ShardRow | None:
    """Return the shard that was begun last."""
    row = ledger.first_row("SELECT number, length FROM shard ORDER BY number DESC LIMIT 1")
    return ShardRow(*row) if row else None


def begin_shard(ledger: Ledger, number: int) -> None:
    """Record that a shard is about to be written."""
    ledger.execute("INSERT INTO shard (number, length) VALUES (?, 0)", number)


def record_length(ledger: Ledger, number: int, length: int) -> None:
    """Record the length of the complete samples of a shard."""
    ledger.execute("UPDATE shard SET length = ? WHERE number = ?", length, number)


def record_place(ledger: Ledger, picture: int, place: ShardPlace) -> None:
    """Record in which shard an image is, and where."""
    ledger.execute(
        "UPDATE picture SET shard = ?, shard_offset = ?, size = ? WHERE id = ?",
        place.shard,
        place.offset,
        place.length,
        picture,
    )


def count_in_shards(ledger: Ledger) -> ShardCounts:
    """Return the number of shards with images, and of these images."""
    row = ledger.first_row(
        "SELECT count(DISTINCT shard), count(*) FROM picture WHERE shard IS NOT NULL AND state = 'present'"
    )
    return ShardCounts(*row) if row else ShardCounts(0, 0)


def list_beyond(ledger: Ledger, number: int, size: int) -> list[int]:
    """Return the images that should be in a shard, and end behind the end of its file."""
    rows = ledger.rows(
        "SELECT id FROM picture WHERE shard = ? AND state = 'present' AND shard_offset + size > ? ORDER BY id",
        number,
        size,
    )
    return [row[0] for row in rows]
