"""Translate the filters of a query into Google's parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harvest.models import Safe
from harvest.providers import answer_values

if TYPE_CHECKING:
    from harvest.models import Filters, Query

# The fields of `Filters` that `search_text` and `search_parameters` apply.
SUPPORTED_FILTERS = frozenset({"min_size", "photos", "colour", "since", "until", "safe", "language", "region", "site"})
COLOURS = frozenset(
    {"red", "orange", "yellow", "green", "teal", "blue"} | {"purple", "pink", "white", "gray", "black", "brown"}
)
_SPELLINGS = {"grey": "gray"}
_KINDS = {"transparent": "ic:trans", "bw": "ic:gray"}
# Google's names for "larger than", with their number of pixels.
_SIZES = {"qsvga": 400 * 300, "vga": 640 * 480, "svga": 800 * 600, "xga": 1024 * 768, "2mp": 1600 * 1200}


def google_colour(filters: Filters) -> str | None:
    """Return Google's name of the colour: one of `COLOURS`, "transparent" or "bw"; `None` for any other."""
    colour = (filters.colour or "").casefold()
    colour = _SPELLINGS.get(colour, colour)
    return colour if colour in COLOURS or colour in _KINDS else None


def search_text(query: Query) -> str:
    """Return the text for the search box.

    >>> from harvest.models import Filters, Query
    >>> search_text(Query("king snake", "king", filters=Filters(site="example.org")))
    'king snake site:example.org'
    """
    return f"{query.text} site:{query.filters.site}" if query.filters.site else query.text


def search_parameters(filters: Filters) -> dict[str, str]:
    """Return the parameters of every Google search, and `tbs`, which holds the image filters.

    >>> from harvest.models import Filters
    >>> search_parameters(Filters(photos=True, colour="grey", min_size=700, since="2024-05-01", language="en"))["tbs"]
    'itp:photo,ic:specific,isc:gray,isz:lt,islt:svga,cdr:1,cd_min:5/1/2024'
    """
    params = {
        "safe": "off" if filters.safe is Safe.OFF else "active",
        "hl": filters.language or "en",
        "gl": (filters.region or "").lower(),
        "tbs": ",".join(_tbs(filters)),
    }
    return {name: value for name, value in params.items() if value}


def _tbs(filters: Filters) -> list[str]:
    tbs = ["itp:photo"] if filters.photos else []
    if colour := google_colour(filters):
        tbs.append(_KINDS.get(colour, f"ic:specific,isc:{colour}"))
    # The filter counts pixels: a threshold of at most `min_size` squared excludes no image that is large enough.
    if fitting := [name for name, pixels in _SIZES.items() if pixels <= filters.min_size**2]:
        tbs.append(f"isz:lt,islt:{fitting[-1]}")
    if filters.since or filters.until:
        tbs.append("cdr:1")
        tbs += [f"cd_min:{_day(filters.since)}"] if filters.since else []
        tbs += [f"cd_max:{_day(filters.until)}"] if filters.until else []
    return tbs


def _day(text: str) -> str:
    day = datetime.fromtimestamp(answer_values.parse_day(text), UTC)
    return f"{day.month}/{day.day}/{day.year}"
