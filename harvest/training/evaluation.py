"""Step 4: evaluate the candidates on the validation and test sets, which they were not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.labelled_pictures.prediction_table import write_predictions
from harvest.training.calibrate_saved_network import Calibration, calibrate
from harvest.training.fine_tuning import FROZEN, FineTuned
from harvest.training.head_training import FrozenHead, update_suspects
from harvest.training.metrics.evaluate_predictions import PartEvaluation, evaluate_part
from harvest.training.metrics.metrics_computed_each_epoch import select_metrics
from harvest.training.predict_probabilities import HELD_OUT_PARTS, held_out_probabilities
from harvest.training.result_files import predictions, write_metrics

if TYPE_CHECKING:
    from harvest.labelled_pictures.load_pictures import SplitPart
    from harvest.labelled_pictures.prediction_table import Prediction
    from harvest.training.load_and_split import TrainingData
    from harvest.training.network.network_with_classes import Network
    from harvest.training.objects_shared_by_steps import Session
    from harvest.training.predict_probabilities import Answers


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of each candidate, and the out-of-fold prediction of every image."""

    candidates: dict[str, tuple[PartEvaluation, ...]]
    saved: str
    answers: dict[str, Answers]  # of each candidate
    predictions: tuple[Prediction, ...]  # out-of-fold
    calibration: Calibration  # of the saved candidate
    learned_before: bool = False  # whether the network was trained on these images in an earlier run

    def part_evaluation(self, part: SplitPart) -> PartEvaluation | None:
        """Return the metrics of the saved candidate on a part; None if the part is empty."""
        found = [each for each in self.candidates[self.saved] if each.part == part and each.count]
        return found[0] if found else None


def evaluate(
    session: Session, network: Network, data: TrainingData, frozen_head: FrozenHead, fine_tuned: FineTuned
) -> Evaluation:
    """Evaluate the frozen head, and the fine-tuned network if it is better."""
    pictures, split = data
    progress = session.progress
    progress.step("evaluation on held-out images")
    rows = {part: split.rows(part) for part in HELD_OUT_PARTS}
    answers = {FROZEN: {part: frozen_head.probabilities[rows[part]] for part in HELD_OUT_PARTS}, **fine_tuned.answers}
    saved = fine_tuned.saved
    if saved not in answers:
        answers[saved] = held_out_probabilities(session, network, data)
    if session.options.from_scratch and saved != FROZEN:
        frozen_head = update_suspects(session, network, data, frozen_head)
    # The features of a fine-tuned network are not those of the frozen one.
    features = frozen_head.features if saved == FROZEN or session.options.from_scratch else None
    calibration, answers[saved] = calibrate(session, network, data, answers[saved], features)
    metrics = list(select_metrics(session.options, pictures.labels).by_name.values())
    candidates = {
        name: tuple(
            evaluate_part(part, pictures.targets[rows[part]], probabilities[part], pictures.labels, metrics)
            for part in HELD_OUT_PARTS
        )
        for name, probabilities in answers.items()
    }
    out_of_fold = tuple(predictions(pictures, frozen_head.out_of_fold, frozen_head.folds))
    evaluation = Evaluation(candidates, saved, answers, out_of_fold, calibration, frozen_head.learned_before)
    for name, evaluations in candidates.items():
        figures = (f"{each.part} {each.accuracy:.1%}" if each.count else f"no {each.part}" for each in evaluations)
        progress.info(f"{name:<11}  {'   '.join(figures)}".replace("%", " %"))
    _write(session, evaluation, frozen_head, fine_tuned)
    return evaluation


def _write(session: Session, evaluation: Evaluation, frozen_head: FrozenHead, fine_tuned: FineTuned) -> None:
    path = session.run.path
    write_predictions(path / "predictions.csv", evaluation.predictions)
    session.run.write_array("features.npy", frozen_head.features)
    write_metrics(
        path / "metrics.json",
        evaluation.candidates,
        saved=evaluation.saved,
        epoch=int(fine_tuned.best["epoch"]),
        stopped=fine_tuned.stopped,
        calibration=evaluation.calibration.as_json(),
    )
