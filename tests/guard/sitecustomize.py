"""Keep tests on loopback: refuse and record any lookup or connection beyond it.

`conftest.py` installs the guard in the tests' own process. Commands started by tests load it too, because this
folder is on their PYTHONPATH and Python imports a module of this name at startup.

It can also slow down the renames of a command, like a slow disk, so that a kill between two of them is likely.
"""

from __future__ import annotations

import ipaddress
import os
import sys
import time

STRAYS = "HARVEST_TESTS_STRAYS"  # names the file that records a command's attempts
SLOW = "HARVEST_TESTS_SLOW_RENAMES"  # the seconds of each rename of a command
WATCHED = {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}


def stray(event: str, args: tuple[object, ...]) -> str | None:
    """Return the host of a `socket` event if it is beyond this machine.

    >>> stray("socket.getaddrinfo", ("www.bing.com", 443, 0, 0, 0))
    'www.bing.com'
    >>> stray("socket.connect", (None, ("127.0.0.1", 80)))
    """
    if event not in WATCHED:
        return None
    if event in {"socket.connect", "socket.sendto"}:
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # other address families stay on this machine
    else:
        host = args[0]
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    return None if not isinstance(host, str) or _is_here(host) else host


def _is_here(host: str) -> bool:
    if host in {"", "localhost", "0.0.0.0", "::"}:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _watch(event: str, args: tuple[object, ...]) -> None:
    host = stray(event, args)
    if host is not None:
        with open(os.environ[STRAYS], "a", encoding="utf-8") as file:  # noqa: PTH123 - starts before pathlib
            file.write(f"{event} {host}\n")
        raise OSError(f"a test must not leave loopback: {event} {host}")


def _delay(event: str, _: tuple[object, ...]) -> None:
    if event == "os.rename":
        time.sleep(float(os.environ[SLOW]))


def watch() -> None:
    """Install what the environment asks for: at the start, and again in a forked command."""
    if STRAYS in os.environ:
        sys.addaudithook(_watch)
    if SLOW in os.environ:
        sys.addaudithook(_delay)


watch()
