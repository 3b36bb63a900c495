"""Compute the wait before a retry."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"\d+(\.\d*)?")
_AVAILABLE = re.compile(r"available in (\d{1,9}) second")


def backoff_seconds(failures: int, jitter: float) -> float:
    """Return 1, 2, 4 … seconds plus up to 50 %; `jitter` is a random number below 1.

    >>> [backoff_seconds(n, 0) for n in (1, 2, 3)], backoff_seconds(1, 0.5)
    ([1.0, 2.0, 4.0], 1.25)
    """
    return 2.0 ** (failures - 1) * (1 + jitter / 2)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks for; `None` if it is missing or invalid.

    `now` is the current time in seconds since 1970: the header may contain a date.

    >>> parse_retry_after("30", 0), parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 10), parse_retry_after("soon", 0)
    (30.0, 50.0, None)
    """
    text = (value or "").strip()
    if text.isascii() and _SECONDS.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def parse_wait_hint(text: str) -> float | None:
    """Return the seconds that the body of a refusal asks for; Openverse states them nowhere else.

    >>> parse_wait_hint("Request was throttled. Expected available in 45 seconds."), parse_wait_hint("Slow down")
    (45.0, None)
    """
    found = _AVAILABLE.search(text)
    return float(found[1]) if found else None


def describe_wait(seconds: float) -> str:
    """Return a duration for messages.

    >>> describe_wait(30), describe_wait(600), describe_wait(7200), describe_wait(3e8)
    ('30 s', '10 min', '2 h', '3472 days')
    """
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{min(seconds / size, 1e6):.0f} {unit}"
    return f"{seconds:.0f} s"


def utc_now() -> float:
    """Return the current time in seconds since 1970."""
    return datetime.now(UTC).timestamp()
