"""How a command ends when it is stopped: Typer would be silent, and call a reader that went away a bug."""

from __future__ import annotations

from typing import Any

import typer

from harvest.errors import Interrupted

CUT_OFF = 141  # as the shell says of a program whose reader went away


class InterruptibleCommand:
    """Mixed into a command or a group of them."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read the command line, where `--help` and `--version` print."""
        try:
            return super().make_context(*args, **more)  # type: ignore[misc]
        except BrokenPipeError:
            raise typer.Exit(CUT_OFF) from None

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)  # type: ignore[misc]
        except BrokenPipeError:
            raise typer.Exit(CUT_OFF) from None
        except KeyboardInterrupt:
            raise Interrupted("stopped.", "The same line goes on where this one ended.") from None
