"""Turn the errors of libraries that write weights, such as a full disk, into those of `disk`."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from harvest.files import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TORCH_WRITERS = ("PytorchStreamWriter", "inline_container")  # in its messages when an archive cannot be written
_NUMBER = re.compile(r"\(os error (\d+)\)")


@contextmanager
def weight_errors_named(path: Path) -> Iterator[None]:
    """Turn an error while writing weights within the block into one that names the path and what to do."""
    try:
        with disk.write_errors_named(path):
            yield
    except SafetensorError as error:
        raise disk.write_error(path, _system_error(error)) from error
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _TORCH_WRITERS):
            raise
        raise disk.write_error(path, OSError("the file could not be written completely")) from error


def _system_error(error: SafetensorError) -> OSError:
    """Return the error of the operating system behind an error of safetensors.

    >>> _system_error(SafetensorError("I/O error: No space left on device (os error 28)"))
    OSError(28, 'No space left on device')
    """
    number = _NUMBER.search(str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))
