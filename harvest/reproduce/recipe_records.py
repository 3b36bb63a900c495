"""The records of a recipe, each of which is one line of its file.

A recipe describes a dataset without its images. Everything that a record contains may be published: no path of this
machine, no key, no name of the user. `read_recipe` reads records from a file, `collect_records` from a dataset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harvest.models import Hit
    from harvest.verdicts import Verdict

FORMAT = 1


@dataclass(frozen=True, slots=True)
class RecipeHeader:
    """The first record: the versions of harvest that made the dataset."""

    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecipeTransform:
    """How images are written; records refer to it by its number."""

    id: int
    size: int
    pad: bool
    quality: int


@dataclass(frozen=True, slots=True)
class RecipeSearch:
    """One query at one source; `version` is the version of harvest that last asked the source."""

    id: int
    provider: str
    class_name: str
    text: str
    filters: Mapping[str, Any]
    asked: int
    ending: str
    ended: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class RecipeResult:
    """One result of a search, in the order of the source; `image` is the image that it gave or is the same as."""

    id: int
    search: int
    hit: Hit
    verdict: Verdict | None
    image: int | None


@dataclass(frozen=True, slots=True)
class RecipeImage:
    """An image that is in the dataset or was rejected.

    `result` is the search result that one in the dataset was downloaded from; an image that the user added has none.
    `content` is the hash of the file, `body` that of the download and `pixels` that of its upright pixels. `picture`
    is the id in the ledger that the record comes from, and is not written.
    """

    id: int
    result: int | None
    transform: int
    class_name: str
    is_rejected: bool
    content: str
    body: str | None
    pixels: str | None
    original_width: int | None
    original_height: int | None
    is_touched: bool = False
    is_reviewed: bool = False
    rating: int | None = None
    picture: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RecipeDecision:
    """A decision about an image, with the classes before and after and the rating where it has them."""

    image: int
    at: str
    by: str
    action: str
    source: str | None = None
    target: str | None = None
    rating: int | None = None


@dataclass(frozen=True, slots=True)
class RecipeSplit:
    """The part of an image in the trainings of one split rule."""

    rule: str
    content: str
    part: str


RecipeRecord = RecipeHeader | RecipeTransform | RecipeSearch | RecipeResult | RecipeImage | RecipeDecision | RecipeSplit
