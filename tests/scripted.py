"""A scripted provider and workers, for tests of the pipeline."""

from __future__ import annotations

import asyncio
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from harvest.images import process_image
from harvest.models import Hit, Outcome, Picture, Recipe, Refusal
from harvest.providers.base import Provider
from tests.web import Photo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harvest.models import Query, Task
    from harvest.verdicts import Verdict


def hits(count: int, provider: str = "BING", *, start: int = 1, host: str = "pictures.example") -> list[Hit]:
    """Return hits whose URLs end in a number."""
    urls = (f"https://{host}/{number}.jpg" for number in range(start, start + count))
    return [Hit(url, provider, f"url:{url}", rank) for rank, url in enumerate(urls, start=1)]


class Odd(NamedTuple):
    """A value that a provider yields instead of a valid hit."""

    value: Any


class Scripted(Provider):
    """Answers each query with the steps in `script`: hits to yield, errors to raise, calls to make."""

    name: ClassVar = "BING"
    label: ClassVar = "Bing"
    about: ClassVar = "as a test scripts it"
    pace: ClassVar = 0.0

    def __init__(self, script: dict[str, Iterable[object]], name: str = "BING") -> None:
        super().__init__({})
        self.name = name  # type: ignore[misc] # as if it had a class of its own
        self._script = script
        self.asked: list[str] = []
        self.limits: list[int | None] = []
        self.yielded = 0
        self.thread: threading.Thread | None = None

    def search(self, query: Query, pages: object) -> Iterator[Hit]:  # noqa: ARG002 - nobody is asked
        """Run the steps of the script."""
        self.asked.append(query.text)
        self.limits.append(query.limit)
        self.thread = threading.current_thread()
        for step in self._script.get(query.text, ()):
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, Hit | Odd):
                self.yielded += 1
                yield step.value if isinstance(step, Odd) else step
            else:
                step()


def no_pages(_: Provider, __: threading.Event) -> nullcontext[None]:
    """Replace the search session of a provider that sends no request."""
    return nullcontext()


@dataclass
class Fetcher:
    """Workers without a network: the image of a hit is the photo of its number, or the result of `gives`.

    `log` has the URLs in the order of their downloads; `at_once` the most parallel downloads of a photograph.
    """

    gives: Callable[[Hit], Photo | Verdict | None] = lambda _: None
    seconds: Callable[[Hit], float] = lambda _: 0.0
    log: list[str] = field(default_factory=list)
    at_once: dict[str, int] = field(default_factory=dict)
    done: int = 0
    stopped: bool = False
    released: list[Outcome] = field(default_factory=list)
    _busy: dict[str, int] = field(default_factory=dict)
    _under_way: set[asyncio.Task[object]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def work(self, task: Task) -> Outcome:
        """Take the time that the host takes, and return its result."""
        hit, me = task.hit, asyncio.current_task()
        assert me is not None
        self.log.append(hit.url)
        self._busy[hit.source] = self._busy.get(hit.source, 0) + 1
        self.at_once[hit.source] = max(self.at_once.get(hit.source, 0), self._busy[hit.source])
        self._under_way.add(me)
        try:
            await asyncio.sleep(self.seconds(hit))
        finally:
            self._under_way.discard(me)
            self._busy[hit.source] -= 1
            self.done += 1
        return Outcome(task, self._result(hit), 1000)

    def _result(self, hit: Hit) -> Picture | Refusal:
        given = self.gives(hit)
        if isinstance(given, str):
            return Refusal(given, "as scripted")
        photo = given or Photo(int(hit.url.rpartition("/")[2].removesuffix(".jpg")))
        picture = process_image(photo.body, hit, Recipe())
        assert isinstance(picture, Picture), picture
        return picture

    def stop(self) -> None:
        """Cancel all downloads."""
        self.stopped = True
        for task in self._under_way:
            task.cancel()

    def release(self, outcome: Outcome) -> None:
        """Remember an outcome that the pipeline has recorded."""
        self.released.append(outcome)

    async def idle(self) -> None:
        """Return at once, since nothing is left to process."""
