"""What the pages that classify images share: `harvest serve` and `--export web`.

cards.css  the colours, the page around the cards, and the cards with their bars
cards.js   a card for each image, and what it says
icon.svg   the icon
"""

from __future__ import annotations

from importlib.resources import files


def read_file(name: str) -> bytes:
    """Return a file that both pages use."""
    return (files(__name__) / name).read_bytes()
