"""A total deadline for blocking work.

Socket timeouts start again with every byte, so a server that sends one byte a second, in its headers or its
body, never exceeds them; and a DNS lookup has no timeout at all.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

from harvest.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_POLL_INTERVAL = 0.1  # seconds between two checks of `stop`


def run_within(seconds: float, stop: threading.Event, work: Callable[[threading.Event], T]) -> T:
    """Return what `work` returns; raise `TimeoutError` when it takes longer, `Interrupted` on `stop`.

    `work` runs in a daemon thread, which is abandoned after the deadline; the event that `work` gets is set then.
    """
    late = threading.Event()
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work(late))
        except BaseException as error:  # noqa: BLE001 - every exception is raised in the caller
            future.set_exception(error)

    threading.Thread(target=run, name="page", daemon=True).start()
    end = time.monotonic() + seconds
    try:
        while not future.done():
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if stop.is_set():
                raise Interrupted("Stopped while waiting for a search page.")
            wait([future], timeout=min(left, _POLL_INTERVAL))
    finally:
        late.set()
    return future.result()
