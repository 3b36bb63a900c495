"""Turn the output of a command into distinct failures that can be counted."""

from __future__ import annotations

import re
from typing import NamedTuple

_HEAD = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_FRAME = re.compile(r'\s*File "([^"]*)", line (\d+),? in (\S+)')
_ERROR = re.compile(r"(?:[\s+]*\| )?([A-Za-z_][\w.]*)")  # behind a bar in a group of exceptions
_LONGEST = 6000  # characters of a traceback to keep


class Failure(NamedTuple):
    """One way in which a command broke a rule: the same `kind` and `place` mean the same fault."""

    kind: str
    place: str  # the innermost line of harvest
    text: str


def failures_in(text: str) -> list[Failure]:
    """Return one failure for each traceback in a text; of chained exceptions the last one counts.

    >>> lines = [_HEAD, '  File "/x/harvest/files/disk.py", line 7, in read', "OSError: no", "and more"]
    >>> [failure[:2] for failure in failures_in(chr(10).join(lines))]
    [('OSError', 'harvest/files/disk.py:7 read')]
    """
    blocks = text.split(_HEAD)[1:]
    return [_failure(block) for block in blocks if not any(words in block for words in _CHAINED)]


def _failure(block: str) -> Failure:
    lines = block.splitlines()
    errors = [(number, found[1]) for number, line in enumerate(lines) if (found := _ERROR.match(line))]
    error, name = errors[0] if errors else (len(lines) - 1, "unknown")
    kind = name.rpartition(".")[2]
    traceback = "\n".join(lines[: error + 1])
    return Failure(kind, innermost_place(traceback), (_HEAD + traceback)[-_LONGEST:])


def innermost_place(text: str, *, first: bool = False) -> str:
    """Return the innermost line of harvest in a traceback; `first` where the innermost call comes first.

    >>> innermost_place('  File "/usr/lib/python3.11/http/cookiejar.py", line 5, in parse')
    'cookiejar.py:5 parse'
    """
    frames = _FRAME.findall(text)
    ours = [
        (f"harvest/{path.rpartition('/harvest/')[2]}", line, function)
        for path, line, function in frames
        if "/harvest/" in path and "/tests/" not in path
    ]
    found = ours or [(path.rpartition("/")[2], line, function) for path, line, function in frames]
    if not found:
        return "somewhere"
    path, line, function = found[0 if first else -1]
    return f"{path}:{line} {function}"
