"""Step 5: export the network, and return the result of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.training.inference.model_export import export_model as write_exports
from harvest.training.training_options import WEB

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.evaluation import Evaluation
    from harvest.training.fine_tuning import FineTuned
    from harvest.training.load_and_split import TrainingData
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


def export(
    session: Session, network: Network, data: TrainingData, fine_tuned: FineTuned, evaluation: Evaluation
) -> TrainingResult:
    """Write the exports, and delete the checkpoints of a complete run."""
    options, run, say = session.options, session.run.path, session.progress.info
    differences = {}
    if options.export:
        session.progress.step(f"export: {', '.join(options.export)}")
        differences = write_exports(network, run, [kind for kind in options.export if kind != WEB], say=say)
    if WEB in options.export:
        from harvest.training.web_export.export_web import export_web  # noqa: PLC0415 - needs onnx, an extra

        export_web(network, run, data, runtime=options.web_runtime, say=say)
    if not fine_tuned.stopped:
        session.run.forget_checkpoints(keep=session.options.keep)
    return TrainingResult(session.options.tree, session.run.path, network.labels, evaluation, fine_tuned, differences)
