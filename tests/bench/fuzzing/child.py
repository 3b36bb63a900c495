"""The code that runs in the process of one command: streams, environment, limits, and a network monitor."""

from __future__ import annotations

import faulthandler
import io
import os
import resource
import socket
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from tests.guard.sitecustomize import stray

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MEMORY = 6 << 30  # bytes of address space that a command may use in addition to the worker's


def run(
    work: Callable[[], object],
    *,
    folder: Path,
    environ: Mapping[str, str],
    streams: Sequence[Path],
    watched: Path,
    strays: Path,
    seconds: float,
) -> NoReturn:
    """Run `work` as in a process of its own, and exit with its exit code."""
    os.setsid()
    _redirect(streams)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    tempfile.tempdir = None
    space = _address_space() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(sys.__stderr__)
    faulthandler.dump_traceback_later(seconds * 0.9, file=sys.__stderr__)
    _watch(watched, strays)
    code = _finish(work)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _finish(work: Callable[[], object]) -> int:
    """Return the exit code that Python would leave with."""
    code = 0
    try:
        work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever ends a command is what the fuzzer looks for
        traceback.print_exc()
        code = 1
    threading._shutdown()  # waits for threads, as Python does at exit
    return code


def _redirect(streams: Sequence[Path]) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for number, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb", closefd=False), encoding="utf-8")
    sys.stdout = sys.__stdout__ = _text(1, "strict")
    sys.stderr = sys.__stderr__ = _text(2, "backslashreplace")


def _text(number: int, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(os.fdopen(number, "wb", closefd=False), encoding="utf-8", errors=errors)


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - short
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _watch(watched: Path, strays: Path) -> None:
    """Log connections beyond loopback, and files that are opened in the home directory; resolve no name."""
    inside = f"{watched}{os.sep}"
    quiet = threading.local()  # logging opens a file, too

    def note(text: str) -> None:
        quiet.on = True
        try:
            with open(strays, "a", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
                file.write(f"{text}\n")
        finally:
            quiet.on = False

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "open" and not getattr(quiet, "on", False):
            path = os.fsdecode(args[0]) if isinstance(args[0], str | bytes) else ""
            if path and os.path.abspath(path).startswith(inside):  # noqa: PTH100 - without following links
                note(f"opened a file outside of the dataset: {path}")
        elif (host := stray(event, args)) is not None:
            if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            note(f"connected beyond loopback: {host}")
            raise OSError(f"the fuzz run must not leave loopback: {host}")

    sys.addaudithook(hook)
