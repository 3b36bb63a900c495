"""Turn the fields of a line into a record, kind by kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.ledger.decision_kinds import Action
from harvest.ledger.image_output_settings import MOST_QUALITY, MOST_SIZE
from harvest.licences import Evidence, Licence
from harvest.models import Hit
from harvest.reproduce.collect_records import DECIDERS
from harvest.reproduce.recipe_records import (
    FORMAT,
    RecipeDecision,
    RecipeHeader,
    RecipeImage,
    RecipeRecord,
    RecipeResult,
    RecipeSearch,
    RecipeSplit,
    RecipeTransform,
)
from harvest.reproduce.record_fields import FieldError, RecordFields
from harvest.verdicts import Verdict
from harvest.web.address_policy import AddressRefused, check_url

if TYPE_CHECKING:
    from collections.abc import Callable

_PROVIDER = re.compile(r"[A-Za-z0-9][\w.+-]{0,79}", re.ASCII)
_LONG = 100_000  # characters of a title


def parse_header(fields: RecordFields) -> RecipeHeader:
    """Parse the first line of a recipe."""
    if fields.number("format") != FORMAT:
        hint = "Nothing was written. Update harvest: pip install -U classharvest"
        raise FieldError(f"it has format {fields.number('format')}, and this harvest reads format {FORMAT}", hint)
    return RecipeHeader(fields.texts("harvest"))


def parse_transform(fields: RecordFields) -> RecipeTransform:
    """Parse how images are written."""
    size, quality = fields.number("size", 0, MOST_SIZE), fields.number("quality", 1, MOST_QUALITY)
    return RecipeTransform(fields.number("id"), size, fields.flag("pad"), quality)


def parse_search(fields: RecordFields) -> RecipeSearch:
    """Parse one query at one source."""
    provider = fields.text("source")
    if not _PROVIDER.fullmatch(provider):
        fields.fail("source", "the name of a source, such as BING")
    return RecipeSearch(
        id=fields.number("id"),
        provider=provider,
        class_name=fields.class_name("class"),
        text=fields.text("query"),
        filters=fields.flat_object("filters"),
        asked=fields.number("asked", 0),
        ending=fields.optional_text("ending", 100) or "",
        ended=fields.time("ended") if fields.has("ended") else None,
        version=fields.optional_text("harvest", 100),
    )


def parse_result(fields: RecordFields) -> RecipeResult:
    """Parse one result of a search; the address of one that gave an image must be public."""
    image = fields.optional_number("image")
    urls = (fields.text("url"), *fields.texts("others"))
    for url in urls if image is not None else ():
        try:
            check_url(url)
        except AddressRefused as reason:
            raise FieldError(f"its address is refused: {reason}") from None
    licence = fields.optional_text("licence", 200)
    hit = Hit(
        url=urls[0],
        provider="",  # that of its search
        source=fields.optional_text("photo", _LONG) or "",
        rank=fields.number("rank", 0),
        page=fields.optional_text("page"),
        title=fields.optional_text("title", _LONG),
        width=fields.optional_number("width", 0),
        height=fields.optional_number("height", 0),
        author=fields.optional_text("author", _LONG),
        author_url=fields.optional_text("author_url"),
        licence=Licence(
            licence, fields.optional_text("licence_url"), Evidence(fields.choice("evidence", list(Evidence)))
        ),
        others=urls[1:],
    )
    verdict = Verdict(fields.choice("verdict", list(Verdict))) if fields.has("verdict") else None
    return RecipeResult(fields.number("id"), fields.number("search"), hit, verdict, image)


def parse_image(fields: RecordFields) -> RecipeImage:
    """Parse an image that is in the dataset or was rejected."""
    return RecipeImage(
        id=fields.number("id"),
        result=fields.optional_number("result"),
        transform=fields.number("transform"),
        class_name=fields.class_name("class"),
        is_rejected=fields.choice("state", ("present", "rejected")) == "rejected",
        content=fields.sha256("content"),
        body=fields.optional_sha256("body"),
        pixels=fields.optional_sha256("pixels"),
        original_width=fields.optional_number("original_width", 0),
        original_height=fields.optional_number("original_height", 0),
        is_touched=fields.flag("touched"),
        is_reviewed=fields.flag("reviewed"),
        rating=fields.optional_number("rating", 1, 9),
    )


def parse_decision(fields: RecordFields) -> RecipeDecision:
    """Parse a decision about an image."""
    return RecipeDecision(
        image=fields.number("image"),
        at=fields.time("at"),
        by=fields.choice("by", DECIDERS),
        action=fields.choice("action", list(Action)),
        source=fields.class_name("from") if fields.has("from") else None,
        target=fields.class_name("to") if fields.has("to") else None,
        rating=fields.optional_number("rating", 0, 9),
    )


def parse_split(fields: RecordFields) -> RecipeSplit:
    """Parse the part of an image in trainings."""
    return RecipeSplit(fields.text("rule", 200), fields.sha256("content"), fields.choice("part", PARTS))


PARTS = ("train", "valid", "test")

# In the order of a recipe.
PARSERS: dict[str, Callable[[RecordFields], RecipeRecord]] = {
    "recipe": parse_header,
    "transform": parse_transform,
    "search": parse_search,
    "result": parse_result,
    "image": parse_image,
    "decision": parse_decision,
    "split": parse_split,
}
