"""API keys: from the environment, then from a file that only its owner can read."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING

from harvest.errors import CannotWrite, UsageError
from harvest.settings_and_cache_files import settings_file, write_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
_MAX_SIZE = 2**16  # bytes of the key file


def environ() -> Mapping[str, str]:
    """Return the environment, with the keys of the file for variables that are not set."""
    return {**load_keys(), **os.environ}


def key_file() -> Path:
    """Return the path of the key file, whether or not it exists."""
    return settings_file("keys.json")


def load_keys() -> dict[str, str]:
    """Return the keys of the file by variable name; empty if there is no file."""
    try:
        file = key_file()
    except UsageError:
        return {}  # without a settings folder there is no file
    try:
        with file.open("rb") as opened:
            values = json.loads(opened.read(_MAX_SIZE))
        if not isinstance(values, dict) or not all(map(_is_valid, values, values.values())):
            raise ValueError  # noqa: TRY301 - handled like invalid JSON
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "It contains your API keys.") from None
    except (ValueError, RecursionError):
        raise UsageError(
            f"{file} is not a valid key file.",
            "Fix or delete it; `harvest keys set` writes a new one.",
        ) from None
    return values


def save_key(variable: str, value: str) -> Path:
    """Save a key in the file, with mode 0600, and return the path of the file."""
    text = json.dumps(load_keys() | {variable: value}, indent=1, sort_keys=True, ensure_ascii=False)
    file = key_file().resolve()  # the target, if the file is a symbolic link
    try:
        write_settings(file, f"{text}\n")
    except OSError as error:
        raise CannotWrite(f"{file} cannot be written: {error.strerror}.", "No key was changed.") from None
    return file


def is_readable_by_others(file: Path) -> bool:
    """Return whether other users of this machine can read the file; False where that is unknown."""
    try:
        return os.name == "posix" and bool(stat.S_IMODE(file.stat().st_mode) & 0o077)
    except OSError:
        return False


def _is_valid(name: str, value: object) -> bool:
    return _NAME.fullmatch(name) is not None and isinstance(value, str)
