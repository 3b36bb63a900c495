"""The kinds of decisions that a person can make about a picture."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What can be decided about a picture."""

    REJECT = "reject"
    RESTORE = "restore"
    MOVE = "move"
    EDIT = "edit"
    KEEP = "keep"
    RATE = "rate"
    RENAME_CLASS = "rename_class"
