"""Find the newest run in a folder, to suggest it where a folder is not a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG = "config.json"  # which every run has


def newest_run(folder: Path) -> Path | None:
    """Return the newest run in a folder of runs, or beside a tree; None if there is none."""
    around = folder.absolute()
    places = (around, around.parent / f"{around.name}.runs")
    runs = [path for place in places for path in place.glob("*") if (path / _CONFIG).is_file()]
    return max(runs, key=lambda path: (path / _CONFIG).stat().st_mtime_ns, default=None)
