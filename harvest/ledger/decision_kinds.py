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
    DISTINCT = "distinct"  # near-duplicates that are different images
    SETTLE = "settle"  # near-duplicates of which one was rejected for the other
    SKIP = "skip"  # an undo, or a move of a file, that was not possible; its value is the reason
    RENAME_CLASS = "rename_class"
