"""What a recipe needs of a ledger, in an order that does not depend on when it is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harvest.ledger import hit_table
from harvest.ledger.fingerprint_table import FINGERPRINT_OF_PICTURE
from harvest.models import Fingerprint
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.ledger.database import Ledger
    from harvest.models import Hit

_TIME = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z"  # for GLOB
_PAGE = 2_000  # rows read at a time: a ledger may have a million hits
_VERDICTS = frozenset(Verdict)


class SearchRow(NamedTuple):
    """A search, and the version of harvest that last asked its source."""

    id: int
    provider: str
    class_name: str
    text: str
    filters: dict[str, Any]
    asked: int
    ending: str
    ended: str | None
    version: str | None


class ResultRow(NamedTuple):
    """A search result with its verdict, and the picture that it gave or is the same as."""

    id: int
    hit: Hit
    verdict: Verdict | None
    picture: int | None


class ImageRow(NamedTuple):
    """A picture on disk, or rejected; `body` and `pixels` are those of its download, also if it was edited since."""

    id: int
    state: str
    class_name: str
    name: str
    is_shelved: bool
    raw: str | None
    content: str
    body: str | None
    pixels: str | None
    fingerprint: Fingerprint | None
    width: int | None
    height: int | None
    original_width: int | None
    original_height: int | None
    format: str | None
    hit: int | None
    is_own: bool
    is_touched: bool
    is_reviewed: bool
    rating: int | None
    transform: str | None
    source_type: str | None
    is_edited: bool


class DecisionRow(NamedTuple):
    """A decision; `source` and `target` are paths in the dataset."""

    picture: int
    at: str
    by: str
    action: str
    source: str | None
    target: str | None
    value: str | None


class RecipeRows:
    """Queries over one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def versions(self) -> list[str]:
        """Return the versions of harvest that wrote to the dataset."""
        return [
            row[0]
            for row in self._ledger.rows(
                "SELECT DISTINCT version FROM run WHERE typeof(version) = 'text' ORDER BY version"
            )
        ]

    def transforms(self) -> list[str | None]:
        """Return how the runs wrote their images, as JSON; `None` stands for runs that did not record it."""
        rows = self._ledger.rows(
            "SELECT DISTINCT transform FROM picture LEFT JOIN run ON run.id = picture.run"
            " WHERE state IN ('present', 'rejected') ORDER BY 1"
        )
        return [row[0] for row in rows]

    def searches(self) -> list[SearchRow]:
        """Return all searches."""
        rows = self._ledger.rows(
            f"SELECT id, provider, class, text, filters, asked, ending, CASE WHEN ended GLOB '{_TIME}' THEN ended END,"
            " (SELECT version FROM run WHERE began <= search.ended AND typeof(version) = 'text'"
            "  ORDER BY run.id DESC LIMIT 1)"
            " FROM search ORDER BY id"
        )
        return [SearchRow(*row)._replace(filters=_read_object(row[4])) for row in rows]

    def results(self, search: int) -> Iterator[ResultRow]:
        """Yield the results of a search in its order."""
        last = 0
        while True:
            rows = self._ledger.rows(
                f"SELECT id, verdict, picture, {hit_table.COLUMNS} FROM hit"
                " WHERE search = ? AND id > ? ORDER BY id LIMIT ?",
                search,
                last,
                _PAGE,
            )
            for number, verdict, picture, *columns in rows:
                last = number
                hit = hit_table.load_hit(self._ledger, number, tuple(columns))
                if hit is not None:
                    yield ResultRow(number, hit, Verdict(verdict) if verdict in _VERDICTS else None, picture)
            if len(rows) < _PAGE:
                return

    def picture_classes(self) -> list[tuple[int, str]]:
        """Return id and class of the pictures on disk and of the rejected ones."""
        rows = self._ledger.rows("SELECT id, class FROM picture WHERE state IN ('present', 'rejected') ORDER BY id")
        return [(number, class_name) for number, class_name in rows]

    def origin_hits(self) -> set[int]:
        """Return the ids of the hits that the pictures on disk were downloaded from."""
        rows = self._ledger.rows("SELECT hit FROM picture WHERE state = 'present' AND hit IS NOT NULL AND NOT own")
        return {row[0] for row in rows}

    def image(self, picture: int) -> ImageRow | None:
        """Return one picture."""
        row = self._ledger.first_row(f"{_IMAGES} WHERE picture.id = ?", picture)
        return None if row is None else _as_image(row)

    def images(self) -> Iterator[ImageRow]:
        """Yield the pictures on disk and the rejected ones."""
        last = 0
        while rows := self._ledger.rows(
            f"{_IMAGES} WHERE picture.id > ? AND picture.state IN ('present', 'rejected')"
            f" ORDER BY picture.id LIMIT {_PAGE}",
            last,
        ):
            last = rows[-1][0]
            yield from map(_as_image, rows)

    def decisions(self) -> list[DecisionRow]:
        """Return the decisions about the pictures, except those that were not possible, in their order."""
        rows = self._ledger.rows(
            'SELECT coalesce(picture.became, picture.id), decision.at, by, action, "from", "to", value'
            " FROM decision JOIN picture ON picture.id = decision.picture"
            f" WHERE action NOT IN ('skip', 'rename_class') AND decision.at GLOB '{_TIME}' ORDER BY seq"
        )
        return [DecisionRow(*row) for row in rows]

    def splits(self) -> list[tuple[str, str, str]]:
        """Return rule, content and part of the pictures on disk in every split."""
        rows = self._ledger.rows(
            "SELECT deal, content, part FROM split"
            " WHERE content IN (SELECT content FROM picture WHERE state = 'present') ORDER BY 1, 2"
        )
        return [(str(rule), str(content), str(part)) for rule, content, part in rows]

    def dataset_transform(self) -> tuple[int, bool]:
        """Return size and padding of pictures whose run did not record them, as their files show."""
        row = self._ledger.first_row(
            "SELECT max(max(width, height)), min(width = height) FROM picture"
            " WHERE state IN ('present', 'rejected') AND NOT own AND NOT touched AND width > 0"
        )
        size, is_square = row or (None, None)
        return (299, True) if size is None else (int(size), bool(is_square))


# The first version of an edited picture is the download as it was written.
_IMAGES = (
    "SELECT picture.id, picture.state, picture.class, picture.name, picture.shelved, picture.raw, picture.content,"
    " coalesce(first.body, picture.body), coalesce(first.pixels, picture.pixels),"
    f" {FINGERPRINT_OF_PICTURE},"
    " picture.width, picture.height, picture.original_width, picture.original_height, picture.format, picture.hit,"
    " picture.own, picture.touched, picture.reviewed, picture.rating, run.transform, picture.source_type,"
    " first.id IS NOT NULL"
    " FROM picture LEFT JOIN picture AS first ON first.id = (SELECT min(id) FROM picture AS version"
    "  WHERE version.became = picture.id AND version.state = 'edited')"
    " LEFT JOIN run ON run.id = picture.run"
)


def _as_image(row: tuple[Any, ...]) -> ImageRow:
    values = dict(zip(ImageRow._fields, row, strict=True))
    values |= {name: bool(values[name]) for name in _FLAGS}
    return ImageRow(**values | {"fingerprint": None if row[9] is None else Fingerprint(row[9])})


_FLAGS = ("is_shelved", "is_own", "is_touched", "is_reviewed", "is_edited")


def _read_object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    return found if isinstance(found, dict) else {}
