"""Read the image of a request, within the limits: a form file, the request body, or the image at a URL."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from harvest.http_server import http_errors
from harvest.http_server.client_limits import Shares, client_of
from harvest.http_server.http_errors import HttpError
from harvest.http_server.service_limits import MiB
from harvest.models import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from starlette.requests import Request

    from harvest.http_server.service_limits import ServiceLimits
    from harvest.web.image_client import ImageClient

_RAW = "application/octet-stream"
_HOW = (
    "Send the image as the file of a form, as the request body with its type (such as image/jpeg), or send "
    '{"url": "https://…"} as application/json.'
)
_MAX_FIELDS = 8  # a form may have a few fields besides its file; they are ignored
_MAX_FIELD_SIZE = 4 * 1024


class MinimumRate:
    """A token bucket of seconds: time uses them up, and each received byte adds some.

    The bucket starts full, so every upload has `window` seconds of grace. It never holds more, so a fast start
    does not make up for a slow end.
    """

    def __init__(self, rate: int, window: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._window = window
        self._now = now
        self._end = now() + window

    @property
    def seconds_left(self) -> float:
        """Return how long the next byte may take; 0 or less when the upload is too slow."""
        return self._end - self._now()

    def receive(self, count: int) -> None:
        """Count received bytes."""
        self._end = min(self._end + count / self._rate, self._now() + self._window)


class UploadReader:
    """Reads the image of a request; `open_client` creates the client that downloads one URL.

    A client parks failing hosts for its whole lifetime. Here any user could get a host parked for as long as the
    service runs, so each URL gets a new client, which takes 21 ms.
    """

    def __init__(self, limits: ServiceLimits, open_client: Callable[[], ImageClient]) -> None:
        self._limits = limits
        self._open_client = open_client
        self._fetches = asyncio.Semaphore(limits.fetches)
        self._client_fetches: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._memory = Shares(limits.held, limits.client_held)

    @asynccontextmanager
    async def read_image(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the bytes of the image; they count against the memory limits until the block ends."""
        kind = request.headers.get("content-type", _RAW).partition(";")[0].strip().lower()
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpError(415, "Send the image uncompressed: Content-Encoding is not supported.")
        client = client_of(request)
        with self._memory.share(client) as grow:
            if kind == "application/json":
                data = await self._download(await self._read_url(request, grow), client, grow)
            elif kind == "multipart/form-data":
                data = await self._read_form(request, grow)
            elif kind.startswith("image/") or kind == _RAW:
                data = b"".join([piece async for piece in self._read_body(request, grow, self._limits.body)])
            else:
                raise HttpError(415, _HOW)
            if not data:
                raise HttpError(400, f"This request contains no image. {_HOW}")
            yield data

    async def _read_form(self, request: Request, grow: Callable[[int], None]) -> bytes:
        maximum = self._limits.body + _MAX_FIELDS * _MAX_FIELD_SIZE
        async with aclosing(self._read_body(request, grow, maximum)) as body:
            parser = _InMemoryParser(
                request.headers, body, max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_SIZE
            )
            try:
                form = await parser.parse()
            except MultiPartException as error:
                raise HttpError(400, f"The form cannot be parsed: {error.message}") from None
        try:
            for _, value in form.multi_items():  # field name and file name are ignored
                if isinstance(value, UploadFile):
                    if (value.size or 0) > self._limits.body:
                        raise _too_large(self._limits.body)
                    return await value.read()
        finally:
            await form.close()
        return b""

    async def _read_body(self, request: Request, grow: Callable[[int], None], maximum: int) -> AsyncGenerator[bytes]:
        """Yield the pieces of a body; raise `HttpError` if it is too large, too slow or takes too long."""
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > maximum:
            raise _too_large(min(maximum, self._limits.body))
        end = time.monotonic() + self._limits.upload
        rate = MinimumRate(self._limits.rate, self._limits.idle)
        read = 0
        async with aclosing(request.stream()) as stream:
            while True:
                timeout = min(rate.seconds_left, end - time.monotonic())
                try:
                    async with asyncio.timeout(timeout):
                        piece = await anext(stream)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise HttpError(408, "The upload is too slow and was cancelled.") from None
                except ClientDisconnect:
                    raise HttpError(400, "The upload is incomplete.") from None  # the client is gone
                rate.receive(len(piece))
                read += len(piece)
                if read > maximum:
                    raise _too_large(min(maximum, self._limits.body))
                grow(len(piece))
                yield piece

    async def _read_url(self, request: Request, grow: Callable[[int], None]) -> str:
        text = b"".join([piece async for piece in self._read_body(request, grow, self._limits.document)])
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise HttpError(400, 'This is not valid JSON. Send {"url": "https://…"}.') from None
        match document:
            case {"url": str(url), **more} if not more:
                return url
        raise HttpError(400, 'The JSON document must be {"url": "https://…"}, without other keys.')

    async def _download(self, url: str, client: str, grow: Callable[[int], None]) -> bytes:
        client_fetches = self._client_fetches.setdefault(client, asyncio.Semaphore(self._limits.client_fetches))
        async with AsyncExitStack() as slots:
            try:
                async with asyncio.timeout(self._limits.idle):
                    for limit in (client_fetches, self._fetches):
                        await slots.enter_async_context(limit)
            except TimeoutError:
                raise http_errors.busy_error() from None
            async with self._open_client() as image_client:
                body = await image_client.fetch(url)
        if isinstance(body, Refusal):
            raise http_errors.http_error_for(body)
        grow(len(body.data))
        return body.data


def _too_large(maximum: int) -> HttpError:
    size = f"{maximum // MiB} MB" if maximum >= MiB else f"{maximum // 1024} kB"
    return HttpError(413, f"The request is too large: the limit is {size}.")


class _InMemoryParser(MultiPartParser):
    """Keeps files in memory: Starlette writes larger ones to the disk, which can be full; these are limited."""

    spool_max_size = 1 << 30
