"""Remember the paths of datasets in the settings folder.

An empty mount point looks like a dataset that does not exist yet; a path that had a dataset before shows the
difference. Only paths and ids are stored, at most `_MOST`. If the file cannot be read or written, the program works
as if it were empty.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from harvest.errors import UsageError
from harvest.settings_and_cache_files import settings_file, write_settings

_MOST = 500  # paths; the least recently used is dropped first
_LONGEST = 1_000  # characters of a path
_LARGEST = 8 * _MOST * _LONGEST  # bytes of the file: JSON needs at most six per character


def remember(root: Path, dataset_id: str) -> None:
    """Record that a dataset is at a path."""
    path = _key(root)
    known = _read()
    if len(path) > _LONGEST or not dataset_id or (path, dataset_id) == next(reversed(known.items()), None):
        return
    known.pop(path, None)
    known[path] = dataset_id
    _write(dict(list(known.items())[-_MOST:]))


def seen_at(root: Path) -> str | None:
    """Return the id of the dataset that was last seen at a path, or `None`."""
    return _read().get(_key(root))


def other_paths(root: Path) -> list[Path]:
    """Return the other paths where the dataset of a path was seen, the latest first."""
    known, path = _read(), _key(root)
    wanted = known.get(path)
    return [Path(other) for other, seen in reversed(known.items()) if seen == wanted and other != path]


def _key(root: Path) -> str:
    return os.path.normcase(os.path.realpath(root))


def _file() -> Path:
    return settings_file("datasets.json")


def _read() -> dict[str, str]:
    try:
        with _file().open("rb") as file:
            data = file.read(_LARGEST + 1)
        known = json.loads(data) if len(data) <= _LARGEST else {}
    except (OSError, UsageError, ValueError, RecursionError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {path: seen for path, seen in known.items() if isinstance(seen, str)}


def _write(known: dict[str, str]) -> None:
    with suppress(OSError, UsageError):
        write_settings(_file(), json.dumps(known, indent=1))
