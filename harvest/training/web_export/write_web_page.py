"""Write the folder of static files: the page, the runtime, the model and what it needs to know."""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from harvest import classifier_page
from harvest.errors import UsageError
from harvest.files import disk
from harvest.training import image_array
from harvest.training.inference import onnx_engine, reference_features
from harvest.training.web_export import web_runtime

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "web"
_PAGE = ("index.html", "page.css", "page.js", "classifier.js", "read_view.js")
_SHARED = ("cards.css", "cards.js", "icon.svg")
_WORKER = "service-worker.js"
_LICENCES = {"LICENSE": "LICENSE.txt", "ThirdPartyNotices.txt": "ThirdPartyNotices.txt"}
_ICONS = (192, 512)  # pixels a side, which Android and iOS ask for
_GREEN, _BARS = "#3c7a4c", ((7, 8, 25, 12), (7, 14, 18, 18), (7, 20, 13, 24))  # as in icon.svg, of 32 pixels


def write_web_page(run: Path, name: str, model: bytes, runtime: Mapping[str, bytes]) -> Path:
    """Write the page of a model into its run, in place of an earlier one; return the folder."""
    content = _collect(name, model, runtime)
    part, target = run / f".{FOLDER}.part", run / FOLDER
    with disk.write_errors_named(target):
        shutil.rmtree(part, ignore_errors=True)
        for path, data in content.items():
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            (part / path).write_bytes(data)
        disk.sync_tree(part)
        shutil.rmtree(target, ignore_errors=True)
        disk.replace(part, target)
    return target


def _collect(name: str, model: bytes, runtime: Mapping[str, bytes]) -> dict[str, bytes]:
    page = files("harvest.training.web_export") / "page"
    content = {each: (page / each).read_bytes() for each in _PAGE}
    content |= {each: classifier_page.read_file(each) for each in _SHARED}
    content |= {f"runtime/{each}": data for each, data in {**runtime, **_licences()}.items()}
    content |= {f"icon-{side}.png": _draw_icon(side) for side in _ICONS}
    content |= {
        "model.onnx": model,
        "model.json": _as_json(_describe(name, model)),
        "manifest.webmanifest": _as_json(_manifest(name)),
    }
    # The service worker keeps these; a page may be opened by its folder or by its name.
    kept = ["./", *(each for each in content if not each.endswith(".txt"))]
    version = hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in content.values())).hexdigest()[:16]
    worker = (page / _WORKER).read_text("utf-8")
    content[_WORKER] = worker.replace("{{VERSION}}", version).replace("{{FILES}}", json.dumps(kept)).encode()
    content["README.md"] = _readme(name).encode()
    return content


def _describe(name: str, model: bytes) -> dict[str, object]:
    """Return what the page has to know about a model."""
    engine = onnx_engine.OnnxEngine(model)
    threshold = engine.quantiles.threshold(reference_features.ACCEPT) if engine.quantiles else -math.inf
    return {
        "name": name,
        "labels": engine.labels,
        "size": engine.size,
        "side": image_array.resize_side(engine.size),
        "threshold": threshold if math.isfinite(threshold) else None,
        "images": engine.images,
    }


def _manifest(name: str) -> dict[str, object]:
    icons = [{"src": f"icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png"} for side in _ICONS]
    return {
        "name": name,
        "short_name": name[:12],
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#f5f4f0",
        "theme_color": _GREEN,
        "icons": icons,
    }


def _readme(name: str) -> str:
    """Return a README.md with which the folder is a Space of Hugging Face."""
    return f"""---
title: {json.dumps(name)}
emoji: 🔎
colorFrom: green
colorTo: green
sdk: static
pinned: false
---

A classifier that runs in the browser, on the device itself. Images are not sent anywhere, and after the first visit it
works without a network. Any static server can host this folder, over HTTPS; to try it: `python -m http.server`.

`runtime/` is onnxruntime-web {web_runtime.VERSION} of Microsoft, under the MIT licence in `runtime/LICENSE.txt`.
"""


def _licences() -> dict[str, bytes]:
    """Return the licence texts of onnxruntime, whose npm package has none: those of its Python package."""
    found = {}
    folder = Path(str(distribution("onnxruntime").locate_file("onnxruntime")))
    for source, target in _LICENCES.items():
        try:
            found[target] = (folder / source).read_bytes()
        except OSError:
            raise UsageError(
                f"the licence of onnxruntime is missing: {folder / source}.", "Install onnxruntime again with pip."
            ) from None
    return found


def _draw_icon(side: int) -> bytes:
    scale = side / 32
    image = Image.new("RGB", (side, side), _GREEN)
    pen = ImageDraw.Draw(image)
    for number, box in enumerate(_BARS):
        grey = tuple(255 - 40 * number for _ in range(3))
        pen.rounded_rectangle([edge * scale for edge in box], radius=2 * scale, fill=grey)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _as_json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
