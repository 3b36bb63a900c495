"""Client credentials of OAuth: an id and a secret, exchanged for a token that opens doors for some hours."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from harvest.errors import KeyRefused, PageChanged
from harvest.providers import parsing

if TYPE_CHECKING:
    from harvest.web.search_session import SearchPage, SearchSession

_MARGIN = 60  # seconds before its end in which a token is not relied on
_LASTS = 600  # seconds a token is good for that does not say so; Openverse's last ten hours
_TOKEN = re.compile(r"[\w.~+/=-]{1,4000}", re.ASCII)
_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass
class OAuthCredentials:
    """Gives the header that opens a service; asks for a token when there is none, or when it has run out.

    Neither secret nor token is in any message, nor in the page that an error carries.
    """

    label: str
    url: str
    id: str = field(repr=False)
    secret: str = field(repr=False)
    _token: str = field(default="", repr=False)
    _until: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.id and self.secret)

    def headers(self, pages: SearchSession) -> dict[str, str]:
        """Return what a request needs to be known by; nothing where there are no credentials."""
        if not self:
            return {}
        if time.monotonic() >= self._until:
            form = {"grant_type": "client_credentials", "client_id": self.id, "client_secret": self.secret}
            self._token, lasts = self._read(pages.post(self.url, form=form))
            self._until = time.monotonic() + lasts - _MARGIN
        return {"Authorization": f"Bearer {self._token}"}

    def _read(self, page: SearchPage) -> tuple[str, float]:
        if page.status in _REFUSED:
            raise KeyRefused(
                f"{self.label} does not accept the client id and secret ({page.status}).",
                f"Compare them with those that {self.label} sent, and see that their e-mail is verified;\n"
                f"or unset both: {self.label} works without them, only slower.",
            )
        answer: object = None
        with suppress(PageChanged):  # which would carry the page, and the page a token
            answer = page.json()
        read = answer if isinstance(answer, dict) else {}
        token = read.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise PageChanged(f"{self.label} sent no token that can be read (HTTP {page.status}).")
        return token, parsing.parse_number(read.get("expires_in")) or _LASTS
