"""The functions that change the disk, and the errors when they fail.

Everything that writes a picture calls these functions, as `disk.write(…)`: tests replace them by functions that fail,
or end the process, at the Nth call.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import CannotWrite, LinkNotFollowed, ReadOnly, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

_CHUNK = 1 << 20
_NO_ROOM = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_FILE_SIZE_LIMIT = "Raise the limit of the size of a file (ulimit -f), or use another file system"
_NOT_OURS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_FOLDER = frozenset({errno.ENOTDIR, errno.EEXIST})
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # not on Windows
_OPEN = _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # opening a FIFO does not block
_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)  # links on Windows that need no privilege


def make_folder(path: Path) -> None:
    """Make a folder and its parents, unless they exist."""
    path.mkdir(parents=True, exist_ok=True)


def make_subfolder(path: Path) -> None:
    """Make a folder, unless it exists; its parent must exist."""
    path.mkdir(exist_ok=True)


def write(path: Path, data: bytes) -> None:
    """Write a new file, and flush it to the disk.

    The mode "x" refuses a symbolic link at the path, also a broken one.
    """
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_at(path: Path, offset: int, data: bytes) -> None:
    """Write the end of a file from an offset on, and flush it; the file is made if it does not exist."""
    with os.fdopen(open_file(path, os.O_RDWR | os.O_CREAT), "r+b") as file:
        file.truncate(offset)
        file.seek(offset)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_atomically(path: Path, data: bytes) -> None:
    """Write or replace a file, completely or not at all; a symbolic link at the path is replaced."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        remove(part)
        write(part, data)
        replace(part, path)
    except OSError as error:
        with suppress(OSError):
            remove(part)
        raise write_error(path, error) from error


def copy(source: Path, target: Path, *, flush: bool = True) -> None:
    """Copy to a new file on another disk, and flush it."""
    with open_to_read(source) as old, target.open("xb") as file:
        shutil.copyfileobj(old, file, _CHUNK)
        file.flush()
        if flush:
            os.fsync(file.fileno())


def link(source: Path, target: Path, *, flush: bool = True) -> None:
    """Give a file a second name, which keeps its content when the first name is replaced.

    This takes no space; on a file system without hard links the file is copied. Without `flush`, the caller
    flushes the copy later.
    """
    try:
        target.hardlink_to(source)
    except (OSError, NotImplementedError):
        remove(target)
        copy(source, target, flush=flush)


def replace(source: Path, target: Path) -> None:
    """Move a file to a path atomically, replacing a file there."""
    source.replace(target)


def remove(path: Path) -> None:
    """Remove a file, unless it is gone already."""
    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk."""
    if os.name == "nt":  # Windows cannot open folders, and journals their names itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Flush every file and name below a folder: faster than one by one while they are written."""
    for path, _, names in os.walk(folder):
        for name in names:
            handle = os.open(os.path.join(path, name), os.O_RDONLY | _NO_FOLLOW)  # noqa: PTH118 - ten times faster
            try:
                if os.name != "nt":  # Windows flushes only what is open for writing
                    os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(path))


def is_link(path: Path) -> bool:
    """Return whether a path is a symbolic link or a junction, also a broken one."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", -1) == _JUNCTION


def refuse_link(path: Path) -> None:
    """Raise an error with the link and its target if a path is a symbolic link."""
    if is_link(path):
        raise write_error(path, _link_error(path))


def open_file(path: Path, flags: int) -> int:
    """Open a regular file and return its descriptor; raise `OSError` for a symbolic link."""
    if not _NO_FOLLOW and is_link(path):
        raise _link_error(path)
    descriptor = os.open(path, flags | _OPEN, 0o666)
    try:
        _check_opened(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_opened(path: Path, opened: os.stat_result) -> None:
    if not stat.S_ISREG(opened.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    # Without O_NOFOLLOW a link can replace the file between the check and the opening.
    if not _NO_FOLLOW and not os.path.samestat(opened, path.lstat()):
        raise _link_error(path)


def _link_error(path: Path) -> OSError:
    return OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def open_to_read(path: Path) -> BufferedReader:
    """Open a regular file for reading; raise `OSError` for a symbolic link."""
    return os.fdopen(open_file(path, os.O_RDONLY), "rb")


@contextmanager
def write_errors_named(path: Path) -> Iterator[None]:
    """Turn an `OSError` within the block into an error that names the path and a solution."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


@contextmanager
def read_errors_named(path: Path) -> Iterator[None]:
    """Turn an `OSError` within the block into ours: an unreadable folder must not look empty or gone."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"cannot read {path}: {reason}", "Nothing was changed. Check the disk.") from error


def write_error(path: Path, error: OSError) -> CannotWrite:
    """Return an error with the path, the reason, the free space, and what to do."""
    reason = error.strerror or str(error)
    if error.errno == errno.ELOOP and is_link(path):
        return _link_refusal(path)
    kind = ReadOnly if error.errno in _NOT_OURS else CannotWrite
    if error.errno == errno.EFBIG:
        hint = f"{_FILE_SIZE_LIMIT}, then run the same command again: it continues where this one stopped."
    elif is_full(error):
        hint = "Free some space, then run the same command again: it continues where this one stopped."
    elif error.errno in _NOT_OURS:
        hint = "Choose a folder that you may write to."
    elif error.errno in _NO_FOLDER:
        hint = "A folder is needed there. Choose another path, or move the file away."
    else:
        hint = "Check the disk, then run the same command again: it continues where this one stopped."
    return kind(f"cannot write {path}: {reason} ({describe_free_space(path)})", hint)


def _link_refusal(path: Path) -> LinkNotFollowed:
    try:
        target = f" to {path.readlink()}"
    except OSError:
        target = ""
    return LinkNotFollowed(
        f"{path} is a symbolic link{target}. harvest does not follow it, and does not change its target.",
        "Replace the link by its target, or remove it. Then run the same command again.",
    )


def is_full(error: OSError) -> bool:
    """Return whether an error is about space: of the disk or of a quota."""
    return error.errno in _NO_ROOM


def free_space(path: Path) -> int:
    """Return the free bytes at a path, which need not exist; -1 if they are unknown."""
    for place in (path, *path.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return -1


def describe_free_space(path: Path) -> str:
    """Return the free space at a path, which need not exist.

    >>> from pathlib import Path
    >>> describe_free_space(Path.cwd() / "not" / "there").endswith(" GB free")
    True
    """
    free = free_space(path)
    return f"{free / 1e9:.1f} GB free" if free >= 0 else "free space unknown"
