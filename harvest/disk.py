"""The few calls by which the program changes a disk, and what it says when one of them fails.

Everything that writes a picture goes through the functions below, called as `disk.write(…)`: a test replaces
them by ones that fail, or end the process, at the Nth call.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from harvest.errors import CannotWrite, ReadOnly, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 20
_NO_ROOM = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_NOT_OURS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_FOLDER = frozenset({errno.ENOTDIR, errno.EEXIST})


def make_folder(path: Path) -> None:
    """Make a folder and those above it; one that is there already is fine."""
    path.mkdir(parents=True, exist_ok=True)


def write(path: Path, data: bytes) -> None:
    """Write a new file, and return when it would survive a power loss."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def rewrite(path: Path, data: bytes) -> None:
    """Write a file that may be there already, as a whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        remove(part)
        write(part, data)
        replace(part, path)
    except OSError as error:
        with suppress(OSError):
            remove(part)
        raise refusal(path, error) from error


def copy(source: Path, target: Path) -> None:
    """Copy to a new file on another disk, and return when it would survive a power loss."""
    with source.open("rb") as old, target.open("xb") as file:
        shutil.copyfileobj(old, file, _CHUNK)
        file.flush()
        os.fsync(file.fileno())


def link(source: Path, target: Path) -> None:
    """Give a file a second name, which keeps it as it is now when the first is replaced.

    That takes no room; where the disk knows one name a file only, it is copied.
    """
    try:
        target.hardlink_to(source)
    except (OSError, NotImplementedError):
        remove(target)
        copy(source, target)


def replace(source: Path, target: Path) -> None:
    """Give a file its place in one step: nobody ever sees half of it."""
    source.replace(target)


def remove(path: Path) -> None:
    """Remove a file; one that is gone already is fine."""
    path.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Return when the names in a folder would survive a power loss."""
    if os.name == "nt":  # Windows opens no folders, and journals their names by itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn the system's refusal within the block into an error that names the place and the way out."""
    try:
        yield
    except OSError as error:
        raise refusal(path, error) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an unreadable place into an error: what cannot be read must never look like empty or gone."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"cannot read {path}: {reason}", "Nothing was changed. Check the disk.") from error


def refusal(path: Path, error: OSError) -> CannotWrite:
    """Say what the system refused, where, how much room is left, and what to do."""
    reason = error.strerror or str(error)
    kind = ReadOnly if error.errno in _NOT_OURS else CannotWrite
    if error.errno in _NO_ROOM:
        hint = "Make room and run the same line again: what is placed stays, the rest goes on."
    elif error.errno in _NOT_OURS:
        hint = "Choose a folder that you may write to."
    elif error.errno in _NO_FOLDER:
        hint = "A folder is needed there. Choose another place, or move the file away."
    else:
        hint = "Check the disk, then run the same line again: what is placed stays."
    return kind(f"cannot write {path}: {reason} ({free(path)})", hint)


def free(path: Path) -> str:
    """Tell the room left at a path, which need not exist.

    >>> from pathlib import Path
    >>> free(Path.cwd() / "not" / "there").endswith(" GB free")
    True
    """
    for place in (path, *path.parents):
        try:
            return f"{shutil.disk_usage(place).free / 1e9:.1f} GB free"
        except OSError:
            continue
    return "free space unknown"
