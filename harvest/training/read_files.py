"""Read files of a run directory, which may come from a stranger: only regular files, of a limited size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOST = 16 << 20  # bytes of a description or a table of epochs


def read_text(path: Path, most: int = MOST) -> str:
    """Return the text of a file; raise OSError or ValueError if it is not a file, too large or not UTF-8."""
    if path.exists() and not path.is_file():  # reading a pipe would block
        raise OSError("it is not a regular file")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data.decode("utf-8")
