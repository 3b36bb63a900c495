"""Give torchrun the message of a failed training: torchrun ends with a traceback of its own, and shows it there."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import HarvestError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = "TORCHELASTIC_ERROR_FILE"  # a file of each process, which torchrun reads when the process has failed


@contextmanager
def message_for_torchrun() -> Iterator[None]:
    """Write the message of an error that ends the block where torchrun looks for it; nothing without torchrun."""
    try:
        yield
    except HarvestError as error:
        if path := os.environ.get(_FILE):
            text = f"{error.message}\n{error.hint}".rstrip()
            # Before the processes without a message, which torchrun dates when it looks, in whole seconds.
            second = str(int(time.time()) - 1)
            document = {"message": {"message": text, "extraInfo": {"timestamp": second}}}
            with suppress(OSError):  # the message itself is on stderr
                Path(path).write_text(json.dumps(document), "utf-8")
        raise
