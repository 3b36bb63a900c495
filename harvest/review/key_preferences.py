"""The keys that a person chose on the page, in the settings folder: another port or dataset finds them again."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from harvest.files import disk
from harvest.settings_and_cache_files import settings_file, write_settings

_FILE = "review-keys.json"
_MOST_BYTES = 64 << 10
_MOST_COMMANDS = 100
_MOST_KEYS = 10  # of one command
_LONGEST = 30  # characters of a name: of a command, or of a key such as "Backspace"
_DIGITS = ("classes", "ratings")


def read_preferences() -> dict[str, Any]:
    """Return the stored choice of keys; a missing or damaged file is that of a first visit."""
    document: object = None
    with suppress(OSError, ValueError, RecursionError), settings_file(_FILE).open("rb") as file:
        document = json.loads(file.read(_MOST_BYTES))
    return clean_preferences(document)


def write_preferences(document: object) -> dict[str, Any]:
    """Store a choice of keys, and return it as it is stored; raise `CannotWrite` if that fails."""
    preferences = clean_preferences(document)
    path = settings_file(_FILE)
    with disk.write_errors_named(path.parent):
        write_settings(path, json.dumps(preferences, indent=2, ensure_ascii=False) + "\n")
    return preferences


def clean_preferences(document: object) -> dict[str, Any]:
    """Return the valid part of a choice of keys; the rest has its default.

    >>> clean_preferences({"keys": {"reject": ["r"], "keep": 7}, "letters": False, "digits": "years"})
    {'keys': {'reject': ['r']}, 'letters': False, 'digits': 'classes'}
    """
    values = document if isinstance(document, dict) else {}
    keys = values.get("keys")
    commands = list(keys.items())[:_MOST_COMMANDS] if isinstance(keys, dict) else []
    return {
        "keys": {name: chosen for name, chosen in commands if _is_name(name) and _are_keys(chosen)},
        "letters": values.get("letters") is not False,
        "digits": values["digits"] if values.get("digits") in _DIGITS else _DIGITS[0],
    }


def _are_keys(values: object) -> bool:
    return isinstance(values, list) and len(values) <= _MOST_KEYS and all(_is_name(value) for value in values)


def _is_name(value: object) -> bool:
    """Return whether a value is a name; a lone surrogate could not be stored."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.encode(errors="ignore").decode() == value
