"""The table of pictures: the files that should exist, and the fingerprint of each picture."""

from __future__ import annotations

import json
from array import array
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from harvest.ledger.damaged_rows import IS_OUTDATED
from harvest.ledger.fingerprint_table import load_fingerprints
from harvest.licences import Licence
from harvest.models import AI_SOURCE_TYPES, FINGERPRINT_BYTES, Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harvest.ledger.database import Ledger, Row

MADE_WITH_AI = ", ".join(f"'{term}'" for term in sorted(AI_SOURCE_TYPES))  # for SQL
_HAS_FINGERPRINT = "EXISTS (SELECT 1 FROM fingerprint WHERE fingerprint.picture = picture.id)"
_AT_ONCE = 1000  # pictures with their fingerprints, 2 MB
_ROW_COLUMNS = "id, state, class, name, content, shelved, size, mtime_ns, shard, shard_offset"
_KNOWN_COLUMNS = (
    "version.id, picture.class, version.body, version.pixels, version.content,"
    " (SELECT data FROM fingerprint WHERE fingerprint.picture = version.id),"
    " version.original_width * version.original_height, version.licence, picture.own OR picture.touched"
)


class PictureRow(NamedTuple):
    """The columns of a picture that concern its file."""

    id: int
    state: str
    class_name: str
    name: str
    content: str
    shelved: int = 0
    size: int | None = None
    mtime_ns: int | None = None
    shard: int | None = None
    shard_offset: int | None = None


class KnownPicture(NamedTuple):
    """A picture that new ones are compared with; `protected` if a person added or changed it: it is never replaced.

    An edited picture has a row of its earlier version too, under another id, which the ledger resolves.
    """

    id: int
    class_name: str
    body: str | None
    pixels: str | None
    content: str
    fingerprint: Fingerprint | None
    area: int
    open_licence: bool
    protected: bool


class PictureTable:
    """Queries about the pictures of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # Files.

    def list_files(self, *, shelved: bool = False, classes: Iterable[str] | None = None) -> set[Row]:
        """Return class, name, size and time of every file that should be in the tree, or in dataset.rejected.

        With `classes`, only those of these classes.
        """
        state = "state = 'rejected' AND shelved" if shelved else "state = 'present' AND shard IS NULL"
        query = f"SELECT class, name, size, mtime_ns FROM picture WHERE {state}"
        if classes is None:
            return set(self._ledger.rows(query))
        return {row for name in classes for row in self._ledger.rows(f"{query} AND class = ?", name)}

    def list_classes(self) -> list[str]:
        """Return the names of all classes that have pictures or were searched for."""
        return [row[0] for row in self._ledger.rows("SELECT class FROM picture UNION SELECT name FROM class")]

    def find_at(self, paths: Iterable[Row], *, shelved: bool = False) -> list[PictureRow]:
        """Return the pictures whose files should have these paths (class, name, …)."""
        state = "rejected" if shelved else "present"
        return [
            PictureRow(*row)
            for class_name, name, *_ in paths
            for row in self._ledger.rows(
                f"SELECT {_ROW_COLUMNS} FROM picture WHERE state = ? AND shelved = ? AND class = ? AND name = ?",
                state,
                int(shelved),
                class_name,
                name,
            )
        ]

    def find_in_shards(self, class_name: str, name: str, *, is_rejected: bool) -> PictureRow | None:
        """Return the picture in a shard that has this class and name; a rejected one is still in its shard."""
        row = self._ledger.first_row(
            f"SELECT {_ROW_COLUMNS} FROM picture WHERE state = ? AND class = ? AND name = ? AND shard IS NOT NULL",
            "rejected" if is_rejected else "present",
            class_name,
            name,
        )
        return None if row is None else PictureRow(*row)

    def list_in_shards(self) -> list[PictureRow]:
        """Return the pictures on disk that are in shards, in the order of their bytes."""
        rows = self._ledger.rows(
            f"SELECT {_ROW_COLUMNS} FROM picture"
            " WHERE shard IS NOT NULL AND state = 'present' ORDER BY shard, shard_offset"
        )
        return [PictureRow(*row) for row in rows]

    def list_uninspected(self) -> list[PictureRow]:
        """Return the pictures whose file was not inspected yet."""
        rows = self._ledger.rows(
            f"SELECT {_ROW_COLUMNS} FROM picture"
            f" WHERE NOT examined AND NOT {_HAS_FINGERPRINT}"
            " AND (+state = 'present' OR (+state = 'rejected' AND shelved))"
        )
        return [PictureRow(*row) for row in rows]

    def list_pending(self) -> list[PictureRow]:
        """Return the pictures whose placement is announced and not confirmed."""
        return [
            PictureRow(*row) for row in self._ledger.rows(f"SELECT {_ROW_COLUMNS} FROM picture WHERE state = 'placing'")
        ]

    def find_by_content(self, contents: Iterable[str]) -> list[PictureRow]:
        """Return the pictures with these content hashes that are present or can be restored."""
        return [
            PictureRow(*row)
            for content in contents
            for row in self._ledger.rows(
                f"SELECT {_ROW_COLUMNS} FROM picture"
                " WHERE content = ? AND state IN ('present', 'rejected', 'lifted') ORDER BY id",
                content,
            )
        ]

    def get_row(self, picture: int) -> PictureRow | None:
        """Return the row of a picture, or of the picture that replaced it."""
        row = self._ledger.first_row(
            f"SELECT {_ROW_COLUMNS} FROM picture WHERE id = (SELECT coalesce(became, id) FROM picture WHERE id = ?)",
            picture,
        )
        return PictureRow(*row) if row else None

    def get_rows(self, pictures: Iterable[int]) -> Iterator[PictureRow]:
        """Return the rows of pictures that were not replaced."""
        return (row for picture in pictures if (row := self.get_row(picture)) is not None)

    def is_only(self, name: str, content: str) -> bool:
        """Return whether only pictures of this content ever had a name."""
        return self._ledger.first_row("SELECT 1 FROM picture WHERE name = ? AND content <> ?", name, content) is None

    def is_being_moved(self, content: str) -> bool:
        """Return whether a move of a picture with this content is pending."""
        query = "SELECT 1 FROM pending CROSS JOIN picture ON id = picture WHERE action = 'move' AND content = ?"
        return self._ledger.first_row(query, content) is not None

    def count_by_class(self) -> dict[str, int]:
        """Return the number of present pictures of each class."""
        return dict(self._ledger.rows("SELECT class, count(*) FROM picture WHERE state = 'present' GROUP BY class"))

    # Fingerprints.

    def list_outdated(self) -> list[PictureRow]:
        """Return the pictures with a file whose fingerprint was computed by an earlier version of harvest."""
        rows = self._ledger.rows(
            # CROSS JOIN: the few of the index first.
            f"SELECT {_ROW_COLUMNS} FROM fingerprint CROSS JOIN picture ON id = fingerprint.picture"
            f" WHERE {IS_OUTDATED} AND ((+state = 'present' AND shard IS NULL) OR (+state = 'rejected' AND shelved))"
        )
        return [PictureRow(*row) for row in rows]

    def list_uncompared(self) -> list[int]:
        """Return the pictures on disk whose new fingerprint was not compared with the others yet."""
        query = f"SELECT id FROM picture WHERE NOT examined AND {_HAS_FINGERPRINT} AND +state = 'present' ORDER BY id"
        return [row[0] for row in self._ledger.rows(query)]

    def list_current_fingerprints(self) -> Iterator[tuple[int, Fingerprint]]:
        """Return the pictures on disk whose fingerprint was computed by this version."""
        for some in self._batches("SELECT id FROM picture WHERE state = 'present' ORDER BY id"):
            loaded = self.load_fingerprints(some).items()
            yield from ((number, each) for number, each in loaded if len(each.data) == FINGERPRINT_BYTES)

    def load_fingerprints(self, pictures: Iterable[int]) -> dict[int, Fingerprint]:
        """Return the fingerprints of those pictures that have one."""
        return load_fingerprints(self._ledger, pictures)

    def _batches(self, query: str, *values: object) -> Iterator[list[int]]:
        """Yield the ids that a query returns, some at a time: a million pictures with fingerprints are 2 GB."""
        found = array("q", (row[0] for row in self._ledger.rows(query, *values)))
        for start in range(0, len(found), _AT_ONCE):
            yield found[start : start + _AT_ONCE].tolist()

    def list_present(self) -> Iterator[KnownPicture]:
        """Return the pictures on disk, and the earlier versions of edited ones."""
        return self._list_known("present")

    def list_rejected(self) -> Iterator[KnownPicture]:
        """Return the rejected pictures, and their earlier versions."""
        return self._list_known("rejected")

    def list_fingerprints(self, picture: int) -> Iterator[Fingerprint]:
        """Return the fingerprint of an image, and of its versions before each edit."""
        versions = self._ledger.rows("SELECT id FROM picture WHERE became = ? AND state = 'edited'", picture)
        yield from self.load_fingerprints([picture, *(row[0] for row in versions)]).values()

    def load_known(self, pictures: Iterable[int]) -> dict[int, KnownPicture]:
        """Return pictures, or the earlier versions of edited ones, by id."""
        versions = self._ledger.rows(
            f"SELECT {_KNOWN_COLUMNS} FROM picture AS version JOIN picture"
            " ON picture.id = CASE version.state WHEN 'edited' THEN version.became ELSE version.id END"
            " WHERE version.id IN (SELECT value FROM json_each(?)) ORDER BY version.id",
            json.dumps(list(pictures)),
        )
        return {row[0]: _make_known(row) for row in versions}

    def _list_known(self, state: str) -> Iterator[KnownPicture]:
        query = (
            "SELECT id FROM picture WHERE state = ? UNION ALL SELECT version.id FROM picture AS version"
            " JOIN picture ON picture.id = version.became WHERE version.state = 'edited' AND picture.state = ?"
        )
        for some in self._batches(query, state, state):
            yield from self.load_known(some).values()

    # Counts.

    def is_inspected(self) -> bool:
        """Return whether there are pictures, and each was inspected and compared with the others."""
        row = self._ledger.first_row("SELECT 1 FROM picture WHERE NOT examined AND state = 'present' LIMIT 1")
        return row is None and self.has_any()

    def has_any(self) -> bool:
        """Return whether the dataset has or ever had a picture."""
        return self._ledger.first_row("SELECT 1 FROM picture LIMIT 1") is not None

    def count_present(self, class_name: str) -> int:
        """Return the number of pictures of a class on disk."""
        return self._ledger.scalar("SELECT count(*) FROM picture WHERE state = 'present' AND class = ?", class_name)

    def count_licensed(self) -> dict[str, int]:
        """Return the number of pictures of each class on disk whose source states their licence."""
        return dict(
            self._ledger.rows(
                "SELECT picture.class, count(*)"
                " FROM hit CROSS JOIN picture ON picture.id = hit.picture"  # in this order: most have none
                " WHERE evidence = 'stated' AND picture.hit = hit.id AND +state = 'present' GROUP BY picture.class"
            )
        )

    def count_made_with_ai(self) -> int:
        """Return the number of pictures on disk whose download stated that it was made with AI."""
        return self._ledger.scalar(
            f"SELECT count(*) FROM picture WHERE state = 'present' AND source_type IN ({MADE_WITH_AI})"
        )


def _make_known(row: Row) -> KnownPicture:
    number, class_name, body, pixels, content, fingerprint, area, licence, protected = row
    known = None if fingerprint is None else Fingerprint(fingerprint)
    is_open = _is_open(licence)
    return KnownPicture(number, class_name, body, pixels, content, known, area or 0, is_open, bool(protected))


@cache
def _is_open(licence: str | None) -> bool:
    return Licence(licence).is_open
