"""A pseudo-terminal of a given width: what a command sends to it, and what it shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from typing import TYPE_CHECKING, Self

from tests.command import HARVEST, PATIENCE, start

if TYPE_CHECKING:
    from tests.command import Command

ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")

# A line ends where the next one begins, or where the cursor moves back to an earlier one.
_LINE_ENDS = re.compile(r"\r\n|\r|\n|\x1b\[\d*A")


class Terminal:
    """Runs the command on a pseudo-terminal; `sent` is every byte, `shown` the text without escapes."""

    def __init__(self, cli: Command, *args: str, columns: int = 80, rows: int = 30, **variables: str) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environ = {name: value for name, value in cli.environ.items() if name != "COLUMNS"}
        environ = {"TERM": "xterm-256color", **environ, **variables}
        self.process = start([*HARVEST, *args], cli.folder, environ, [slave] * 3, new_session=True)
        os.close(slave)
        self._master = master
        self._bytes = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # how Linux reports that no process writes any more
                return
            if not piece:
                return
            self._bytes += piece

    @property
    def sent(self) -> str:
        """Everything that was written so far."""
        return self._bytes.decode("utf-8", "replace")

    @property
    def shown(self) -> list[str]:
        """The lines without escape codes; a table that was redrawn is contained once per redraw."""
        return [ESCAPE.sub("", line) for line in _LINE_ENDS.split(self.sent)]

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for the end, and return the exit code."""
        code = self.process.wait(timeout)
        self._reader.join(timeout=60)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
