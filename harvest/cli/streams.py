"""The standard streams: one that is closed, full or without a reader never ends in a traceback.

The first write to standard output that fails raises: `BrokenPipeError` where the reader is gone, which is how
`harvest status | head -1` ends, and `CannotWrite` for everything else. Standard error never fails: there is
nobody left to tell, and a run must not end because its terminal was closed.
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
    """Replace the standard streams by ones that are open, and whose failures are handled."""
    # In this order each takes the number of the stream it stands for. Otherwise the ledger could get number
    # 2, and what a library writes to standard error would go into it.
    sys.stdin = sys.stdin or _open_null("r")
    sys.stdout = _guard(sys.stdout or _open_null("w"), _Output)
    sys.stderr = _guard(sys.stderr or _open_null("w"), _ErrorOutput)


def _open_null(mode: str) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")  # type: ignore[return-value]  # noqa: PTH123


def _guard(stream: TextIO, kind: type[_Raw]) -> TextIO:
    """Wrap what is a file, pipe or terminal; a console of Windows or a notebook has no such faults."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    if not isinstance(getattr(stream.buffer, "raw", stream.buffer), io.FileIO):
        return stream
    raw = kind(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors in _FAILS else stream.errors,  # a terminal may lack letters
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


_FAILS = {"strict", "surrogateescape"}  # the second is Python's choice in the locales C and POSIX


class _Raw(io.FileIO):
    """A stream that fails at most once, and from then on discards what is written."""

    _is_lost = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some of the data, and return how much."""
        if self._is_lost:
            return len(memoryview(data))
        try:
            while (count := super().write(data)) is None:
                select.select([], [self], [])  # another program, which has it too, made it non-blocking
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
            "Nothing that was harvested is lost. Send the output to a place with room.",
        ) from None


class _ErrorOutput(_Raw):
    def _fail(self, error: OSError) -> None:
        pass
