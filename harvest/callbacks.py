"""The default of optional callbacks."""

from __future__ import annotations


def ignore(*_: object) -> None:
    """Do nothing, with any arguments: the caller gave no function for messages or progress."""
