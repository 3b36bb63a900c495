"""How images are written, as the ledger stores it: longest side, padding and JPEG quality."""

from __future__ import annotations

import json

from harvest.models import Recipe

MOST_SIZE, MOST_QUALITY = 20_000, 100


def dump_transform(recipe: Recipe) -> str:
    """Return a transform as the ledger stores it."""
    return json.dumps({"size": recipe.size, "pad": recipe.pad, "quality": recipe.quality})


def load_transform(stored: str | None) -> Recipe | None:
    """Return a transform that the ledger stores, or `None` for one that is missing or not valid.

    Images were accepted when they were first downloaded, so none is refused for its size again.
    """
    try:
        values = json.loads(stored or "")
        size, pad, quality = values["size"], values["pad"], values["quality"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    is_valid = type(size) is int and type(pad) is bool and type(quality) is int
    if not is_valid or not 0 <= size <= MOST_SIZE or not 1 <= quality <= MOST_QUALITY:
        return None
    return Recipe(size=size, pad=pad, quality=quality, min_size=1)
