"""The command line: one file per command, and `main`, where every error becomes a line and an exit code."""

from __future__ import annotations

from harvest.cli.app import main

__all__ = ["main"]
