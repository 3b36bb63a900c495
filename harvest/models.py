"""The data that moves from stage to stage, from a query to a picture on disk.

Everything here is frozen and can be pickled, so that downloading and decoding may run in a thread, a process or on
another machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from harvest.errors import UsageError
from harvest.licences import Licence, LicenceFilter
from harvest.option_fields import Option

if TYPE_CHECKING:
    from harvest.verdicts import Verdict


class Safe(StrEnum):
    """How strictly a search leaves out images that are not for everyone."""

    STRICT = "strict"
    MODERATE = "moderate"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a search; a provider maps the filters that it supports, and a warning names the others."""

    licence: Annotated[
        LicenceFilter,
        Option("--license", keyword="license", help="Keep only images known to have such a licence."),
    ] = LicenceFilter.ANY
    min_size: Annotated[int, Option("--min-size", min=1, metavar="PX", help="Minimum shorter side in pixels.")] = 200
    photos: Annotated[bool, Option("--photos", help="Photographs only, no clip art.")] = False
    colour: Annotated[
        str | None,
        Option("--color", keyword="color", metavar="NAME", help="Dominant colour, such as red or gray."),
    ] = None
    since: Annotated[
        str | None,
        Option("--since", metavar="DAY", is_day=True, help="Only images from this day on, such as 2024-05-31."),
    ] = None
    until: Annotated[str | None, Option("--until", metavar="DAY", is_day=True, help="Only images up to this day.")] = (
        None
    )
    safe: Annotated[Safe, Option("--safe", help="Safe search level.")] = Safe.STRICT
    language: Annotated[
        str | None, Option("--lang", metavar="CODE", help="Language of the results, such as en or de.")
    ] = None
    region: Annotated[
        str | None, Option("--region", metavar="CODE", help="Country of the results, such as US or DE.")
    ] = None
    site: Annotated[str | None, Option("--site", metavar="HOST", help="Only images from pages of this site.")] = None

    def __post_init__(self) -> None:
        """Raise `UsageError` for a range of days that holds none, also when a query and its run name one end each."""
        if self.since is not None and self.until is not None and self.since > self.until:
            raise UsageError(
                f"since is {self.since}, which is after until, {self.until}: no image can match.", "Swap the two days."
            )


@dataclass(frozen=True, slots=True)
class Query:
    """One row of the query file: what to search for, and the class that the images belong to."""

    text: str
    class_name: str
    line: int = 0
    limit: int | None = None
    providers: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result: URLs, and what the source says of the image. Nothing is downloaded yet.

    `source` is the same for every URL of one photograph (`flickr:8109766359`); `others` are smaller
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a hit gave no picture: the verdict, and a detail for people."""

    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a download, and the URL that they came from after redirects."""

    data: bytes = field(repr=False)  # asyncio prints results in its messages: 64 MB for 16
    url: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an image is written."""

    size: Annotated[
        int,
        Option("-s", "--size", min=0, max=20000, metavar="PX", help="Longest side in pixels; 0 keeps size and shape."),
    ] = 299
    pad: Annotated[
        bool,
        Option("-p", "--no-pad", turns_off=True, help="Keep the aspect ratio instead of padding to a white square."),
    ] = True
    quality: int = 90
    min_size: int = 200  # the filter's, which is checked again when the image is there
    keep_original: Annotated[
        bool,
        Option("-k", "--keep", keyword="keep_originals", help="Also keep the original files, in FOLDER.raw."),
    ] = False

    @property
    def form(self) -> str:
        """The size and shape of the images that are written, in words.

        >>> Recipe().form, Recipe(size=500, pad=False).form, Recipe(size=0).form
        ('299 x 299 pixels, padded', 'longest side 500 pixels', 'original size')
        """
        if not self.size:
            return "original size"
        return f"{self.size} x {self.size} pixels, padded" if self.pad else f"longest side {self.size} pixels"


@dataclass(frozen=True, slots=True)
class StatementRules:
    """Which images are refused for what their files say about themselves."""

    obey_opt_out: bool = True
    accept_ai: bool = True


DEFAULT_RULES = StatementRules()


# The IPTC digital source types of images that were made or changed with generative AI.
AI_SOURCE_TYPES = frozenset({"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"})

# Of a fingerprint, as `duplicates.fingerprint.PACKED` lays it out, and as the version before did.
FINGERPRINT_BYTES, EARLIER_FINGERPRINT_BYTES = 1885, 484


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What recognises a picture after resizing, cropping or recompression; `duplicates` makes and compares it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A downloaded and processed image: decoded, upright, on white, resized, hashed, ready to write."""

    data: bytes = field(repr=False)  # the file as it will be written
    content: str  # SHA-256 of `data`; names the file
    body: str  # SHA-256 of the bytes as downloaded
    pixels: str  # SHA-256 of the upright pixels before resizing: the same under any metadata
    fingerprint: Fingerprint = field(repr=False)
    width: int
    height: int
    original_width: int
    original_height: int
    original_format: str  # as Pillow names it: "JPEG"
    original: bytes | None = field(default=None, repr=False)  # the download itself, with --keep
    source_type: str | None = None  # the IPTC digital source type that the download states


@dataclass(frozen=True, slots=True)
class Task:
    """One hit to download for one class; `id` is the id of its row in the ledger."""

    id: int
    class_name: str
    hit: Hit


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a task, and the number of bytes downloaded for it."""

    task: Task
    result: Picture | Refusal
    bytes_read: int = 0
