"""Translate network exceptions into verdicts.

The transport maps several errors to one (a failed DNS lookup and a cut connection both become
`ConnectTimeout`), so the verdict is read from the chain of causes.
"""

from __future__ import annotations

import errno
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx

from harvest.models import Refusal
from harvest.verdicts import Verdict
from harvest.web.address_policy import AddressRefused
from harvest.web.dns import LookupFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ERRORS = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, AddressRefused, LookupFailed)


def _reason(error: Any) -> str:
    """Return the operating system's message for a failed connection."""
    number = error.os_error.errno
    return os.strerror(number).lower() if number in errno.errorcode else "no connection"


_KINDS: tuple[tuple[type[BaseException], Verdict, Callable[[Any], str]], ...] = (  # the first match counts
    (ssl.SSLCertVerificationError, Verdict.TLS, lambda error: error.verify_message),
    (ssl.SSLError, Verdict.TLS, lambda error: error.reason or "the TLS handshake failed"),
    (aiohttp.InvalidURL, Verdict.BAD_ADDRESS, lambda _: "aiohttp cannot parse the URL"),
    (aiohttp.ClientHttpProxyError, Verdict.UNREACHABLE, lambda error: f"the proxy answered HTTP {error.status}"),
    (aiohttp.ClientProxyConnectionError, Verdict.UNREACHABLE, lambda error: f"the proxy: {_reason(error)}"),
    (aiohttp.ClientConnectorError, Verdict.UNREACHABLE, _reason),
    (TimeoutError, Verdict.TIMEOUT, lambda _: "no data arrived in time"),  # includes aiohttp's timeouts
    (aiohttp.ClientPayloadError, Verdict.BROKEN_TRANSFER, lambda _: "the body ended early"),
    (aiohttp.ServerDisconnectedError, Verdict.BROKEN_TRANSFER, lambda _: "the connection was cut"),
    (ConnectionError, Verdict.BROKEN_TRANSFER, lambda _: "the connection was cut"),
    (aiohttp.ClientResponseError, Verdict.BROKEN_TRANSFER, lambda _: "the response is not valid HTTP"),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one attempt failed, and whether a retry may help."""

    refusal: Refusal
    is_transient: bool = True
    wait: float | None = None  # seconds that the server asks to wait
    busy: bool = False  # the host is busy; the image itself did not fail
    answered: bool = False  # the server began to respond


def classify_error(error: BaseException) -> Failure:
    """Return the failure that an exception of `ERRORS` stands for."""
    for cause in exception_chain(error):
        if isinstance(cause, AddressRefused):
            return Failure(Refusal(cause.verdict, str(cause)), is_transient=False)
        if isinstance(cause, LookupFailed):
            return Failure(Refusal(Verdict.DNS, str(cause)), is_transient=not cause.final)
        for kind, verdict, detail in _KINDS:
            if isinstance(cause, kind) and not isinstance(cause, aiohttp.ClientSSLError):
                is_transient = verdict not in (Verdict.TLS, Verdict.BAD_ADDRESS)
                return Failure(Refusal(verdict, detail(cause)), is_transient=is_transient)
    return Failure(Refusal(Verdict.BROKEN_TRANSFER, type(error).__name__))


def exception_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes, the innermost last.

    >>> list(exception_chain(KeyError("alone")))
    [KeyError('alone')]
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
