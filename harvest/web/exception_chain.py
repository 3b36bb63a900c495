"""Walk the chain of exceptions that caused an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def exception_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes, the innermost last.

    >>> list(exception_chain(KeyError("alone")))
    [KeyError('alone')]
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
