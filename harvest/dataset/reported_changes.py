"""The changes that a person made to the folders since the last command, for reports."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, NamedTuple

from harvest.dataset.folder_change_kinds import Kind
from harvest.files.ledger_names_to_paths import Area

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harvest.dataset.folder_change_kinds import Finding

# The kinds of changes by a person that are reported, and their names.
_REPORTED = {
    Kind.GONE: "deleted",
    Kind.SHELVED: "rejected",
    Kind.RENAMED: "moved",
    Kind.MOVED: "moved",
    Kind.EDITED: "edited",
    Kind.RESTORED: "restored",
    Kind.ADDED: "added",
    Kind.COPIED: "conflicts",
}


class Change(NamedTuple):
    """One picture: its class, its name, and the `class/name` that it was moved to."""

    class_name: str
    name: str
    to: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes that were found; they are recorded, unless `missing_files` says why not."""

    deleted: tuple[Change, ...] = ()
    rejected: tuple[Change, ...] = ()  # moved into dataset.rejected
    moved: tuple[Change, ...] = ()
    edited: tuple[Change, ...] = ()
    restored: tuple[Change, ...] = ()
    added: tuple[Change, ...] = ()
    conflicts: tuple[Change, ...] = ()  # copied into a second class folder
    renamed: Mapping[str, str] = field(default_factory=dict)  # classes; also those of earlier commands
    missing_files: str = ""  # "212 of 233 images of coral_snake are gone"

    def counts(self) -> dict[str, Counter[str]]:
        """Return the number of changes of each kind, by class.

        >>> Changes(deleted=(Change("king_snake", "a.jpg"),)).counts()
        {'deleted': Counter({'king_snake': 1})}
        """
        lists = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: Counter(change.class_name for change in changes)
            for name, changes in lists.items()
            if isinstance(changes, tuple) and changes
        }


def describe_findings(findings: Iterable[Finding], renamed: Mapping[str, str], missing_files: str = "") -> Changes:
    """Return findings as changes to report."""
    lists: defaultdict[str, list[Change]] = defaultdict(list)
    for finding in findings:
        if finding.kind in _REPORTED:
            name, change = _change(finding)
            lists[name].append(change)
    reported = {name: tuple(changes) for name, changes in lists.items()}
    return Changes(**reported, renamed=renamed, missing_files=missing_files)


def _change(finding: Finding) -> tuple[str, Change]:
    kind, held, found = finding
    name = _REPORTED[kind]
    if held is None:
        assert found is not None
        shelved = found.spot.area is Area.REJECTED
        return "rejected" if shelved else name, Change(found.spot.class_name, found.spot.name)
    if found is None or found.spot[:2] == (held.class_name, held.name):
        return name, Change(held.class_name, held.name)
    return name, Change(held.class_name, held.name, f"{found.spot.class_name}/{found.spot.name}")
