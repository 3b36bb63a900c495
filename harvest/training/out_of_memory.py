"""Turn errors of running out of memory into messages that name the options to change."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from harvest.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNS = ("out of memory", "can't allocate memory", "alloc_cpu", "not enough memory")


@contextmanager
def explain_out_of_memory(batch: int, size: int) -> Iterator[None]:
    """Raise TrainingError with the batch size to try where a device runs out of memory."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory_error(batch, size) from error
    except RuntimeError as error:
        if any(sign in str(error).lower() for sign in _SIGNS):
            raise _out_of_memory_error(batch, size) from error
        raise


def _out_of_memory_error(batch: int, size: int) -> TrainingError:
    smaller = f"--batch {batch // 2}" if batch > 1 else f"--size {size // 2}"
    return TrainingError(
        f"out of memory with batches of {batch} images of {size} × {size} pixels.",
        f"Try {smaller}, or a smaller network: --model lite0.",
    )
