"""Measure the appearance of images once, and keep the results in the cache folder, one file per dataset."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from harvest.errors import StorageError
from harvest.files.place_and_list_files import MAX_FILE
from harvest.images.appearance import Appearance, measure_appearance
from harvest.models import Refusal
from harvest.settings_and_cache_files import cache_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from harvest.dataset import Dataset, ReviewRow

_VERSION = 1  # change it when images are measured differently
_BATCH = 64  # images after which the results are saved; a program that ends waits for one batch
_AT_ONCE = 8  # images between two pauses; divides the batch
_MOST_BYTES = 256 << 20  # of a cache file: one line has 150 bytes


def measure_images(
    dataset: Dataset, rows: Iterable[ReviewRow], wait: Callable[[], None] = lambda: None
) -> dict[str, Appearance]:
    """Return the appearance of images by content hash, without those that cannot be measured.

    `wait` is called between a few images: it may let other work go first.
    """
    path = cache_file(f"appearance-{_VERSION}") / f"{dataset.id}.jsonl"
    known = _read(path)
    missing = [row for row in {row.content: row for row in rows}.values() if row.content not in known]
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="appearance") as pool:
        for start in range(0, len(missing), _BATCH):
            new: dict[str, Appearance | None] = {}
            for first in range(start, min(start + _BATCH, len(missing)), _AT_ONCE):
                wait()
                measured = pool.map(lambda row: _measure(dataset, row), missing[first : first + _AT_ONCE])
                new |= dict(each for each in measured if each is not None)
            _append(path, new)
            known |= new
    return {content: found for content, found in known.items() if found is not None}


def _measure(dataset: Dataset, row: ReviewRow) -> tuple[str, Appearance | None] | None:
    """Return the content and the appearance of an image; `None` if its file cannot be read now."""
    try:
        body = dataset.read_image(row.class_name, row.name, rejected=bool(row.rejected), most=MAX_FILE)
    except StorageError:
        return None
    if body is None:
        return None
    found = measure_appearance(body)
    return row.content, None if isinstance(found, Refusal) else found


def _read(path: Path) -> dict[str, Appearance | None]:
    """Return the results of earlier calls; lines that a killed process left incomplete are skipped."""
    results: dict[str, Appearance | None] = {}
    with suppress(OSError), path.open("rb") as file:
        for line in file.read(_MOST_BYTES).splitlines():
            with suppress(ValueError, TypeError, RecursionError):
                content, values = json.loads(line)
                results[str(content)] = _as_appearance(values)
    return results


def _as_appearance(values: object) -> Appearance | None:
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(value, int | float) for value in values):
        raise ValueError("the measures are not numbers")
    return Appearance(*values)


def _append(path: Path, results: Mapping[str, Appearance | None]) -> None:
    """Append results in one write; a cache that cannot be written is not an error."""
    lines = "".join(f"\n{json.dumps([content, found])}" for content, found in results.items())
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(f"{lines}\n".encode())
