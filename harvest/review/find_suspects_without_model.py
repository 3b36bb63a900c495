"""Find the images that may be wrong without a model, with the reasons for each in at most three words."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from harvest.review.appearance_cache import measure_images

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from harvest.dataset import Dataset, ReviewRow
    from harvest.images.appearance import Appearance

# How much each reason weighs. An image with a plain sign comes before one with several vague ones.
WEIGHTS = {
    "nearly empty": 8,
    "text or drawing": 8,
    "tiny": 7,
    "dark": 7,
    "blurred": 7,
    "few colours": 6,
    "odd aspect ratio": 5,
    "names another class": 5,
    "source often rejected": 2,
    "low search rank": 1,
}
_SHARE = 0.3  # of a class at most: if more is suspicious, nothing is
_LEAST = 3  # suspects of a class that the cap leaves

# The limits were chosen on half of the photographs in `tests/bench/suspects.py`; of the other half they suspect
# 6 of 520.
_TINY = 100  # pixels of the shorter side
_LONG = 2.7  # longer by shorter side; panoramas and banners
_DARK = 82  # levels
_BLURRED = 0.2  # sharpness; the least sharp photograph has 0.22
_DOMINANT = 0.85  # share of one colour
_EMPTY_FLAT, _EMPTY_THREE = 0.96, 0.9  # share in plain areas, of three colours
_COLOURS = 10
_TEXT_SHARPNESS = 2.1
_TEXT_STRONG, _TEXT_THREE = 0.15, 0.65
_DRAWN_FLAT, _DRAWN_EDGES, _DRAWN_THREE = 0.8, 120, 0.6
_DECIDED, _REJECTED_SHARE = 10, 0.5  # decisions on images of a source in a class, and the share that was rejected
_RANKED, _LOW_RANK = 50, 0.9  # images of a query, and the share of them that ranks higher


def find_suspects(dataset: Dataset, wait: Callable[[], None] = lambda: None) -> dict[int, tuple[str, ...]]:
    """Return the suspicious images in class folders, and the reasons for each, the most important first.

    Of each class, at most 30 % are returned: the most suspicious ones. `wait` is called between a few images.
    """
    rows = dataset.review_rows()
    present = [row for row in rows if not row.rejected]
    appearances = measure_images(dataset, present, wait)
    named = {found.id for found in dataset.suspects()}
    sources, ranks = _often_rejected(rows), _low_ranks(present)
    reasons = {}
    for row in present:
        found = [*_size_reasons(row), *_appearance_reasons(appearances.get(row.content))]
        found += ["names another class"] * (row.id in named)
        found += ["source often rejected"] * ((row.class_name, row.source) in sources)
        found += ["low search rank"] * (row.rank > ranks.get((row.class_name, row.source, row.query), math.inf))
        if found:
            reasons[row.id] = tuple(sorted(found, key=lambda reason: -WEIGHTS[reason]))
    return _cap(present, reasons)


def suspicion(reasons: Collection[str]) -> int:
    """Return how suspicious an image is: 0 without a reason."""
    return sum(WEIGHTS.get(reason, 1) for reason in reasons)


def _size_reasons(row: ReviewRow) -> Iterator[str]:
    """Yield what the size of the original says; a padded file has another one."""
    short, long = sorted((row.original_width or row.width, row.original_height or row.height))
    if 0 < short < _TINY:
        yield "tiny"
    if short and long > _LONG * short:
        yield "odd aspect ratio"


def _appearance_reasons(seen: Appearance | None) -> Iterator[str]:
    """Yield what the pixels say. An empty or dark image has few edges and colours, which is not said again."""
    if seen is None:
        return
    if seen.brightness < _DARK:
        yield "dark"
    elif seen.dominant > _DOMINANT or (seen.flat > _EMPTY_FLAT and seen.three > _EMPTY_THREE):
        yield "nearly empty"
    elif _is_drawn(seen):
        yield "text or drawing"
    elif seen.colours <= _COLOURS:
        yield "few colours"
    elif seen.sharpness < _BLURRED:
        yield "blurred"


def _is_drawn(seen: Appearance) -> bool:
    is_text = seen.sharpness > _TEXT_SHARPNESS or (seen.strong > _TEXT_STRONG and seen.three > _TEXT_THREE)
    has_areas = seen.flat > _DRAWN_FLAT and seen.edges > _DRAWN_EDGES and seen.three > _DRAWN_THREE
    return is_text or has_areas


def _often_rejected(rows: Sequence[ReviewRow]) -> set[tuple[str, str]]:
    """Return the classes and sources of which at least half of the decided images were rejected."""
    decided = Counter((row.class_name, row.source) for row in rows if row.rejected or row.reviewed)
    rejected = Counter((row.class_name, row.source) for row in rows if row.rejected)
    return {key for key, count in decided.items() if count >= _DECIDED and rejected[key] >= _REJECTED_SHARE * count}


def _low_ranks(rows: Sequence[ReviewRow]) -> dict[tuple[str, str, str], int]:
    """Return for each search with many images the rank that nine tenths of them do not exceed."""
    ranks: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row in rows:
        if row.rank:
            ranks[row.class_name, row.source, row.query].append(row.rank)
    return {
        key: sorted(found)[int(_LOW_RANK * len(found)) - 1] for key, found in ranks.items() if len(found) >= _RANKED
    }


def _cap(rows: Sequence[ReviewRow], reasons: Mapping[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
    """Keep the most suspicious images of each class, as many as the cap allows."""
    sizes = Counter(row.class_name for row in rows)
    suspects: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row.id in reasons:
            suspects[row.class_name].append(row.id)
    kept: dict[int, tuple[str, ...]] = {}
    for name, ids in suspects.items():
        most = max(_LEAST, math.ceil(_SHARE * sizes[name]))
        kept |= {each: reasons[each] for each in sorted(ids, key=lambda each: (-suspicion(reasons[each]), each))[:most]}
    return kept
