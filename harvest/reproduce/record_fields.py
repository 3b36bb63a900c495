"""The fields of one line of a recipe, each checked as it is read: anyone may have written the line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from harvest.files.check_names_and_cells import check_component

if TYPE_CHECKING:
    from collections.abc import Collection

_HASH = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MOST = 2**31  # of ids, ranks and sizes in pixels
_SHOWN = 60  # characters of a value in a message


class FieldError(ValueError):
    """What is wrong with a line, and what to do if that is not to correct it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RecordFields:
    """The fields of one line; every method returns a valid value or raises `FieldError`."""

    def __init__(self, line: bytes) -> None:
        try:
            values = json.loads(line, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            raise FieldError(f"it is not JSON: {error.msg} at column {error.colno}") from None
        except (ValueError, RecursionError) as error:
            raise FieldError(f"it is not JSON: {str(error)[:_SHOWN]}") from None
        if not isinstance(values, dict):
            raise FieldError("it is not a JSON object")
        self._values: dict[str, Any] = values

    def fail(self, name: str, expected: str) -> NoReturn:
        """Raise `FieldError` for a field that is not as expected."""
        raise FieldError(f"its {name} is {shorten_value(self._values.get(name))}, not {expected}")

    def has(self, name: str) -> bool:
        """Return whether a field is there."""
        return self._values.get(name) is not None

    def text(self, name: str, most: int = 8_192) -> str:
        """Return a text that is not empty."""
        value = self._values.get(name)
        if not isinstance(value, str) or not value or len(value) > most:
            self.fail(name, f"a text of 1 to {most:,} characters")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            self.fail(name, "valid Unicode")
        return value

    def optional_text(self, name: str, most: int = 8_192) -> str | None:
        """Return a text, or `None` where the field is missing."""
        return self.text(name, most) if self.has(name) else None

    def texts(self, name: str, count: int = 100) -> tuple[str, ...]:
        """Return a list of texts; a missing field is an empty list."""
        values = self._values.get(name, [])
        if not isinstance(values, list) or len(values) > count:
            self.fail(name, f"a list of at most {count} texts")
        return tuple(RecordFields(json.dumps({name: value}).encode()).text(name) for value in values)

    def number(self, name: str, low: int = 1, high: int = _MOST) -> int:
        """Return a whole number in a range."""
        value = self._values.get(name)
        if type(value) is not int or not low <= value <= high:
            self.fail(name, f"a whole number from {low:,} to {high:,}")
        return value

    def optional_number(self, name: str, low: int = 1, high: int = _MOST) -> int | None:
        """Return a whole number in a range, or `None` where the field is missing."""
        return self.number(name, low, high) if self.has(name) else None

    def flag(self, name: str) -> bool:
        """Return whether a field is true; a missing field is false."""
        value = self._values.get(name, False)
        if value not in (True, False):
            self.fail(name, "true or false")
        return bool(value)

    def choice(self, name: str, values: Collection[str]) -> str:
        """Return one of some texts."""
        value = self._values.get(name)
        if not isinstance(value, str) or value not in values:
            self.fail(name, "one of " + ", ".join(sorted(values)) if len(values) <= 12 else "known")  # noqa: PLR2004
        return value

    def sha256(self, name: str) -> str:
        """Return a SHA-256 in hexadecimal digits."""
        value = self._values.get(name)
        if not isinstance(value, str) or not _HASH.fullmatch(value):
            self.fail(name, "a SHA-256 of 64 hexadecimal digits")
        return value

    def optional_sha256(self, name: str) -> str | None:
        """Return a SHA-256, or `None` where the field is missing."""
        return self.sha256(name) if self.has(name) else None

    def time(self, name: str) -> str:
        """Return a time as the ledger stores it."""
        value = self._values.get(name)
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            self.fail(name, "a time such as 2026-05-31T12:00:00Z")
        return value

    def class_name(self, name: str) -> str:
        """Return the name of a class, which is safe as the name of a folder."""
        value = self.text(name, 255)
        try:
            return check_component(value)
        except ValueError as reason:
            raise FieldError(f"its {name} {shorten_value(value)} cannot be the name of a folder: {reason}") from None

    def flat_object(self, name: str) -> dict[str, Any]:
        """Return a small object of texts, numbers and flags; a missing field is an empty object."""
        value = self._values.get(name, {})
        is_flat = isinstance(value, dict) and all(isinstance(each, str | int | None) for each in value.values())
        if not is_flat or len(json.dumps(value)) > 10_000:  # noqa: PLR2004 - bytes
            self.fail(name, "an object of texts and numbers")
        return dict(value)


def shorten_value(value: object) -> str:
    """Return a value for a message, on one line and not too long."""
    shown = json.dumps(value, ensure_ascii=True)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
