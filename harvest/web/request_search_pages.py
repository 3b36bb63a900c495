"""Request search pages one after the other, with limits, retries, one cookie jar and one pace per provider."""

from __future__ import annotations

import json
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
from harvest.web.page_client import TOO_MANY_REQUESTS, Body, PageClient, RequestFailed
from harvest.web.proxies import Proxies
from harvest.web.retry_wait import backoff_seconds, describe_wait
from harvest.web.search_response import SearchPage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from types import TracebackType

__all__ = ["PageLimits", "SearchPage", "SearchSession"]


class SearchSession:
    """Requests search pages; a context manager, for one thread.

    `pace` is the pause in seconds between two requests. `name` is the name of the source in messages, by default
    its host. `secrets` are keys that are removed from every page. Setting `stop` ends every wait with
    `Interrupted`; `say` gets a message before each wait for a retry. `resolve`, `allowed`, `wait`, `clock` and
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
        self._client = PageClient(Proxies(proxy), self._limits, secrets=secrets, resolve=resolve, allowed=allowed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        patient: bool = True,
    ) -> SearchPage:
        """Return the final response to a request, with any status below 500 except 429.

        Raises `RateLimited`, `Unreachable`, `Interrupted`, or `PageChanged` for a page that is too large. Unless
        `patient`, nothing is tried again.
        """
        parameters = {name: str(value) for name, value in (params or {}).items()}
        return self._request(url, parameters, headers or {}, attempts=self._limits.attempts if patient else 1)

    def post(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        fields: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SearchPage:
        """Post a form, or fields as a JSON object, and return the final response; neither is sent to a redirect."""
        headers = dict(headers or {})
        if fields is None:
            return self._request(url, {}, headers, form or {}, attempts=self._limits.attempts)
        headers["Content-Type"] = "application/json"
        return self._request(url, {}, headers, json.dumps(fields), attempts=self._limits.attempts)

    def pause(self, seconds: float) -> None:
        """Wait when the response of a source asks for it; raise `Interrupted` on a stop."""
        self._sleep(seconds)

    def report(self, message: str) -> None:
        """Show the user a message about the search."""
        if self._say is not None:
            self._say(message)

    def _request(
        self,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: Body | None = None,
        *,
        attempts: int,
    ) -> SearchPage:
        left = self._limits.total
        attempt = 0
        while True:
            self._sleep(self._free_at - self._clock())
            started = self._clock()
            try:
                return run_within(left, self._stop, lambda late: self._client.fetch(url, params, headers, late, body))
            except RequestFailed as error:
                failure = error
            except TimeoutError:
                failure = RequestFailed(f"did not finish a page within {self._limits.total:g} s", again=False)
            finally:
                self._free_at = self._clock() + self._pace
            left -= self._clock() - started
            attempt += 1
            name = self._name or urlsplit(url).hostname or "the source"
            self._wait_or_raise(failure, attempt, attempts - attempt, name)

    def _wait_or_raise(self, failure: RequestFailed, attempt: int, left: int, name: str) -> None:
        """Wait before the next attempt, or raise if there is none."""
        wait = backoff_seconds(attempt, self._jitter()) if failure.wait is None else failure.wait
        if not failure.can_retry or left <= 0 or wait > self._limits.retry_after:
            _raise_final(failure, attempt, name)
        if self._say is not None:
            self._say(
                f"{name} {failure}. Retrying in {describe_wait(wait)}; {left} of {self._limits.attempts} attempts "
                "left. Ctrl-C stops the run and keeps its images."
            )
        self._sleep(wait)

    def _sleep(self, seconds: float) -> None:
        if (seconds > 0 and self._wait(seconds)) or self._stop.is_set():
            raise Interrupted("Stopped before the next search page.")


def _raise_final(failure: RequestFailed, attempts: int, name: str) -> NoReturn:
    times = "once" if attempts == 1 else f"{attempts} times"
    if failure.status == TOO_MANY_REQUESTS:
        wait = f" and asks to wait {describe_wait(failure.wait)}" if failure.wait else ""
        raise RateLimited(
            f"{name} refused {times} ({TOO_MANY_REQUESTS}){wait}.",
            "The results so far are kept. Run the same command later to continue.",
            retry_after=failure.wait,
        )
    hint = f"Is the network up? {ASK_THE_DOCTOR}"
    raise Unreachable(f"{name} {failure} (tried {times}).", hint)
