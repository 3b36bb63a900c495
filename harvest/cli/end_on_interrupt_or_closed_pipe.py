"""How a command ends on Ctrl-C or a closed pipe; Typer prints nothing, and treats a closed pipe as a bug."""

from __future__ import annotations

from typing import Any

import typer

from harvest.errors import Interrupted

CUT_OFF = 141  # 128 + SIGPIPE, as in a shell


class InterruptibleCommand:
    """A mixin for a command or a group of commands."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Parse the command line; `--help` and `--version` print here."""
        try:
            return super().make_context(*args, **more)  # type: ignore[misc]
        except BrokenPipeError:
            raise typer.Exit(CUT_OFF) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)  # type: ignore[misc]
        except BrokenPipeError:
            raise typer.Exit(CUT_OFF) from None
        except KeyboardInterrupt:
            raise Interrupted("stopped.", "Run the same command again to continue.") from None
