"""The results of rebuilding a dataset: how many images are the same, and what is wrong with each other one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harvest.errors import Interrupted, ProviderError

if TYPE_CHECKING:
    from harvest.ledger.expected_images_tables import RebuildResult

_NAMES = {"same": "identical", "changed": "changed", "smaller": "smaller", "gone": "gone", None: "not tried yet"}
_ALWAYS = ("changed", "gone")


@dataclass(frozen=True, slots=True)
class RebuildSummary:
    """All images of a recipe with their results; `counts` is the number of images by result."""

    counts: dict[str | None, int]
    results: tuple[RebuildResult, ...] = field(repr=False)
    notes: tuple[str, ...] = ()
    is_interrupted: bool = False
    word: str = "identical"  # what an image is that is as expected

    @property
    def total(self) -> int:
        """The number of images that were to be rebuilt."""
        return sum(self.counts.values())

    @property
    def line(self) -> str:
        """The result in one line.

        >>> RebuildSummary({"same": 1412, "changed": 31, "gone": 87}, ()).line
        '1,412 of 1,530 identical, 31 changed, 87 gone'
        """
        others = [
            f"{self.counts.get(result, 0):,} {name}"
            for result, name in _NAMES.items()
            if result != "same" and (self.counts.get(result) or result in _ALWAYS)
        ]
        return ", ".join([f"{self.counts.get('same', 0):,} of {self.total:,} {self.word}", *others])

    @property
    def exit_code(self) -> int:
        """The exit code: 0 only if every image is the same."""
        if self.is_interrupted:
            return Interrupted.exit_code
        return 0 if self.counts.get("same", 0) == self.total else ProviderError.exit_code

    def as_json(self) -> dict[str, Any]:
        """Return the summary as JSON objects, for `--json`."""
        counts = {name.replace(" ", "_"): self.counts.get(result, 0) for result, name in _NAMES.items()}
        images = [
            {"class": each.class_name, "url": each.url, "result": each.result, "detail": each.detail}
            for each in self.results
        ]
        return {"total": self.total, **counts, "images": images, "notes": list(self.notes), "exit_code": self.exit_code}
