"""Keys kept in a file of one's own, which nobody else may read; what the environment says comes first."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import CannotWrite, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
_LARGEST = 2**16  # bytes of a file of keys


def environ() -> Mapping[str, str]:
    """Return the environment, and the keys of the file under names that the environment has not."""
    return {**load_keys(), **os.environ}


def key_file() -> Path:
    """Return where keys are kept on this system, whether or not there is such a file."""
    return _settings_folder() / "harvest" / "keys.json"


def _settings_folder() -> Path:
    given = os.environ.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(given):  # noqa: PTH117 - others are to be ignored, as its specification says
        return Path(given)
    try:
        home = Path.home()
    except RuntimeError:
        raise UsageError("There is no home folder to keep keys in.", "Set XDG_CONFIG_HOME.") from None
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    return home / ".config"


def load_keys() -> dict[str, str]:
    """Return the keys of the file, by their variables; none where there is no file."""
    try:
        file = key_file()
    except UsageError:
        return {}  # nobody can have kept any
    try:
        with file.open("rb") as opened:
            values = json.loads(opened.read(_LARGEST))
        if not isinstance(values, dict) or not all(map(_is_valid, values, values.values())):
            raise ValueError  # noqa: TRY301 - as for what is no JSON
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "It holds your keys.") from None
    except (ValueError, RecursionError):
        raise UsageError(
            f"{file} is no file of keys.",
            "Mend it or delete it; `harvest keys set` writes a new one.",
        ) from None
    return values


def save_key(variable: str, value: str) -> Path:
    """Put a key into the file, with mode 0600, and return the file."""
    values = load_keys() | {variable: value}
    file = Path(os.path.realpath(key_file()))  # a link stays one
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, new = tempfile.mkstemp(dir=file.parent, prefix=".keys-")  # it is made with mode 0600
        try:
            with os.fdopen(number, "w", encoding="utf-8") as opened:
                json.dump(values, opened, indent=1, sort_keys=True, ensure_ascii=False)
                opened.write("\n")
                opened.flush()
                os.fsync(number)
            os.replace(new, file)  # noqa: PTH105 - no path of ours
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CannotWrite(f"{file} cannot be written: {error.strerror}.", "No key was changed.") from None
    return file


def is_readable_by_others(file: Path) -> bool:
    """Tell whether somebody else on this machine can read the file, where the system tells."""
    try:
        return os.name == "posix" and bool(stat.S_IMODE(file.stat().st_mode) & 0o077)
    except OSError:
        return False


def _is_valid(name: str, value: object) -> bool:
    return _NAME.fullmatch(name) is not None and isinstance(value, str)
