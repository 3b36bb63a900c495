"""The standard streams: a closed or full stream, or one without a reader, never causes a traceback.

The first failed write to standard output raises `BrokenPipeError` if the reader is gone, which is how
`harvest status | head -1` ends, and `CannotWrite` otherwise. Failed writes to standard error are ignored: there
is nowhere to report them, and a run must not end because its terminal was closed.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

from harvest.errors import CannotWrite

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def set_up_streams() -> None:
    """Replace the standard streams by open ones with error handling."""
    # In this order each gets the file descriptor of the stream it replaces. Otherwise the ledger could get
    # descriptor 2, and a library that writes to standard error would write into it.
    sys.stdin = sys.stdin or _open_null("r")
    sys.stdout = _guard(sys.stdout or _open_null("w"), _Output)
    sys.stderr = _guard(sys.stderr or _open_null("w"), _ErrorOutput)


def _open_null(mode: str) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")  # type: ignore[return-value]  # noqa: PTH123


def _guard(stream: TextIO, kind: type[_Raw]) -> TextIO:
    """Wrap a stream that is a file, pipe or terminal; a Windows console or a notebook does not need it."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    if not isinstance(getattr(stream.buffer, "raw", stream.buffer), io.FileIO):
        return stream
    raw = kind(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace"
        if stream.errors in _FAILS
        else stream.errors,  # the encoding of a terminal may lack characters
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


_FAILS = {"strict", "surrogateescape"}  # Python uses the second in the locales C and POSIX


class _Raw(io.FileIO):
    """A stream that reports its first failure, and discards everything written after it."""

    _is_lost = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write data, and return the number of bytes written."""
        if self._is_lost:
            return len(memoryview(data))
        try:
            while (count := super().write(data)) is None:
                select.select([], [self], [])  # another program that shares the stream made it non-blocking
        except OSError as error:
            self._is_lost = True
            self._fail(error)
            return len(memoryview(data))
        return count

    def _fail(self, error: OSError) -> None:
        raise NotImplementedError


class _Output(_Raw):
    def _fail(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise error
        raise CannotWrite(
            f"cannot write standard output: {error.strerror or error}.",
            "The harvested images are safe. Redirect the output to a place with free space.",
        ) from None


class _ErrorOutput(_Raw):
    def _fail(self, error: OSError) -> None:
        pass
