"""Step 5: export the network, and return the result of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.training.inference.model_export import export_model as write_exports

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.evaluation import Evaluation
    from harvest.training.fine_tuning import FineTuned
    from harvest.training.network.network_with_classes import Network
    from harvest.training.objects_shared_by_steps import Session


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a training."""

    tree: Path
    path: Path  # the run directory
    labels: tuple[str, ...]
    evaluation: Evaluation
    fine_tuned: FineTuned
    differences: dict[str, float]  # largest deviation of each export from the network


def export(session: Session, network: Network, fine_tuned: FineTuned, evaluation: Evaluation) -> TrainingResult:
    """Write the exports, and delete the checkpoints of a complete run."""
    kinds = session.options.export
    differences = {}
    if kinds:
        session.progress.step(f"export: {', '.join(kinds)}")
        differences = write_exports(network, session.run.path, kinds, say=session.progress.info)
    if not fine_tuned.stopped:
        session.run.forget_checkpoints(keep=session.options.keep)
    return TrainingResult(session.options.tree, session.run.path, network.labels, evaluation, fine_tuned, differences)
