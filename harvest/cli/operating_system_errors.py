"""Errors of the machine, not of the program: reported as a message and an exit code, not as a traceback."""

from __future__ import annotations

import errno
import mmap
import os
import threading
from typing import TYPE_CHECKING

from harvest.errors import HarvestError, OutOfResources, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

TO_HARVEST = 320  # megabytes of address space that NumPy and the rest take on two cores; measured
_MOST_THREADS = 64  # OpenBLAS starts no more
_MEMORY = "Close other programs, or raise the limit: ulimit -v shows it in kilobytes."
_THREADS = "Close other programs, or raise the limits: ulimit -u for threads, ulimit -v for memory."
_FILES = "Close other programs, or raise the limit: ulimit -n shows it."
# Messages of the system's loader when memory is short; Python raises them as ImportError.
_NO_ROOM = ("failed to map segment", "cannot allocate memory", "cannot create shared object descriptor")


def explain(error: BaseException) -> HarvestError | None:
    """Return the error to show for an error that the machine caused, also where it was wrapped."""
    for cause in _chain(error):
        if explained := _out_of_resources(cause):
            return explained
    if isinstance(error, FileNotFoundError) and is_working_directory_gone():
        return _no_working_directory()
    return None


def is_working_directory_gone() -> bool:
    """Return whether the working directory no longer exists."""
    try:
        os.getcwd()  # noqa: PTH109 - only whether it fails matters
    except OSError:
        return True
    return False


def need_room(megabytes: int) -> None:
    """Raise `OutOfResources` if the process cannot get this much address space, or a thread per processor.

    Without this check, native code of a library would end the process: OpenBLAS exits with 1 or raises SIGINT,
    and glibc aborts.
    """
    _need_threads(min(os.cpu_count() or 1, _MOST_THREADS))
    _need_memory(megabytes)


def _need_threads(count: int) -> None:
    """Start this many threads at the same time; each takes less than a millisecond."""
    done = threading.Event()
    threads = [threading.Thread(target=done.wait, daemon=True) for _ in range(count)]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    finally:
        done.set()
        for thread in started:
            thread.join()


def _need_memory(megabytes: int) -> None:
    """Reserve address space and release it, without touching a page."""
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows has no such limit
        return
    try:
        mmap.mmap(-1, megabytes * 2**20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ).close()
    except (OSError, MemoryError):
        raise OutOfResources(f"this needs at least {megabytes} MB of address space.", _MEMORY) from None


def need_a_working_directory() -> None:
    """Raise `UsageError` without a working directory: PyTorch's libraries would end the process."""
    if is_working_directory_gone():
        raise _no_working_directory()


def _no_working_directory() -> UsageError:
    return UsageError("the working directory no longer exists.", "Change to an existing directory: cd ~")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _out_of_resources(error: BaseException) -> HarvestError | None:
    text = str(error).lower()
    match error:
        case MemoryError() | OSError(errno=errno.ENOMEM):
            return OutOfResources("there is not enough memory.", _MEMORY)
        case ImportError() if any(words in text for words in _NO_ROOM):
            return OutOfResources("there is not enough memory to load a library.", _MEMORY)
        case RuntimeError() if "can't start new thread" in text:
            return OutOfResources("the system does not allow another thread.", _THREADS)
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return OutOfResources("too many files are open.", _FILES)
    return None
