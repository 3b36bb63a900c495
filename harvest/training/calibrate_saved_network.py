"""Calibrate the saved network, and measure which images it can recognise as none of its classes.

Both use the validation set, which trained no weight. What they achieve is measured on the test set.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harvest.labelled_pictures.load_pictures import SplitPart
from harvest.training.measure_none_of_these import AcceptedShare, measured_part, write_reference_features
from harvest.training.metrics.evaluate_predictions import json_number
from harvest.training.metrics.temperature_and_calibration_error import (
    ReliabilityBin,
    expected_calibration_error,
    fit_temperature,
    measure_reliability,
    scale_probabilities,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harvest.training.load_and_split import TrainingData
    from harvest.training.network.network_with_classes import Network
    from harvest.training.objects_shared_by_steps import Session
    from harvest.training.predict_probabilities import Answers


@dataclass(frozen=True, slots=True)
class Calibration:
    """The temperature, the reliability before and after, and what is refused as unknown."""

    temperature: float
    part: SplitPart  # where it is measured: test, or valid without a test set
    before: tuple[ReliabilityBin, ...]
    after: tuple[ReliabilityBin, ...]
    accepted: tuple[AcceptedShare, ...] = ()  # empty with too few validation images

    @property
    def errors(self) -> tuple[float, float]:
        """The expected calibration error before and after."""
        return expected_calibration_error(self.before), expected_calibration_error(self.after)

    @property
    def count(self) -> int:
        """The number of images that it is measured on."""
        return sum(each.count for each in self.after)

    def as_json(self) -> dict[str, Any]:
        """Return the results for metrics.json."""
        before, after = self.errors
        return {
            "temperature": self.temperature,
            "measured_on": self.part,
            "expected_calibration_error": {
                "before": json_number(before),
                "after": json_number(after),
            },
            "accepted": [{name: json_number(value) for name, value in asdict(each).items()} for each in self.accepted],
        }


def calibrate(
    session: Session, network: Network, data: TrainingData, answers: Answers, features: NDArray[np.float32] | None
) -> tuple[Calibration, Answers]:
    """Scale the head of the saved network by a temperature, save it, and return the calibrated answers.

    `features` are those of all images by this network; None if they are still to be computed.
    """
    temperature = fit_temperature(*_held_out(data, answers, SplitPart.VALID))
    with torch.no_grad():  # in the head, so that every program that loads the network gets calibrated probabilities
        network.head.weight.div_(temperature)
        network.head.bias.div_(temperature)
    network.save(session.run.path)
    scaled = {part: scale_probabilities(values, temperature) for part, values in answers.items()}
    part = measured_part(data.split)
    calibration = Calibration(
        temperature,
        part,
        before=measure_reliability(*_held_out(data, answers, part)),
        after=measure_reliability(*_held_out(data, scaled, part)),
        accepted=write_reference_features(session, network, data, answers, features),
    )
    return calibration, scaled


def _held_out(data: TrainingData, answers: Answers, part: SplitPart) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the classes and probabilities of a part, without the images that could not be read."""
    is_finite = np.isfinite(answers[part]).all(axis=1)
    return data.pictures.targets[data.split.rows(part)][is_finite], answers[part][is_finite]
