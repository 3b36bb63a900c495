"""What went wrong underneath, as a verdict.

The transport folds several errors into one (a lookup that failed and a cut connection both come out as
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
from harvest.web.exception_chain import exception_chain

if TYPE_CHECKING:
    from collections.abc import Callable

ERRORS = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, AddressRefused, LookupFailed)


def _reason(error: Any) -> str:
    """Return the system's words for why there is no connection."""
    number = error.os_error.errno
    return os.strerror(number).lower() if number in errno.errorcode else "no connection"


_KINDS: tuple[tuple[type[BaseException], Verdict, Callable[[Any], str]], ...] = (  # the first that fits
    (ssl.SSLCertVerificationError, Verdict.TLS, lambda error: error.verify_message),
    (ssl.SSLError, Verdict.TLS, lambda error: error.reason or "no secure connection"),
    (aiohttp.InvalidURL, Verdict.BAD_ADDRESS, lambda _: "an address aiohttp cannot use"),
    (aiohttp.ClientHttpProxyError, Verdict.UNREACHABLE, lambda error: f"the proxy answered {error.status}"),
    (aiohttp.ClientProxyConnectionError, Verdict.UNREACHABLE, lambda error: f"the proxy: {_reason(error)}"),
    (aiohttp.ClientConnectorError, Verdict.UNREACHABLE, _reason),
    (TimeoutError, Verdict.TIMEOUT, lambda _: "nothing came for too long"),  # aiohttp's among them
    (aiohttp.ClientPayloadError, Verdict.BROKEN_TRANSFER, lambda _: "the body ended early"),
    (aiohttp.ServerDisconnectedError, Verdict.BROKEN_TRANSFER, lambda _: "the connection was cut"),
    (ConnectionError, Verdict.BROKEN_TRANSFER, lambda _: "the connection was cut"),
    (aiohttp.ClientResponseError, Verdict.BROKEN_TRANSFER, lambda _: "the answer is not HTTP"),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one try failed, and whether another may go better."""

    refusal: Refusal
    is_transient: bool = True
    wait: float | None = None  # the server asks for this pause
    busy: bool = False  # it is the host that is busy, not the picture that fails
    answered: bool = False


def classify_error(error: BaseException) -> Failure:
    """Return what an error of `ERRORS` means."""
    for cause in exception_chain(error):
        if isinstance(cause, AddressRefused):
            return Failure(Refusal(cause.verdict, str(cause)), is_transient=False)
        if isinstance(cause, LookupFailed):
            return Failure(Refusal(Verdict.DNS, str(cause)), is_transient=not cause.final)
        for kind, verdict, detail in _KINDS:
            if isinstance(cause, kind) and not isinstance(cause, aiohttp.ClientSSLError):
                passing = verdict not in (Verdict.TLS, Verdict.BAD_ADDRESS)
                return Failure(Refusal(verdict, detail(cause)), is_transient=passing)
    return Failure(Refusal(Verdict.BROKEN_TRANSFER, type(error).__name__))
