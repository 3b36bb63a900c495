"""A lock on a file, for one `get` at a time; the system releases it however its process ends."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from harvest.files import disk

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # Windows locks bytes, not files, and a locked byte cannot be read: lock one far behind the text.
    _FAR = 1 << 30

    def _lock(handle: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)

    _LOCK_HELD: tuple[type[OSError], ...] = (PermissionError,)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    _LOCK_HELD = (BlockingIOError,)


class Lock:
    """The lock of the process that places pictures. The file remains after the release, with an old text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self, *, timeout: float = 0.0) -> bool:
        """Try for `timeout` seconds to acquire the lock, and return whether it is ours now."""
        deadline = time.monotonic() + timeout
        while not self._try_acquire():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        return True

    def _try_acquire(self) -> bool:
        with disk.write_errors_named(self.path):
            handle = disk.open_file(self.path, os.O_RDWR | os.O_CREAT)
            try:
                _lock(handle)
            except _LOCK_HELD:
                os.close(handle)
                return False
            except OSError:
                os.close(handle)
                raise
            self._handle = handle
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
            return True

    def describe_holder(self) -> str:
        """Return the process that acquired the lock last, and when."""
        try:
            with disk.open_to_read(self.path) as file:
                return file.read(200).decode(errors="replace").strip() or "another process"
        except OSError:
            return "another process"

    def release(self) -> None:
        """Release the lock, if it is ours."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
