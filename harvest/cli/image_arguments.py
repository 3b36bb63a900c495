"""Which pictures a person means: files as they are named, and folders looked through."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.cli import console
from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def check_paths(words: Sequence[Path]) -> None:
    """Raise for the first that cannot be meant, before anything is read."""
    for word in words:
        if not word.exists():
            raise UsageError(console.one_line(f"there is no picture or folder {word}."), "Nothing was looked at.")
        if (word / "config.json").is_file() and (word / "labels.txt").is_file():  # by runs/*, for example
            raise UsageError(
                console.one_line(f"{word} is a run, and no folder of pictures."),
                "Name one run, then the pictures.",
            )


def list_images(words: Sequence[Path]) -> Iterator[Path]:
    """Yield pictures in order: what is named, whatever it is called, and what in folders is called a picture.

    Hidden files and folders are left out; links to folders too, since they can lead round in a circle.
    """
    from harvest.files.tree import SUFFIXES

    for word in words:
        if not word.is_dir():
            yield word
            continue
        for folder, inside, names in os.walk(word):
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            for name in sorted(names):
                path = Path(folder, name)
                if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                    yield path
