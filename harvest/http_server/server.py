"""Run uvicorn in a thread, with timeouts for every connection."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn

from harvest.http_server.client_limits import Admission
from harvest.http_server.connection_timeouts import LimitedConnection

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from harvest.http_server.listener import Listener
    from harvest.http_server.service_limits import ServiceLimits

_GRACE = 1  # seconds that running requests get to finish after a stop
_STEP = 0.2  # seconds between two checks for a signal while waiting, on every platform


class Server:
    """Serves in a thread: the main thread keeps its signals, and a notebook its event loop."""

    def __init__(self, app: ASGIApp, listener: Listener, limits: ServiceLimits) -> None:
        self._listener = listener
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="serve")
        connection = partial(LimitedConnection, limits=limits, admission=Admission(limits))
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
        """Serve until a KeyboardInterrupt, which stops the server within about a second."""
        done = self._thread.submit(self._serve)
        try:
            _wait(done)
        except KeyboardInterrupt:
            self.stop()
            _wait(done)
        finally:
            self._listener.close()
            self._thread.shutdown(wait=False)

    def _serve(self) -> None:
        asyncio.run(self._server.serve([self._listener.socket]))

    def stop(self) -> None:
        """Accept no more connections, and finish the running requests."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would log every request that is cut off
        self._server.should_exit = True


def _wait(done: Future[None]) -> None:
    while True:
        try:
            return done.result(timeout=_STEP)
        except FutureTimeout:
            if done.done():
                raise
