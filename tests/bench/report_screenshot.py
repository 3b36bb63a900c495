"""Take the screenshot of the report for the documentation: `python tests/bench/report_screenshot.py DATASET`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from harvest.dataset_report import report  # noqa: E402 - the package is beside this folder
from tests.browser import chromium  # noqa: E402

OUT = ROOT / "docs" / "report" / "first-screen.png"
COLOURS = 128  # of the PNG


def main(dataset: str) -> None:
    """Save the first screen of the report with few colours, at 1,000 pixels."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.goto(report(dataset, Path(folder) / "report.html").as_uri())
        image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image = image.resize((1000, 769), Image.Resampling.LANCZOS)
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(OUT, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
