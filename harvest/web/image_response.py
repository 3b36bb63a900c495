"""Read a response: the bytes of an image, a redirect, or the reason for having neither."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from harvest.models import Body, Refusal
from harvest.verdicts import Verdict
from harvest.web.failure_verdicts import Failure
from harvest.web.retry_wait import parse_retry_after, utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    from harvest.web.limits import ImageLimits

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WHOLE = frozenset({200, 203})
_TIMEOUT, _PARTIAL, _BUSY, _UNAVAILABLE, _ERRORS = 408, 206, 429, 503, 500


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect, with the location as the server wrote it."""

    location: str


async def read_response(
    response: httpx.Response,
    limits: ImageLimits,
    *,
    find_opt_out: Callable[[httpx.Headers], str | None],
    count: Callable[[int], None],
    grow: Callable[[], Awaitable[None]],
) -> Body | Refusal | Failure | Redirect:
    """Read a response until it is complete or refused.

    `count` is called with the size of every piece; `grow` is awaited before the body exceeds `limits.large`.
    """
    if (other := check_status(response)) is not None:
        return other
    if opt_out := find_opt_out(response.headers):
        return Refusal(Verdict.OPTED_OUT, opt_out)
    if refusal := _check_headers(response, limits):
        return refusal
    size = 0
    body = BytesIO()  # `getvalue` makes no copy: half the memory of joining the pieces
    async for piece in response.aiter_raw():
        count(len(piece))
        before, size = size, size + len(piece)
        if size > limits.body:
            return Refusal(Verdict.TOO_BIG, f"more than {limits.body} bytes")
        if before <= limits.large < size:
            await grow()
        body.write(piece)
    return Body(body.getvalue(), str(response.request.url))


def check_status(response: httpx.Response) -> Redirect | Refusal | Failure | None:
    """Return the redirect or the failure that the status of a response stands for; `None` if it has the body."""
    status = response.status_code
    if status in _REDIRECTS and "location" in response.headers:
        return Redirect(response.headers["location"])
    return None if status in _WHOLE else _failed_response(response)


def _failed_response(response: httpx.Response) -> Refusal | Failure:
    status = response.status_code
    detail = f"HTTP {status}"
    wait = parse_retry_after(response.headers.get("retry-after"), utc_now())
    if status == _BUSY:
        return Failure(Refusal(Verdict.RATE_LIMITED, detail), wait=wait, busy=True, answered=True)
    if status >= _ERRORS or status == _TIMEOUT:
        busy = status == _UNAVAILABLE and wait is not None
        return Failure(Refusal(Verdict.SERVER_ERROR, detail), wait=wait, busy=busy, answered=True)
    if status == _PARTIAL:
        return Refusal(Verdict.BROKEN_TRANSFER, f"{detail}: a partial response to a request for the whole image")
    return Refusal(Verdict.GONE, detail)


def _check_headers(response: httpx.Response, limits: ImageLimits) -> Refusal | None:
    headers = response.headers
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        return Refusal(Verdict.ENCODED, f"Content-Encoding: {encoding[:40]}")
    declared = headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 15 or int(declared) > limits.body):  # noqa: PLR2004 - a petabyte
        return Refusal(Verdict.TOO_BIG, f"the server declares {declared[:20]} bytes")
    return None
