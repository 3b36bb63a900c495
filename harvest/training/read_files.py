"""Reading what a run directory holds: it may come from anybody, so only regular files of a bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOST = 16 << 20  # bytes of a description or a table of epochs


def read_text(path: Path, most: int = MOST) -> str:
    """Return the text of a file; OSError or ValueError where it is not a file, too large or not UTF-8."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise OSError("it is not a regular file")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data.decode("utf-8")
