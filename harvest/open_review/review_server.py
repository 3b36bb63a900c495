"""Serve the review page of a dataset on a port, with a link that only the person who started it knows."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Self

from harvest.http_server.listener import PortInUse, listen
from harvest.http_server.server import Server
from harvest.http_server.service_limits import ServiceLimits
from harvest.open_review import FIRST_PORT
from harvest.open_review.newest_run import NewestRun
from harvest.review.access import make_token
from harvest.review.review_app import make_review_app

if TYPE_CHECKING:
    from harvest.dataset import Dataset
    from harvest.http_server.listener import Listener

_PORTS = 100  # tried in turn
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


class ReviewServer:
    """A review that listens; `run` answers until it is stopped."""

    def __init__(self, dataset: Dataset, listener: Listener, *, frame_ancestors: str = "'none'") -> None:
        self.listener = listener
        self.token = make_token()
        limits = ServiceLimits()
        app = make_review_app(
            dataset,
            self.token,
            names=_accepted_names(listener),
            port=listener.port,
            any_address=not listener.is_loopback,
            limits=limits,
            model=NewestRun(dataset.root),
            frame_ancestors=frame_ancestors,
        )
        self._server = Server(app, listener, limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    @property
    def link(self) -> str:
        """The link that opens the page on this machine."""
        return self.link_at(self.listener.url)

    def link_at(self, url: str) -> str:
        """Return the link for another name or address of this machine."""
        return f"{url}?token={self.token}"

    def run(self) -> None:
        """Answer until Ctrl-C or `stop`."""
        self._server.run()

    def stop(self) -> None:
        """End `run`."""
        self._server.stop()


def listen_for_review(host: str = "127.0.0.1", port: int | None = None) -> Listener:
    """Listen on a port, or on the first free one: another review may be open."""
    if port is not None:
        return listen(host, port)
    for candidate in range(FIRST_PORT, FIRST_PORT + _PORTS):
        try:
            return listen(host, candidate)
        except PortInUse:
            continue
    return listen(host, 0)


def _accepted_names(listener: Listener) -> set[str]:
    """Return the host names that the link may have; other machines use the name or the address of this one."""
    node = platform.node().lower()
    if listener.is_loopback or not node:
        return set(_LOCAL)
    return {*_LOCAL, node, f"{node.partition('.')[0]}.local", listener.host.lower()}
