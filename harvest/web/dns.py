"""Resolve names in threads, with a deadline, and check the addresses before anything is sent.

The connection is made to the checked address. The name is not resolved a second time, so DNS cannot give
another answer after the check (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from aiohttp.abc import AbstractResolver, ResolveResult

from harvest.web.address_policy import Allowed, PrivateAddress, join_host_port

Resolve = Callable[[str], list[str]]

_MAX_THREADS = 128  # those that hang included: a thread ends with its system call, long after its deadline
_FINAL = (socket.EAI_NONAME, socket.EAI_FAIL)


class LookupFailed(Exception):
    """A name could not be resolved; `final` when a retry would not help."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


def resolve(name: str) -> list[str]:
    """Return the addresses of a name, from the system's resolver."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def check_answer(host: str, ips: Iterable[str], allowed: Allowed) -> None:
    """Raise `PrivateAddress` when any address that a name resolves to is not allowed."""
    for ip in ips:
        if not allowed(ip):
            raise PrivateAddress(f"{host} resolves to {ip}, which is not an address of the public Internet")


class Resolver:
    """Resolves each name in its own thread, so that a lookup that hangs does not delay others.

    The threads are daemons: Python would wait for those of a pool when the program ends.
    """

    def __init__(self, resolve: Resolve, deadline: float) -> None:
        self._resolve = resolve
        self._deadline = deadline
        self._running: dict[str, asyncio.Future[list[str]]] = {}
        self._room = asyncio.Semaphore(_MAX_THREADS)

    async def look_up(self, name: str) -> list[str]:
        """Return the addresses of a name, at least one, or raise `LookupFailed`."""
        try:
            async with asyncio.timeout(self._deadline):
                found = await asyncio.shield(self._running.get(name) or await self._start(name))
        except TimeoutError:
            raise LookupFailed(f"DNS did not answer for {name} within {self._deadline:g} s") from None
        except (OSError, UnicodeError) as error:
            final = isinstance(error, socket.gaierror) and error.errno in _FINAL
            raise LookupFailed(f"{name} cannot be resolved", final=final) from error
        if not found:
            raise LookupFailed(f"{name} cannot be resolved", final=True)
        return found

    async def _start(self, name: str) -> asyncio.Future[list[str]]:
        await self._room.acquire()
        loop = asyncio.get_running_loop()
        future = self._running[name] = loop.create_future()

        def finish(found: list[str], error: Exception | None) -> None:
            self._room.release()
            self._running.pop(name, None)
            if error is None:
                future.set_result(found)
            else:
                future.set_exception(error)
                future.exception()  # mark it as retrieved: the caller may have timed out

        def work() -> None:
            found: list[str] = []
            error: Exception | None = None
            try:
                found = self._resolve(name)
            except Exception as problem:  # noqa: BLE001 - raised in the caller
                error = problem
            with suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(finish, found, error)

        threading.Thread(target=work, name=f"lookup {name}", daemon=True).start()
        return future


class GuardedResolver(AbstractResolver):
    """A resolver for aiohttp that refuses a name if any of its addresses is not allowed."""

    def __init__(self, lookups: Resolver, *, allowed: Allowed, trusted: Collection[str] = ()) -> None:
        self._lookups = lookups
        self._allowed = allowed
        self._trusted = trusted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses to connect to, or raise `LookupFailed` or `PrivateAddress`."""
        found = await self._lookups.look_up(host)
        if join_host_port(host, port) not in self._trusted:
            check_answer(host, found, self._allowed)
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=port,
                family=socket.AF_INET6 if ":" in ip else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for ip in found
            if family in (socket.AF_UNSPEC, socket.AF_INET6 if ":" in ip else socket.AF_INET)
        ]

    async def close(self) -> None:
        """Do nothing: the threads end on their own."""
