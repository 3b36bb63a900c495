"""One visit to a search page, redirects included: the page, or the trouble there was.

Nothing of an underlying error's own text is passed on: it holds addresses, and those of an API hold its key.
"""

from __future__ import annotations

import http.client
import logging
import ssl
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests
import urllib3.exceptions
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict

from harvest.errors import PageChanged
from harvest.web import tls
from harvest.web.address_policy import (
    Address,
    AddressRefused,
    Allowed,
    check_url,
    is_public,
)
from harvest.web.checked_adapter import CheckedAdapter
from harvest.web.dns import Resolve, resolve
from harvest.web.exception_chain import exception_chain
from harvest.web.redact import Secrets, redact
from harvest.web.retry import parse_retry_after, parse_wait_hint, utc_now
from harvest.web.search_page import SearchPage, decode_text
from harvest.web.user_agent import USER_AGENT

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Mapping

    from harvest.web.limits import PageLimits
    from harvest.web.proxies import Proxies

TOO_MANY_REQUESTS = 429
_ERRORS = 500
_PIECE = 64 * 1024
_SENTENCE = 1000  # bytes of a refusal in which it may say how long to wait
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "*/*"}
# What a host we were redirected to may see; the jar knows whose the cookies are.
_HARMLESS = frozenset({"user-agent", "accept", "accept-language", "accept-encoding", "cookie"})
_KINDS: tuple[tuple[type[BaseException], str, bool], ...] = (  # the first that fits, and whether to try again
    (ssl.SSLCertVerificationError, "has a certificate we do not accept", False),
    (urllib3.exceptions.ProxyError, "is out of reach: the proxy did not let us through", True),
    (urllib3.exceptions.NameResolutionError, "is out of reach: its name is not known", True),
    (urllib3.exceptions.NewConnectionError, "is out of reach: no connection", True),
    (urllib3.exceptions.TimeoutError, "did not answer in time", True),
    (TimeoutError, "did not answer in time", True),
    (urllib3.exceptions.DecodeError, "packed its page wrongly", True),
)
_ERRORS_OF_SENDING = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it logs addresses, with their keys


class RequestFailed(Exception):
    """What a server did instead of answering; `wait` is the pause it asks for."""

    def __init__(self, what: str, *, status: int = 0, wait: float | None = None, again: bool = True) -> None:
        super().__init__(what)
        self.status = status
        self.wait = wait
        self.can_retry = again


class PageClient:
    """Visits pages with one cookie jar.

    A provider may name a server at any address: the user chose it. Redirects from there to other servers are
    followed to public addresses only. Connections of the two kinds are kept apart, so that a redirect cannot
    use one that was made for the provider.
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
        self._authorities = str(tls.certificate_path())
        self._session = requests.Session()
        self._session.trust_env = False  # proxies and authorities are chosen here, and no .netrc is read
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
        form: Mapping[str, str] | None = None,
    ) -> SearchPage:
        """Return the page an address leads to, or raise `Trouble`; reads no further once `late` is set.

        A `form` is posted, and to this address alone: what stands in it may be a secret.
        """
        address: Address | None = None
        adapter = self._to_provider
        secrets = self._secrets
        for _ in range(self._limits.redirects + 1):
            before = address
            try:
                request, address = self._prepare(url, params, headers, before=before, form=form)
                if before is None:
                    secrets = secrets.with_sent(str(request.url), headers, form)
                elif before.host_and_port != address.host_and_port:
                    adapter = self._to_others  # also back at the first server: another one chose the address
                with self._send(request, address, adapter) as response:
                    if not response.is_redirect:
                        return self._read(response, late, secrets)
                    if form is not None:
                        raise RequestFailed("sends a form on to another address", again=False)
                    url = urljoin(str(request.url), self._session.get_redirect_target(response) or "")
            except AddressRefused as error:
                what = f"leads to an address we do not visit ({secrets.hide(redact(str(error)))})"
                raise RequestFailed(what, again=False) from None
            except _ERRORS_OF_SENDING as error:
                raise _request_failed(error) from None
            except ValueError:
                raise RequestFailed("sent us to something that is no address", again=False) from None
            params = {}  # they stand in the address of the redirect, if it wants them
        raise RequestFailed(f"redirected us more than {self._limits.redirects} times", again=False)

    def _prepare(
        self,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        before: Address | None,
        form: Mapping[str, str] | None,
    ) -> tuple[requests.PreparedRequest, Address]:
        """Return a request and its address; `before` is the one that redirected us to it."""
        headers = {**_HEADERS, **headers, "Accept-Encoding": "gzip, deflate"}
        method = "GET" if form is None else "POST"
        try:
            request = self._session.prepare_request(requests.Request(method, url, headers, params=params, data=form))
            address = self._check(str(request.url), before)
            if before is not None and before.host_and_port != address.host_and_port:
                for name in [name for name in request.headers if name.lower() not in _HARMLESS]:
                    del request.headers[name]
            "".join(map(str, request.headers.values())).encode("latin-1")
        except ValueError:  # those of requests and of the encoding among them; they quote what may be a key
            raise RequestFailed("cannot be asked: its address or a key cannot be sent", again=False) from None
        return request, address

    def _check(self, url: str, before: Address | None) -> Address:
        """Let a provider name any address, but a page only those of the Internet, or of its own server."""
        if before is None:
            return check_url(url, allowed=lambda _: True)
        return check_url(url, allowed=self._allowed, trusted={before.host_and_port})

    def _send(self, request: requests.PreparedRequest, address: Address, adapter: CheckedAdapter) -> requests.Response:
        # Not through the session: it would unpack the body of a redirect, all of it, to throw it away.
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
                raise PageChanged(f"The answer of {url} is larger than {self._limits.body} bytes.")
            if late.is_set():
                raise RequestFailed("did not finish in time")  # to nobody: its thread was left to itself
        text = decode_text(body.getvalue(), response.headers.get("Content-Type", ""))
        hidden = {name: secrets.hide(value) for name, value in response.headers.items()}
        return SearchPage(url, status, secrets.hide(text), CaseInsensitiveDict(hidden))


def _request_failed(error: BaseException) -> RequestFailed:
    behind = list(exception_chain(error))
    for kind, what, again in _KINDS:
        if any(isinstance(cause, kind) for cause in behind):
            return RequestFailed(what, again=again)
    return RequestFailed("cut the connection")
