"""Datasets of photographs, made without a web."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.dataset import Dataset, Placement
from harvest.images import process_image
from harvest.models import Picture, Recipe
from tests import datasets
from tests.web import Photo

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.models import Hit


SMALL = Recipe(size=100)


def place(root: Path, *hits: Hit, recipe: Recipe = SMALL, class_name: str = "king") -> list[Picture]:
    """Place the photo of the number of each hit, as a harvest with this recipe does."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        dataset.record_transform(recipe)
        tasks = datasets.find(dataset, hits, class_name, f"{class_name} snake")
        found = [process_image(Photo(task.hit.rank).body, task.hit, recipe) for task in tasks]
        pictures = [picture for picture in found if isinstance(picture, Picture)]
        dataset.place([Placement(task, picture) for task, picture in zip(tasks, pictures, strict=True)])
    return pictures
