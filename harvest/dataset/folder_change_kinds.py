"""What a comparison of ledger and folders can find: the kinds of changes, and the findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harvest.files.ledger_names_to_paths import FileKey
    from harvest.ledger.picture_table import PictureRow


class Kind(Enum):
    """What can have happened to a picture, and what a file can be."""

    CONFIRMED = auto()  # announced before a kill, and the file exists
    FORGOTTEN = auto()  # announced, and the file does not exist
    TOUCHED = auto()  # the same bytes with another time
    RENAMED = auto()  # another file name in the same class
    MOVED = auto()
    RECLASSED = auto()  # moved with its whole class, which has a new name
    EDITED = auto()
    RESTORED = auto()
    ADDED = auto()  # added by a person, in a class folder or in dataset.rejected
    COPIED = auto()  # in two class folders at once
    MERGED = auto()  # gone, but another copy exists
    SHELVED = auto()  # moved to dataset.rejected by a person
    RESHELVED = auto()  # rejected before, and its file is there now
    UNSHELVED = auto()  # rejected before, and its file is gone
    GONE = auto()


class UnexpectedFile(NamedTuple):
    """A file that the ledger does not expect at its path."""

    spot: FileKey
    content: str
    size: int
    mtime_ns: int


class Finding(NamedTuple):
    """What happened to a picture of the ledger, or what a file is."""

    kind: Kind
    held: PictureRow | None = None
    found: UnexpectedFile | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """All findings; `missing_files` says if so many files are missing that it may be a mistake."""

    each: Sequence[Finding] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    missing_files: str = ""

    def classes_of_missing(self) -> list[str]:
        """Return the classes of images whose files are missing, sorted."""
        return sorted({each.held.class_name for each in self.each if each.kind is Kind.GONE and each.held})
