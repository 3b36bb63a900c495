"""transformers' Trainer with hands: on a CPU, the cores share every batch; what has no room is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import Trainer

from harvest.learning.network.writing import weights_named

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harvest.learning.fit.loss import Loss
    from harvest.learning.hands import Hands


class SharingTrainer(Trainer):
    """Learns and answers as its Trainer does; one hand alone leaves both to it."""

    def __init__(self, *, hands: Hands, loss: Loss, **rest: Any) -> None:
        super().__init__(compute_loss_func=loss, **rest)
        self._hands = hands
        self._loss = loss

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Learn one batch."""
        if self._hands.count == 1:
            return super().training_step(model, inputs, num_items_in_batch)
        model.train()
        return self._hands.learn(model, inputs, self._loss.of, step=self.state.global_step)

    def prediction_step(
        self,
        model: nn.Module,  # noqa: ARG002 - as others have wrapped it
        inputs: dict[str, Any],
        *_: Any,
        **__: Any,
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Answer one batch, as the network that would be saved now answers."""
        network: Any = self.model
        network.eval()
        answers = self._hands.ask(network, inputs)
        return self._loss.of(answers, inputs["labels"]), answers, inputs["labels"]

    def _save_checkpoint(self, *given: Any, **named: Any) -> None:
        with weights_named(Path(str(self.args.output_dir))):
            super()._save_checkpoint(*given, **named)
