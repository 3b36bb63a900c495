"""The user's query file, and readers for what harvesting it leaves: class folders, EXIF texts, the printed table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Ran

CORAL, KING = "micrurus tener -king", "scarlet king snake"
SNAKES = f"class,query\ncoral_snake,{CORAL}\nking_snake,{KING}\n"
# One class needs one page of each source, so that no test waits for the pause between two pages.
CORALS = f"class,query\ncoral_snake,{CORAL}\n"

_EXIF, _COMMENT, _ARTIST, _COPYRIGHT = 0x8769, 0x9286, 0x013B, 0x8298


def write(folder: Path, text: str = SNAKES, name: str = "snakes.csv") -> Path:
    """Write a query file."""
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def list_addresses(folder: Path, urls: list[str], name: str = "coral.txt") -> None:
    """Write a list of URLs for the `URLS` source, which sends no search request and so never waits."""
    (folder / name).write_text("\n".join(urls), "utf-8")


def pictures(root: Path) -> dict[str, list[Path]]:
    """Return the images of each class folder; each file must be a complete, decodable image."""
    found = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        found[folder.name] = sorted(folder.iterdir())
        for path in found[folder.name]:
            with Image.open(path) as image:
                image.load()
    return found


def parts(root: Path) -> list[Path]:
    """Return the unfinished files in the dataset and next to it."""
    return list(root.parent.rglob("*.part"))


def exif_texts(path: Path) -> dict[str, str]:
    """Return the source, author and rights in the EXIF of an image."""
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
    """Return the size of an image."""
    with Image.open(path) as image:
        return image.size


def table(run: Ran) -> dict[str, dict[str, int]]:
    """Return the printed table of the summary: a row per class, and the total under ""."""
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
