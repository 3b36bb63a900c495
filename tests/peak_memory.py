"""Measure the most memory that this process has used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

linux_only = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes.

    `ru_maxrss` cannot be used: a child process starts with the peak of the process that started it, so that nothing
    is measured below the memory of the whole test run.
    """
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
