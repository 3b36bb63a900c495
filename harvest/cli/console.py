"""Terminal output: errors and notes go to stderr, data to stdout, and text from outside is sanitized."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from harvest.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.errors import HarvestError


def printable(text: object) -> str:
    r"""Return text from outside without control, escape or direction characters.

    >>> printable("red\x1b[2Jcircle\u202e")
    'red?[2Jcircle?'
    """
    return "".join("?" if unicodedata.category(c) in _UNSAFE and c != "\n" else c for c in str(text))


_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def one_line(text: object) -> str:
    r"""Return text from outside as one printable line, so that it cannot imitate our own lines.

    >>> one_line("king\nlicence CC0-1.0")
    'king licence CC0-1.0'
    """
    return printable(" ".join(str(text).splitlines()))


def pad(text: str, width: int) -> str:
    """Pad a text with spaces to a width in terminal columns; some letters take two columns.

    >>> pad("珊瑚蛇", 8) + "|"
    '珊瑚蛇  |'
    """
    return text + " " * (width - display_width(text))


def display_width(text: str) -> int:
    """Return the terminal columns that a text takes: none for combining accents, two for wide letters."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def terminal_width(stream: TextIO | None = None) -> int:
    """Return the columns of a line on a terminal, or `sys.maxsize` for a file or pipe."""
    stream = stream or sys.stdout
    return shutil.get_terminal_size().columns if stream.isatty() else sys.maxsize


def print_json(document: object) -> None:
    """Print a document as JSON on stdout, without characters that control a terminal."""
    print(as_json(document, indent=2))


def as_json(document: object, indent: int | None = None) -> str:
    r"""Return a document as printable JSON; without `indent` it is one line.

    >>> print(as_json({"name": "蛇\x1b[2J"}))
    {"name": "蛇\u001b[2J"}
    """
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return "".join(c if printable(c) == c else json.dumps(c)[1:-1] for c in text)


def error(problem: HarvestError) -> None:
    """Say what happened, and under it what to do."""
    _print_message("error", problem.message, problem.hint)


def warn(text: str) -> None:
    """Say what may surprise."""
    _print_message("warning", text)


def note(text: str) -> None:
    """Print a note on stderr."""
    _print_message("note", text)


def _print_message(kind: str, text: str, hint: str = "") -> None:
    indent = " " * (len(kind) + 2)
    lines = printable(text).split("\n") + (printable(hint).split("\n") if hint else [])
    print(f"{kind}: " + f"\n{indent}".join(lines), file=sys.stderr, flush=True)


def set_up_log(path: Path | None, *, verbose: bool) -> None:
    """Send the log of harvest to a file, and with `-v` to the terminal; other libraries might log keys."""
    log = logging.getLogger("harvest")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    handlers: list[logging.Handler] = []
    if path is not None:
        try:
            handlers.append(logging.FileHandler(path, encoding="utf-8"))
        except OSError as reason:
            raise UsageError(
                f"cannot write the log {path}: {reason.strerror}", "Name a file in an existing folder."
            ) from None
    if verbose:
        handlers.append(_Stderr())
    for handler in handlers:
        handler.setFormatter(_PlainLines("%(asctime)s %(message)s"))
        log.addHandler(handler)
    if not handlers:
        log.addHandler(logging.NullHandler())


class _Stderr(logging.Handler):
    """A handler for the current `sys.stderr`, which a live table replaces to stay below the lines."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # a closed terminal must not end the run
            print(self.format(record), file=sys.stderr, flush=True)


class _PlainLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record)).rstrip()


def format_size(count: float) -> str:
    """Return a number of bytes in readable units.

    >>> format_size(31_400_000)
    '31 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004
            return f"{count:.1f} {unit}" if unit == "GB" else f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def format_duration(seconds: float) -> str:
    """Return a duration in readable units.

    >>> format_duration(52.3), format_duration(125), format_duration(7325)
    ('52 s', '2 min 5 s', '2 h 2 min')
    """
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
