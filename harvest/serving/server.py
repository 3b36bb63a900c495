"""The server under the service: uvicorn, with an end to every patience, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn

from harvest.serving.admission import Admission
from harvest.serving.http_connection import LimitedConnection

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from harvest.serving.listener import Listener
    from harvest.serving.service_limits import ServiceLimits

_GRACE = 1  # seconds that answers under way have to be finished, once we are told to stop
_STEP = 0.2  # seconds after which a waiting thread hears of a signal, on every platform


class Server:
    """Serves in a thread: signals stay with the program, and a notebook's event loop its own."""

    def __init__(self, app: ASGIApp, door: Listener, bounds: ServiceLimits) -> None:
        self._door = door
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="serve")
        connection = partial(LimitedConnection, bounds=bounds, admission=Admission(bounds))
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", connection),
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
            )
        )

    def run(self) -> None:
        """Serve until a KeyboardInterrupt, which ends it within about a second."""
        done = self._thread.submit(self._serve)
        try:
            _wait(done)
        except KeyboardInterrupt:
            self.stop()
            _wait(done)
        finally:
            self._door.close()
            self._thread.shutdown(wait=False)

    def _serve(self) -> None:
        asyncio.run(self._server.serve([self._door.socket]))

    def stop(self) -> None:
        """Let nobody in any more, and finish what is under way."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would tell of each that is cut off
        self._server.should_exit = True


def _wait(done: Future[None]) -> None:
    while True:
        try:
            return done.result(timeout=_STEP)
        except FutureTimeout:
            if done.done():
                raise
