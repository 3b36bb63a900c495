"""Write a folder completely or not at all: as OUT.part, which is renamed to OUT when everything is on the disk."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harvest.errors import CannotWrite, UsageError
from harvest.files import disk
from harvest.files.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARKER = ".harvest-unfinished"  # identifies a folder that an interrupted export left, and is its lock


@contextmanager
def write_folder(out: Path) -> Iterator[Path]:
    """Yield the folder OUT.part to write to; at the end it is flushed to the disk and renamed to OUT.

    If the block raises, the folder is removed. What a killed process left is removed by the next.
    """
    check_is_free(out)
    part = out.with_name(f"{out.name}.part")
    lock = _claim_folder(part)
    try:
        with _space_errors_explained(part):
            yield part
            disk.sync_tree(part)
            check_is_free(out)
            lock.release()
            disk.replace(part, out)
            disk.remove(out / _MARKER)
            disk.sync_folder(out.parent)
    except BaseException:
        lock.release()
        shutil.rmtree(part, ignore_errors=True)
        raise


def check_is_free(out: Path) -> None:
    """Raise `UsageError` if there is anything at the path: nothing is overwritten."""
    if not out.name:
        raise UsageError(f"{out} cannot be the folder of an export.", "Name a new folder.")
    if os.path.lexists(out):
        raise UsageError(f"{out} exists, and is not overwritten.", "Choose another name, or remove it first.")


def _claim_folder(part: Path) -> Lock:
    """Make the folder, or empty the one that an interrupted export left, and lock it."""
    with disk.write_errors_named(part):
        disk.refuse_link(part)
        disk.make_folder(part.parent)
        is_new = not os.path.lexists(part)
        if is_new:
            part.mkdir()
        elif not (part / _MARKER).is_file():
            raise UsageError(f"{part} exists, and harvest did not make it.", "Choose another name, or move it away.")
    lock = Lock(part / _MARKER)
    if not lock.acquire():
        raise CannotWrite(
            f"{part} is being written by {lock.describe_holder()}.", "Wait for it, or choose another name."
        )
    if not is_new:
        with disk.write_errors_named(part):
            for entry in list(os.scandir(part)):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                elif entry.name != _MARKER:
                    os.unlink(entry.path)  # noqa: PTH108 - an entry has a path as text
    return lock


@contextmanager
def _space_errors_explained(part: Path) -> Iterator[None]:
    """Turn errors of the disk into ours: an export starts again, it does not continue."""
    try:
        yield
    except CannotWrite as error:
        raise CannotWrite(error.message, _hint(error.__cause__)) from error
    except OSError as error:
        raise CannotWrite(disk.write_error(part, error).message, _hint(error)) from error


def _hint(error: BaseException | None) -> str:
    what = "Free some space" if isinstance(error, OSError) and disk.is_full(error) else "Check the disk"
    return f"Nothing was exported, and nothing is left of it. {what}, then run the same command again."
