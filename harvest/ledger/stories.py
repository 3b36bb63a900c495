"""One picture's story: where it came from, what became of each address, and what people decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest import sources
from harvest.models import Evidence, Licence, Verdict

if TYPE_CHECKING:
    from harvest.ledger import Ledger, Row


@dataclass(frozen=True, slots=True)
class Source:
    """One hit that led to the picture, or to nothing."""

    provider: str
    query: str
    class_name: str
    url: str
    rank: int
    page: str | None
    title: str | None
    author: str | None
    licence: Licence
    verdict: Verdict | None  # `None`: it waits
    detail: str


@dataclass(frozen=True, slots=True)
class Event:
    """A decision about the picture."""

    at: str
    by: str
    action: str
    source: str | None
    target: str | None
    value: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the ledger knows of a picture, or of an address that gave none."""

    id: int | None = None
    class_name: str = ""
    name: str = ""
    state: str = ""
    own: bool = False
    at: str = ""
    content: str = ""
    size: tuple[int, int] | None = None
    original: tuple[int, int] | None = None
    format: str | None = None
    sources: tuple[Source, ...] = ()
    events: tuple[Event, ...] = ()
    wanted_by: tuple[str, ...] = ()  # other classes, as long as nobody has decided


def story(ledger: Ledger, text: str) -> Story | None:
    """Tell the story of a file name, `class/name`, or address; `None` if nothing is known of it."""
    pictures = pictures_named(ledger, text)
    if pictures:
        return _of_picture(ledger, pictures[0])
    found = _sources(ledger, "hit.url = ? OR address = ? OR page = ?", text, sources.key(text), text)
    return Story(sources=found) if found else None


def pictures_named(ledger: Ledger, text: str) -> list[int]:
    """Return the pictures that a path, file name or address means, the present ones first."""
    *_, class_name, name = ("", *text.replace("\\", "/").split("/"))
    rows = ledger.rows(
        "SELECT picture.id FROM picture JOIN"
        " (SELECT coalesce(became, id) AS number FROM picture WHERE name = ? AND (? = '' OR class = ?)"
        "  UNION SELECT picture FROM hit WHERE url = ? OR address = ? OR page = ?) ON picture.id = number"
        " WHERE state <> 'placing' ORDER BY state <> 'present', picture.id",
        name,
        class_name,
        class_name,
        text,
        sources.key(text),
        text,
    )
    return [row[0] for row in rows]


def _of_picture(ledger: Ledger, picture: int) -> Story:
    row = ledger.one(
        "SELECT class, name, state, own, at, content, width, height, original_width, original_height, format"
        " FROM picture WHERE id = ?",
        picture,
    )
    assert row is not None
    class_name, name, state, own, at, content, width, height, original_width, original_height, made_as = row
    events = ledger.rows(
        'SELECT at, by, action, "from", "to", value FROM decision'
        " WHERE picture IN (SELECT id FROM picture WHERE id = ? OR became = ?) ORDER BY seq",
        picture,
        picture,
    )
    others = ledger.rows(
        "SELECT class FROM conflict WHERE picture = ? AND resolved IS NULL ORDER BY class", picture
    )
    return Story(
        picture,
        class_name,
        name,
        state,
        bool(own),
        at,
        content,
        (width, height) if width else None,
        (original_width, original_height) if original_width else None,
        made_as,
        _sources(ledger, "hit.picture = ?", picture),
        tuple(Event(*event) for event in events),
        tuple(row[0] for row in others),
    )


def _sources(ledger: Ledger, condition: str, *values: object) -> tuple[Source, ...]:
    rows = ledger.rows(
        "SELECT hit.provider, search.text, hit.class, url, rank, page, title, author, licence, licence_url,"
        " evidence, verdict, detail FROM hit JOIN search ON search.id = hit.search"
        f" WHERE {condition} ORDER BY verdict NOT IN ('kept', 'better'), hit.id",
        *values,
    )
    return tuple(_source(row) for row in rows)


def _source(row: Row) -> Source:
    *said, licence, licence_url, evidence, verdict, detail = row
    known = Licence(licence, licence_url, Evidence(evidence))
    values = (*said, known, Verdict(verdict) if verdict else None, detail)
    return Source(*values)
