"""transformers' Trainer with CPU workers that share each batch, and with checks of the checkpoints it loads."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from transformers import Trainer
from transformers.trainer import OPTIMIZER_NAME, SCALER_NAME, SCHEDULER_NAME

from harvest.errors import TrainingError
from harvest.training.network.build_model import BUILD_ERRORS
from harvest.training.network.find_model_files import WEIGHTS
from harvest.training.network.weight_write_errors import weight_errors_named
from harvest.training.trainer import check_untrusted_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from harvest.training.cpu_parallel import CpuWorkers
    from harvest.training.trainer.loss import Loss
    from harvest.training.trainer.mixup import BatchMixup


class ParallelTrainer(Trainer):
    """A Trainer whose batches are computed by `CpuWorkers`; with one worker, it trains as usual."""

    def __init__(self, *, workers: CpuWorkers, loss: Loss, mixup: BatchMixup | None = None, **rest: Any) -> None:
        super().__init__(compute_loss_func=loss, **rest)
        self._workers = workers
        self._loss = loss
        self._mixup = mixup

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Train on one batch."""
        if self._mixup:
            inputs = self._mixup.blend(inputs, self.state.global_step)
        if self._workers.count == 1:
            return super().training_step(model, inputs, num_items_in_batch)
        model.train()
        return self._workers.compute_gradients(model, inputs, self._loss.compute, step=self.state.global_step)

    def prediction_step(
        self,
        model: nn.Module,  # noqa: ARG002 - wrapped by accelerate
        inputs: dict[str, Any],
        *_: Any,
        **__: Any,
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Predict one batch with the network in the precision that it is saved in."""
        network: Any = self.model
        network.eval()
        answers = self._workers.predict(network, inputs)
        return self._loss.compute(answers, inputs["labels"]), answers, inputs["labels"]

    def _load_from_checkpoint(self, folder: str, *args: Any) -> None:
        with _loading_checkpoint(folder):
            network: Any = self.model
            check_untrusted_checkpoint.check_descriptions(Path(folder))
            check_untrusted_checkpoint.check_weights(Path(folder) / WEIGHTS, network)
            super()._load_from_checkpoint(folder, *args)

    def _load_optimizer_and_scheduler(self, folder: str | None) -> None:
        with _loading_checkpoint(folder):
            if folder is not None and (Path(folder) / OPTIMIZER_NAME).exists():
                check_untrusted_checkpoint.check_optimizer(Path(folder) / OPTIMIZER_NAME, self.optimizer)
                check_untrusted_checkpoint.check_schedule(Path(folder) / SCHEDULER_NAME, self.lr_scheduler)
            super()._load_optimizer_and_scheduler(folder)

    def _load_scaler(self, folder: str | None) -> None:
        with _loading_checkpoint(folder):
            if folder is not None and (Path(folder) / SCALER_NAME).exists():
                check_untrusted_checkpoint.check_size(Path(folder) / SCALER_NAME, 0)
            super()._load_scaler(folder)

    def _load_rng_state(self, folder: str | None) -> None:
        with _loading_checkpoint(folder):
            for path in Path(folder).glob("rng_state*.pth") if folder is not None else ():
                check_untrusted_checkpoint.check_size(path, 0)
            super()._load_rng_state(folder)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        with weight_errors_named(Path(str(self.args.output_dir))):
            super()._save_checkpoint(*args, **kwargs)


@contextmanager
def _loading_checkpoint(folder: str | None) -> Iterator[None]:
    """Raise TrainingError, with its name, for a checkpoint that cannot be loaded."""
    try:
        yield
    except (*BUILD_ERRORS, OSError, EOFError, SafetensorError, UnpicklingError) as error:
        kind = "" if type(error) is ValueError else f"{type(error).__name__}, "
        reason = f"{kind}{str(error).partition(chr(10))[0]:.150}"
        if isinstance(error, UnpicklingError):  # torch's message suggests loading it anyway
            reason = "it is damaged, or could run code"
        raise TrainingError(
            f"{folder} cannot be loaded: {reason}.",
            "Delete it: the run then resumes from the checkpoint before it, or starts anew.",
        ) from error
