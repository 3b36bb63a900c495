"""A fetch about to happen, for those who want its end and those who want to hold its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from harvest.models import Body, Refusal


class PendingFetch:
    """`await` it for the body alone, or use it up inside `async with`, as aiohttp's own requests."""

    def __init__(self, held: AbstractAsyncContextManager[Body | Refusal]) -> None:
        self._held = held

    def __await__(self) -> Generator[Any, None, Body | Refusal]:
        return self._wait().__await__()

    async def __aenter__(self) -> Body | Refusal:
        return await self._held.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._held.__aexit__(kind, error, trace)

    async def _wait(self) -> Body | Refusal:
        async with self._held as end:
            return end
