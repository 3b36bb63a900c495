"""Turn an unexpected exception into a result, so that one image or one provider cannot end a run.

Exceptions that must end a run are raised again: `HarvestError` (such as a full disk), `MemoryError`, and those
that are not an `Exception` (Ctrl-C, a cancelled task).
"""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from harvest.errors import HarvestError, ProviderError
from harvest.models import Refusal
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

ENDS_THE_RUN = (HarvestError, MemoryError)
_MAX_LENGTH = 200


def internal_error(error: Exception, subject: str) -> Refusal:
    """Log the traceback of an unexpected exception, and return the refusal of its subject.

    >>> internal_error(KeyError("palette"), "an image").detail
    "KeyError: 'palette'"
    """
    log.error("internal error with %s", subject, exc_info=error)
    return Refusal(Verdict.INTERNAL_ERROR, _describe(error))


def refuse_unexpected(function: Callable[P, T | Refusal]) -> Callable[P, T | Refusal]:
    """Decorate a function that returns a `Refusal` for a bad image: an unexpected exception becomes one."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T | Refusal:
        try:
            return function(*args, **kwargs)
        except ENDS_THE_RUN:
            raise
        except Exception as error:  # noqa: BLE001 - the purpose of this function
            return internal_error(error, f"an image, in {function.__qualname__}")

    return call


def provider_failure(error: BaseException, provider: str, task: str = "") -> ProviderError:
    """Log the traceback of a provider's unexpected exception, and return it as the provider's failure."""
    log.error("%s failed%s", provider, task, exc_info=error)
    return ProviderError(
        f"{provider} failed{task}: {_describe(error)}",
        "This is a bug of the provider: use --log FILE to record its traceback.",
    )


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_MAX_LENGTH]
