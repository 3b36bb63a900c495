"""The picture of a request: as a form's file, as the body itself, or from an address; within its bounds."""

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

from harvest.models import Refusal
from harvest.serving import http_errors
from harvest.serving.client_shares import Shares, client_of
from harvest.serving.http_errors import HttpError
from harvest.serving.service_limits import MiB
from harvest.serving.upload_rate import MinimumRate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from starlette.requests import Request

    from harvest.serving.service_limits import ServiceLimits
    from harvest.web.image_client import ImageClient

_RAW = "application/octet-stream"
_HOW = (
    "Send a form with the picture as its file, the picture itself as image/jpeg (or whatever it is), or "
    '{"url": "https://…"} as application/json.'
)
_FIELDS = 8  # a form may have a few fields besides its file; nobody reads them
_FIELD = 4 * 1024


class UploadReader:
    """Takes the picture out of a request; `bodies` makes a guarded downloader for one address.

    A downloader remembers for a whole harvest which hosts to leave alone. Here that would be for as long as
    the service runs, at the word of anybody who asks, so that each address gets a new one: 21 ms.
    """

    def __init__(self, bounds: ServiceLimits, bodies: Callable[[], ImageClient]) -> None:
        self._bounds = bounds
        self._bodies = bodies
        self._fetches = asyncio.Semaphore(bounds.fetches)
        self._client_fetches: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._room = Shares(bounds.held, bounds.client_held)

    @asynccontextmanager
    async def read_image(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the bytes of the picture, and hold room for them until the block ends."""
        kind = request.headers.get("content-type", _RAW).partition(";")[0].strip().lower()
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpError(415, "Send the picture as it is: no Content-Encoding is unpacked here.")
        client = client_of(request)
        with self._room.share(client) as grow:
            if kind == "application/json":
                data = await self._fetch(await self._address(request, grow), client, grow)
            elif kind == "multipart/form-data":
                data = await self._file(request, grow)
            elif kind.startswith("image/") or kind == _RAW:
                data = b"".join([piece async for piece in self._body(request, grow, self._bounds.body)])
            else:
                raise HttpError(415, _HOW)
            if not data:
                raise HttpError(400, f"There is no picture in this request. {_HOW}")
            yield data

    async def _file(self, request: Request, grow: Callable[[int], None]) -> bytes:
        most = self._bounds.body + _FIELDS * _FIELD
        async with aclosing(self._body(request, grow, most)) as body:
            parser = _InMemoryFile(request.headers, body, max_files=1, max_fields=_FIELDS, max_part_size=_FIELD)
            try:
                form = await parser.parse()
            except MultiPartException as error:
                raise HttpError(400, f"This form cannot be read: {error.message}") from None
        try:
            for _, value in form.multi_items():  # its name, and whatever path it has, are read by nobody
                if isinstance(value, UploadFile):
                    if (value.size or 0) > self._bounds.body:
                        raise _too_large(self._bounds.body)
                    return await value.read()
        finally:
            await form.close()
        return b""

    async def _body(self, request: Request, grow: Callable[[int], None], most: int) -> AsyncGenerator[bytes]:
        """Yield a body as it comes: never too much of it, too slowly, or for too long."""
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise _too_large(min(most, self._bounds.body))
        end = time.monotonic() + self._bounds.upload
        rate = MinimumRate(self._bounds.rate, self._bounds.idle)
        read = 0
        async with aclosing(request.stream()) as stream:
            while True:
                patience = min(rate.seconds_left, end - time.monotonic())
                try:
                    async with asyncio.timeout(patience):
                        piece = await anext(stream)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise HttpError(408, "The picture came too slowly, and was given up.") from None
                except ClientDisconnect:
                    raise HttpError(400, "The picture did not come to its end.") from None  # nobody reads this
                rate.receive(len(piece))
                read += len(piece)
                if read > most:
                    raise _too_large(min(most, self._bounds.body))
                grow(len(piece))
                yield piece

    async def _address(self, request: Request, grow: Callable[[int], None]) -> str:
        text = b"".join([piece async for piece in self._body(request, grow, self._bounds.document)])
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise HttpError(400, 'This is no JSON. It would be {"url": "https://…"}.') from None
        match document:
            case {"url": str(url), **more} if not more:
                return url
        raise HttpError(400, 'The document is {"url": "https://…"}, and nothing else.')

    async def _fetch(self, url: str, client: str, grow: Callable[[int], None]) -> bytes:
        of_client = self._client_fetches.setdefault(client, asyncio.Semaphore(self._bounds.client_fetches))
        async with AsyncExitStack() as turn:
            try:
                async with asyncio.timeout(self._bounds.idle):
                    for limit in (of_client, self._fetches):
                        await turn.enter_async_context(limit)
            except TimeoutError:
                raise http_errors.busy_error() from None
            async with self._bodies() as bodies:
                body = await bodies.fetch(url)
        if isinstance(body, Refusal):
            raise http_errors.http_error_for(body)
        grow(len(body.data))
        return body.data


def _too_large(most: int) -> HttpError:
    size = f"{most // MiB} MB" if most >= MiB else f"{most // 1024} kB"
    return HttpError(413, f"This is too large: {size} is the most that is taken.")


class _InMemoryFile(MultiPartParser):
    """Starlette writes larger files to the disk; ours are bounded, and a disk can be full."""

    spool_max_size = 1 << 30
