"""Which dataset was seen at which path: remembered in the settings folder, beside the keys.

An empty mount point looks like a dataset that is still to be made; a path that held one tells them apart.
Nothing but paths and ids is kept, and at most `_MOST` of them. The memory is a help, not a record: where it
cannot be read or written, the program works as if there were none.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from harvest.errors import UsageError
from harvest.settings import settings_file, write_settings

_MOST = 500  # paths; the one whose dataset was opened longest ago is forgotten first
_LONGEST = 1_000  # characters of a path
_LARGEST = 8 * _MOST * _LONGEST  # bytes of the file: JSON writes a character in six at most


def remember(root: Path, dataset_id: str) -> None:
    """Remember that a dataset is at a path."""
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
    """Return the other paths at which the dataset of a path was seen, the latest first."""
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
