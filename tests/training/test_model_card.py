"""The model card: YAML that the Hub reads, the results, and text from outside that stays text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harvest.labelled_pictures.image_reader import ImageReader
from harvest.training.network.efficientnet_lite import MODEL_TYPE
from harvest.training.report import write
from harvest.training.report.model_card import render_model_card
from tests.training import report_examples as examples

if TYPE_CHECKING:
    from pathlib import Path

cards = pytest.importorskip("huggingface_hub")


def test_the_hub_reads_the_results_and_the_network(tmp_path: Path) -> None:
    """The Hub's own reader finds the task, the network it started from, and the accuracy of the saved network."""
    data = replace(examples.snakes_report(tmp_path / "tree"), options={"model": "resnet34"})
    write(tmp_path, data)

    card = cards.ModelCard.load(tmp_path / "README.md").data

    saved = next(each for each in data.saved.judgements if each.part == "test")
    (accuracy,) = [each for each in card.eval_results if each.metric_type == "accuracy"]
    assert (card.pipeline_tag, card.library_name, card.base_model) == (
        "image-classification",
        "transformers",
        "microsoft/resnet-34",
    )
    assert (accuracy.dataset_name, accuracy.dataset_split) == ("tree", "test")
    assert accuracy.metric_value == pytest.approx(saved.accuracy, abs=1e-5)


def test_it_states_results_licences_and_limits(tmp_path: Path) -> None:
    """The card has the accuracy with its interval, every class, the licences, and what is refused."""
    data = replace(
        examples.snakes_report(tmp_path / "tree"),
        licences={"CC-BY-4.0": 30, "NOASSERTION": 12},
        split={"coral snake": {"train": 15, "valid": 3, "test": 2}},
    )
    text = render_model_card(data, tmp_path)

    saved = next(each for each in data.saved.judgements if each.part == "test")
    assert f"{saved.right:,} of {saved.count:,} right" in text
    assert "95 % confidence interval" in text
    assert "| coral snake | 15 | 3 | 2 |" in text
    assert text.index("| CC-BY-4.0 | 30 |") < text.index("| not known | 12 |")
    assert "It does not notice most images of a class that is like these" in text.replace("\n", " ")


def test_unknown_licences_and_missing_results_are_stated(tmp_path: Path) -> None:
    """Without a ledger and without held-out images, the card says so, and the Hub reads it all the same."""
    data = replace(examples.diverged(), licences={"NOASSERTION": 40})
    write(tmp_path, data)

    text = (tmp_path / "README.md").read_text("utf-8")
    assert "licences of the training images are not known" in text
    assert "nan" not in text
    assert cards.ModelCard.load(tmp_path / "README.md").data.pipeline_tag == "image-classification"


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """Names of classes cannot add YAML keys, tags, links or cells to the card."""
    data = replace(examples.hostile(tmp_path / "tree"), images=ImageReader(tmp_path / "a\n---\nlicense: mit\n#"))
    data = replace(data, split={label: {} for label in data.labels}, licences={"<img src=x>|": 3})
    text = render_model_card(data, tmp_path)

    card = cards.ModelCard(text)
    assert card.data.license is None
    assert not re.search(r"<(?!/?(?:b|i)\b)", re.sub(r"```.*?```", "", card.text, flags=re.DOTALL))
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in card.text.splitlines() if line.startswith("|")}
    assert widths <= {3, 5, 6}  # of the three tables


def test_a_local_network_is_not_named_by_its_path(tmp_path: Path) -> None:
    """The path of a local network stays out of the card."""
    (tmp_path / "snakes" / "first").mkdir(parents=True)
    data = replace(
        examples.snakes_report(tmp_path / "tree"), options={"model": str(tmp_path / "snakes" / "first")}, images=None
    )
    text = render_model_card(data, tmp_path)

    assert str(tmp_path) not in text
    assert "started from first" in text
    assert "base_model" not in text


def test_our_architecture_needs_one_more_import(tmp_path: Path) -> None:
    """The card of a run of lite0 has the import that transformers needs, and does not name its library."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": MODEL_TYPE}), "utf-8")
    text = render_model_card(examples.snakes_report(tmp_path / "tree"), tmp_path)

    assert "import harvest.training.network.efficientnet_lite" in text
    assert "library_name" not in text
