"""One training under way: what was asked, where it writes, who listens, and which process this is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.errors import UsageError
from harvest.training import choose_run_directory, run_directory
from harvest.training.inference.model_export import check_exports
from harvest.training.processes import Processes
from harvest.training.progress import NoProgress, RecordingProgress
from harvest.training.read_options import read_options
from harvest.training.resume import merge_options

if TYPE_CHECKING:
    from harvest.training.progress import Progress
    from harvest.training.run_directory import TrainingRun
    from harvest.training.training_options import TrainingOptions


@dataclass(frozen=True, slots=True)
class Session:
    """What every step of `train.py` is given."""

    options: TrainingOptions
    run: TrainingRun
    progress: RecordingProgress
    processes: Processes
    began: datetime

    def end_other_processes(self) -> None:
        """End every process but the first: what is left to do is for one."""
        self.processes.end()
        if not self.processes.is_first:
            raise SystemExit(0)


def begin_session(options: TrainingOptions, teller: Progress) -> Session:
    """Open the run's directory: a new one, or with `--resume` the one that was cut off, as it was begun."""
    _check_extras(options)
    processes = Processes(cpu=options.cpu)
    noting = RecordingProgress(teller if processes.is_first else NoProgress())
    if options.resume:
        path = Path(processes.agree(str(_resume_run(options) if processes.is_first else "")))
        begun = read_options(path)
        noting.info(f"going on with {path}")
        if other := options.unlike(begun):
            noting.warn(f"{', '.join(other)}: not heeded, a run goes on as it was begun")
        options = merge_options(options, begun, path)
        _check_extras(options)
    else:
        path = Path(processes.agree(str(choose_run_directory.create_run(options) if processes.is_first else "")))
    return Session(options, run_directory.TrainingRun(path), noting, processes, datetime.now().astimezone())


def _check_extras(options: TrainingOptions) -> None:
    """Refuse what needs a package that is not installed, before a training and not after it."""
    check_exports(options.export)
    if "tensorboard" in options.log and find_spec("tensorboard") is None:
        raise UsageError("--log tensorboard needs TensorBoard.", "pip install tensorboard")


def _resume_run(options: TrainingOptions) -> Path:
    """Return the run to go on with, which is ours from now on."""
    path = choose_run_directory.find_unfinished_run(options)
    run_directory.lock_run(path)
    return path
