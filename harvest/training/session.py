"""One training under way: what was asked, where it writes, who listens, and which process this is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import UsageError
from harvest.training import choose_run_directory, run_directory
from harvest.training.inference.model_export import check
from harvest.training.processes import Processes
from harvest.training.progress import Noting, Silence
from harvest.training.resume import resumed
from harvest.training.training_options import Options

if TYPE_CHECKING:
    from harvest.training.progress import Teller
    from harvest.training.run_directory import Run


@dataclass(frozen=True, slots=True)
class Session:
    """What every step of `train.py` is given."""

    options: Options
    run: Run
    teller: Noting
    processes: Processes
    began: datetime

    def dismiss_others(self) -> None:
        """End every process but the first: what is left to do is for one."""
        self.processes.end()
        if not self.processes.is_first:
            raise SystemExit(0)


def begin(options: Options, teller: Teller) -> Session:
    """Open the run's directory: a new one, or with `--resume` the one that was cut off, as it was begun."""
    _check_extras(options)
    processes = Processes(cpu=options.cpu)
    noting = Noting(teller if processes.is_first else Silence())
    if options.resume:
        path = Path(processes.agree(str(_taken_up(options) if processes.is_first else "")))
        begun = Options.of_run(path)
        noting.say(f"going on with {path}")
        if other := options.unlike(begun):
            noting.warn(f"{', '.join(other)}: not heeded, a run goes on as it was begun")
        options = resumed(options, begun, path)
        _check_extras(options)
    else:
        path = Path(processes.agree(str(choose_run_directory.begin(options) if processes.is_first else "")))
    return Session(options, run_directory.Run(path), noting, processes, datetime.now().astimezone())


def _check_extras(options: Options) -> None:
    """Refuse what needs a package that is not installed, before a training and not after it."""
    check(options.export)
    if "tensorboard" in options.log and find_spec("tensorboard") is None:
        raise UsageError("--log tensorboard needs TensorBoard.", "pip install tensorboard")


def _taken_up(options: Options) -> Path:
    """Return the run to go on with, which is ours from now on."""
    path = choose_run_directory.unfinished(options)
    run_directory.hold(path)
    return path
