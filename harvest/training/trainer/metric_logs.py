"""Log the metrics of a training to TensorBoard, Weights & Biases or MLflow, with the callbacks of transformers."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from harvest.errors import UsageError
from harvest.training.trainer.user_callback_errors import GuardedCallback
from harvest.training.user_code import own_code

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from transformers import TrainerCallback

    from harvest.training.trainer.objects_shared_by_stages import TrainingContext

_PRODUCTS = {"tensorboard": "TensorBoard", "wandb": "Weights & Biases", "mlflow": "MLflow"}  # by package
_HINTS = {
    "wandb": "Log in with `wandb login`, or set WANDB_MODE=offline.",
    "mlflow": "Check MLFLOW_TRACKING_URI, and that DISABLE_MLFLOW_INTEGRATION is not set.",
}


def check_log_packages(kinds: Iterable[str]) -> None:
    """Raise UsageError if the package of a kind of log is not installed."""
    for kind in kinds:
        if kind in _PRODUCTS and find_spec(kind) is None:
            raise UsageError(f"--log {kind} needs {_PRODUCTS[kind]}.", f"pip install {kind}")


def make_log_callbacks(context: TrainingContext) -> list[TrainerCallback]:
    """Return the callbacks of `--log`; none in the other processes of torchrun. Nothing is sent without them."""
    if not context.processes.is_first:
        return []
    kinds = context.options.log
    found = [_make_service_callback(kind) for kind in kinds if kind in _HINTS]
    return [*found, _make_tensorboard(context.run.path / "logs")] if "tensorboard" in kinds else found


def _make_service_callback(kind: str) -> TrainerCallback:
    # Imported where they are used: transformers looks for every service that it knows.
    from transformers.integrations import integration_utils  # noqa: PLC0415

    make: Any = {"wandb": integration_utils.WandbCallback, "mlflow": integration_utils.MLflowCallback}[kind]
    with own_code(f"--log {kind}", _HINTS[kind]):
        callback = make()
    return GuardedCallback(f"--log {kind}", callback, _HINTS[kind])


def _make_tensorboard(folder: Path) -> TrainerCallback:
    # Slow to import, and rarely used.
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
    from transformers.integrations.integration_utils import TensorBoardCallback  # noqa: PLC0415

    callback: TrainerCallback = TensorBoardCallback(SummaryWriter(str(folder)))  # type: ignore[no-untyped-call]
    return callback
