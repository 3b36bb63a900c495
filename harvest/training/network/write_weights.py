"""No room: what the libraries that write weights say of it, in the words of `disk`."""

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

_TORCHS = ("PytorchStreamWriter", "inline_container")  # what writes its archives
_NUMBER = re.compile(r"\(os error (\d+)\)")


@contextmanager
def weight_errors_named(path: Path) -> Iterator[None]:
    """Turn a refusal to write weights within the block into an error that names the place and the way out."""
    try:
        with disk.write_errors_named(path):
            yield
    except SafetensorError as error:
        raise disk.write_error(path, _of_safetensors(error)) from error
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _TORCHS):
            raise
        raise disk.write_error(path, OSError("it could not be written to its end")) from error


def _of_safetensors(error: SafetensorError) -> OSError:
    """Return what the system said.

    >>> _of_safetensors(SafetensorError("I/O error: No space left on device (os error 28)"))
    OSError(28, 'No space left on device')
    """
    number = _NUMBER.search(str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))
