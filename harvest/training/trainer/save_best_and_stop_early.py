"""A Trainer callback: writes history.csv, saves the best network, and stops early."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from harvest.training.torch_dataset import ImageDataset
    from harvest.training.trainer.objects_shared_by_stages import TrainingContext


class EpochCallback(TrainerCallback):
    """Updates the run directory and the progress after each step and epoch."""

    def __init__(self, context: TrainingContext, dataset: ImageDataset, first_epoch: int) -> None:
        self._network, self._run, self._table = context.network, context.run, context.table
        self._options, self._progress = context.options, context.progress
        self._dataset = dataset
        self._first_epoch = first_epoch
        self._train_loss = math.nan
        self._started = time.monotonic()

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set the epoch of the dataset, which changes the augmented views."""
        self._dataset.epoch = self._first_epoch + round(state.epoch or 0)
        self._started = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Report the number of steps done."""
        self._progress.tick(state.global_step, state.max_steps)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record the training loss of the epoch."""
        if logs and "loss" in logs:
            self._train_loss = logs["loss"]

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the row of the epoch, save the network if it is the best, and stop early without improvement."""
        metrics = metrics or {}
        before = self._table.best
        row = {
            "epoch": float(self._first_epoch + round(state.epoch or 0)),
            "train_loss": self._train_loss,
            "valid_loss": metrics.get("eval_loss", math.nan),  # missing if all its images disappeared
            **{name: metrics[f"eval_{name}"] for name in before if f"eval_{name}" in metrics},
            "time": time.monotonic() - self._started,
        }
        self._table.rows.append(row)
        if state.is_world_process_zero:
            self._progress.row(row)
            if self._table.best is row:
                self._network.save(self._run.path)
            self._run.write_history(self._table.rows)
        unimproved = self._table.epochs_without_progress(self._first_epoch, by=self._options.min_delta)
        if self._options.patience is not None and unimproved >= self._options.patience:
            self._progress.info(f"stopped early: {self._table.monitor.name} has not improved for {unimproved} epochs.")
            control.should_training_stop = True
        if not math.isfinite(self._train_loss):
            self._progress.warn(f"the loss became {self._train_loss}: the learning rates are too high. Try --lr find.")
            control.should_training_stop = True
        is_last = control.should_training_stop  # also set after the last epoch; a resumed run reads it
        control.should_save = is_last or round(state.epoch or 0) % self._options.save_every == 0

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep the best network so far in the checkpoint."""
        if state.is_world_process_zero:
            self._run.keep_best(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")
