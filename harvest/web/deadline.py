"""A deadline that holds, whatever the other side does.

The timeouts of sockets start anew with every byte, so a server that sends one a second is never late, be it
in its headers or in its body; and a name lookup has none at all.
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
_GLANCE = 0.1  # how often to look whether somebody wants to stop


def run_within(seconds: float, stop: threading.Event, work: Callable[[threading.Event], T]) -> T:
    """Return what `work` returns; raise `TimeoutError` when it takes longer, `Interrupted` on `stop`.

    It runs in a daemon thread, left to itself when it is late: `work` gets the event that tells it so.
    """
    late = threading.Event()
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work(late))
        except BaseException as error:  # noqa: BLE001 - handed on to the caller, all of it
            future.set_exception(error)

    threading.Thread(target=run, name="page", daemon=True).start()
    end = time.monotonic() + seconds
    try:
        while not future.done():
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if stop.is_set():
                raise Interrupted("Stopped while waiting for a page.")
            wait([future], timeout=min(left, _GLANCE))
    finally:
        late.set()
    return future.result()
