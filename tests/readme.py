"""The pages of documentation, whose code the tests run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = (README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))


def block(page: str, kind: str, word: str) -> str:
    """Return the code block of a kind that contains a word, from a page of `docs/`."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return next(code for code in re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) if word in code)
