"""The words of the program as types: what travels from a query to a picture on disk.

Everything here is frozen and can be pickled, so that the heavy stage may run in a thread, a process or on
another machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class LicenceFilter(StrEnum):
    """What a person accepts; `ANY` asks nothing."""

    ANY = "any"
    OPEN = "open"
    COMMERCIAL = "commercial"
    PUBLIC_DOMAIN = "public-domain"


class Evidence(StrEnum):
    """How a licence is known: the source states it, a search filter claims it, or not at all."""

    STATED = "stated"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence by its SPDX id where there is one; `None` is unknown and never guessed."""

    id: str | None = None
    url: str | None = None
    evidence: Evidence = Evidence.UNKNOWN

    @classmethod
    def from_filter(cls, wish: LicenceFilter) -> Licence:
        """Return what a search narrowed to `wish` claims of its hits: a family of licences, not one.

        >>> Licence.from_filter(LicenceFilter.OPEN).allows(LicenceFilter.COMMERCIAL)
        True
        """
        return cls() if wish is LicenceFilter.ANY else cls(f"{_CLAIMED}{wish}", evidence=Evidence.CLAIMED)

    @property
    def is_open(self) -> bool:
        """Tell whether anybody may use and pass on the picture: public domain, CC0, BY, BY-SA; no claim."""
        return self.id is not None and self.id.startswith(_OPEN) and not self.id.startswith(_CLAIMED)

    def allows(self, wish: LicenceFilter) -> bool:
        """Tell whether this licence meets what a person asked for; an unknown one meets only `ANY`.

        >>> Licence("CC-BY-NC-4.0").allows(LicenceFilter.OPEN)
        False
        >>> Licence("CC-BY-ND-2.0").allows(LicenceFilter.COMMERCIAL)
        True
        """
        if wish is LicenceFilter.ANY:
            return True
        if self.id is None:
            return False
        return self.id.startswith(_ALLOWED[wish])


# A search filter's claim travels as an id of ours: the ledger keeps it, and a narrower wish refuses it.
_CLAIMED = "LicenseRef-Claimed-"
_PUBLIC_DOMAIN = (
    "CC0-",
    "CC-PDM-",
    "PDDL-",
    "LicenseRef-Public-Domain",
    "LicenseRef-US-Gov",
    "LicenseRef-No-Known-Restrictions",
    f"{_CLAIMED}{LicenceFilter.PUBLIC_DOMAIN}",
)
_OPEN = (
    *_PUBLIC_DOMAIN,
    *(f"CC-BY{sa}-{n}." for sa in ("", "-SA") for n in (1, 2, 3, 4)),
    f"{_CLAIMED}{LicenceFilter.OPEN}",
)
_ALLOWED = {
    LicenceFilter.PUBLIC_DOMAIN: _PUBLIC_DOMAIN,
    LicenceFilter.OPEN: _OPEN,
    LicenceFilter.COMMERCIAL: (*_OPEN, "CC-BY-ND-", f"{_CLAIMED}{LicenceFilter.COMMERCIAL}"),
}


class Safe(StrEnum):
    """How much of what is not for everybody a search may show."""

    STRICT = "strict"
    MODERATE = "moderate"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search may be narrowed by; a provider maps what it knows and names the rest in a warning."""

    licence: LicenceFilter = LicenceFilter.ANY
    min_size: int = 200
    photos: bool = False  # no clip art, no drawings
    colour: str | None = None  # "red", "grey", "transparent" …
    since: str | None = None  # ISO dates, both included
    until: str | None = None
    safe: Safe = Safe.STRICT
    language: str | None = None  # "en"
    region: str | None = None  # "US"
    site: str | None = None  # "example.org"


@dataclass(frozen=True, slots=True)
class Query:
    """One row of the query file: what to search for, and the class it fills."""

    text: str
    class_name: str
    line: int = 0
    limit: int | None = None
    providers: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result: addresses and what the source says of the picture. Nothing is downloaded yet.

    `source` is the same for every address of one photograph (`flickr:8109766359`); `others` are smaller
    renditions of it, tried in order when `url` fails.
    """

    url: str
    provider: str
    source: str
    rank: int = 0
    page: str | None = None
    title: str | None = None
    width: int | None = None
    height: int | None = None
    author: str | None = None
    author_url: str | None = None
    licence: Licence = field(default_factory=Licence)
    others: tuple[str, ...] = ()


class Verdict(StrEnum):
    """What became of a hit; every hit ends in exactly one."""

    KEPT = "kept"
    BETTER = "better"  # a twin of a kept picture that took its place: licence or size was better
    HAD = "had"  # settled by an earlier run or by another query; nothing was fetched
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"  # the same picture is wanted by two classes
    REJECTED = "rejected"  # thrown out by a person
    # the picture is not wanted
    TOO_SMALL = "too_small"
    BLANK = "blank"
    ASPECT = "aspect"
    PLACEHOLDER = "placeholder"  # one and the same picture served under many addresses of a host
    # the bytes are no picture of ours
    NOT_AN_IMAGE = "not_an_image"
    BROKEN_IMAGE = "broken_image"
    UNSUPPORTED = "unsupported_format"
    NEEDS_HEIF_EXTRA = "needs_heif_extra"
    TOO_MANY_PIXELS = "too_many_pixels"
    DECODER_DIED = "decoder_died"
    INTERNAL_ERROR = "internal_error"  # an exception that nobody foresaw: a bug of ours
    # nothing came, or not in time
    DNS = "dns"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BROKEN_TRANSFER = "broken_transfer"
    TLS = "tls"
    GONE = "gone"  # any final 4xx
    SERVER_ERROR = "server_error"  # 5xx after all attempts
    TOO_MANY_REDIRECTS = "too_many_redirects"
    HOST_PARKED = "host_parked"  # the host asked for more patience than one run has
    # we would not take it
    BAD_ADDRESS = "bad_address"  # not an http(s) address we can use
    BLOCKED_ADDRESS = "blocked_address"  # a private address, named by a page
    ENCODED = "encoded"  # a Content-Encoding nobody asked for
    TOO_BIG = "too_big"
    OPTED_OUT = "opted_out"  # X-Robots-Tag
    LICENCE = "licence"  # not known to be under the licence asked for

    @property
    def column(self) -> str:
        """The summary's column that counts this verdict; the columns add up to the hits found."""
        return _COLUMNS[self]

    @property
    def is_transient(self) -> bool:
        """Tell whether another run may see another end: the network or the host had a bad day."""
        return self in _PASSING


_COLUMNS = {
    verdict: column
    for column, verdicts in {
        "new": [Verdict.KEPT],
        "had": [Verdict.HAD],
        "dup": [Verdict.DUPLICATE, Verdict.BETTER, Verdict.CONFLICT],
        "small": [Verdict.TOO_SMALL, Verdict.BLANK, Verdict.ASPECT],
        "bad": [
            Verdict.NOT_AN_IMAGE,
            Verdict.BROKEN_IMAGE,
            Verdict.UNSUPPORTED,
            Verdict.NEEDS_HEIF_EXTRA,
            Verdict.PLACEHOLDER,
            Verdict.DECODER_DIED,
            Verdict.INTERNAL_ERROR,
        ],
        "dead": [
            Verdict.DNS,
            Verdict.UNREACHABLE,
            Verdict.TIMEOUT,
            Verdict.BROKEN_TRANSFER,
            Verdict.TLS,
            Verdict.GONE,
            Verdict.SERVER_ERROR,
            Verdict.TOO_MANY_REDIRECTS,
            Verdict.HOST_PARKED,
        ],
        "refused": [
            Verdict.BAD_ADDRESS,
            Verdict.BLOCKED_ADDRESS,
            Verdict.ENCODED,
            Verdict.TOO_BIG,
            Verdict.TOO_MANY_PIXELS,
            Verdict.OPTED_OUT,
            Verdict.LICENCE,
        ],
        "before": [Verdict.REJECTED],
    }.items()
    for verdict in verdicts
}
COLUMNS = tuple(dict.fromkeys(_COLUMNS.values()))

_PASSING = frozenset(
    {
        Verdict.DNS,
        Verdict.UNREACHABLE,
        Verdict.TIMEOUT,
        Verdict.BROKEN_TRANSFER,
        Verdict.SERVER_ERROR,
        Verdict.HOST_PARKED,
        Verdict.DECODER_DIED,
        Verdict.INTERNAL_ERROR,  # the next version may be without the bug
        Verdict.NEEDS_HEIF_EXTRA,
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a hit gave no picture: the verdict, and the detail a person would ask for."""

    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of one address as downloaded, and the address that gave them after redirects."""

    data: bytes = field(repr=False)  # asyncio shows results in its messages: 64 MB for 16
    url: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a picture is written: longest side (0 keeps size and shape), square padding, quality."""

    size: int = 299
    pad: bool = True
    quality: int = 90
    min_size: int = 200
    keep_original: bool = False


LOOK_BYTES = 484  # of a look, as `looks.PACKED` lays it out


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a picture looks like, as `looks.look` packs it: to store as it is, to compare by `duplicates`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A hit made good: decoded, upright, on white, resized, hashed, ready to write."""

    data: bytes = field(repr=False)  # the file as it will be written
    content: str  # SHA-256 of `data`; names the file
    body: str  # SHA-256 of the bytes as downloaded
    pixels: str  # SHA-256 of the upright pixels before resizing: exact twins under any metadata
    fingerprint: Fingerprint = field(repr=False)
    width: int
    height: int
    original_width: int
    original_height: int
    original_format: str  # as Pillow names it: "JPEG"
    original: bytes | None = field(default=None, repr=False)  # the download itself, when it is to be kept


@dataclass(frozen=True, slots=True)
class Task:
    """One hit on its way to one class: what the heavy stage takes in. `id` is the ledger's."""

    id: int
    class_name: str
    hit: Hit


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the heavy stage gives back for a task, with the bytes that travelled for it."""

    task: Task
    result: Picture | Refusal
    bytes_read: int = 0
