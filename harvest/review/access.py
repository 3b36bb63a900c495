"""Let only the person with the printed link in: its token becomes a cookie, which every request needs."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse, RedirectResponse

from harvest.http_server.http_errors import HttpError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_BYTES = 32
_REFUSAL = "This page is only for the person who started it."
_HINT = "Open the link that harvest review printed in the terminal."


def make_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(_BYTES)


class TokenGuard:
    """Refuses requests without the cookie, and gives it to the one who opens the link with the token."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._cookie = f"harvest_review_{port}"  # a browser sends cookies to all ports of a host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_start = scope["path"] == "/" and scope["method"] == "GET"
        if is_start and self._is_token(_token_in_query(scope)):
            response = RedirectResponse("/", 303)
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
            await response(scope, receive, send)
        elif self._is_token(self._token_in_cookie(scope)):
            await self._app(scope, receive, send)
        elif is_start:
            await PlainTextResponse(f"{_REFUSAL}\n{_HINT}\n", 401)(scope, receive, send)
        else:
            await HttpError(401, _REFUSAL, _HINT).response(scope, receive, send)

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(errors="replace"), self._token.encode())

    def _token_in_cookie(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"cookie":
                try:
                    found = SimpleCookie(value.decode("latin-1")).get(self._cookie)
                except CookieError:
                    continue
                if found is not None:
                    return str(found.value)
        return ""


def _token_in_query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    try:
        values = parse_qs(query.decode("latin-1"), max_num_fields=10)
    except ValueError:  # more fields than the link has
        return ""
    return values.get("token", [""])[0]
