"""The card: what a reader must know before using the images, and YAML that is never broken by a name."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from harvest import export_dataset
from harvest.export import dataset_card
from harvest.export.card_facts_from_ledger import CardFacts
from harvest.export.card_front_matter import front_matter
from harvest.export.export_formats import FORMATS
from harvest.export.licence_files import licence_text

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.export_dataset import ExportResult
    from harvest.export.records import ExportDataset


@pytest.fixture(scope="module")
def exported(template: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return export_dataset(template, tmp_path_factory.mktemp("card") / "out")


@pytest.fixture(scope="module")
def card(exported: ExportResult) -> str:
    return (exported.out / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "| all | 21 | 6 | 3 |",
        "| CC-BY-2.0 | 6 | 6 stated |",
        "| NOASSERTION | 22 | 1 claimed, 21 unknown |",
        "| coral | coral wild | flickr | 6 | 5 |",
        "* A person reviewed 1 of the 30 images (3%).",
        "* 1 image left out of this export: licence forbids derivatives (ND).",
        "* The licence of 22 images (73%) is not known.",
        "* One host, pictures.example.com, has 67% of the images.",
        "* One photographer, Grace, has 10% of the images.",
        "* 0 images state in their file that they were made with AI. Others may not state it.",
    ],
)
def test_the_card_has_the_facts(card: str, line: str) -> None:
    """Counts, licences, queries, review share, and what dominates are in the card."""
    assert line in card.splitlines()


def test_the_card_says_that_no_group_spans_splits(card: str) -> None:
    """The way the split was made is in the card, with its rule."""
    assert "0 groups span splits. Rule: valid 20 test 10 seed 42." in card


def write(dataset: ExportDataset, folder: Path) -> str:
    dataset_card.write_card(dataset, FORMATS["hf"], folder)
    return (folder / "README.md").read_text("utf-8")


def test_known_limits_depend_on_the_images(exported: ExportResult, tmp_path: Path) -> None:
    """Uneven classes, images made with AI and licences that forbid derivatives are named where there are any."""
    images = [image for image in exported.dataset.images if image.class_name == "coral"]
    few = [replace(each, class_name="king") for each in images[:2]]
    few = [replace(each, is_ai_generated=True, licence="CC-BY-ND-2.0", spdx="CC-BY-ND-2.0") for each in few]

    card = write(replace(exported.dataset, images=tuple(images + few)), tmp_path)

    assert "* The classes are uneven: coral has 15 images, king has 2." in card
    assert "* 2 images state in their file that they were made with AI." in card
    assert "The licence of 2 images forbids derivatives." in card
    assert "do not publish this export" in card


def test_a_dataset_without_searches_is_not_said_to_be_found(exported: ExportResult, tmp_path: Path) -> None:
    """Of images that a person added, the card names no search, no results and no dates."""
    images = tuple(replace(image, provider="own", query="") for image in exported.dataset.images)

    card = write(replace(exported.dataset, images=images, facts=CardFacts()), tmp_path)

    assert "30 images of 2 classes for image classification. The images were not found by a search" in card
    assert "| added by hand | 30 |" in card
    assert "search queries" not in card
    assert "results" not in card


def test_the_dates_of_one_day_are_one_date(exported: ExportResult, tmp_path: Path) -> None:
    """A harvest of one day is not a period."""
    facts = CardFacts(first_day="2026-09-30", last_day="2026-09-30", rejected=1)

    card = write(replace(exported.dataset, facts=facts), tmp_path)

    assert "found on 2026-09-30." in card
    assert "* A person removed 1 image." in card


def test_invisible_characters_of_a_class_are_shown(exported: ExportResult, tmp_path: Path) -> None:
    """A class name that a person chose cannot reorder the text of the card, or end a line."""
    images = tuple(replace(image, class_name="a\u202egnp\x0bb") for image in exported.dataset.images)

    card = write(replace(exported.dataset, images=images, classes=("a\u202egnp\x0bb",)), tmp_path)

    assert "\u202e" not in card
    assert "| a\ufffdgnp\ufffdb | " in card


@pytest.mark.parametrize("name", ['a"b: [x]', "- no", "€ 蛇 🐍", "a\x85b\x7f", "yes", "---"])
def test_a_name_never_breaks_the_yaml(exported: ExportResult, name: str) -> None:
    """The front matter gives back any name as it is."""
    yaml = pytest.importorskip("yaml", reason="pip install pyyaml")

    lines = list(front_matter(replace(exported.dataset, name=name), FORMATS["hf"]))

    assert yaml.safe_load("\n".join(lines[1:-1]))["pretty_name"] == name


@pytest.mark.parametrize(
    ("spdx", "licence"),
    [("CC-BY-4.0", "cc-by-4.0"), ("CC-BY-SA-2.0", "other"), ("CC-PDM-1.0", "other"), ("NOASSERTION", "unknown")],
)
def test_the_licence_of_the_card_is_one_that_the_hub_knows(exported: ExportResult, spdx: str, licence: str) -> None:
    """A set under one licence names it if the Hub lists it; else it is other, with its name and a link."""
    images = tuple(replace(image, spdx=spdx) for image in exported.dataset.images)

    lines = list(front_matter(replace(exported.dataset, images=images), FORMATS["hf"]))

    assert f"license: {licence}" in lines
    assert ("license_link: ATTRIBUTION.md" in lines) == (licence == "other")


def test_the_examples_are_one_picture(exported: ExportResult) -> None:
    """examples.jpg has a row of images for each class."""
    grid = Image.open(io.BytesIO((exported.out / "examples.jpg").read_bytes()))

    assert grid.size == (6 * 124 + 4, 2 * 124 + 4)
    assert len(grid.getcolors(1 << 20) or []) > 100


def test_licence_texts() -> None:
    """Creative Commons licences have their legal text; others a note with their addresses."""
    assert "Attribution 2.0" in licence_text("CC-BY-2.0", [])
    assert len(licence_text("CC-BY-SA-4.0", [])) > 10_000
    assert "https://spdx.org/licenses/LAL-1.3.html" in licence_text("LAL-1.3", [])
    assert "https://example.org/terms" in licence_text("LicenseRef-Terms", ["https://example.org/terms"])
    assert "No permission" in licence_text("LicenseRef-NOASSERTION", [])
