"""Read a recipe line by line, and check what one line says about others; a recipe may have a million lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harvest.errors import RecipeError
from harvest.files import disk
from harvest.files.check_names_and_cells import fold_name
from harvest.photo_keys import source_key
from harvest.reproduce.parse_records import PARSERS
from harvest.reproduce.recipe_records import (
    RecipeDecision,
    RecipeImage,
    RecipeRecord,
    RecipeResult,
    RecipeSearch,
)
from harvest.reproduce.record_fields import FieldError, RecordFields, shorten_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

_LONGEST = 1 << 20  # bytes of a line
_HINT = "Get the recipe again from where it is published, or correct this line. Nothing was written."
_CUT = "The file ends in the middle: copy or download it again. Nothing was written."
_ORDER = [*PARSERS, "end"]
_GROUPS = {"search": "result"}  # kinds that alternate: each search is followed by its results


def read_recipe(path: Path) -> Iterator[RecipeRecord]:
    """Yield the records of a recipe; raise `RecipeError` with the number of the first line that is not valid."""
    with disk.read_errors_named(path), path.open("rb") as file:
        reader = _RecipeReader()
        number = 0
        while line := _read_line(path, file, number + 1):
            number += 1
            try:
                record = reader.read(line, number)
            except FieldError as error:
                raise RecipeError(path, number, f"{error}.", error.hint or _HINT) from None
            if record is not None:
                yield record
        if not reader.is_complete:
            raise RecipeError(path, number + 1, "the last line, of the kind 'end', is missing.", _CUT)


def _read_line(path: Path, file: BufferedReader, number: int) -> bytes:
    line = file.readline(_LONGEST + 1)
    if len(line) > _LONGEST:
        raise RecipeError(path, number, f"the line is longer than {_LONGEST:,} bytes.", _HINT)
    if line and not line.endswith(b"\n"):
        raise RecipeError(path, number, "the line is not complete.", _CUT)
    return line


class _RecipeReader:
    """Parses lines, and checks their order and what they refer to."""

    def __init__(self) -> None:
        self.is_complete = False
        self._place = 0
        self._counts = dict.fromkeys(("transform", "search", "result", "image"), 0)
        self._search: RecipeSearch | None = None
        self._searches: set[tuple[str, ...]] = set()
        self._photos: set[str] = set()  # of the current search
        self._classes: dict[str, str] = {}
        self._images: set[tuple[str, str]] = set()
        self._origins: set[int] = set()  # results that an image was downloaded from
        self._last_image = 0  # the highest number that a result refers to

    def read(self, line: bytes, number: int) -> RecipeRecord | None:
        fields = RecordFields(line)
        kind = fields.choice("kind", _ORDER)
        self._check_order(kind, number)
        if kind == "end":
            self._check_end(fields.number("lines"), number)
            return None
        record = PARSERS[kind](fields)
        if kind in self._counts:
            self._check_number(kind, fields.number("id"))
        return self._check(record)

    def _check_order(self, kind: str, number: int) -> None:
        if self.is_complete:
            raise FieldError("it comes after the line of the kind 'end'")
        if (number == 1) != (kind == "recipe"):
            raise FieldError(f"its kind is {kind!r}, and the first line alone must be of the kind 'recipe'")
        place = _ORDER.index(_GROUPS.get(kind, kind))
        if place < self._place:
            raise FieldError(f"a {kind} comes after a {_ORDER[self._place]}")
        self._place = place

    def _check_number(self, kind: str, number: int) -> None:
        self._counts[kind] += 1
        if number != self._counts[kind]:
            raise FieldError(f"its id is {number}, and the next {kind} is {self._counts[kind]}: ids count from 1")

    def _check_end(self, lines: int, number: int) -> None:
        if lines != number:
            raise FieldError(f"the recipe has {number:,} lines, and had {lines:,} when it was written")
        if self._last_image > self._counts["image"]:
            raise FieldError(f"a result refers to image {self._last_image}, which is missing")
        self.is_complete = True

    def _check(self, record: RecipeRecord) -> RecipeRecord:
        if isinstance(record, RecipeSearch):
            self._check_search(record)
        elif isinstance(record, RecipeResult):
            return self._check_result(record)
        elif isinstance(record, RecipeImage):
            self._check_image(record)
        elif isinstance(record, RecipeDecision):
            self._check_reference("image", record.image)
        return record

    def _check_search(self, search: RecipeSearch) -> None:
        self._check_class(search.class_name)
        key = (search.provider, search.class_name, search.text, repr(sorted(search.filters.items())))
        if key in self._searches:
            raise FieldError("it is the same search as an earlier one")
        self._searches.add(key)
        self._search = search
        self._photos.clear()

    def _check_result(self, result: RecipeResult) -> RecipeResult:
        if self._search is None or result.search != self._search.id:
            raise FieldError(f"its search is {result.search}, and results follow the search that gave them")
        photo = result.hit.source or source_key(result.hit.url)
        hit = replace(result.hit, provider=self._search.provider, source=photo)
        if hit.source in self._photos:
            raise FieldError(f"its photo {shorten_value(hit.source)} is in the same search already")
        self._photos.add(hit.source)
        self._last_image = max(self._last_image, result.image or 0)
        return replace(result, hit=hit)

    def _check_image(self, image: RecipeImage) -> None:
        self._check_class(image.class_name)
        self._check_reference("transform", image.transform)
        if image.result is None:
            return
        self._check_reference("result", image.result)
        if image.is_rejected:
            raise FieldError("it is rejected, and names a result to download it from")
        if (image.class_name, image.content) in self._images:
            raise FieldError("its class has an image with this content already")
        if image.result in self._origins:
            raise FieldError(f"another image was downloaded from result {image.result} already")
        self._images.add((image.class_name, image.content))
        self._origins.add(image.result)

    def _check_reference(self, kind: str, number: int) -> None:
        if number > self._counts[kind]:
            raise FieldError(f"it refers to {kind} {number}, which is missing")

    def _check_class(self, name: str) -> None:
        other = self._classes.setdefault(fold_name(name), name)
        if other != name:
            raise FieldError(f"its class {name!r} differs from {other!r} only in case or accents")
