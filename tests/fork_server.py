"""A process that has imported `harvest` and forks a command per request: no test waits for imports again.

A command started here is a process of its own, with the arguments, folder, environment and streams that it was
given. Only the interpreter's start and the imports, 0.9 s of CPU a command, are done once per pytest process.
What depends on those, such as the variables that Python itself reads, needs a new interpreter: see `can_fork`.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tests import jumping_clock

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[1]
GUARD = Path(__file__).parent / "guard"
LARGEST = 1 << 17  # bytes of a request

# Imported by the commands that have a network: it takes seconds, and memory.
HEAVY = ("harvest.training", "harvest.serving")
LATER_HEAVY = ("transformers.models.resnet.modeling_resnet", "transformers.trainer")
# What a run imports only when it comes to it.
LATER = (
    *("typer._adapters", "imagehash", "PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin"),
    *("PIL.PngImagePlugin", "PIL.PpmImagePlugin", "PIL.WebPImagePlugin", "encodings.utf_8_sig"),
    "scipy.fftpack",  # 0.5 s of CPU at the first image: imagehash imports it when it computes a hash
)
HEAVY_COMMANDS = {"train", "predict", "serve"}


def can_fork(environ: Mapping[str, str]) -> bool:
    """Return whether a forked command does what a new interpreter would do with these variables."""
    own = {"PYTHONPATH": str(GUARD), "PYTHONUTF8": "1"}
    read_at_start = {name: value for name, value in environ.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
    return sys.platform == "linux" and read_at_start == own


class ForkedProcess:
    """A command that was forked: what `subprocess.Popen` offers of one without pipes."""

    def __init__(self, status: int) -> None:
        self._status = os.fdopen(status, "rb", buffering=0)
        self.returncode: int | None = None
        self.pid = int(self._read_line())

    def _read_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            if not (byte := self._status.read(1)):
                raise RuntimeError("the fork server ended")
            line += byte
        return line

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit code."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("harvest", timeout or 0)
            self.returncode = int(self._read_line())
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process that forks; it ends with the one that started it."""

    def __init__(self, *, heavy: bool) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            own = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
            own |= {"PYTHONPATH": str(GUARD), "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            own["HF_HUB_OFFLINE"] = "1"  # read when it is imported
            command = [sys.executable, "-m", "tests.fork_server", str(theirs.fileno()), "heavy" if heavy else ""]
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=own, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        atexit.register(self.close)

    def start(
        self,
        program: str,
        args: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str],
        streams: Sequence[int],
        new_session: bool = False,
    ) -> ForkedProcess:
        """Fork a command: `harvest`, the path of a script, or `-c` with code as the first of its arguments.

        `streams` are the descriptors of standard input, output and error.
        """
        request = {"program": program, "args": [*args], "folder": str(folder), "environ": {**environ}}
        request["new_session"] = new_session
        body = json.dumps(request).encode()
        assert len(body) < LARGEST
        status, theirs = os.pipe()
        try:
            descriptors = array.array("i", [*streams, theirs])
            self._control.sendmsg([body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        finally:
            os.close(theirs)
        return ForkedProcess(status)

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._process.wait()


@cache
def fork_server(*, heavy: bool) -> ForkServer:
    """Return the server of this process; the `heavy` one has imported torch as well."""
    return ForkServer(heavy=heavy)


# ---- in the process of the server


def _modules(*, heavy: bool) -> Iterator[str]:
    for found in pkgutil.walk_packages(importlib.import_module("harvest").__path__, "harvest."):
        if not found.name.endswith("__main__") and (heavy or not found.name.startswith(HEAVY)):
            yield found.name
    yield from LATER
    if heavy:
        yield from LATER_HEAVY


def _serve(control: socket.socket) -> dict[str, Any]:
    """Fork a child per request, and report how it ended; return the request in the child."""
    woken, wake = socket.socketpair()
    wake.setblocking(False)  # noqa: FBT003 - its only form
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    children: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            _report_ended(children)
        if control not in ready:
            continue
        body, ancillary, _, _ = control.recvmsg(LARGEST, socket.CMSG_SPACE(16 * 4))
        if not body:
            os._exit(0)
        descriptors = array.array("i")
        descriptors.frombytes(ancillary[0][2])
        *streams, status = descriptors
        if child := os.fork():
            children[child] = status
            os.write(status, f"{child}\n".encode())
            for stream in streams:
                os.close(stream)
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in (control, woken, wake):
            other.close()
        for descriptor in (*children.values(), status):
            os.close(descriptor)
        return {**json.loads(body), "streams": streams}


def _report_ended(children: dict[int, int]) -> None:
    while children:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        descriptor = children.pop(child)
        with suppress(BrokenPipeError):  # nobody waits for it
            os.write(descriptor, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(descriptor)


def _become(request: dict[str, Any]) -> None:
    """Take over the folder, environment and streams of a command."""
    if request["new_session"]:
        os.setsid()
    for number, stream in enumerate(request["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, _stream(number))
        setattr(sys, f"__{name}__", getattr(sys, name))
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    sys.path[0] = request["folder"]
    sys.argv = [request["program"], *request["args"]]
    importlib.import_module("sitecustomize").watch()
    if jumping_clock.VARIABLE in os.environ:
        jumping_clock.skip_pauses()


def _stream(number: int) -> io.TextIOWrapper:
    """Open a standard stream as Python opens it in UTF-8 mode."""
    terminal = os.isatty(number)
    return open(
        number,
        "w" if number else "r",
        encoding="utf-8",
        errors="backslashreplace" if number == 2 else "surrogateescape",
        buffering=1 if terminal or number == 2 else -1,
        closefd=False,
    )


def _main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in _modules(heavy=sys.argv[2] == "heavy"):
        with suppress(ImportError):  # of an extra that is not installed, or another version of a library
            importlib.import_module(name)
    _prepare_command_line()
    gc.collect()
    gc.freeze()
    request = _serve(control)
    code = 1
    try:
        _become(request)
        _run(request["program"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the interpreter's last resort, too
        traceback.print_exc()
    # What the interpreter does at its end, but for freeing every object: 0.1 s, as each page is copied for it.
    threading._shutdown()
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(code)


def _prepare_command_line() -> None:
    """Do once what every command does at its start: 0.15 s of CPU."""
    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(importlib.import_module("harvest.cli.app").app)
    importlib.import_module("harvest.providers").names()  # reads the entry points of all installed packages


def _run(program: str) -> None:
    if program == "harvest":
        runpy.run_module("harvest", run_name="__main__", alter_sys=True)
    elif program == "-c":
        sys.path[0] = str(ROOT)
        exec(compile(sys.argv.pop(1), "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.path[0] = str(Path(program).parent)
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    _main()
