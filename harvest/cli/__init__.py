"""The command line: one file per command, and `main`, which turns errors into a message and an exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

_OUT_OF_RESOURCES = 6  # as in `harvest.errors`, which may not fit into memory


def main() -> NoReturn:
    """Run the command line."""
    try:
        from harvest.cli.app import main as run
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and "failed to map segment" not in str(error):
            raise
        print("error: there is not enough memory to start harvest.", file=sys.stderr)
        print("       ulimit -v shows the limit, in kilobytes.", file=sys.stderr)
        sys.exit(_OUT_OF_RESOURCES)
    run()


__all__ = ["main"]
