"""Validate the values that sources send: each has the expected type and a sane size, or becomes `None`."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime, time
from html import unescape
from typing import Any
from unicodedata import category
from urllib.parse import parse_qs, urlsplit

from bs4 import BeautifulSoup

from harvest.errors import UsageError

_LONGEST_TEXT = 300
_LONGEST_URL = 2000  # what servers and browsers accept; longer ones are data, not URLs
_LONGEST_RECORD = 20_000  # one result as JSON in a page; Bing's have 1,000 characters
_LARGEST = 1_000_000_000
_DAY = 86_400
IDENTITY = 10**18  # the largest number used as an id; sizes are far smaller


def parse_text(value: object, *, html: bool = False) -> str | None:
    """Return one line of plain text: no markup, no control or private-use characters, of bounded length.

    >>> parse_text("Fish &amp; <b>chips</b>", html=True)
    'Fish & chips'
    >>> parse_text(7) is None
    True
    """
    if not isinstance(value, str):
        return None
    value = value[: 20 * _LONGEST_TEXT]
    if html:
        value = BeautifulSoup(value, "html.parser").get_text() if "<" in value else unescape(value)
    shown = "".join(c if category(c) not in _HIDDEN else _space(c) for c in value)
    line = " ".join(shown.split())
    return (line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…") or None


# Control, format, lone surrogate, private use: Bing marks matching words with U+E000 and U+E001.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co"})


def _space(character: str) -> str:
    return " " if character.isspace() else ""


def parse_url(value: object) -> str | None:
    """Return an http(s) URL that has a host and no credentials, else `None`.

    >>> parse_url("https://example.org/two words.jpg")
    'https://example.org/two%20words.jpg'
    >>> parse_url("javascript:alert(1)") is None
    True
    """
    if not isinstance(value, str) or len(value) > _LONGEST_URL:
        return None
    value = value.strip().replace(" ", "%20")
    if any(category(c) in _HIDDEN or c.isspace() for c in value):
        return None
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # unbalanced brackets, or a port that is not a number
        return None
    return value if is_valid and "@" not in parts.netloc else None


def parse_number(value: object, most: int = _LARGEST) -> int | None:
    """Return a positive integer up to `most`, sent as a number or as digits, else `None`.

    >>> parse_number("1024"), parse_number(-1), parse_number("many"), parse_number(True)
    (1024, None, None, None)
    """
    if isinstance(value, str) and value.isdecimal() and len(value) <= len(str(most)):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 < value <= most else None


def parse_json_object(value: str) -> dict[str, object]:
    """Parse the JSON object in an attribute of a page; return an empty one for anything else.

    >>> parse_json_object('{"t": "a snake"}'), parse_json_object("[" * 9999)
    ({'t': 'a snake'}, {})
    """
    if len(value) <= _LONGEST_RECORD:
        with suppress(ValueError, RecursionError):
            parsed = json.loads(value)
            return parsed if isinstance(parsed, dict) else {}
    return {}


def as_object(value: object) -> dict[str, Any]:
    """Return a JSON object unchanged, and an empty one for anything else.

    >>> as_object({"login": "ada"}), as_object(None)
    ({'login': 'ada'}, {})
    """
    return value if isinstance(value, dict) else {}


def as_objects(value: object) -> list[dict[str, Any]]:
    """Return the objects in a JSON list, and an empty list for anything else.

    >>> as_objects([{"id": 1}, 2, None]), as_objects("12")
    ([{'id': 1}], [])
    """
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def parse_day(day: str, *, end: bool = False) -> int:
    """Return the start or the end of a day in UTC, in seconds since 1970.

    >>> parse_day("1970-01-02"), parse_day("1970-01-02", end=True)
    (86400, 172799)
    """
    try:
        begins = datetime.combine(date.fromisoformat(day), time(), UTC)
    except ValueError:
        raise UsageError(f"{day!r} is not a date.", "Write it as 2024-05-31.") from None
    return int(begins.timestamp()) + (_DAY - 1 if end else 0)


def url_parameter(url: str, name: str) -> str | None:
    """Return one parameter of the query string of a URL.

    >>> url_parameter("/images?first=36&count=35", "first")
    '36'
    """
    with suppress(ValueError):
        return parse_qs(urlsplit(url).query).get(name, [None])[0]
    return None
