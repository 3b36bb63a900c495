"""What runs train.py, and a copy of it; importing this says what is missing before the page imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.cli import console, optional_packages
from harvest.errors import UsageError

if TYPE_CHECKING:
    from harvest.cli.train import Story

try:
    optional_packages.require_training()
except UsageError as error:
    console.error(error)
    raise SystemExit(error.exit_code) from None


def main(story: Story) -> None:
    """Run the command with a page of one's own, as `python train.py` does."""
    from harvest.cli.app import run_alone
    from harvest.cli.train import TrainCommand, train

    run_alone(train, TrainCommand, name="train.py", obj=story)
