"""Record what a dataset is to be rebuilt from: the records of a recipe become searches, hits and expected images."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harvest.ledger.expected_images_tables import ExpectedImage, ForeignDecision, RejectedImage, SearchEnd
from harvest.models import Recipe
from harvest.reproduce.recipe_records import (
    RecipeDecision,
    RecipeImage,
    RecipeRecord,
    RecipeResult,
    RecipeSearch,
    RecipeSplit,
    RecipeTransform,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harvest.ledger.expected_images_tables import RebuildTable


class RecordImporter:
    """Writes records to a ledger, within one transaction of its caller.

    With `recipe`, all images are written in that way, so their files will be others; with `take_image`, the caller
    expects the images that have a source. `rejected_image` returns what is
    known of a rejected image beyond its record.
    """

    def __init__(
        self,
        table: RebuildTable,
        *,
        recipe: Recipe | None = None,
        take_image: Callable[[RecipeImage, int, ExpectedImage], None] | None = None,
        rejected_image: Callable[[RecipeImage], RejectedImage | None] | None = None,
    ) -> None:
        self._table = table
        self._recipe = recipe
        self._take_image = take_image
        self._rejected_image = rejected_image
        self._recipes: dict[int, Recipe] = {}
        self._searches: dict[int, tuple[int, str]] = {}  # row and class of each search, by its number
        self._origins: dict[int, int] = {}  # the hit of each result that has an image, by its number
        self._sources: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)  # hits and providers, by image
        self._contents: list[str] = []

    def add_all(self, records: Iterable[RecipeRecord]) -> None:
        """Write all records."""
        for record in records:
            self._add(record)

    def _add(self, record: RecipeRecord) -> None:
        if isinstance(record, RecipeTransform):
            recipe = Recipe(size=record.size, pad=record.pad, quality=record.quality, min_size=1)
            self._recipes[record.id] = self._recipe or recipe
        elif isinstance(record, RecipeSearch):
            end = SearchEnd(record.asked, record.ending, record.ended)
            row = self._table.add_search(record.provider, record.class_name, record.text, record.filters, end)
            self._searches[record.id] = row, record.class_name
        elif isinstance(record, RecipeResult):
            self._add_result(record)
        elif isinstance(record, RecipeImage):
            self._add_image(record)
        elif isinstance(record, RecipeDecision):
            self._add_decision(record)
        elif isinstance(record, RecipeSplit):
            self._table.add_split(record.rule, record.content, record.part)

    def _add_result(self, record: RecipeResult) -> None:
        search, class_name = self._searches[record.search]
        hit = self._table.add_result(search, class_name, record.hit, record.verdict)
        if record.image is not None:
            self._origins[record.id] = hit
            self._sources[record.image].append((hit, record.hit.provider))

    def _add_image(self, record: RecipeImage) -> None:
        self._contents.append(record.content)
        sources = self._sources.pop(record.id, [])
        if record.is_rejected:
            self._table.add_rejection(self._describe_rejected(record, sources), [hit for hit, _ in sources])
            return
        origin = None if record.result is None else self._origins.get(record.result)
        expected = ExpectedImage(
            class_name=record.class_name,
            recipe=self._recipes[record.transform],
            content=record.content,
            is_rendered=self._recipe is not None,
            body=record.body,
            pixels=record.pixels,
            original_width=record.original_width,
            original_height=record.original_height,
            is_touched=record.is_touched,
            is_reviewed=record.is_reviewed,
            rating=record.rating,
        )
        if origin is not None and self._take_image is not None:
            self._take_image(record, origin, expected)
            return
        image = self._table.expect_image(origin, expected)
        for hit, _ in sources:
            if hit != origin:
                self._table.link_result(hit, image)

    def _describe_rejected(self, record: RecipeImage, sources: list[tuple[int, str]]) -> RejectedImage:
        known = self._rejected_image(record) if self._rejected_image else None
        if known is not None:
            return known
        provider = sources[0][1].lower() if sources else "recipe"
        name = f"{provider}-{record.content[:12]}.jpg"
        return RejectedImage(record.class_name, name, record.content, record.body, record.pixels)

    def _add_decision(self, record: RecipeDecision) -> None:
        content = self._contents[record.image - 1]
        value = None if record.rating is None else str(record.rating)
        self._table.add_decision(
            ForeignDecision(record.at, content, record.action, record.source, record.target, value)
        )
