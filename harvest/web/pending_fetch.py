"""A fetch that starts when it is awaited or entered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from harvest.models import Body, Refusal


class PendingFetch:
    """A fetch to `await` for its result, or to enter with `async with`, as the requests of aiohttp."""

    def __init__(self, context: AbstractAsyncContextManager[Body | Refusal]) -> None:
        self._context = context

    def __await__(self) -> Generator[Any, None, Body | Refusal]:
        return self._wait().__await__()

    async def __aenter__(self) -> Body | Refusal:
        return await self._context.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._context.__aexit__(kind, error, trace)

    async def _wait(self) -> Body | Refusal:
        async with self._context as result:
            return result
