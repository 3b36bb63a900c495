"""Workers that look for one certain image: at all its addresses, and then in the Wayback Machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from harvest.models import Picture
from harvest.reproduce.compare_and_place import is_same_image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from harvest.harvesting.download import LocalWorkers
    from harvest.ledger.expected_images_tables import ExpectedImage
    from harvest.models import Outcome, Task
    from harvest.web.wayback import Wayback


class RebuildWorkers:
    """Download like any others, and go on to the next address while the image is not the expected one."""

    def __init__(
        self, local: LocalWorkers, expected: Mapping[int, ExpectedImage], *, archive: Wayback | None = None
    ) -> None:
        self._local = local
        self._expected = expected
        self._archive = archive

    async def __aenter__(self) -> Self:
        await self._local.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._local.__aexit__(kind, error, trace)

    async def work(self, task: Task) -> Outcome:
        """Return the expected image, or else the first outcome that is an image."""
        best = await self._local.work(task)
        if not self._is_expected(best):
            for url in task.hit.others if isinstance(best.result, Picture) else ():
                best = self._better(best, await self._local.work_at(task, [url]))
        if self._archive is not None and not isinstance(best.result, Picture):
            copy = await self._archive.find_copy(task.hit.url, self._expected[task.id].ended)
            if copy is not None:
                best = self._better(best, await self._local.work_at(task, [copy]))
        return best

    def _better(self, first: Outcome, second: Outcome) -> Outcome:
        if isinstance(first.result, Picture) and not self._is_expected(second):
            return first
        return second if isinstance(second.result, Picture) else first

    def _is_expected(self, outcome: Outcome) -> bool:
        return isinstance(outcome.result, Picture) and is_same_image(outcome.result, self._expected[outcome.task.id])

    def stop(self) -> None:
        """Cancel what is not downloaded yet."""
        self._local.stop()

    def release(self, outcome: Outcome) -> None:
        """Note that an outcome is recorded."""
        self._local.release(outcome)

    async def idle(self) -> None:
        """Wait until everything downloaded is processed."""
        await self._local.idle()
