"""Callbacks for callers that give none."""

from __future__ import annotations


def ignore_message(_message: object) -> None:
    """Ignore a message: the default of `say` parameters."""
