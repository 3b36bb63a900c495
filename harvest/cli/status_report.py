"""Everything that `harvest status` has to say, for its tables and for `--json`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harvest.dataset import Change, Changes, Conflict, Dataset, KeepRate, Suspect, Tally

# What a person can have done to a picture, as a dataset's changes name it, and in words.
DOINGS = {
    "deleted": "deleted",
    "rejected": "thrown out",
    "moved": "moved",
    "edited": "edited",
    "restored": "restored",
    "added": "added by hand",
    "conflicts": "in two classes",
}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything `status` has to say."""

    root: Path
    changes: Changes
    tallies: Sequence[Tally]
    conflicts: Sequence[Conflict]
    suspects: Sequence[Suspect]
    keep_rates: Sequence[KeepRate]
    unreadable: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(cls, dataset: Dataset, root: Path) -> Report:
        """Ask a dataset everything."""
        return cls(
            root,
            dataset.changes,
            dataset.tallies(),
            dataset.conflicts(),
            dataset.suspects(),
            [rate for rate in dataset.keep_rates() if rate.found],
            dataset.unreadable(),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Count each class under the names that `--json` uses."""
        suspects = Counter(suspect.class_name for suspect in self.suspects)
        return [
            {"class": tally.class_name, **_numbers(tally), "suspects": suspects[tally.class_name]}
            for tally in self.tallies
        ]

    def as_json(self) -> dict[str, Any]:
        """Give everything under the names that `--json` uses."""
        return {
            "dataset": str(self.root),
            "changes": {kind: [_changed(each) for each in getattr(self.changes, kind)] for kind in DOINGS},
            "renamed": dict(self.changes.renamed),
            "brake": self.changes.brake,
            "classes": self.rows(),
            "conflicts": [_doubted(each) for each in self.conflicts],
            "suspects": [_doubted(each) for each in self.suspects],
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


def _numbers(tally: Tally) -> dict[str, int]:
    numbers: dict[str, int] = asdict(tally)
    del numbers["class_name"]
    return numbers


def _changed(each: Change) -> dict[str, str]:
    return {"class": each.class_name, "name": each.name, "to": each.to}


def _doubted(each: Conflict | Suspect) -> dict[str, str]:
    return {"class": each.class_name, "name": each.name, "other": each.other}
