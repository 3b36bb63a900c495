"""Out of memory: said in numbers that can be changed."""

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
    """Turn what each device calls being out of memory into the batch size to try."""
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
        f"out of memory with {batch} pictures of {size} × {size} pixels at a time.",
        f"Try {smaller}, or a smaller network: --model mobilenet.",
    )
