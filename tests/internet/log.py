"""The log of the test Internet: every request, and the number of concurrent ones."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.internet.proxy_server import Request

CONTROL = "internet.test"  # the host that serves this log
DOCUMENTS = {"/robots.txt", "/.well-known/tdmrep.json"}  # what a program asks each image host for, once a day


@dataclass(slots=True, eq=False)
class LoggedRequest:
    """One request: its content, its time, and the number of body bytes sent so far."""

    method: str
    scheme: str
    host: str
    path: str  # with the query, as sent
    headers: Mapping[str, str]  # names in lower case
    at: float = field(default_factory=time.monotonic)
    sent: int = 0
    finished: float | None = None

    @property
    def url(self) -> str:
        """The requested URL."""
        return f"{self.scheme}://{self.host}{self.path}"

    @property
    def asked(self) -> dict[str, str]:
        """The parameters of the URL, the last of each name."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}


class Log:
    """Counts while the servers work; read it from any thread."""

    def __init__(self) -> None:
        self.visits: list[LoggedRequest] = []
        self.most_at_once: Counter[str] = Counter()  # requests under way, by host
        self.most_connections: Counter[str] = Counter()  # open connections, by host
        self.unknown: Counter[str] = Counter()  # requests for unknown hosts
        self._attempts: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()
        self._open: Counter[str] = Counter()

    def to(self, host: str = "*", path: str = "*") -> list[LoggedRequest]:
        """Return the requests whose host and path (with its query) match both patterns, in order.

        Without a path, those for the documents of a host are left out.
        """
        visits = [visit for visit in self.visits if path != "*" or visit.path not in DOCUMENTS]
        return [v for v in visits if fnmatchcase(v.host, host) and fnmatchcase(v.path, path)]

    def count(self, url: str) -> int:
        """Return the number of requests for exactly this URL."""
        return sum(visit.url == url for visit in list(self.visits))

    def clear(self) -> None:
        """Clear the log and the count of attempts, as before a second run."""
        self.visits.clear()
        for counter in (self.most_at_once, self.most_connections, self.unknown, self._attempts):
            counter.clear()

    def state(self) -> dict[str, Any]:
        """Return the log as plain values, for another process; `restored` reads them."""
        visits = [(v.method, v.scheme, v.host, v.path, dict(v.headers), v.at, v.sent) for v in self.visits]
        return {
            "visits": [visit for visit in visits if visit[2] != CONTROL],
            "most_at_once": self.most_at_once,
            "most_connections": self.most_connections,
            "unknown": self.unknown,
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Log:
        """Create a log from another process's state."""
        log = cls()
        log.visits = [LoggedRequest(*visit) for visit in state["visits"]]
        log.most_at_once.update(state["most_at_once"])
        log.most_connections.update(state["most_connections"])
        log.unknown.update(state["unknown"])
        return log

    def begin(self, request: Request) -> tuple[LoggedRequest, int]:
        """Record a request; return it and the number of attempts at its URL, from 1."""
        visit = LoggedRequest(request.method, request.scheme, request.host, request.path, request.headers)
        self.visits.append(visit)
        self._attempts[visit.url] += 1
        _up(self._busy, self.most_at_once, visit.host)
        return visit, self._attempts[visit.url]

    def end(self, visit: LoggedRequest) -> None:
        """Record that a request is answered or given up."""
        visit.finished = time.monotonic()
        self._busy[visit.host] -= 1

    def opened(self, host: str) -> None:
        """Record a connection to a host."""
        _up(self._open, self.most_connections, host)

    def closed(self, host: str) -> None:
        """Record the end of a connection."""
        self._open[host] -= 1


def _up(now: Counter[str], most: Counter[str], host: str) -> None:
    now[host] += 1
    most[host] = max(most[host], now[host])
