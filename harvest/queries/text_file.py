"""Read the numbered lines of a small text file: UTF-8 or UTF-16 only, and refused if it is not text."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import QueryFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 32 * 2**20  # bytes: half a million rows
_LONGEST = 4_096  # characters of a line
_NEWLINE = re.compile(r"\r\n|\r|\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a query file with their numbers from 1; a `QueryFileError` says why it is not one."""
    for number, line in enumerate(_NEWLINE.split(_decode(path)), 1):
        if control := _CONTROL.search(line):
            raise QueryFileError(
                path,
                number,
                f"it contains the control character U+{ord(control[0]):04X}",
                "Is it a text file? A spreadsheet can save it as 'CSV UTF-8'.",
            )
        if len(line) > _LONGEST:
            message = f"it is {len(line):,} characters long; the limit is {_LONGEST:,}"
            raise QueryFileError(path, number, message)
        yield number, line


def _decode(path: Path) -> str:
    try:
        if path.is_dir():  # Windows would report a missing permission
            raise QueryFileError(path, None, "it is a folder, not a query file")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise QueryFileError(path, None, "there is no such file", _suggest_path(path.name)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise QueryFileError(path, None, f"it cannot be read: {error}") from None
    if len(data) > _LARGEST:
        raise QueryFileError(path, None, f"it has more than {_LARGEST:,} bytes. Is it a query file?")
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise QueryFileError(
            path,
            len(_NEWLINE.split(error.object[: error.start].decode(encoding, "replace"))),
            f"byte 0x{error.object[error.start]:02X} is not {encoding.removesuffix('-sig').upper()}",
            "Save the file as UTF-8; a spreadsheet calls it 'CSV UTF-8'.",
        ) from None


def _suggest_path(name: str) -> str:
    for folder in (Path("queries"), Path(__file__).parents[2] / "queries"):
        if (folder / name).is_file():
            return f"Did you mean {folder / name}?"
    return ""
