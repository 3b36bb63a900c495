"""Step 5: the network in the forms that were asked for, and what the run came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.training.inference.model_export import export_model as write_exports

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.evaluation import Evaluation
    from harvest.training.fine_tuning import FineTuned
    from harvest.training.network.network import Network
    from harvest.training.session import Session


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training came to."""

    tree: Path
    path: Path  # everything is in there
    labels: tuple[str, ...]
    evaluation: Evaluation
    fine_tuned: FineTuned
    differences: dict[str, float]  # of each export from the network itself


def export(session: Session, network: Network, tuned: FineTuned, judged: Evaluation) -> TrainingResult:
    """Write the exports, and drop what only a resumed run would need."""
    kinds = session.options.export
    differences = {}
    if kinds:
        session.progress.step(f"export: {', '.join(kinds)}")
        differences = write_exports(network, session.run.path, kinds, say=session.progress.info)
    if not tuned.stopped:
        session.run.forget_checkpoints(keep=session.options.keep)
    return TrainingResult(session.options.tree, session.run.path, network.labels, judged, tuned, differences)
