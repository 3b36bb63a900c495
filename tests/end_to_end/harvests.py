"""What a test can see of a dataset from outside: its files, the decoded images, and the decisions in the ledger."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from harvest.images import process_image
from harvest.models import Hit, Picture, Recipe
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.web import Listing, Photo, ResultList

# What may be in a dataset besides class folders, and what a killed run leaves for the next one to remove.
OURS = {"harvest.db", "harvest.lock"}
LEFT = ("harvest.db-journal", "harvest.db-wal", "harvest.db-shm", ".harvest-")


class Print(NamedTuple):
    """An image as seen without the ledger: its class, and a hash of its pixels."""

    class_name: str
    pixels: str


def pixels(path: Path) -> str:
    """Decode an image completely, and return a hash of its pixels; raise an error if it is incomplete."""
    with Image.open(path) as image:
        image.load()
        return hashlib.sha256(repr(image.size).encode() + image.convert("RGB").tobytes()).hexdigest()


def pictures(root: Path) -> list[Path]:
    """Return the files in the class folders of a dataset, or of one of the folders next to it."""
    return sorted(path for folder in root.glob("*/") for path in folder.rglob("*") if not path.is_dir())


def prints(root: Path) -> list[Print]:
    """Decode every image of a dataset."""
    return sorted(Print(path.parent.name, pixels(path)) for path in pictures(root))


def other_files(root: Path) -> set[str]:
    """Return the names of the files next to the class folders."""
    return {path.name for path in root.iterdir() if not path.is_dir()}


def snapshot(*roots: Path) -> dict[Path, tuple[bytes, int]]:
    """Return the bytes and the time of every image, to check later that nothing changed."""
    files = [path for root in roots for path in pictures(root)]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def decisions(root: Path) -> list[tuple[str, str]]:
    """Return the decisions in the ledger, and who made each."""
    # Not read-only: SQLite would leave its journal files behind.
    with closing(sqlite3.connect(f"file:{root / 'harvest.db'}?mode=rw", uri=True)) as ledger:
        return ledger.execute("SELECT by, action FROM decision ORDER BY seq").fetchall()


class ExpectedImages:
    """The expected pixels of listed images, as harvest writes them into a class folder."""

    def __init__(self, recipe: Recipe, aside: Path) -> None:
        self._recipe = recipe
        self._aside = aside
        self.photos: dict[str, Photo] = {}
        self.bodies: set[bytes] = set()

    def add(self, listings: Iterable[Listing]) -> None:
        """Process the images that harvest should keep, and remember their pixels."""
        for listing in listings:
            if listing.verdict is not Verdict.KEPT or listing.body in self.bodies:
                continue
            picture = process_image(listing.body, Hit(listing.url, "BING", "x"), self._recipe)
            assert isinstance(picture, Picture), picture
            path = self._aside / "processed.jpg"
            path.write_bytes(picture.data)
            self.photos[pixels(path)] = listing.photo
            self.bodies.add(listing.body)


def wanted(**classes: Iterable[ResultList]) -> dict[Photo, set[str]]:
    """Return every photo that can be downloaded, with the classes that it was listed for."""
    homes: dict[Photo, set[str]] = {}
    for class_name, result_lists in classes.items():
        for listing in (listing for results in result_lists for listing in results):
            if listing.verdict is Verdict.KEPT:
                homes.setdefault(listing.photo, set()).add(class_name)
    return homes
