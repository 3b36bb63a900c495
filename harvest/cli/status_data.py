"""The data that `harvest status` reports, for its tables and for `--json`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harvest.dataset import (
        Change,
        Changes,
        ClassCounts,
        Conflict,
        Dataset,
        KeepRate,
        NearDuplicate,
        PageMismatch,
        ShardCounts,
    )

# The kinds of changes to pictures: the attribute of `Changes`, and its label.
CHANGE_KINDS = {
    "deleted": "deleted",
    "rejected": "rejected",
    "moved": "moved",
    "edited": "edited",
    "restored": "restored",
    "added": "added by hand",
    "conflicts": "in two classes",
}


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The data that `status` reports."""

    root: Path
    changes: Changes
    tallies: Sequence[ClassCounts]
    shards: ShardCounts
    conflicts: Sequence[Conflict]
    suspects: Sequence[PageMismatch]
    keep_rates: Sequence[KeepRate]
    unreadable: Sequence[tuple[str, str]] = ()
    near_duplicates: Sequence[Sequence[NearDuplicate]] = ()
    like_rejected: Sequence[NearDuplicate] = ()

    @classmethod
    def collect(cls, dataset: Dataset, root: Path) -> StatusReport:
        """Collect the data from a dataset."""
        return cls(
            root,
            dataset.changes,
            dataset.count_classes(),
            dataset.count_in_shards(),
            dataset.conflicts(),
            dataset.suspects(),
            [rate for rate in dataset.keep_rates() if rate.found],
            dataset.unreadable(),
            dataset.near_duplicates(),
            dataset.like_rejected(),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return the counts of each class under the names that `--json` uses."""
        suspects = Counter(suspect.class_name for suspect in self.suspects)
        return [
            {"class": tally.class_name, **_numbers(tally), "suspects": suspects[tally.class_name]}
            for tally in self.tallies
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the whole report under the names that `--json` uses."""
        return {
            "dataset": str(self.root),
            "changes": {kind: [_change_as_json(each) for each in getattr(self.changes, kind)] for kind in CHANGE_KINDS},
            "renamed": dict(self.changes.renamed),
            "missing_files": self.changes.missing_files,
            "classes": self.rows(),
            "shards": self.shards._asdict(),
            "conflicts": [_mismatch_as_json(each) for each in self.conflicts],
            "near_duplicates": [[_picture_as_json(each) for each in group] for group in self.near_duplicates],
            "like_rejected": [_picture_as_json(each) for each in self.like_rejected],
            "suspects": [_mismatch_as_json(each) for each in self.suspects],
            "unreadable": [{"class": class_name, "name": name} for class_name, name in self.unreadable],
            "keep_rates": [
                {
                    "class": each.class_name,
                    "provider": each.provider,
                    "query": each.query,
                    "found": each.found,
                    "placed": each.placed,
                    "kept": each.kept,
                }
                for each in self.keep_rates
            ],
        }


def _numbers(tally: ClassCounts) -> dict[str, int]:
    numbers: dict[str, int] = asdict(tally)
    del numbers["class_name"]
    return numbers


def _change_as_json(each: Change) -> dict[str, str]:
    return {"class": each.class_name, "name": each.name, "to": each.to}


def _picture_as_json(each: NearDuplicate) -> dict[str, str]:
    return {"class": each.class_name, "name": each.name}


def _mismatch_as_json(each: Conflict | PageMismatch) -> dict[str, str]:
    return {"class": each.class_name, "name": each.name, "other": each.other}
