"""Watches a training: writes its table, keeps the best network, and stops what gets no better."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from harvest.training.torch_dataset import ImageDataset
    from harvest.training.trainer.training_context import TrainingContext


class EpochCallback(TrainerCallback):
    """Stands beside transformers' Trainer."""

    def __init__(self, bench: TrainingContext, lessons: ImageDataset, first_epoch: int) -> None:
        self._network, self._run, self._table = bench.network, bench.run, bench.table
        self._options, self._teller = bench.options, bench.progress
        self._lessons = lessons
        self._first_epoch = first_epoch
        self._train_loss = math.nan
        self._began = time.monotonic()

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Let every picture look new."""
        self._lessons.epoch = self._first_epoch + round(state.epoch or 0)
        self._began = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Tell how far it is."""
        self._teller.tick(state.global_step, state.max_steps)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note the training loss of the epoch."""
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
        """Write the epoch's row, keep the network if it is the best, and stop when nothing is gained."""
        metrics = metrics or {}
        before = self._table.best
        row = {
            "epoch": float(self._first_epoch + round(state.epoch or 0)),
            "train_loss": self._train_loss,
            "valid_loss": metrics.get("eval_loss", math.nan),  # none where every picture of it went away
            **{name: metrics[f"eval_{name}"] for name in before if f"eval_{name}" in metrics},
            "time": time.monotonic() - self._began,
        }
        self._table.rows.append(row)
        if state.is_world_process_zero:
            self._teller.row(row)
            if self._table.best is row:
                self._network.save(self._run.path)
            self._run.write_history(self._table.rows)
        still = self._table.epochs_without_progress(self._first_epoch, by=self._options.min_delta)
        if self._options.patience is not None and still >= self._options.patience:
            self._teller.info(f"stopped early: no better {self._table.monitor.name} for {still} epochs.")
            control.should_training_stop = True
        if not math.isfinite(self._train_loss):
            self._teller.warn(f"the loss became {self._train_loss}: these rates are too high. Try --lr find.")
            control.should_training_stop = True
        last = control.should_training_stop  # also where all epochs are done: a resumed run sees it there
        control.should_save = last or round(state.epoch or 0) % self._options.save_every == 0

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep the best network so far with the checkpoint."""
        if state.is_world_process_zero:
            self._run.keep_best(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")
