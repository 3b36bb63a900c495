"""What the report of a dataset counts and shows.

Counting is done in SQL, so that memory does not grow with the dataset. Hits are not checked when a ledger is opened: a
column of the wrong type counts as unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvest.ledger.picture_table import MADE_WITH_AI
from harvest.ledger.review_queries import LOCAL
from harvest.ledger.search_and_hit_tables import EXHAUSTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.ledger.database import Ledger

_LONGEST_TEXT, _LONGEST_URL = 200, 2000  # characters that a report shows or links
_FROM_HIT = " FROM picture LEFT JOIN hit ON hit.id = picture.hit"
_SOURCE = f"CASE typeof(hit.provider) WHEN 'text' THEN substr(hit.provider, 1, 40) ELSE '{LOCAL}' END"
_GAVE_AN_IMAGE = "verdict IN ('kept', 'better')"  # two hits can become one image: the better copy replaced the other
_DIGITS = 64  # of a content hash


class SourceCount(NamedTuple):
    """The images from one provider, or of a person."""

    source: str
    kept: int
    rejected: int


class RangeCount(NamedTuple):
    """A number of images in a range of values from `low`."""

    low: int
    images: int


class RankRate(NamedTuple):
    """The images that hits of ranks from `low` gave, and those of them that are kept."""

    low: int
    placed: int
    kept: int


class OriginCount(NamedTuple):
    """The images of one photographer or host, in one class or in all."""

    class_name: str
    source: str
    origin: str
    images: int


class ReviewCount(NamedTuple):
    """The images of a class, those that a person added, and those that a person reviewed."""

    class_name: str
    kept: int
    own: int
    reviewed: int


class SampleRow(NamedTuple):
    """An image that the report may show."""

    id: int
    class_name: str
    name: str
    source: str
    is_rejected: bool = False


class Attribution(NamedTuple):
    """What the source of an image states about it; None: nothing."""

    title: str | None
    author: str | None
    author_url: str | None
    page: str | None
    url: str | None
    licence: str | None
    licence_url: str | None
    source: str
    query: str | None


def count_sources(ledger: Ledger) -> list[SourceCount]:
    """Return the images of each source, most first."""
    rows = ledger.rows(
        f"SELECT {_SOURCE}, sum(state = 'present') AS kept, sum(state = 'rejected') AS rejected {_FROM_HIT}"
        " WHERE state IN ('present', 'rejected') GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    return [SourceCount(*row) for row in rows]


def count_licences(ledger: Ledger) -> list[tuple[str | None, int]]:
    """Return the images on disk by the SPDX id of their licence, most first; None: unknown."""
    rows = ledger.rows(
        "SELECT substr(licence, 1, 200), count(*) FROM picture WHERE state = 'present' GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    return [(licence, count) for licence, count in rows]


def compute_rank_rates(ledger: Ledger, lows: Sequence[int]) -> list[RankRate]:
    """Return how many images the hits of each range of ranks gave, and how many of them are kept.

    Only classes count that a person has pruned or reviewed: an image that nobody has looked at is kept too.
    """
    rows = ledger.rows(
        f"SELECT {_range_of('hit.rank', lows)}, count(DISTINCT picture.id),"
        " count(DISTINCT CASE WHEN state = 'present' THEN picture.id END)"
        " FROM hit JOIN picture ON picture.id = hit.picture JOIN search ON search.id = hit.search"
        f" WHERE {_GAVE_AN_IMAGE} AND typeof(hit.rank) = 'integer' AND text <> '' AND state IN ('present', 'rejected')"
        " AND picture.class IN (SELECT class FROM picture WHERE state = 'rejected' OR reviewed)"
        " GROUP BY 1 ORDER BY 1"
    )
    return [RankRate(*row) for row in rows]


def count_sides(ledger: Ledger, lows: Sequence[int], *, original: bool) -> list[RangeCount]:
    """Return the images on disk by their shorter side in pixels: as downloaded, or as they are in the folders."""
    side = "min(width, height)"
    if original:
        side = f"coalesce(min(original_width, original_height), {side})"
    rows = ledger.rows(
        f"SELECT {_range_of(side, lows)}, count(*) FROM picture"
        f" WHERE state = 'present' AND {side} > 0 GROUP BY 1 ORDER BY 1"
    )
    return [RangeCount(*row) for row in rows]


def _range_of(value: str, lows: Sequence[int]) -> str:
    """Return SQL for the last of `lows` that is not above a value."""
    cases = " ".join(f"WHEN {value} >= {int(low)} THEN {int(low)}" for low in sorted(lows, reverse=True))
    return f"CASE {cases} ELSE {int(min(lows))} END"


def count_photographers(ledger: Ledger, most: int, *, by_class: bool = False) -> list[OriginCount]:
    """Return the photographers with the most images on disk; a name is unique per source only."""
    return _count_origins(ledger, _clip("author", _LONGEST_TEXT), most, by_class=by_class)


def count_hosts(ledger: Ledger, most: int, *, by_class: bool = False) -> list[OriginCount]:
    """Return the hosts with the most images on disk whose photographer is not known."""
    rest = "substr(hit.url, instr(hit.url, '://') + 3)"
    host = f"lower(substr({rest}, 1, instr(replace({rest}, '?', '/') || '/', '/') - 1))"
    is_known = "typeof(author) = 'text' AND author <> ''"
    return _count_origins(
        ledger,
        f"CASE WHEN typeof(hit.url) = 'text' AND NOT ({is_known}) THEN substr({host}, 1, {_LONGEST_TEXT}) END",
        most,
        by_class=by_class,
    )


def _count_origins(ledger: Ledger, origin: str, most: int, *, by_class: bool) -> list[OriginCount]:
    class_name = "picture.class" if by_class else "''"
    rows = ledger.rows(
        f"SELECT {class_name}, {_SOURCE}, {origin} AS origin, count(*) {_FROM_HIT}"
        " WHERE state = 'present' AND coalesce(origin, '') <> '' GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT ?",
        most,
    )
    return [OriginCount(*row) for row in rows]


def count_reviewed(ledger: Ledger) -> list[ReviewCount]:
    """Return for each class how many images a person added and reviewed."""
    rows = ledger.rows(
        "SELECT class, count(*), sum(own), sum(reviewed AND NOT own) FROM picture"
        " WHERE state = 'present' GROUP BY class"
    )
    return [ReviewCount(*row) for row in rows]


def count_verdicts(ledger: Ledger) -> dict[str, int]:
    """Return the number of hits by verdict; the empty text is for those that are left for the next run."""
    rows = ledger.rows(
        "SELECT CASE typeof(verdict) WHEN 'text' THEN verdict ELSE '' END, count(*)"
        " FROM hit JOIN search ON search.id = hit.search WHERE text <> '' GROUP BY 1"
    )
    return dict(rows)


def list_exhausted_classes(ledger: Ledger) -> frozenset[str]:
    """Return the classes all of whose searches ended because the source has no more results."""
    rows = ledger.rows("SELECT class FROM search WHERE text <> '' GROUP BY class HAVING min(ending = ?)", EXHAUSTED)
    return frozenset(row[0] for row in rows)


def sum_file_sizes(ledger: Ledger) -> int:
    """Return the bytes of all images on disk."""
    return ledger.scalar("SELECT sum(size) FROM picture WHERE state = 'present'")


def compute_mean_pixels(ledger: Ledger) -> int:
    """Return the average number of pixels of the images on disk."""
    return ledger.scalar("SELECT avg(width * height) FROM picture WHERE state = 'present'")


def first_and_last_day(ledger: Ledger) -> tuple[str, str]:
    """Return the days of the first and the last harvest; empty without any."""
    row = ledger.first_row(
        "SELECT substr(min(began), 1, 10), substr(max(began), 1, 10) FROM run WHERE began GLOB '20[0-9][0-9]-*'"
    )
    return (row[0] or "", row[1] or "") if row else ("", "")


def list_made_with_ai(ledger: Ledger, most: int) -> list[SampleRow]:
    """Return images on disk that were made with AI, as their downloads stated."""
    rows = ledger.rows(
        f"SELECT picture.id, picture.class, picture.name, {_SOURCE} {_FROM_HIT}"
        f" WHERE state = 'present' AND source_type IN ({MADE_WITH_AI}) ORDER BY 2, 3 LIMIT ?",
        most,
    )
    return [SampleRow(*row) for row in rows]


def sample_class(ledger: Ledger, class_name: str, most: int, seed: int, *, rejected: bool = False) -> list[SampleRow]:
    """Return at most `most` images of each source of a class, in the same random order for the same seed.

    A content hash is random, so ordering by its digits from a position on is a random order.
    """
    condition = "state = 'rejected' AND shelved" if rejected else "state = 'present'"
    rows = ledger.rows(
        "SELECT id, class, name, source FROM (SELECT picture.id, picture.class, picture.name, content,"
        f" {_SOURCE} AS source, row_number() OVER (PARTITION BY {_SOURCE} ORDER BY substr(content, ?1), content)"
        f" AS place {_FROM_HIT} WHERE {condition} AND picture.class = ?2) WHERE place <= ?3 ORDER BY place, source",
        1 + seed % _DIGITS,
        class_name,
        most,
    )
    return [SampleRow(number, name, file, source, rejected) for number, name, file, source in rows]


def find_attribution(ledger: Ledger, picture: int) -> Attribution | None:
    """Return what the source of an image states about it, or None if the image has no source."""
    row = ledger.first_row(
        f"SELECT {_clip('title', _LONGEST_TEXT)}, {_clip('author', _LONGEST_TEXT)}, {_whole('author_url')},"
        f" {_whole('page')}, {_whole('url')}, substr(picture.licence, 1, 100), {_whole('licence_url')}, {_SOURCE},"
        f" {_clip('search.text', _LONGEST_TEXT)} FROM picture JOIN hit ON hit.id = picture.hit"
        " LEFT JOIN search ON search.id = hit.search WHERE picture.id = ?",
        picture,
    )
    return Attribution(*row) if row else None


def _clip(column: str, most: int) -> str:
    name = column if "." in column else f"hit.{column}"
    return f"CASE typeof({name}) WHEN 'text' THEN substr({name}, 1, {most}) END"


def _whole(column: str) -> str:
    """Return SQL for a URL, which is of no use when it is cut."""
    return f"CASE WHEN typeof(hit.{column}) = 'text' AND length(hit.{column}) <= {_LONGEST_URL} THEN hit.{column} END"
