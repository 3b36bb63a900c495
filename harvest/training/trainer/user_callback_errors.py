"""Report errors of the user's callbacks and transforms as errors of the user's code."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl

from harvest.errors import UsageError, UserCodeError
from harvest.training.user_code import own_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class GuardedCallback(TrainerCallback):
    """Passes every event on to a callback of the user or of a library, and names the option in its errors."""

    def __init__(self, option: str, callback: TrainerCallback, hint: str = "") -> None:
        self._option = option
        self._hint = hint
        self._callback = callback


def _pass_on(event: str) -> Callable[..., Any]:
    def pass_on(self: GuardedCallback, *args: Any, **kwargs: Any) -> Any:
        with own_code(self._option, self._hint):
            answer = getattr(self._callback, event)(*args, **kwargs)
        if answer is not None and not isinstance(answer, TrainerControl):  # the Trainer would continue with it
            raise UserCodeError(f"{self._option}: {event} returned {answer!r:.80}, not None or the TrainerControl.")
        return answer

    return pass_on


for _event in [name for name in dir(TrainerCallback) if name.startswith("on_")]:
    setattr(GuardedCallback, _event, _pass_on(_event))


@contextmanager
def from_worker() -> Iterator[None]:
    """Raise an error of a decoding process as it was raised there, without torch's trace around it."""
    try:
        yield
    except UsageError as error:
        kind = type(error)
        if not error.message.startswith(f"Caught {kind.__name__} in DataLoader worker"):
            raise
        raise kind(error.message.partition(f"{kind.__name__}: ")[2].rstrip(), error.hint) from None
