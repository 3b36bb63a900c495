"""The responses to exceptions that both applications share: an error of ours, an unknown path, a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from harvest.http_server.http_errors import HttpError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def _error_response(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    return error.response


async def _not_found(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = {404: "Not found.", 405: "Method not allowed."}.get(error.status_code)
    return HttpError(error.status_code, message or error.detail, **dict(error.headers or {})).response


async def _internal_error(_request: Request, _error: Exception) -> Response:
    return HttpError(500, "Internal error: this is a bug in harvest. Its terminal shows the details.").response


EXCEPTION_HANDLERS: dict[Any, Any] = {
    HttpError: _error_response,
    HTTPException: _not_found,
    Exception: _internal_error,
}
