"""Read a `/.well-known/tdmrep.json`: which paths of a host are reserved from text and data mining (W3C TDMRep)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from harvest.web.robots_txt import PathPattern

_MOST_RULES = 1_000
_LONGEST = 2_000  # characters of a location
_MOST_TEXT = 64 << 10  # characters of all locations: many hosts must not fill the memory


class ReservationRule(NamedTuple):
    """The paths of a host that match `location` are reserved, or are not."""

    location: str
    is_reserved: bool


@dataclass(frozen=True)
class Reservations:
    """The rules of a host, in the order of its file: the first that matches a URL decides."""

    rules: tuple[ReservationRule, ...]

    def is_reserved(self, url: str) -> bool:
        """Return whether a URL is reserved.

        >>> rules = Reservations((ReservationRule("/free/*", False), ReservationRule("/", True)))
        >>> rules.is_reserved("https://img.example/a.jpg"), rules.is_reserved("https://img.example/free/a.jpg")
        (True, False)
        """
        return next((is_reserved for pattern, is_reserved in self._patterns if pattern.matches(url)), False)

    @cached_property
    def _patterns(self) -> list[tuple[PathPattern, bool]]:
        return [(PathPattern(rule.location), rule.is_reserved) for rule in self.rules]


def parse_reservations(text: str) -> Reservations:
    """Return the rules of a tdmrep.json; what is not a rule is ignored.

    >>> parse_reservations('[{"location": "/", "tdm-reservation": 1}, 7]').rules
    (ReservationRule(location='/', is_reserved=True),)
    >>> parse_reservations("<!doctype html>").rules
    ()
    """
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return Reservations(())
    rules: list[ReservationRule] = []
    room = _MOST_TEXT
    for entry in entries[:_MOST_RULES] if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        location, value = entry.get("location"), str(entry.get("tdm-reservation"))
        if isinstance(location, str) and _is_path(location) and value in ("0", "1"):
            room -= len(location)
            if room >= 0:
                rules.append(ReservationRule(location, value == "1"))
    return Reservations(tuple(rules))


def _is_path(location: str) -> bool:
    """Return whether a location is a pattern of paths; a lone surrogate, for one, is not printable."""
    return location.startswith(("/", "*")) and len(location) <= _LONGEST and location.isprintable()
