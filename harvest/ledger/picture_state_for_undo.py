"""The state of a picture that a decision changes: stored with the decision, and written back by its undo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harvest.files.ledger_names_to_paths import Area, FileKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harvest.ledger.database import Ledger

_COLUMNS = "state, class, name, shelved, touched, reviewed, rating"


class PictureState(NamedTuple):
    """Where a picture is, what a person decided about it, and its conflicts: the other class, and when resolved."""

    state: str
    class_name: str
    name: str
    shelved: int
    touched: int
    reviewed: int
    rating: int | None
    conflicts: Mapping[str, str | None]

    @property
    def spot(self) -> FileKey:
        """The path of its file."""
        return FileKey(self.class_name, self.name, Area.REJECTED if self.state == "rejected" else Area.TREE)

    @property
    def has_file(self) -> bool:
        """Whether its file exists, in the class folder or in dataset.rejected."""
        return self.state == "present" or bool(self.shelved)

    def as_json(self) -> str:
        """Return the state as it is stored with a decision."""
        return json.dumps(self)


def read_state(ledger: Ledger, picture: int) -> PictureState:
    """Return the current state of a picture."""
    row = ledger.first_row(f"SELECT {_COLUMNS} FROM picture WHERE id = ?", picture)
    assert row is not None
    conflicts: dict[str, str | None] = dict(
        ledger.rows("SELECT class, resolved FROM conflict WHERE picture = ?", picture)
    )
    return PictureState._make((*row, conflicts))


def parse_state(text: str | None) -> PictureState | None:
    """Return a stored state, or `None` for one that is missing or damaged."""
    try:
        state = PictureState(*json.loads(text or ""))
    except (ValueError, TypeError, RecursionError):
        return None
    is_sound = (
        state.state in {"present", "rejected", "lifted"}
        and isinstance(state.class_name, str)
        and isinstance(state.name, str)
        and all(flag in (0, 1) for flag in (state.shelved, state.touched, state.reviewed))
        and (state.rating is None or isinstance(state.rating, int))
        and isinstance(state.conflicts, dict)
        and all(when is None or isinstance(when, str) for when in state.conflicts.values())
    )
    return state if is_sound else None


def write_state(ledger: Ledger, picture: int, state: PictureState) -> None:
    """Write a state back, except for the conflicts."""
    columns = ", ".join(f"{name} = ?" for name in _COLUMNS.split(", "))
    ledger.execute(f"UPDATE picture SET {columns} WHERE id = ?", *state[:-1], picture)


def write_judgement(ledger: Ledger, picture: int, state: PictureState) -> None:
    """Write back only what a person thinks of a picture, wherever its file is now."""
    ledger.execute(
        "UPDATE picture SET touched = ?, reviewed = ?, rating = ? WHERE id = ?",
        state.touched,
        state.reviewed,
        state.rating,
        picture,
    )


def write_conflicts(ledger: Ledger, picture: int, state: PictureState, decided: Iterable[str]) -> None:
    """Write conflicts back; those about the classes in `decided` that a decision added are deleted."""
    for class_name, resolved in state.conflicts.items():
        ledger.execute(
            "UPDATE conflict SET resolved = ? WHERE picture = ? AND class = ?", resolved, picture, class_name
        )
    for class_name in decided:
        if class_name not in state.conflicts:
            ledger.execute("DELETE FROM conflict WHERE picture = ? AND class = ?", picture, class_name)
