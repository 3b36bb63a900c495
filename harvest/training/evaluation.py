"""Step 4: what was learned, judged on pictures it did not learn from, some of them never chosen by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.training.fine_tuning import FROZEN, FineTuned
from harvest.training.head_training import FrozenHead, update_suspects
from harvest.training.metrics.epoch_metrics import select_metrics
from harvest.training.metrics.evaluate_predictions import PartEvaluation
from harvest.training.metrics.evaluate_predictions import evaluate_part as judge_part
from harvest.training.output_files import predictions, write_metrics, write_predictions
from harvest.training.probabilities import HELD_OUT_PARTS, held_out_probabilities

if TYPE_CHECKING:
    from harvest.training.load_folders import TrainingData
    from harvest.training.network.network import Network
    from harvest.training.output_files import Prediction
    from harvest.training.pictures.labelled_pictures import SplitPart
    from harvest.training.probabilities import Answers
    from harvest.training.session import Session


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good each candidate is, and every picture as a network sees it that did not learn from it."""

    candidates: dict[str, tuple[PartEvaluation, ...]]
    saved: str
    answers: dict[str, Answers]  # of each candidate
    predictions: tuple[Prediction, ...]  # out of fold
    learned_before: bool = False  # whether the network below had learned from these pictures

    def part_evaluation(self, part: SplitPart) -> PartEvaluation | None:
        """Return what the saved network is worth on a part; nothing where the part is empty."""
        found = [each for each in self.candidates[self.saved] if each.part == part and each.count]
        return found[0] if found else None


def evaluate(
    session: Session, network: Network, pictures: TrainingData, frozen: FrozenHead, tuned: FineTuned
) -> Evaluation:
    """Judge the frozen head, and the fine-tuned network where it became better."""
    album, split = pictures
    teller = session.progress
    teller.step("judged on pictures it did not learn from")
    rows = {part: split.rows(part) for part in HELD_OUT_PARTS}
    answers = {FROZEN: {part: frozen.probabilities[rows[part]] for part in HELD_OUT_PARTS}, **tuned.between}
    saved = tuned.saved
    if saved not in answers:
        answers[saved] = held_out_probabilities(session, network, pictures)
    metrics = list(select_metrics(session.options, album.labels).by_name.values())
    candidates = {
        name: tuple(
            judge_part(part, album.targets[rows[part]], told[part], album.labels, metrics) for part in HELD_OUT_PARTS
        )
        for name, told in answers.items()
    }
    if session.options.from_scratch and saved != FROZEN:
        frozen = update_suspects(session, network, pictures, frozen)
    seen = tuple(predictions(album, frozen.out_of_fold, frozen.folds))
    judged = Evaluation(candidates, saved, answers, seen, frozen.learned_before)
    for name, judgements in candidates.items():
        told = (f"{each.part} {each.accuracy:.1%}" if each.count else f"no {each.part}" for each in judgements)
        teller.info(f"{name:<11}  {'   '.join(told)}".replace("%", " %"))
    _write(session, judged, frozen, tuned)
    return judged


def _share(judgement: PartEvaluation) -> str:
    return f"{judgement.part} {100 * judgement.accuracy:.1f} %" if judgement.count else f"no {judgement.part}"


def _write(session: Session, judged: Evaluation, frozen: FrozenHead, tuned: FineTuned) -> None:
    path = session.run.path
    write_predictions(path / "predictions.csv", judged.predictions)
    session.run.write_array("features.npy", frozen.features)
    write_metrics(
        path / "metrics.json",
        judged.candidates,
        saved=judged.saved,
        epoch=int(tuned.best["epoch"]),
        stopped=tuned.stopped,
    )
