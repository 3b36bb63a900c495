"""A door of our own: where the program itself serves pages, and what it says when it cannot."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from dataclasses import dataclass

from harvest.errors import UsageError
from harvest.web.address_policy import join_host_port

_BACKLOG = 256
_LAST_PORT = 65535
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - and where one finds oneself
_ALONE = "127.0.0.1 is for this machine alone, 0.0.0.0 for everybody who can reach it."


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, and the host it was asked to listen on."""

    host: str
    socket: socket.socket

    @property
    def port(self) -> int:
        """The port, also where any was asked for."""
        return int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The address to open on this machine."""
        return f"http://{join_host_port(_EVERYWHERE.get(self.host, self.host), self.port)}/"

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can come in."""
        ip = str(self.socket.getsockname()[0])
        return ip == "::1" or ip.startswith("127.")

    def close(self) -> None:
        """Let nobody in any more."""
        self.socket.close()


def listen(host: str, port: int) -> Listener:
    """Listen on a host and port, 0 being any that is free; raise `UsageError` where that cannot be."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise UsageError(f"{host} is no address of this machine.", _ALONE) from None
    door = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # on Windows it would let two programs share a port
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError):  # "::" is for addresses of both kinds, where the system can
                door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        door.bind(address)
        door.listen(_BACKLOG)
    except OSError as error:
        door.close()
        raise _listen_error(host, port, error) from None
    return Listener(host, door)


def _listen_error(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < _LAST_PORT else port - 1
        return UsageError(
            f"port {port} is taken: another program listens there.",
            f"Choose another: --port {other}, or --port 0 for any that is free.",
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return UsageError(f"port {port} is not yours to listen on.", "Those from 1024 on are: --port 8000.")
    if error.errno == errno.EADDRNOTAVAIL:
        return UsageError(f"{host} is no address of this machine.", _ALONE)
    return UsageError(f"cannot listen on {join_host_port(host, port)}: {error.strerror or error}.", _ALONE)
