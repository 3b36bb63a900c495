"""Keep what hosts say about all of their images, in memory and for a day in a file of the cache folder.

Anyone may have written the file: what is not valid in it is ignored, and asked for again.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harvest.errors import UsageError
from harvest.settings_and_cache_files import cache_file, write_settings
from harvest.web.robots_txt import EMPTY, RobotsGroup, RobotsRule, RobotsTxt
from harvest.web.tdm_reservation import ReservationRule, Reservations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

DAY = 24 * 3600.0  # RFC 9309: a cached robots.txt should not be used for longer
_LARGEST_FILE = 8 << 20  # bytes; 50,000 hosts without rules take 4 MB
_LARGEST_ENTRY = 16 << 10  # characters; a host with longer rules is asked again in each run


@dataclass(frozen=True)
class HostRules:
    """The rules of one host: its robots.txt and its reservations."""

    robots: RobotsTxt = EMPTY
    reservations: Reservations = Reservations(())  # noqa: RUF009 - it is frozen


class HostRulesCache:
    """The rules of hosts by server name; `now` returns the seconds since 1970, and is for tests."""

    def __init__(self, file: Path | None = None, *, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now
        self._new: dict[str, str] = {}
        self._stored: dict[str, list[Any]] | None = None

    def get(self, server: str) -> HostRules | None:
        """Return the rules of a server that were stored within the last day."""
        if self._stored is None:
            self._stored = self._load()
        entry = self._stored.get(server)
        try:
            return None if entry is None else _decode(entry[1])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def add(self, server: str, rules: HostRules) -> None:
        """Store the rules of a server with the next `save`."""
        text = json.dumps(_encode(rules), separators=(",", ":"))
        if len(text) <= _LARGEST_ENTRY:
            self._new[server] = text

    def save(self) -> None:
        """Write the file, with what other runs have added to it; the oldest entries are left out of a large one."""
        if not self._new:
            return
        entries = [(server, at, json.dumps(rules)) for server, (at, rules) in self._load().items()]
        entries = [entry for entry in entries if entry[0] not in self._new]
        entries += [(server, self._now(), text) for server, text in self._new.items()]
        lines: list[str] = []
        room = _LARGEST_FILE - 1000
        for server, at, text in sorted(entries, key=lambda entry: -entry[1]):
            line = f"{json.dumps(server)}:[{int(at)},{text}]"  # rounded down: a time in the future is not valid
            room -= len(line) + 2
            if room < 0:
                break
            lines.append(line)
        try:
            write_settings(self._path(), '{"hosts":{\n' + ",\n".join(lines) + "}}\n")
        except (OSError, UsageError) as error:
            log.debug("the rules of hosts were not saved: %s", error)

    def _path(self) -> Path:
        return self._file or cache_file("hosts.json")

    def _load(self) -> dict[str, list[Any]]:
        """Return the entries of the file that are not older than a day: the time of each, and its rules."""
        try:
            with self._path().open("rb") as opened:
                data = opened.read(_LARGEST_FILE + 1)
            hosts = json.loads(data)["hosts"] if len(data) <= _LARGEST_FILE else {}
            return {server: entry for server, entry in hosts.items() if self._is_fresh(entry)}
        except (OSError, UsageError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}

    def _is_fresh(self, entry: object) -> bool:
        match entry:
            case [int() | float() as at, dict()]:
                return 0 <= self._now() - at < DAY
        return False


def _encode(rules: HostRules) -> dict[str, Any]:
    own = rules.robots.own
    return {
        "own": None if own is None else own.rules,
        "general": rules.robots.general.rules,
        "reservations": rules.reservations.rules,
    }


def _decode(entry: dict[str, Any]) -> HostRules:
    """Return the rules of an entry; raise `ValueError` or another error of data for an invalid one."""
    own = entry["own"]
    reservations = tuple(ReservationRule(*pair) for pair in entry["reservations"])
    if not all(isinstance(rule.is_reserved, bool) and rule.location.encode() for rule in reservations):
        raise ValueError("not a reservation")
    robots = RobotsTxt(None if own is None else _decode_group(own), _decode_group(entry["general"]))
    return HostRules(robots, Reservations(reservations))


def _decode_group(pairs: list[Any]) -> RobotsGroup:
    rules = tuple(RobotsRule(*pair) for pair in pairs)
    for text in (text for rule in rules for text in rule):
        text.encode()  # raises an error for what is not a text, or contains a lone surrogate
    return RobotsGroup(rules)
