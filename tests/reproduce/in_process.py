"""Run a command in this process: a process of its own takes a second, and is not the subject here."""

from __future__ import annotations

from harvest.cli import console
from harvest.errors import HarvestError
from tests.command import parser


def run_command(*args: object) -> int:
    """Run `harvest` with these arguments, and return its exit code; its output goes where a test captures it."""
    try:
        return parser().main([str(arg) for arg in args], prog_name="harvest", standalone_mode=False) or 0
    except HarvestError as error:
        console.error(error)
        return error.exit_code
