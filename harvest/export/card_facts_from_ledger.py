"""Facts for the card that the exported images do not have: searches, dates, and how the dataset was cleaned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections import Counter

    from harvest.dataset import Dataset, SearchCount
    from harvest.splits.split_rule import SplitRule

_DUPLICATES = frozenset({Verdict.DUPLICATE, Verdict.BETTER, Verdict.CONFLICT})


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Facts of the whole dataset; those of the exported images are computed from the images."""

    searches: tuple[SearchCount, ...] = ()
    first_day: str = ""  # of the runs: 2026-09-30
    last_day: str = ""
    versions: tuple[str, ...] = ()  # of harvest
    hits: int = 0
    duplicates: int = 0  # hits that were copies of another image
    rejected: int = 0  # images that a person removed
    near_duplicate_groups: int = 0  # both kept
    open_conflicts: int = 0  # images found for two classes, on which no person has decided
    split_rule: str = ""  # "valid 20 test 10 seed 42"
    left_out: dict[str, int] = field(default_factory=dict)  # reason → number of images that the options leave out


def read_card_facts(dataset: Dataset, rule: SplitRule, left_out: Counter[str]) -> CardFacts:
    """Read the facts from the ledger of a dataset."""
    runs = dataset.list_runs()
    verdicts = dataset.count_verdicts()
    days = sorted(run.began[:10] for run in runs)
    return CardFacts(
        searches=tuple(dataset.count_searches()),
        first_day=days[0] if days else "",
        last_day=days[-1] if days else "",
        versions=tuple(dict.fromkeys(run.version for run in runs)),
        hits=sum(verdicts.values()),
        duplicates=sum(count for verdict, count in verdicts.items() if verdict in _DUPLICATES),
        rejected=sum(counts.rejected for counts in dataset.count_classes()),
        near_duplicate_groups=len(dataset.near_duplicates()),
        open_conflicts=len(dataset.conflicts()),
        split_rule=str(rule),
        left_out=dict(left_out),
    )
