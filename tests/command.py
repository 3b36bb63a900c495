"""Run the real `harvest` command in a process of its own, on the test Internet.

If it makes no difference, the process is forked from one that has imported `harvest` (`tests.fork_server`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from typer.main import get_command

from harvest.cli import app
from tests import jumping_clock
from tests.fork_server import GUARD, HEAVY_COMMANDS, ROOT, ForkedProcess, can_fork, fork_server
from tests.guard.sitecustomize import STRAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.web import Internet

# Variables that commands inherit from the environment; HOME and others are set per test.
KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "COVERAGE_PROCESS_START")


@dataclass(frozen=True, slots=True)
class Ran:
    """The result of a command: its exit code, and both output streams."""

    code: int
    out: str
    err: str
    seconds: float
    peak_memory: int  # bytes of resident memory; 0 if the system does not report it

    @property
    def json(self) -> Any:
        """The parsed output of `--json`."""
        return json.loads(self.out)


PATIENCE = 600  # seconds, for what takes few when the machine is quiet
HARVEST = [sys.executable, "-m", "harvest"]


def start(
    command: list[str],
    folder: Path,
    environ: Mapping[str, str],
    streams: Sequence[int],
    *,
    new_session: bool = False,
    fork: bool = True,
) -> ForkedProcess | subprocess.Popen[bytes]:
    """Start a command with these standard streams; `harvest`, scripts and code are forked where they can be."""
    if fork and can_fork(environ) and (split := _split(command)):
        program, args = split
        has_network = program == "harvest" and args[0] in HEAVY_COMMANDS and "--help" not in args
        server = fork_server(heavy=has_network or program.endswith(".py"))
        return server.start(program, args, folder=folder, environ=environ, streams=streams, new_session=new_session)
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environ),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=new_session,
    )


def _split(command: list[str]) -> tuple[str, list[str]] | None:
    """Split a command into the program and its arguments, if it is one of those that can be forked."""
    if command[:3] == HARVEST and command[3:]:
        return "harvest", command[3:]
    if command[0] == sys.executable and (command[1] == "-c" or command[1].endswith(".py")):
        return command[1], command[2:]
    return None


def clean_environ() -> dict[str, str]:
    """Return the variables that every command of a test has."""
    own = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**own, "PYTHONPATH": str(GUARD), "PYTHONUTF8": "1"}


def run_code(code: str, aside: Path, *args: object) -> str:
    """Run code in a process of its own, which has imported `harvest`, and return what it prints."""
    ran = Running([sys.executable, "-c", code, *map(str, args)], ROOT, clean_environ(), aside).wait()
    assert ran.code == 0, ran.err
    return ran.out


@cache
def parser() -> Any:
    """Return the commands as `harvest.cli.app` builds them at each start, which takes 0.1 s of CPU."""
    return get_command(app.app)


class Running:
    """A running command: wait for it, interrupt it, kill it."""

    def __init__(
        self, command: list[str], folder: Path, environ: Mapping[str, str], aside: Path, *, fork: bool = True
    ) -> None:
        self._out, self._err = (aside / f"{time.monotonic_ns()}.{stream}" for stream in ("out", "err"))
        self._began = time.monotonic()
        self._peak = 0
        with open(os.devnull) as null, self._out.open("wb") as out, self._err.open("wb") as err:  # noqa: PTH123
            streams = [null.fileno(), out.fileno(), err.fileno()]
            self.process = start(command, folder, environ, streams, fork=fork)

    @property
    def messages(self) -> str:
        """The text on standard error so far."""
        return self._err.read_text("utf-8")

    @property
    def printed(self) -> str:
        """The text on standard output so far."""
        return self._out.read_text("utf-8")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.kill()

    def wait(self, timeout: float = PATIENCE) -> Ran:
        """Wait for its end; kill it and fail after `timeout` seconds."""
        while self.process.poll() is None:
            if time.monotonic() - self._began > timeout:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"still running after {timeout:g} s; it said:\n{self.messages}")
            self._measure()
            time.sleep(0.02)
        seconds = time.monotonic() - self._began
        out, err = (path.read_text("utf-8") for path in (self._out, self._err))
        return Ran(self.process.returncode, out, err, seconds, self._peak)

    def _measure(self) -> None:
        """Read the peak memory. A child's rusage would count the parent it was forked from."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        except OSError:
            return
        _, found, rest = status.partition("VmHWM:")
        if found:
            self._peak = int(rest.split(None, 1)[0]) * 1024


class Command:
    """`cli("-c", "BING", "snakes.csv")` runs to the end; `cli.start(…)` does not wait.

    It runs in `folder`; its home and other files are in `aside`. Its searches do not wait between two requests if it
    is forked (`tests.jumping_clock`). Keyword arguments are environment variables;
    `None` removes one.
    """

    def __init__(self, folder: Path, aside: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.aside = aside
        self.strays = aside / "strays"
        self.environ = {
            **clean_environ(),
            "HOME": str(aside),
            "USERPROFILE": str(aside),
            "COLUMNS": "110",
            jumping_clock.VARIABLE: "1",
            STRAYS: str(self.strays),
            **environ,
        }
        self._started: list[Running] = []

    def __call__(self, *args: object, timeout: float = PATIENCE, **variables: str | None) -> Ran:
        """Run the command to its end."""
        return self.start(*args, **variables).wait(timeout)

    def start(self, *args: object, new_interpreter: bool = False, **variables: str | None) -> Running:
        """Start the command, forked unless it needs a new interpreter; what runs when the test ends is killed."""
        environ = {name: value for name, value in {**self.environ, **variables}.items() if value is not None}
        command = [*HARVEST, *map(str, args)]
        running = Running(command, self.folder, environ, self.aside, fork=not new_interpreter)
        self._started.append(running)
        return running

    def on(self, internet: Internet) -> Self:
        """Use another test Internet from now on, in a process of its own."""
        self.environ |= internet.environ
        return self

    def close(self) -> None:
        """Kill the processes that are still running."""
        for running in self._started:
            if running.process.poll() is None:
                running.process.kill()
            running.process.wait()
