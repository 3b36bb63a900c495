"""The history of a picture: its sources, the verdict of each URL, and the decisions about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harvest import photo_keys
from harvest.files.check_names_and_cells import fold_name
from harvest.files.shard_files import ShardPlace
from harvest.ledger.hit_table import check_types
from harvest.ledger.near_duplicate_table import near_duplicates_of
from harvest.licences import Evidence, Licence
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from harvest.ledger.database import Ledger


@dataclass(frozen=True, slots=True)
class HitRecord:
    """One hit, which led to the picture or to none."""

    provider: str
    query: str
    class_name: str
    url: str
    rank: int
    page: str | None
    title: str | None
    author: str | None
    licence: Licence
    verdict: Verdict | None  # `None`: it is left for the next run
    detail: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision about the picture."""

    at: str
    by: str
    action: str
    source: str | None
    target: str | None
    value: str | None


@dataclass(frozen=True, slots=True)
class PictureHistory:
    """Everything that the ledger knows about a picture, or about a URL that gave none."""

    id: int | None = None
    class_name: str = ""
    name: str = ""
    state: str = ""
    shelved: bool = False  # rejected, and its file is in dataset.rejected
    shard: ShardPlace | None = None  # where it is, if it is not a file
    own: bool = False
    at: str = ""
    content: str = ""
    size: tuple[int, int] | None = None
    original: tuple[int, int] | None = None
    format: str | None = None
    sources: tuple[HitRecord, ...] = ()
    events: tuple[DecisionRecord, ...] = ()
    wanted_by: tuple[str, ...] = ()  # other classes, until a person decides
    copies: tuple[str, ...] = ()  # `class/name` of other files on disk with the same bytes
    near_duplicates: tuple[str, ...] = ()  # `class/name` of what may be a copy of it
    source_type: str | None = None  # the IPTC digital source type that the download stated


def history_of_text(ledger: Ledger, text: str) -> PictureHistory | None:
    """Return the history for a file name, `class/name` or URL, or `None` if nothing is known."""
    pictures = find_pictures(ledger, text)
    if pictures:
        return picture_history(ledger, pictures[0])
    found = _sources(
        ledger, "hit.url = ? OR ? IN (address, source) OR page = ?", text, photo_keys.source_key(text), text
    )
    return PictureHistory(sources=found) if found else None


def find_pictures(ledger: Ledger, text: str) -> list[int]:
    """Return the pictures that a path, file name or URL refers to, the present ones first."""
    meant = _with_url(ledger, text) if "://" in text else _with_name(ledger, text)
    states = {number: ledger.first_row("SELECT state FROM picture WHERE id = ?", number) for number in meant}
    found = [number for number, state in states.items() if state not in (None, ("placing",))]
    return sorted(found, key=lambda number: (states[number] != ("present",), number))


def _with_url(ledger: Ledger, url: str) -> list[int]:
    rows = ledger.rows(
        "SELECT DISTINCT picture FROM hit WHERE picture IS NOT NULL AND (? IN (address, source) OR page = ?)",
        photo_keys.source_key(url),
        url,
    )
    return [row[0] for row in rows]


def _with_name(ledger: Ledger, path: str) -> list[int]:
    """Return the pictures that have a name, or had it until they were replaced; the case of a folder is ignored."""
    *_, class_name, name = ("", *path.replace("\\", "/").split("/"))
    rows = ledger.rows("SELECT coalesce(became, id), class FROM picture WHERE name = ?", name)
    return [number for number, home in rows if not class_name or fold_name(home) == fold_name(class_name)]


def similar_names(ledger: Ledger, text: str, most: int) -> list[str]:
    """Return some `class/name` of pictures whose name contains a text."""
    rows = ledger.rows(
        "SELECT class || '/' || name FROM picture WHERE instr(name, ?)"
        " AND state IN ('present', 'rejected') ORDER BY state, class, name LIMIT ?",
        text,
        most,
    )
    return [row[0] for row in rows]


def picture_history(ledger: Ledger, picture: int) -> PictureHistory:
    """Return the history of one picture."""
    row = ledger.first_row(
        "SELECT class, name, state, shelved, shard, shard_offset, picture.size, own, at, content, format, hit,"
        " width, height, original_width, original_height, source_type FROM picture WHERE id = ?",
        picture,
    )
    assert row is not None
    class_name, name, state, shelved, shard, offset, length, own, at, content, made_as, hit, *sizes = row
    width, height, original_width, original_height, source_type = sizes
    events = ledger.rows(
        'SELECT at, by, action, "from", "to", value FROM decision'
        " WHERE picture IN (SELECT id FROM picture WHERE id = ? OR became = ?) ORDER BY seq",
        picture,
        picture,
    )
    others = ledger.rows("SELECT class FROM conflict WHERE picture = ? AND resolved IS NULL ORDER BY class", picture)
    copies = ledger.rows(
        "SELECT class || '/' || name FROM picture WHERE content = ? AND +state = 'present' AND id <> ? ORDER BY 1",
        content,
        picture,
    )
    return PictureHistory(
        picture,
        class_name,
        name,
        state,
        bool(shelved),
        None if shard is None else ShardPlace(shard, offset or 0, length or 0),
        bool(own),
        at,
        content,
        (width, height) if width else None,
        (original_width, original_height) if original_width else None,
        made_as,
        _sources(ledger, "hit.picture = ?", picture, first=hit),
        tuple(DecisionRecord(*event) for event in events),
        tuple(row[0] for row in others),
        tuple(row[0] for row in copies),
        tuple(near_duplicates_of(ledger, picture)),
        source_type if isinstance(source_type, str) else None,
    )


def _sources(ledger: Ledger, condition: str, *values: object, first: int | None = None) -> tuple[HitRecord, ...]:
    """Return hits, `first` the one that the file was downloaded from: its licence applies to the picture."""
    rows = ledger.rows(
        "SELECT hit.id, hit.provider, search.text, hit.class, url, rank, page, title, author, licence,"
        " licence_url, evidence, verdict, detail FROM hit JOIN search ON search.id = hit.search"
        f" WHERE {condition} ORDER BY hit.id IS NOT ?, verdict NOT IN ('kept', 'better'), hit.id",
        *values,
        first,
    )
    found = (_source(ledger, number, row) for number, *row in rows)
    return tuple(source for source in found if source is not None)


def _source(ledger: Ledger, number: int, row: list[Any]) -> HitRecord | None:
    *fields, licence, licence_url, evidence, verdict, detail = row
    try:
        check_types(tuple(row), "ttttnTTTTTtTt")
        known = Licence(licence, licence_url, Evidence(evidence))
        values = (*fields, known, Verdict(verdict) if verdict else None, detail)
        return HitRecord(*values)
    except ValueError as error:
        ledger.skip(f"hit {number}: {str(error)[:80]}")
        return None
