"""Open the socket on which this program serves pages."""

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
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - wildcard addresses, and the address to open on this machine
_ELSEWHERE = "192.0.2.1"  # reserved for documentation: any address beyond this machine will do
_HOST_HINT = "Use 127.0.0.1 to accept this machine only, or 0.0.0.0 to accept other machines too."


class PortInUse(UsageError):
    """Another program listens on the port."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket, and the requested host."""

    host: str
    socket: socket.socket

    @property
    def port(self) -> int:
        """The port in use, also where 0 was requested."""
        return int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The URL to open on this machine."""
        return f"http://{join_host_port(_WILDCARDS.get(self.host, self.host), self.port)}/"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        ip = str(self.socket.getsockname()[0])
        return ip == "::1" or ip.startswith("127.")

    def find_network_url(self) -> str | None:
        """Return the URL for other machines in the network, or `None` if this machine has no address there."""
        if self.host not in _WILDCARDS:
            return None if self.is_loopback else self.url
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unsent:
            unsent.connect((_ELSEWHERE, 9))  # chooses the address to send from; nothing is sent
            return f"http://{join_host_port(str(unsent.getsockname()[0]), self.port)}/"
        return None

    def close(self) -> None:
        """Stop accepting connections."""
        self.socket.close()


def listen(host: str, port: int) -> Listener:
    """Listen on a host and port, 0 for any free port; raise `UsageError` if that fails."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise UsageError(f"{host} is not an address of this machine.", _HOST_HINT) from None
    # With the protocol named, asyncio switches Nagle's algorithm off: otherwise each answer of two parts waits for a
    # delayed acknowledgement, 40 ms on loopback.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows it would let two programs share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError):  # "::" accepts IPv4 too, where the system supports it
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise _listen_error(host, port, error) from None
    return Listener(host, listening)


def _listen_error(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < _LAST_PORT else port - 1
        return PortInUse(
            f"Port {port} is in use by another program.",
            f"Choose another port: --port {other}, or --port 0 for any free port.",
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return PortInUse(
            f"You have no permission to listen on port {port}.", "Choose a port from 1024 up, such as --port 8000."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return UsageError(f"{host} is not an address of this machine.", _HOST_HINT)
    return UsageError(f"Cannot listen on {join_host_port(host, port)}: {error.strerror or error}.", _HOST_HINT)
