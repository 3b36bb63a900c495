"""Search pages: one after the other, each within its limits, with one cookie jar and one pace a provider."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, NoReturn, Self
from urllib.parse import urlsplit

from harvest.errors import ASK_THE_DOCTOR, Interrupted, RateLimited, Unreachable
from harvest.web.address_policy import Allowed, is_public
from harvest.web.deadline import run_within
from harvest.web.dns import Resolve, resolve
from harvest.web.limits import PageLimits
from harvest.web.page_client import TOO_MANY_REQUESTS, PageClient, RequestFailed
from harvest.web.proxies import Proxies
from harvest.web.retry import backoff_seconds, describe_wait
from harvest.web.search_page import SearchPage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from types import TracebackType

__all__ = ["PageLimits", "SearchPage", "SearchSession"]


class SearchSession:
    """Asks for search pages; a context manager, for one thread.

    `pace` is the pause in seconds between two requests. `name` is what messages call the source, its host
    when left out. `secrets` are keys that no page may show. Setting `stop` ends every wait with
    `Interrupted`; `say` is told about the waits before another try. `resolve`, `allowed`, `wait`, `clock` and
    `jitter` are for tests.
    """

    def __init__(
        self,
        *,
        pace: float,
        proxy: str | None = None,
        stop: threading.Event | None = None,
        say: Callable[[str], None] | None = None,
        name: str = "",
        secrets: Collection[str] = (),
        limits: PageLimits | None = None,
        resolve: Resolve = resolve,
        allowed: Allowed = is_public,
        wait: Callable[[float], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._pace = pace
        self._stop = stop or threading.Event()
        self._say = say
        self._name = name
        self._limits = limits or PageLimits()
        self._wait = self._stop.wait if wait is None else wait
        self._clock = clock
        self._jitter = jitter
        self._free_at = clock()
        self._visitor = PageClient(Proxies(proxy), self._limits, secrets=secrets, resolve=resolve, allowed=allowed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._visitor.close()

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        patient: bool = True,
    ) -> SearchPage:
        """Return the final answer to a request, whatever its status below 500, 429 apart.

        Raises `RateLimited`, `Unreachable`, `PageChanged` for a page that is too large, or `Interrupted`;
        without patience at the first refusal.
        """
        asked = {name: str(value) for name, value in (params or {}).items()}
        return self._request(url, asked, headers or {}, attempts=self._limits.attempts if patient else 1)

    def post(self, url: str, *, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> SearchPage:
        """Return the final answer to a form, as `get` does; a form is never sent on to another address."""
        return self._request(url, {}, headers or {}, form, attempts=self._limits.attempts)

    def pause(self, seconds: float) -> None:
        """Wait, as a source asks for in an answer of its own; raise `Interrupted` on a stop."""
        self._sleep(seconds)

    def _request(
        self,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
        *,
        attempts: int,
    ) -> SearchPage:
        left = self._limits.total
        tries = 0
        while True:
            self._sleep(self._free_at - self._clock())
            started = self._clock()
            try:
                return run_within(left, self._stop, lambda late: self._visitor.fetch(url, params, headers, late, form))
            except RequestFailed as error:
                trouble = error
            except TimeoutError:
                trouble = RequestFailed(f"did not finish a page within {self._limits.total:g} s", again=False)
            finally:
                self._free_at = self._clock() + self._pace
            left -= self._clock() - started
            tries += 1
            self._wait_or_raise(trouble, tries, attempts - tries, self._name or urlsplit(url).hostname or "the source")

    def _wait_or_raise(self, trouble: RequestFailed, tries: int, left: int, name: str) -> None:
        """Wait until another try makes sense, or raise."""
        wait = backoff_seconds(tries, self._jitter()) if trouble.wait is None else trouble.wait
        if not trouble.can_retry or left <= 0 or wait > self._limits.retry_after:
            _raise_final(trouble, tries, name)
        if self._say is not None:
            self._say(
                f"{name} {trouble}. Waiting {describe_wait(wait)}; {left} of {self._limits.attempts} tries left. "
                "Ctrl-C keeps what you have."
            )
        self._sleep(wait)

    def _sleep(self, seconds: float) -> None:
        if (seconds > 0 and self._wait(seconds)) or self._stop.is_set():
            raise Interrupted("Stopped before the next page.")


def _raise_final(trouble: RequestFailed, tries: int, name: str) -> NoReturn:
    times = "once" if tries == 1 else f"{tries} times"
    if trouble.status == TOO_MANY_REQUESTS:
        asks = f" and asks to wait {describe_wait(trouble.wait)}" if trouble.wait else ""
        raise RateLimited(
            f"{name} refused {times} ({TOO_MANY_REQUESTS}){asks}.",
            "What was found is kept; the same line goes on from there, later.",
            retry_after=trouble.wait,
        )
    hint = f"Is the network up? {ASK_THE_DOCTOR}"
    raise Unreachable(f"{name} {trouble}; asked {times}.", hint)
