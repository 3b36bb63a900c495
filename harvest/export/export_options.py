"""The options of an export, declared once for the command line and for Python."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

from harvest.errors import UsageError
from harvest.export.export_formats import DEFAULT, FORMATS
from harvest.licences import LicenceFilter
from harvest.option_fields import Option, check_ranges
from harvest.splits.split_rule import USUAL, SplitRule

if TYPE_CHECKING:
    from harvest.export.exporter import Exporter


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The format, the images that are left out, and the split."""

    to: Annotated[str, Option("--to", metavar="FORMAT", help=f"Format: {', '.join(FORMATS)}.")] = DEFAULT
    licence: Annotated[
        LicenceFilter,
        Option("--license", keyword="license", help="Export only images known to have such a licence."),
    ] = LicenceFilter.ANY
    nd: Annotated[
        bool,
        Option(
            "--nd/--no-nd",
            help="Export images whose licence forbids derivatives (ND) too. Whether a resized copy of one may be"
            " published is disputed, so use this only for an export that stays private.",
        ),
    ] = False
    accept_ai: Annotated[
        bool, Option("--no-ai", turns_off=True, help="Leave out images whose file stated that they were made with AI.")
    ] = True
    min_rating: Annotated[
        int | None,
        Option("--min-rating", min=1, max=9, metavar="N", help="Leave out images with a lower rating or none."),
    ] = None
    reviewed_only: Annotated[bool, Option("--reviewed-only", help="Leave out images that nobody reviewed.")] = False
    valid: Annotated[int, Option("--valid", min=1, max=99, metavar="%", help="Validation share in percent.")] = (
        USUAL.valid
    )
    test: Annotated[int, Option("--test", min=0, max=98, metavar="%", help="Test share in percent.")] = USUAL.test
    seed: Annotated[int, Option("--seed", min=0, metavar="N", help="Random seed of the split.")] = USUAL.seed

    def __post_init__(self) -> None:
        """Raise `UsageError` for an unknown format or a value out of range."""
        check_ranges(self, name_flags=True)
        if self.to not in FORMATS:
            close = get_close_matches(self.to, FORMATS, n=1, cutoff=0.5)
            guess = f" Did you mean {close[0]}?" if close else ""
            raise UsageError(f"there is no format {self.to!r}.{guess}", f"Formats: {', '.join(FORMATS)}.")
        if self.valid + self.test >= 100:  # noqa: PLR2004 - percent
            raise UsageError(f"--valid {self.valid} and --test {self.test} leave nothing for training.")

    @property
    def exporter(self) -> Exporter:
        """The format."""
        return FORMATS[self.to]

    @property
    def split_rule(self) -> SplitRule:
        """The rule under which the ledger remembers the split."""
        return SplitRule(self.valid, self.test, self.seed)
