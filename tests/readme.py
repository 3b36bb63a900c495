"""The README, whose code the tests run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def block(kind: str, word: str) -> str:
    """Return the README's block of a kind that has a word in it."""
    return next(text for text in re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL) if word in text)
