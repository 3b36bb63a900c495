"""Check and escape text from outside: folder names, file names, and cells of a CSV file.

No other module may build a path from outside text. A name is refused on every platform if any platform would refuse
or misread it, so that a dataset can be copied anywhere.
"""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 255  # bytes: the limit of ext4; APFS and NTFS allow slightly more
_FORBIDDEN = re.compile(r'[/\\<>:"|?*]')
_LEAVING = re.compile(r"[/\\\x00-\x1f\x7f]")  # separators of any platform, and control characters
_DRIVE = re.compile(r"[A-Za-z]:")
_ESCAPED = re.compile(r"\\x[0-9a-f]{2}")  # how `escape` writes a character; only Windows reads a path in it
_FILES = frozenset({"harvest.lock", *(f"harvest.db{end}" for end in ("", "-wal", "-shm", "-journal"))})
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³"}
)
_OURS = "harvest."  # the ledger and its companions are in the same folder as the class folders
_SHARD = re.compile(r"shard-\d+\.tar(\.part)?", re.ASCII | re.IGNORECASE)  # so are shards
DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # characters that reorder what is printed
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def check_component(text: str) -> str:
    """Return `text`, composed (NFC), if it is one safe path component; else raise `ValueError` with the reason.

    >>> check_component("coral_snake")
    'coral_snake'
    >>> check_component("../coral_snake")
    Traceback (most recent call last):
    ValueError: it contains '/'
    """
    name = unicodedata.normalize("NFC", text)
    for reason in _find_objections(name):
        raise ValueError(reason)
    return name


def objection(name: str) -> str:
    r"""Return why a stored name is not the name of an entry directly in its folder; "" if it is.

    This checks less than `check_component`: the files of a person have all kinds of names. But no platform may read
    the name as a path, a hidden file or a file of the dataset itself. An escaped name passes.

    >>> objection("-what? (1).jpg"), objection("../king"), objection("C:king.jpg")
    ('', "it contains '/'", 'it begins with a drive letter')
    """
    plain = name if os.name == "nt" else _ESCAPED.sub("?", name)
    return next(_find_dangers(plain), "")


def _find_dangers(name: str) -> Iterator[str]:
    if not name:
        yield "it is empty"
    if found := _LEAVING.search(name):
        yield f"it contains {found[0]!r}"
    if _DRIVE.match(name):
        yield "it begins with a drive letter"
    if name.startswith("."):
        yield "it begins with '.'"
    if name.casefold() in _FILES:
        yield "it belongs to the dataset itself"
    if (size := len(name.encode(errors="replace"))) > _LONGEST:
        yield f"it is {size} bytes long"


def escape(name: str) -> str:
    r"""Write the characters of a name from the disk that `objection` refuses as `\xNN`, as the ledger stores them.

    >>> print(escape("a\\b.jpg"), escape("C:king.jpg"), escape("king.jpg"))
    a\x5cb.jpg C\x3aking.jpg king.jpg
    """
    name = _LEAVING.sub(lambda found: f"\\x{ord(found[0]):02x}", name)
    return _DRIVE.sub(lambda found: f"{found[0][0]}\\x3a", name)


def fold_name(name: str) -> str:
    """Return `name` for comparisons that ignore case and the encoding of accents, as some file systems do.

    >>> fold_name("Cafe\u0301") == fold_name("CAF\u00c9")
    True
    """
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def escape_formula(text: str) -> str:
    """Return `text` so that no spreadsheet reads it as a formula in a CSV file of ours.

    >>> escape_formula("=1+1"), escape_formula("king snake")
    ("'=1+1", 'king snake')
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _find_objections(name: str) -> Iterator[str]:
    if not name:
        yield "it is empty"
    if not name.isprintable():  # control, bidi, invisible, unassigned; every space except the plain one
        odd = next(character for character in name if not character.isprintable())
        yield f"it contains the invisible character U+{ord(odd):04X}"
    if found := _FORBIDDEN.search(name):
        yield f"it contains {found[0]!r}"
    if name.startswith((".", "-", " ")):
        yield f"it begins with {name[0]!r}"
    if name.endswith((".", " ")):
        yield f"it ends with {name[-1]!r}"
    stem = name.split(".", 1)[0].rstrip(" ").upper()
    if stem in _DEVICES:
        yield f"{stem} is a device on Windows"
    if name.casefold().startswith(_OURS):
        yield f"names that begin with {_OURS!r} belong to the dataset itself"
    if _SHARD.fullmatch(name):
        yield "shards of the dataset have such names"
    if (size := len(name.encode())) > _LONGEST:
        yield f"it is {size} bytes long; the maximum for a folder name is {_LONGEST}"
