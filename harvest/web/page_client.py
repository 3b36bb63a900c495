"""Fetch a search page once, redirects included.

The text of an underlying error is never passed on: it contains URLs, and the URLs of an API contain its key.
"""

from __future__ import annotations

import http.client
import logging
import ssl
from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin

import requests
import urllib3.exceptions
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict

from harvest.errors import PageChanged
from harvest.web import certificate_authorities
from harvest.web.address_policy import (
    Address,
    AddressRefused,
    Allowed,
    check_url,
    is_public,
)
from harvest.web.checked_adapter import CheckedAdapter
from harvest.web.dns import Resolve, resolve
from harvest.web.failure_verdicts import exception_chain
from harvest.web.redact import Secrets, redact
from harvest.web.retry_wait import parse_retry_after, parse_wait_hint, utc_now
from harvest.web.search_response import SearchPage, decode_text
from harvest.web.user_agent import USER_AGENT

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Mapping

    from harvest.web.limits import PageLimits
    from harvest.web.proxies import Proxies

TOO_MANY_REQUESTS = 429
Body: TypeAlias = "Mapping[str, str] | str"  # a form, or the text of a JSON object without secrets
_ERRORS = 500
_PIECE = 64 * 1024
_SENTENCE = 1000  # bytes of a 429 response that are searched for the time to wait
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "*/*"}
# Headers that are sent to another host after a redirect; the cookie jar limits cookies to their host.
_HARMLESS = frozenset({"user-agent", "accept", "accept-language", "accept-encoding", "cookie"})
_KINDS: tuple[tuple[type[BaseException], str, bool], ...] = (  # the first match counts; with whether a retry may help
    (ssl.SSLCertVerificationError, "has a certificate that cannot be verified", False),
    (urllib3.exceptions.ProxyError, "cannot be reached: the proxy refused the connection", True),
    (urllib3.exceptions.NameResolutionError, "cannot be reached: its name cannot be resolved", True),
    (urllib3.exceptions.NewConnectionError, "cannot be reached: no connection", True),
    (urllib3.exceptions.TimeoutError, "did not answer in time", True),
    (TimeoutError, "did not answer in time", True),
    (urllib3.exceptions.DecodeError, "sent a page with invalid compression", True),
)
_ERRORS_OF_SENDING = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it logs URLs, with their keys


class RequestFailed(Exception):
    """A request without a usable response; `wait` is the pause in seconds that the server asks for."""

    def __init__(self, what: str, *, status: int = 0, wait: float | None = None, again: bool = True) -> None:
        super().__init__(what)
        self.status = status
        self.wait = wait
        self.can_retry = again


class PageClient:
    """Fetches pages with one cookie jar.

    The server of a provider may have any address: the user chose it. Redirects to other servers are followed to
    public addresses only. The two kinds of connections are kept apart, so that a redirect cannot use one that
    was made for the provider.
    """

    def __init__(
        self,
        proxies: Proxies,
        limits: PageLimits,
        *,
        secrets: Collection[str] = (),
        resolve: Resolve = resolve,
        allowed: Allowed = is_public,
    ) -> None:
        self._proxies = proxies
        self._limits = limits
        self._authorities = str(certificate_authorities.certificate_path())
        self._session = requests.Session()
        self._session.trust_env = False  # proxies and certificates are chosen here, and no .netrc is read
        self._secrets = Secrets(secrets)
        self._allowed = allowed
        self._to_provider = CheckedAdapter(resolve=resolve, allowed=allowed, keep_first=True)
        self._to_others = CheckedAdapter(resolve=resolve, allowed=allowed)

    def close(self) -> None:
        """Close every connection."""
        self._session.close()
        self._to_provider.close()
        self._to_others.close()

    def fetch(
        self,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        late: threading.Event,
        body: Body | None = None,
    ) -> SearchPage:
        """Return the page at a URL, or raise `RequestFailed`; stops reading once `late` is set.

        A `body` is posted to this URL only, never to a redirect: it may contain a secret.
        """
        address: Address | None = None
        adapter = self._to_provider
        secrets = self._secrets
        for _ in range(self._limits.redirects + 1):
            before = address
            try:
                request, address = self._prepare(url, params, headers, before=before, body=body)
                if before is None:
                    secrets = secrets.with_sent(str(request.url), headers, {} if isinstance(body, str) else body)
                elif before.host_and_port != address.host_and_port:
                    adapter = self._to_others  # also for the first server: another server chose the URL
                with self._send(request, address, adapter) as response:
                    if not response.is_redirect:
                        return self._read(response, late, secrets)
                    if body is not None:
                        raise RequestFailed("redirects posted data to another URL", again=False)
                    url = urljoin(str(request.url), self._session.get_redirect_target(response) or "")
            except AddressRefused as error:
                what = f"leads to an address that is not allowed ({secrets.hide(redact(str(error)))})"
                raise RequestFailed(what, again=False) from None
            except _ERRORS_OF_SENDING as error:
                raise _request_failed(error) from None
            except ValueError:
                raise RequestFailed("redirected to something that is not a URL", again=False) from None
            params = {}  # the URL of the redirect contains them if it needs them
        raise RequestFailed(f"redirected more than {self._limits.redirects} times", again=False)

    def _prepare(
        self,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        before: Address | None,
        body: Body | None,
    ) -> tuple[requests.PreparedRequest, Address]:
        """Return a request and its address; `before` is the address that redirected to it."""
        headers = {**_HEADERS, **headers, "Accept-Encoding": "gzip, deflate"}
        method = "GET" if body is None else "POST"
        try:
            request = self._session.prepare_request(requests.Request(method, url, headers, params=params, data=body))
            address = self._check(str(request.url), before)
            if before is not None and before.host_and_port != address.host_and_port:
                for name in [name for name in request.headers if name.lower() not in _HARMLESS]:
                    del request.headers[name]
            "".join(map(str, request.headers.values())).encode("latin-1")
        except ValueError:  # from requests or the encoding; its text may quote a key
            what = "was not requested: its URL or a key contains characters that cannot be sent"
            raise RequestFailed(what, again=False) from None
        return request, address

    def _check(self, url: str, before: Address | None) -> Address:
        """Check a URL: a provider may use any address, a redirect only public ones or its own server."""
        if before is None:
            return check_url(url, allowed=lambda _: True)
        return check_url(url, allowed=self._allowed, trusted={before.host_and_port})

    def _send(self, request: requests.PreparedRequest, address: Address, adapter: CheckedAdapter) -> requests.Response:
        # Not through the session: it would decompress the whole body of a redirect, only to discard it.
        proxy = self._proxies.choose(address)
        response = adapter.send(
            request,
            stream=True,
            timeout=(self._limits.connect, self._limits.idle),
            verify=self._authorities,
            proxies={address.url.scheme: proxy.url} if proxy else {},
        )
        extract_cookies_to_jar(self._session.cookies, request, response.raw)  # type: ignore[no-untyped-call]
        return response

    def _read(self, response: requests.Response, late: threading.Event, secrets: Secrets) -> SearchPage:
        status, url = response.status_code, secrets.hide(redact(str(response.url)))
        if status == TOO_MANY_REQUESTS or status >= _ERRORS:
            wait = parse_retry_after(response.headers.get("Retry-After"), utc_now())
            if status == TOO_MANY_REQUESTS and wait is None:
                wait = parse_wait_hint(response.raw.read1(_SENTENCE, decode_content=True).decode(errors="replace"))
            what = f"refused ({status})" if status == TOO_MANY_REQUESTS else f"failed (HTTP {status})"
            raise RequestFailed(what, status=status, wait=wait)
        body = BytesIO()
        while piece := response.raw.read1(_PIECE, decode_content=True):
            body.write(piece)
            if body.tell() > self._limits.body:
                raise PageChanged(f"The response of {url} is larger than {self._limits.body} bytes.")
            if late.is_set():
                raise RequestFailed("did not finish in time")  # nobody sees it: the thread was abandoned
        text = decode_text(body.getvalue(), response.headers.get("Content-Type", ""))
        hidden = {name: secrets.hide(value) for name, value in response.headers.items()}
        return SearchPage(url, status, secrets.hide(text), CaseInsensitiveDict(hidden))


def _request_failed(error: BaseException) -> RequestFailed:
    causes = list(exception_chain(error))
    for kind, what, again in _KINDS:
        if any(isinstance(cause, kind) for cause in causes):
            return RequestFailed(what, again=again)
    return RequestFailed("closed the connection")
