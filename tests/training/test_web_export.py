"""The web export: a smaller model of the same answers, checked files, and a page that works without a network."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from harvest import classifier_page
from harvest.errors import UsageError
from harvest.settings_and_cache_files import cache_file
from harvest.training.inference.onnx_engine import OnnxEngine
from harvest.training.predictor import Predictor
from harvest.training.web_export import smaller_model, web_runtime
from harvest.training.web_export.smaller_model import CheckedImages, _store_weights_in_8_bits, shrink_model
from harvest.training.web_export.web_runtime import FILES, read_runtime
from harvest.training.web_export.write_web_page import write_web_page
from tests.pictures import encoded, photo
from tests.training.tiny import LABELS, SEEN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Tests never leave this machine: the files come from the cache of an earlier export, or from this folder.
RUNTIME = Path(os.environ.get("HARVEST_WEB_RUNTIME") or cache_file(f"onnxruntime-web-{web_runtime.VERSION}"))
PICTURES = [photo(90 + 37 * seed, 70 + 23 * seed, seed) for seed in range(8)]
STAND_IN = dict.fromkeys(FILES, b"// not the real one")


def views(count: int) -> np.ndarray:
    """Return random images."""
    return np.random.default_rng(0).integers(256, size=(count, SEEN.size, SEEN.size, 3), dtype=np.uint8)


def as_it_answers(model: bytes, count: int = 40) -> CheckedImages:
    """Return random images with the classes that the model gives them: it is right on all."""
    return CheckedImages(views(8), views(count), OnnxEngine(model)(views(count)).probabilities.argmax(1))


def test_the_model_is_smaller_and_as_good(exported):
    """The model loses at most one point of accuracy, is smaller, and has the labels."""
    whole = (exported / "model.onnx").read_bytes()

    small = shrink_model(whole, as_it_answers(whole))

    assert small.before == 1
    assert small.after >= 0.99
    assert len(small.data) < len(whole)
    assert OnnxEngine(small.data).labels == LABELS


def test_a_form_that_loses_more_is_not_used(exported, monkeypatch):
    """A form that answers something else is passed over; with no other, the model stays as it is."""
    whole = (exported / "model.onnx").read_bytes()
    images = as_it_answers(whole)
    wrong = CheckedImages(images.training, images.validation, (images.targets + 1) % len(LABELS))
    assert shrink_model(whole, wrong).after <= 0.01  # nothing to lose
    monkeypatch.setattr(smaller_model, "_measure", lambda model, _: (1.0 if model == whole else 0.98, None))
    kept = shrink_model(whole, images)

    assert (kept.data, kept.kind) == (whole, "32 bits")


def test_without_validation_images_nothing_is_changed(exported):
    """What cannot be checked is not done."""
    whole = (exported / "model.onnx").read_bytes()

    assert shrink_model(whole, CheckedImages(views(4), views(0), np.array([], int))).data == whole


def test_weights_in_8_bits_answer_alike(exported, monkeypatch):
    """Weights in 8 bits change the probabilities little."""
    whole = (exported / "model.onnx").read_bytes()
    monkeypatch.setattr(smaller_model, "_SMALLEST", 1024)  # the network of the tests is tiny

    rows = OnnxEngine(_store_weights_in_8_bits(whole, views(0)))(views(8)).probabilities

    assert rows == pytest.approx(OnnxEngine(whole)(views(8)).probabilities, abs=0.1)


def test_small_layers_stay_exact(exported):
    """Layers of fewer than 65,536 numbers, which cost accuracy and save nothing, are stored as they were."""
    onnx = pytest.importorskip("onnx")
    whole = onnx.load(exported / "model.onnx")
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in whole.graph.initializer}

    small = onnx.load_from_string(_store_weights_in_8_bits(whole.SerializeToString(), views(0)))

    changed = {tensor.name.removesuffix(".int8") for tensor in small.graph.initializer if ".int8" in tensor.name}
    assert all(sizes[name] >= 1 << 16 for name in changed)
    assert max(sizes.values()) > 1024


def test_T07_another_file_of_the_runtime_is_refused(tmp_path):
    """Files that are not the published ones are not used, wherever they come from."""
    for name in FILES:
        (tmp_path / name).write_bytes(b"alert(1)")

    with pytest.raises(UsageError, match=r"is not the file that was published .*SHA-256 differs"):
        read_runtime(tmp_path)


def test_a_folder_without_the_runtime_is_refused(tmp_path):
    """`--web-runtime` names the files that are missing, and the package that has them."""
    with pytest.raises(UsageError, match="does not contain the files") as refused:
        read_runtime(tmp_path)

    assert f"onnxruntime-web@{web_runtime.VERSION}" in refused.value.hint


def test_without_npm_it_says_so(tmp_path, monkeypatch):
    """Without a cache and without npm, the error offers the folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="the npm client is not installed") as refused:
        read_runtime(None)

    assert "--web-runtime FOLDER" in refused.value.hint


@pytest.mark.skipif(os.name != "posix", reason="needs a shell script")
def test_an_npm_that_fails_is_reported(tmp_path, monkeypatch):
    """What npm says when it fails is passed on."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "npm").write_text("#!/bin/sh\necho no network >&2\nexit 1\n", "utf-8")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(UsageError, match=r"npm cannot fetch .*no network"):
        read_runtime(None)


@pytest.fixture
def run(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "run"))


def test_the_folder_is_complete(run):
    """The service worker keeps every file of the page, also those of `harvest serve`; the licence is there."""
    folder = write_web_page(run, 'snakes "of" {{FILES}}: x', (run / "model.onnx").read_bytes(), STAND_IN)

    worker = (folder / "service-worker.js").read_text("utf-8")
    kept = json.loads(re.search(r"FILES = (\[.*?\]);", worker)[1])
    assert all((folder / name).exists() for name in kept)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there - set(kept) == {
        "README.md",
        "service-worker.js",
        "runtime/LICENSE.txt",
        "runtime/ThirdPartyNotices.txt",
    }
    assert {name: (folder / name).read_bytes() for name in ("cards.css", "cards.js", "icon.svg")} == {
        name: classifier_page.read_file(name) for name in ("cards.css", "cards.js", "icon.svg")
    }
    assert "{{" not in worker
    assert "Microsoft" in (folder / "runtime" / "LICENSE.txt").read_text("utf-8")
    front = (folder / "README.md").read_text("utf-8").split("---")[1]
    assert 'title: "snakes \\"of\\" {{FILES}}: x"' in front
    assert "sdk: static" in front
    assert "http:" not in (folder / "index.html").read_text("utf-8")


def test_another_model_is_another_version(run):
    """A phone that has the page fetches it again only if something in it changed."""
    model = (run / "model.onnx").read_bytes()

    workers = [
        (write_web_page(run, name, model, STAND_IN) / "service-worker.js").read_bytes() for name in ("a", "a", "b")
    ]

    assert workers[0] == workers[1] != workers[2]


@pytest.fixture(scope="module")
def page(chromium: Browser, exported: Path, tmp_path_factory: pytest.TempPathFactory):
    """Open the page of a run, then stop its server: what works from here on needs no network."""
    if not all((RUNTIME / name).is_file() for name in FILES):
        pytest.skip(f"onnxruntime-web is not in {RUNTIME}")
    model = (exported / "model.onnx").read_bytes()
    folder = write_web_page(
        tmp_path_factory.mktemp("run"),
        "<b>snakes</b>",
        shrink_model(model, as_it_answers(model)).data,
        read_runtime(RUNTIME),
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    opened = context.new_page()
    strange: list[str] = []
    opened.on("pageerror", lambda error: strange.append(str(error)))
    opened.on("console", lambda message: strange.append(message.text) if message.type == "error" else None)
    try:
        opened.goto(f"http://127.0.0.1:{server.server_port}/")
        opened.evaluate("navigator.serviceWorker.ready.then(() => null)")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    opened.reload()
    opened.locator("#files:enabled").wait_for()
    yield opened
    context.close()
    assert not strange


class Quiet(SimpleHTTPRequestHandler):
    """A static server without a log."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def answers(page: Page, bodies: list[bytes]) -> list[str]:
    """Return the first label of each image."""
    before = page.locator(".card").count()
    page.set_input_files("#files", [{"name": "a.png", "mimeType": "image/png", "buffer": body} for body in bodies])
    page.locator(f".card:nth-child({before + len(bodies)})").wait_for()
    # Without eval, which the policy of the page forbids.
    page.locator(".card:not(.bad):not(:has(.ranks li))").first.wait_for(state="detached")
    return [card.locator(".label").first.inner_text() for card in page.locator(".card").all()[: len(bodies)]]


def test_offline_it_answers_as_predict(page, exported):
    """Without a network the page gives the label that `predict` gives, for images of any shape, also on their side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    bodies = [encoded(picture, "PNG") for picture in PICTURES] + [encoded(photo(300, 200), quality=95, exif=exif)]
    predicted = [answer[0].label for answer in Predictor.open(exported).predict(bodies)]

    assert answers(page, bodies) == predicted
    assert page.inner_text("h1") == "<b>snakes</b>"


def test_the_page_sees_what_predict_sees(page, exported):
    """The pixels that reach the network differ from those of `predict` by rounding alone."""
    opened = Predictor.open(exported)
    for picture in [*PICTURES[:3], photo(400, 300), Image.new("RGBA", (50, 40), (200, 30, 10, 128))]:
        body = encoded(picture, "PNG")
        found = page.evaluate(
            """async ([bytes, size, side]) => {
                const { readView } = await import("./read_view.js");
                const blob = new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]);
                return [...await readView(blob, { size, side })];
            }""",
            [base64.b64encode(body).decode(), SEEN.size, round(SEEN.size * 8 / 7)],
        )

        expected = opened.prepare(body).astype(int)
        assert np.abs(np.array(found).reshape(expected.shape) - expected).max() <= 2


def test_what_is_not_an_image_is_an_error_on_its_card(page):
    """A file that is not an image is named on its card, and the page goes on."""
    page.set_input_files("#files", [{"name": "a.png", "mimeType": "image/png", "buffer": b"<!doctype html>"}])

    page.get_by_text("This browser cannot read the file as an image.").wait_for()
    assert answers(page, [encoded(PICTURES[0], "PNG")])[0] in LABELS


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, scheme):
    """axe-core has no complaint about the page with results on a phone, light and dark; nothing overflows."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.emulate_media(color_scheme=scheme)
    answers(page, [encoded(PICTURES[0], "PNG")])

    found = axe.Axe().run(page).response["violations"]

    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
