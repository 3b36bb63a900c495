"""The entry point of train.py and its copies; importing it reports missing packages first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.cli import console, optional_packages
from harvest.errors import UsageError

if TYPE_CHECKING:
    from harvest.cli.train import TrainScript

try:
    optional_packages.require_training()
except UsageError as error:
    console.error(error)
    raise SystemExit(error.exit_code) from None


def main(train_script: TrainScript) -> None:
    """Run the train command with the `train` function of a script, as `python train.py` does."""
    from harvest.cli.app import run_alone
    from harvest.cli.train import TrainCommand, train

    run_alone(train, TrainCommand, name="train.py", obj=train_script)
