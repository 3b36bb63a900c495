"""The images named on the command line: files, and the files in folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.cli import console
from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def check_paths(words: Sequence[Path]) -> None:
    """Raise `UsageError` for the first path that cannot be classified, before anything is read."""
    for word in words:
        if word.parts[:1] in {("http:",), ("https:",)} and not word.exists():
            raise UsageError(
                "harvest predict reads files, not URLs.", "Download the image first. No image was classified."
            )
        if not word.exists():
            raise UsageError(console.one_line(f"there is no image or folder {word}."), "No image was classified.")
        if (word / "config.json").is_file() and (
            word / "labels.txt"
        ).is_file():  # `runs/*` names several runs, for example
            raise UsageError(
                console.one_line(f"{word} is a run, not a folder of images."),
                "Name one run, then the images.",
            )


def list_images(words: Sequence[Path]) -> Iterator[Path]:
    """Yield paths in order: named files of any suffix, and the files in folders with an image suffix.

    Hidden files and folders are skipped; so are links to folders, which can form a cycle.
    """
    from harvest.files.place_and_list_files import SUFFIXES

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
