"""OAuth client credentials: exchange an id and a secret for a token that is valid for some hours."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from harvest.errors import KeyRefused, PageChanged
from harvest.providers import answer_values

if TYPE_CHECKING:
    from harvest.web.request_search_pages import SearchPage, SearchSession

_MARGIN = 60  # seconds before its expiry at which a token is replaced
_DEFAULT_LIFETIME = 600  # seconds that a token without `expires_in` is used; Openverse's are valid for ten hours
_TOKEN = re.compile(r"[\w.~+/=-]{1,4000}", re.ASCII)
_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass
class OAuthCredentials:
    """Provides the authorization header of a service; requests a token when there is none or it has expired.

    Neither the secret nor the token appears in a message or in the page that an error carries.
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
        """Return the authorization header of a request; none without credentials."""
        if not self:
            return {}
        if time.monotonic() >= self._until:
            form = {"grant_type": "client_credentials", "client_id": self.id, "client_secret": self.secret}
            self._token, lifetime = self._read(pages.post(self.url, form=form))
            self._until = time.monotonic() + lifetime - _MARGIN
        return {"Authorization": f"Bearer {self._token}"}

    def _read(self, page: SearchPage) -> tuple[str, float]:
        if page.status in _REFUSED:
            raise KeyRefused(
                f"{self.label} does not accept the client id and secret ({page.status}).",
                f"Compare them with those that {self.label} sent, and check that your e-mail address is verified;\n"
                f"or unset both: {self.label} also works without them, but slower.",
            )
        answer: object = None
        with suppress(PageChanged):  # its error would carry the page, which holds the token
            answer = page.json()
        fields = answer if isinstance(answer, dict) else {}
        token = fields.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise PageChanged(f"{self.label} sent no valid token (HTTP {page.status}).")
        return token, answer_values.parse_number(fields.get("expires_in")) or _DEFAULT_LIFETIME
