"""The settings and cache files of the user, such as the API keys: where they are, and how they are written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

from harvest.errors import UsageError


def settings_file(name: str) -> Path:
    """Return the path of a settings file, whether or not it exists; raise `UsageError` without a home folder."""
    return _user_folder("XDG_CONFIG_HOME", "user_config_path") / name


def cache_file(name: str) -> Path:
    """Return the path of a cache file, whether or not it exists; raise `UsageError` without a home folder."""
    return _user_folder("XDG_CACHE_HOME", "user_cache_path") / name


def write_settings(file: Path, text: str) -> None:
    """Replace a settings file, with mode 0600, in one step: a reader sees the old content or the new one.

    A symbolic link is kept and its target replaced. Raises `OSError`.
    """
    file = Path(os.path.realpath(file))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.stem}-")  # created with mode 0600
    try:
        with os.fdopen(number, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(number)
        os.replace(part, file)  # noqa: PTH105 - `part` is a string
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _user_folder(variable: str, kind: str) -> Path:
    given = os.environ.get(variable, "")
    if os.path.isabs(given):  # noqa: PTH117 - on Windows too; the XDG specification ignores relative paths
        return Path(given) / "harvest"
    try:
        folder: Path = getattr(platformdirs.PlatformDirs("harvest", appauthor=False, roaming=True), kind)
    except RuntimeError:
        raise UsageError("There is no home folder for the settings.", f"Set {variable}.") from None
    return folder
