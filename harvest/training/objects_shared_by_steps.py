"""The state of one training: its options, its run directory, its progress and its processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.training import choose_run_directory, run_directory
from harvest.training.inference.model_export import check_exports
from harvest.training.processes_and_devices import Processes
from harvest.training.progress import NoProgress, RecordingProgress
from harvest.training.read_run_options import read_options
from harvest.training.resumed_options import merge_options, missing_services
from harvest.training.trainer.metric_logs import check_log_packages

if TYPE_CHECKING:
    from harvest.training.progress import Progress
    from harvest.training.run_directory import TrainingRun
    from harvest.training.training_options import TrainingOptions


@dataclass(frozen=True, slots=True)
class Session:
    """What every step of `train.py` receives."""

    options: TrainingOptions
    run: TrainingRun
    progress: RecordingProgress
    processes: Processes
    began: datetime

    def end_other_processes(self) -> None:
        """End every process but the first: one process does the rest."""
        self.processes.end()
        if not self.processes.is_first:
            raise SystemExit(0)


def begin_session(options: TrainingOptions, progress: Progress) -> Session:
    """Open the run directory: a new one, or with `--resume` an unfinished one, with its original options."""
    _check_extras(options)
    processes = Processes(cpu=options.cpu)
    recorder = RecordingProgress(progress if processes.is_first else NoProgress())
    if options.resume:
        path = Path(processes.agree(str(_resume_run(options) if processes.is_first else "")))
        original = read_options(path)
        recorder.info(f"resuming {path}")
        if other := options.unlike(original):
            recorder.warn(f"{', '.join(other)}: ignored, because a resumed run keeps its original options")
        for kind in missing_services(options, original):
            recorder.warn(f"nothing is sent to {kind}: this command does not have --log {kind}")
        options = merge_options(options, original, path)
        _check_extras(options)
    else:
        path = Path(processes.agree(str(choose_run_directory.create_run(options) if processes.is_first else "")))
    return Session(options, run_directory.TrainingRun(path), recorder, processes, datetime.now().astimezone())


def _check_extras(options: TrainingOptions) -> None:
    """Raise UsageError where a package is missing: before the training, not after it."""
    check_exports(options.export)
    check_log_packages(options.log)


def _resume_run(options: TrainingOptions) -> Path:
    """Return the run to resume, and lock it."""
    path = choose_run_directory.find_unfinished_run(options)
    run_directory.lock_run(path)
    return path
