"""The test Internet in a process of its own, for long runs, benchmarks and a shell."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.internet.log import CONTROL, Log
from tests.web import Internet

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


class InternetProcess(Internet):
    """The same Internet in another process; `setup`, a function of a module, adds the results in both.

    This object only lists what the other process serves. Modes and conditions must come from `setup`, because later
    changes here do not reach the other process. `seen()` returns its log.
    """

    def __init__(self, setup: Callable[[Internet], object]) -> None:
        super().__init__()
        if "<" in setup.__qualname__:
            raise ValueError(f"another process cannot find {setup.__qualname__}: make it a module's function")
        self._setup = f"{setup.__module__}:{setup.__qualname__}"
        setup(self)

    def __enter__(self) -> Self:
        """Start the process and wait until it listens."""
        command = [sys.executable, "-m", "tests.web", "--attached", "--setup", self._setup]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        messages = self._process.stdout.readline()
        if not messages:
            raise RuntimeError(f"{' '.join(command)} ended with {self._process.wait()}")
        state = json.loads(messages)
        self.port, self.certificate = state["port"], Path(state["certificate"])
        return self

    def __exit__(self, *_: object) -> None:
        """End the process; it also ends if this one is killed."""
        self._process.communicate(timeout=60)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def seen(self) -> Log:
        """Ask the process for its log."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": self.proxy}))
        with opener.open(f"http://{CONTROL}/") as answer:
            return Log.restored(json.load(answer))


def main() -> int:
    """Serve until interrupted, or until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m tests.web", description=__doc__)
    parser.add_argument("--setup", metavar="MODULE:FUNCTION", required=True, help="fills the result lists")
    parser.add_argument("--attached", action="store_true", help="say JSON; end when standard input closes")
    options = parser.parse_args()
    module, _, function = options.setup.partition(":")
    internet = Internet()
    getattr(importlib.import_module(module), function)(internet)

    def listening() -> None:
        if options.attached:
            print(json.dumps({"port": internet.port, "certificate": str(internet.certificate)}), flush=True)
        else:
            print("\n".join(f"export {name}={value}" for name, value in internet.environ.items()), flush=True)

    asyncio.run(_serve(internet, listening, attached=options.attached))
    return 0


async def _serve(internet: Internet, listening: Callable[[], None], *, attached: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if attached:
        # Ctrl-C is for the program under test; this Internet ends with its parent process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_wait_for_the_end, args=(loop, stop), daemon=True).start()
    else:
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(stop.set))
    await internet.serve(listening, stop)


def _wait_for_the_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(stop.set)
