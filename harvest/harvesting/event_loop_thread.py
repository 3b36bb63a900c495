"""Run an event loop in a thread: a notebook has a loop already, and the main thread stays free for signals."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def run_in_thread(run: Callable[[], Coroutine[None, None, None]], *, stop: Callable[[], None]) -> None:
    """Run a coroutine to its end; a KeyboardInterrupt calls `stop`, after which it is expected to end soon."""

    def run_loop() -> None:
        asyncio.run(run())  # called here: where no thread can be started, no coroutine is left behind

    with ThreadPoolExecutor(1, thread_name_prefix="pipeline") as thread:
        done = thread.submit(run_loop)
        try:
            _wait(done)
        except KeyboardInterrupt:
            stop()
            _wait(done)


def _wait(done: Future[None]) -> None:
    """Wait in short steps, so that a signal is handled at once on every platform."""
    while True:
        try:
            return done.result(timeout=0.2)
        except FutureTimeout:
            if done.done():
                raise
