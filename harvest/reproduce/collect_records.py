"""Collect the records of a recipe from a dataset, one after another: a dataset may have a million results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.ledger.image_output_settings import load_transform
from harvest.reproduce.public_addresses import is_folder_name, publish_hit, publish_query
from harvest.reproduce.recipe_records import (
    RecipeDecision,
    RecipeHeader,
    RecipeImage,
    RecipeRecord,
    RecipeResult,
    RecipeSearch,
    RecipeSplit,
    RecipeTransform,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.ledger.recipe_rows import DecisionRow, ImageRow, RecipeRows

_QUALITY = 90  # of every image that was written before runs recorded it
DECIDERS = ("page", "files", "cli", "harvest", "recipe")


class RecordCollector:
    """Numbers the rows of a ledger from 1 in their order, and yields them as records.

    With `is_public`, what may not be published is left out, and `left_out` counts the addresses.
    """

    def __init__(self, rows: RecipeRows, *, is_public: bool = True) -> None:
        self.left_out = 0
        self._rows = rows
        self._is_public = is_public
        self._origins = rows.origin_hits()
        self._results: dict[int, int] = {}  # the numbers of the results that images were downloaded from, by hit
        pictures = [number for number, name in rows.picture_classes() if not is_public or is_folder_name(name)]
        self._images = {picture: number for number, picture in enumerate(pictures, 1)}
        self._transforms = {stored: number for number, stored in enumerate(rows.transforms(), 1)}

    def collect(self) -> Iterator[RecipeRecord]:
        """Yield all records."""
        yield RecipeHeader(tuple(self._rows.versions()))
        for stored, number in self._transforms.items():
            yield self._transform(number, stored)
        yield from self._searches_and_results()
        for row in self._rows.images():
            if row.id in self._images:
                yield self._image(row)
        for decision in self._rows.decisions():
            if (image := self._images.get(decision.picture)) is not None:
                yield _decision(image, decision)
        yield from (RecipeSplit(*row) for row in self._rows.splits())

    def _transform(self, number: int, stored: str | None) -> RecipeTransform:
        recipe = load_transform(stored)
        if recipe is None:
            return RecipeTransform(number, *self._rows.dataset_transform(), _QUALITY)
        return RecipeTransform(number, recipe.size, recipe.pad, recipe.quality)

    def _searches_and_results(self) -> Iterator[RecipeSearch | RecipeResult]:
        count = 0
        for number, search in enumerate(self._rows.searches(), 1):
            text = publish_query(search.text, search.provider) if self._is_public else search.text
            yield RecipeSearch(number, search.provider, search.class_name, text, *search[4:])
            for row in self._rows.results(search.id):
                hit = publish_hit(row.hit) if self._is_public else row.hit
                if hit is None:
                    self.left_out += 1
                    continue
                count += 1
                if row.id in self._origins:
                    self._results[row.id] = count
                image = None if row.picture is None else self._images.get(row.picture)
                yield RecipeResult(count, number, hit, row.verdict, image)

    def _image(self, row: ImageRow) -> RecipeImage:
        return RecipeImage(
            id=self._images[row.id],
            result=None if row.is_own or row.state == "rejected" else self._results.get(row.hit or 0),
            transform=self._transforms[row.transform],
            class_name=row.class_name,
            is_rejected=row.state == "rejected",
            content=row.content,
            body=row.body,
            pixels=row.pixels,
            original_width=row.original_width,
            original_height=row.original_height,
            is_touched=row.is_touched,
            is_reviewed=row.is_reviewed,
            rating=row.rating,
            picture=row.id,
        )


def _decision(image: int, row: DecisionRow) -> RecipeDecision:
    """Return a decision without the names of files, which may be those of a person, and without reasons."""
    classes = (path and path.partition("/")[0] for path in (row.source, row.target))
    source, target = (name if name and is_folder_name(name) else None for name in classes)
    is_rating = row.action == "rate" and (row.value or "").isdecimal()
    by = row.by if row.by in DECIDERS else "recipe"
    return RecipeDecision(image, row.at, by, row.action, source, target, int(row.value or 0) if is_rating else None)
