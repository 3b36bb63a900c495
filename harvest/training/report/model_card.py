"""The model card, README.md of a run: what the network is, what it was trained on, how good it is, and how to use it.

Its first lines are YAML that the Hugging Face Hub reads, so that a run can be uploaded as it is.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.counts_as_text import count
from harvest.files.markdown_and_yaml import escape_markdown, quote_yaml
from harvest.html_report.number_format import percent, range_text
from harvest.labelled_pictures.find_files import SplitPart
from harvest.licences import NO_ASSERTION
from harvest.training.network.efficientnet_lite import MODEL_TYPE
from harvest.training.network.find_model_files import CONFIG, SHORT
from harvest.training.network.packaged_weights import NAME as LITE0
from harvest.training.report.result_text import metric, result_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.training.metrics.evaluate_predictions import PartEvaluation
    from harvest.training.report.report_data import ReportData

FILE = "README.md"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_NAMED = 100  # classes in the card; labels.txt has all
_ON_HUB = ("accuracy", "f1", "precision", "recall", "roc_auc")  # metrics that the Hub knows by these names
_ACCEPT = 0.95
_USE = """from harvest import Predictor

predictor = Predictor.open("path/of/this/folder")
(answer,) = predictor.predict(["image.jpg"])
print(answer[0].label if answer.is_known else "none of these", answer[0].probability)"""
_OWN_ARCHITECTURE = (
    "import harvest.training.network.efficientnet_lite  # the architecture, which is not in transformers\n"
)
_PIPELINE = """from transformers import pipeline

print(pipeline("image-classification", "path/of/this/folder")("image.jpg"))"""


def render_model_card(data: ReportData, run: Path) -> str:
    """Return the text of the card."""
    evaluation = _best_evaluation(data)
    name = data.images.root.absolute().name if data.images else data.title
    sections = (_summary(data, name), _use(run), _training(data), _results(evaluation), _limits(data))
    lines = [*_front_matter(data, name, evaluation, run), "", f"# {escape_markdown(name)}", ""]
    for section in sections:
        lines += [*section, ""]
    return "\n".join(lines)


def _best_evaluation(data: ReportData) -> PartEvaluation | None:
    """Return the evaluation of the saved network on test, or on valid without test images; None without any."""
    found = {each.part: each for each in data.saved.judgements if each.count} if data.saved else {}
    return found.get(SplitPart.TEST) or found.get(SplitPart.VALID)


def _front_matter(data: ReportData, name: str, evaluation: PartEvaluation | None, run: Path) -> Iterator[str]:
    yield "---"
    yield "pipeline_tag: image-classification"
    if not _has_own_architecture(run):
        yield "library_name: transformers"
    yield "tags:"
    yield "- image-classification"
    if base := _hub_id(data):
        yield f"base_model: {quote_yaml(base)}"
    if evaluation:
        yield "model-index:"
        yield f"- name: {quote_yaml(name)}"
        yield "  results:"
        yield "  - task:"
        yield "      type: image-classification"
        yield "      name: Image Classification"
        yield "    dataset:"
        yield "      type: imagefolder"
        yield f"      name: {quote_yaml(name)}"
        yield f"      split: {evaluation.part}"
        yield "    metrics:"
        for each in _ON_HUB:
            if math.isfinite(value := evaluation.metrics.get(each, math.nan)):
                yield f"    - type: {each}"
                yield f"      name: {metric(each)}"
                yield f"      value: {value:.6f}"
    yield "---"


def _has_own_architecture(run: Path) -> bool:
    """Return whether transformers does not know the architecture of the network."""
    try:
        return bool(json.loads((run / CONFIG).read_text("utf-8")).get("model_type") == MODEL_TYPE)
    except (OSError, ValueError):
        return False


def _hub_id(data: ReportData) -> str:
    """Return the hub id of the pretrained network; empty for a local one: its path is nobody else's business."""
    source = str(data.options.get("model", ""))
    is_hub_id = bool(_HUB_ID.fullmatch(source)) and not Path(source).exists()
    return SHORT.get(source) or (source if is_hub_id and not data.options.get("from_scratch") else "")


def _summary(data: ReportData, name: str) -> Iterator[str]:
    shown = ", ".join(map(escape_markdown, data.labels[:_NAMED]))
    more = len(data.labels) - _NAMED
    yield f"An image classifier of {count(len(data.labels), 'class', 'classes')}, trained with harvest"
    yield f"on the dataset {escape_markdown(name)}:"
    yield f"{shown} and {more:,} more, listed in `labels.txt`." if more > 0 else f"{shown}."


def _use(run: Path) -> Iterator[str]:
    yield from (
        "## How to use it",
        "",
        "```python",
        _USE,
        "```",
        "",
        "Or without harvest's answer “none of these”:",
        "",
    )
    yield from ("```python", (_OWN_ARCHITECTURE if _has_own_architecture(run) else "") + _PIPELINE, "```")


def _training(data: ReportData) -> Iterator[str]:
    yield from ("## What it was trained on", "")
    yield f"Network: {escape_markdown(_describe_network(data))}."
    yield from ("", "| class | train | valid | test |", "|---|---:|---:|---:|")
    for label, parts in [*data.split.items()][:_NAMED]:
        yield f"| {escape_markdown(label)} | " + " | ".join(f"{parts.get(part, 0):,}" for part in SplitPart) + " |"
    yield ""
    known = {licence: images for licence, images in data.licences.items() if licence != NO_ASSERTION}
    if not known:
        yield "The licences of the training images are not known. Find out before you publish this network."
        return
    yield from ("Licences of the training images, as their sources state them:", "")
    yield from ("| licence | images |", "|---|---:|")
    for licence, images in sorted(data.licences.items(), key=lambda each: (-each[1], each[0])):
        yield f"| {'not known' if licence == NO_ASSERTION else escape_markdown(licence)} | {images:,} |"


def _describe_network(data: ReportData) -> str:
    source = str(data.options.get("model", "")) or LITE0
    if data.options.get("from_scratch"):
        return "trained from random weights"
    if source == LITE0:
        return "EfficientNet-Lite0 with ImageNet weights (Apache-2.0)"
    return f"started from {_hub_id(data) or Path(source).name}"


def _results(evaluation: PartEvaluation | None) -> Iterator[str]:
    yield from ("## How good it is", "")
    if evaluation is None:
        yield "It was not measured: there were no held-out images."
        return
    selected = "" if evaluation.part == SplitPart.TEST else " They also selected the best epoch, which flatters it."
    yield f"On the {evaluation.part} images, which trained no weight: {result_text(evaluation)}."
    yield f"The range is the 95 % confidence interval.{selected}"
    yield from ("", "| class | images | found | 95 % interval | right when predicted |", "|---|---:|---:|---:|---:|")
    for each in evaluation.per_class[:_NAMED]:
        yield (
            f"| {escape_markdown(each.label)} | {each.count:,} | {percent(each.recall)} |"
            f" {range_text(each.low, each.high) if each.count else '–'} | {percent(each.precision)} |"
        )


def _limits(data: ReportData) -> Iterator[str]:
    yield from ("## What it does not know", "")
    yield "* It only knows the classes above. An image of anything else gets one of them from most programs."
    accepted = [each for each in data.calibration.accepted if each.accept == _ACCEPT] if data.calibration else []
    if accepted and math.isfinite(accepted[0].right_refused):
        yield (
            "* harvest answers “none of these” for images unlike all training images; it so refuses"
            f" {percent(accepted[0].right_refused)} of the right held-out images. It does not notice most images of"
            " a class that is like these."
        )
    else:
        yield "* There were too few images to recognise those that are none of the classes."
    if data.calibration and data.calibration.count:
        error = percent(data.calibration.errors[1])
        yield f"* Its probabilities are calibrated: on held-out images they are off by {error} on average."
    yield "* The held-out images have the same sources as the training images: expect less on those of another camera,"
    yield "  place or time."
