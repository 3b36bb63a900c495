"""The user's query file, and what harvesting it leaves: class folders, words in pictures, a printed table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Ran

CORAL, KING = "micrurus tener -king", "scarlet king snake"
SNAKES = f"class,query\ncoral_snake,{CORAL}\nking_snake,{KING}\n"
# One class takes one page of each source: nothing waits for the pause between two.
CORALS = f"class,query\ncoral_snake,{CORAL}\n"

_EXIF, _COMMENT, _ARTIST, _COPYRIGHT = 0x8769, 0x9286, 0x013B, 0x8298


def write(folder: Path, text: str = SNAKES, name: str = "snakes.csv") -> Path:
    """Write a query file."""
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def list_addresses(folder: Path, urls: list[str], name: str = "coral.txt") -> None:
    """Write a list of addresses for `URLS`, which asks no search engine and so never waits for one."""
    (folder / name).write_text("\n".join(urls), "utf-8")


def pictures(root: Path) -> dict[str, list[Path]]:
    """Give the pictures of each class folder; whatever lies there must be one, complete and decodable."""
    found = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        found[folder.name] = sorted(folder.iterdir())
        for path in found[folder.name]:
            with Image.open(path) as image:
                image.load()
    return found


def parts(root: Path) -> list[Path]:
    """Give the files left half written, in the dataset and beside it."""
    return list(root.parent.rglob("*.part"))


def told(path: Path) -> dict[str, str]:
    """Read what a picture says of itself: its source, its author and its rights."""
    with Image.open(path) as image:
        exif = image.getexif()
        comment = exif.get_ifd(_EXIF)[_COMMENT]
    text = comment if isinstance(comment, str) else comment.removeprefix(b"ASCII\0\0\0").decode()
    return {
        "source": text.removeprefix("source: ") if text.startswith("source: ") else "",
        "artist": exif.get(_ARTIST, ""),
        "copyright": exif.get(_COPYRIGHT, ""),
    }


def size(path: Path) -> tuple[int, int]:
    """Measure a picture."""
    with Image.open(path) as image:
        return image.size


def table(run: Ran) -> dict[str, dict[str, int]]:
    """Read the summary's table as printed: a row by its class, the total under ""."""
    lines = iter(run.out.splitlines())
    names = next(line.split() for line in lines if line.startswith(" class "))[1:]
    rows = {}
    for line in lines:
        row = re.fullmatch(rf" (\S*)\s+((?:[\d–]+\s*){{{len(names)}}})", line)
        if row is None:
            break
        numbers = (0 if cell == "–" else int(cell) for cell in row[2].split())
        rows[row[1]] = dict(zip(names, numbers, strict=True))
    return rows
