"""An adapter for requests that makes direct connections to checked addresses only.

A name is resolved once per connection, every address of the answer is checked, and the socket connects to
one of them. The name is not resolved a second time, so DNS cannot give another answer after the check (DNS
rebinding). TLS verification and the Host header still use the name. Through a proxy nothing is checked: the
proxy resolves the name.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from harvest.web.address_policy import Allowed, is_public, join_host_port
from harvest.web.dns import Resolve, check_answer, resolve

Find = Callable[[str, int], list[str]]


class CheckedAdapter(HTTPAdapter):
    """Connects to names whose addresses are allowed; raises `PrivateAddress` for others.

    With `keep_first` the first addresses of each server are allowed whatever they are, and later ones must be
    public or among the first. This is for servers that the user chose, which may be in a home network.
    """

    def __init__(self, *, resolve: Resolve = resolve, allowed: Allowed = is_public, keep_first: bool = False) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._first: dict[str, list[str]] | None = {} if keep_first else None
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Create a pool whose connections get their addresses from `find`; called by requests."""
        self.poolmanager = _CheckedPools(self.find, num_pools=connections, maxsize=maxsize, block=block, **options)

    def find(self, host: str, port: int) -> list[str]:
        """Return the addresses to connect to, at least one; raise `PrivateAddress` or `OSError`."""
        found = self._resolve(host)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        known = [] if self._first is None else self._first.setdefault(join_host_port(host, port), found)
        check_answer(host, [ip for ip in found if ip not in known], self._allowed)
        return found


class _CheckedPools(PoolManager):
    def __init__(self, find: Find, **options: Any) -> None:
        super().__init__(**options)
        self._find = find
        self.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def _new_pool(
        self, scheme: str, host: str, port: int, request_context: dict[str, Any] | None = None
    ) -> HTTPConnectionPool:
        context = self.connection_pool_kw if request_context is None else request_context
        return super()._new_pool(scheme, host, port, {**context, "find": self._find})


class _Checked(HTTPConnection):
    """A connection to one of the addresses that `find` returns, in their order."""

    def __init__(self, *args: Any, find: Find, **options: Any) -> None:
        super().__init__(*args, **options)
        self._find = find

    def _new_conn(self) -> socket.socket:
        try:
            addresses = self._find(self.host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"the name cannot be resolved: {error}") from error
        failure: Exception = NewConnectionError(self, "no address")
        for ip in addresses:
            try:
                where = (ip, self.port)
                return create_connection(where, self.timeout, self.source_address, self.socket_options)
            except TimeoutError as error:
                failure = ConnectTimeoutError(self, f"no connection within {self.timeout} s")
                failure.__cause__ = error
            except OSError as error:
                failure = NewConnectionError(self, f"no connection: {error}")
                failure.__cause__ = error
        raise failure


class _CheckedTLS(_Checked, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Checked


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTLS
