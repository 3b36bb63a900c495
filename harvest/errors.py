"""The errors that end a run or a search. The result of a single hit is a `Verdict`, not an error.

HarvestError                  1   exit code
├── UsageError                2   the command line or the arguments of a Python call are invalid
│   ├── QueryFileError        2   a line of the query file is invalid
│   ├── RecipeError           2   a line of a recipe is invalid
│   ├── UserCodeError         2   a metric, transform or callback of the user raised an exception
│   └── TrainingError         2   the folders or the model cannot be used for training
├── ProviderError             3   the search of one provider ended early; the others continue
│   ├── Blocked                   a captcha, consent or challenge page instead of results
│   ├── PageChanged               neither results nor a notice that there are none: the layout has changed
│   ├── KeyMissing            5   the provider needs a key that is not set
│   ├── KeyRefused            5   the provider does not accept the key
│   ├── RateLimited               too many requests, or the daily quota is used up
│   ├── Unreachable               no usable response
│   ├── Unanswerable              the provider does not support this query; it still gets the others
│   └── Unavailable               the provider cannot be used here; the message says why
├── NothingHarvested          4   no image, although sources were searched
├── MissingFiles              3   too many files are missing to be intended: nothing was recorded
├── DamagedShards             3   finished, but images in shards are damaged: they were left out
├── LedgerMissing             3   the ledger of the dataset is missing: nothing was recorded
├── StorageError              6   the dataset cannot be written or read
│   ├── CannotWrite               not a folder, no space left
│   │   ├── LinkNotFollowed       a symbolic link is in its place
│   │   └── ReadOnly              the folder can be read but not written
│   ├── DatasetMoved              moved, renamed or deleted while it was being written
│   ├── DatasetBusy               another `harvest get` is using it
│   ├── RunBusy                   another training is writing this run
│   └── LedgerUnusable            corrupt, or from a newer version
├── OutOfResources            6   the machine has no memory, threads or file descriptors left, or no Ray cluster
└── Interrupted             130   stopped by the user; the same command continues
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ASK_THE_DOCTOR = "Run `harvest doctor` to check your network and the source."


class HarvestError(Exception):
    """An error with a message for the user: what happened and to what; `hint` is what the user can do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(HarvestError):
    exit_code = 2


class QueryFileError(UsageError):
    """The message starts with the file and, if known, the line."""

    def __init__(self, path: object, line: int | None, message: str, hint: str = "") -> None:
        location = f"{path} line {line}" if line else f"{path}"
        super().__init__(f"{location}: {message}", hint)
        self.line = line


class RecipeError(UsageError):
    """The message starts with the file and the line."""

    def __init__(self, path: object, line: int, message: str, hint: str = "") -> None:
        super().__init__(f"{path} line {line}: {message}", hint)
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
    """`page` is the text of the page, to be saved for a bug report."""

    def __init__(self, message: str, hint: str = "", page: str = "") -> None:
        super().__init__(message, hint)
        self.page = page


class KeyMissing(ProviderError):
    exit_code = 5


class KeyRefused(ProviderError):
    exit_code = 5


class RateLimited(ProviderError):
    """`retry_after` is the wait in seconds that the source asks for, if it does."""

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


class DamagedShards(HarvestError):
    exit_code = 3


class LedgerMissing(HarvestError):
    exit_code = 3


class StorageError(HarvestError):
    exit_code = 6


class CannotWrite(StorageError):
    pass


class LinkNotFollowed(CannotWrite):
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


def name_missing_packages(names: Sequence[str]) -> str:
    """Return the end of a message about packages that are needed.

    >>> name_missing_packages(["torch"]), name_missing_packages(["onnx", "onnxruntime"])
    ('torch, which is not installed', 'onnx and onnxruntime, which are not installed')
    """
    return f"{' and '.join(names)}, which {'is' if len(names) == 1 else 'are'} not installed"
