"""What can go wrong with a run. What becomes of a single hit is a `Verdict`, not an error.

HarvestError                  1   exit code
├── UsageError                2   the command line or the Python call asks for something that cannot be
│   ├── QueryFileError        2   a line of the query file, named
│   ├── UserCodeError         2   a metric, transform or callback that the command line names raised
│   └── TrainingError         2   the folders or the model given are nothing to train with
├── ProviderError             3   one provider's search ended early; the others go on
│   ├── Blocked                   a captcha, consent or challenge page instead of results
│   ├── PageChanged               neither results nor a sign that there are none: the layout is new
│   ├── KeyMissing            5   the provider needs a key that is not set
│   ├── KeyRefused            5   the provider does not accept the key
│   ├── RateLimited               too many requests, or the day's quota is used up
│   ├── Unreachable               no answer at all
│   ├── Unanswerable              this query is beyond the provider; it is asked the others
│   └── Unavailable               the provider cannot work here, and says why
├── NothingHarvested          4   not one picture, though sources were asked
├── MissingFiles              3   so many files are gone that nobody meant it: nothing was recorded
├── LedgerMissing             3   there was a ledger and it is gone: nothing was recorded
├── StorageError              6   the dataset cannot be written or read
│   ├── CannotWrite               not a folder, no space left
│   │   └── ReadOnly              the place may be read and not written
│   ├── DatasetMoved              moved, renamed or deleted while it was being written
│   ├── DatasetBusy               another `harvest get` holds it
│   ├── RunBusy                   another training writes it
│   └── LedgerUnusable            corrupt, or from a newer version
├── OutOfResources            6   the machine has no memory, threads or file descriptors left
└── Interrupted             130   stopped by the person; the same line goes on
"""

from __future__ import annotations

ASK_THE_DOCTOR = "`harvest doctor` tells whether it is you or everyone."


class HarvestError(Exception):
    """Says what happened, to which thing, what we did and what to do; `hint` is the last part."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(HarvestError):
    exit_code = 2


class QueryFileError(UsageError):
    """Names the file and, where there is one, the line."""

    def __init__(self, path: object, line: int | None, message: str, hint: str = "") -> None:
        place = f"{path} line {line}" if line else f"{path}"
        super().__init__(f"{place}: {message}", hint)
        self.line = line


class UserCodeError(UsageError):
    pass


class TrainingError(UsageError):
    pass


class ProviderError(HarvestError):
    exit_code = 3


class Blocked(ProviderError):
    pass


class PageChanged(ProviderError):
    """Carries the page, so that it can be saved to a named file for a bug report."""

    def __init__(self, message: str, hint: str = "", page: str = "") -> None:
        super().__init__(message, hint)
        self.page = page


class KeyMissing(ProviderError):
    exit_code = 5


class KeyRefused(ProviderError):
    exit_code = 5


class RateLimited(ProviderError):
    """Carries the seconds the source asks for, where it says so."""

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class Unreachable(ProviderError):
    pass


class Unanswerable(ProviderError):
    pass


class Unavailable(ProviderError):
    pass


class NothingHarvested(HarvestError):
    exit_code = 4


class MissingFiles(HarvestError):
    exit_code = 3


class LedgerMissing(HarvestError):
    exit_code = 3


class StorageError(HarvestError):
    exit_code = 6


class CannotWrite(StorageError):
    pass


class ReadOnly(CannotWrite):
    pass


class DatasetMoved(StorageError):
    pass


class DatasetBusy(StorageError):
    pass


class RunBusy(StorageError):
    pass


class LedgerUnusable(StorageError):
    pass


class OutOfResources(HarvestError):
    exit_code = 6


class Interrupted(HarvestError):
    exit_code = 130
