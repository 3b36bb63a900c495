"""Class folders of drawn shapes, and a progress recorder, for whole trainings in seconds."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SIDE = 48


def drawn(kind: str, dice: random.Random) -> Image.Image:
    """Draw a disc, a square or a cross, of any color at any place on a noisy background."""
    ground = tuple(dice.randrange(120, 256) for _ in range(3))
    image = Image.new("RGB", (SIDE, SIDE), ground)
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        draw.point((dice.randrange(SIDE), dice.randrange(SIDE)), tuple(dice.randrange(256) for _ in range(3)))
    colour = tuple(dice.randrange(110) for _ in range(3))
    half = dice.randrange(9, 17)
    x, y = (dice.randrange(half + 1, SIDE - half - 1) for _ in range(2))
    box = (x - half, y - half, x + half, y + half)
    if kind == "disc":
        draw.ellipse(box, fill=colour)
    elif kind == "square":
        draw.rectangle(box, fill=colour)
    else:
        draw.line(box, fill=colour, width=5)
        draw.line((x - half, y + half, x + half, y - half), fill=colour, width=5)
    return image


def tree(root: Path, counts: Mapping[str, int], seed: int = 0) -> Path:
    """Write class folders with a number of shapes each."""
    dice = random.Random(seed)
    for kind, count in counts.items():
        folder = root / kind
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            drawn(kind, dice).save(folder / f"{kind}-{number:03}.png")
    return root


class Listener:
    """Records the progress of a training."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.messages: list[str] = []
        self.warnings: list[str] = []
        self.rows: list[dict[str, float]] = []
        self.ticks = 0

    def step(self, title):
        """Record a step."""
        self.steps.append(title)

    def info(self, text):
        """Record a message."""
        self.messages.append(text)

    def warn(self, text):
        """Record a warning."""
        self.warnings.append(text)

    def tick(self, done, total):
        """Count the updates."""
        assert 0 <= done <= total
        self.ticks += 1

    def row(self, values):
        """Record an epoch."""
        self.rows.append(dict(values))
