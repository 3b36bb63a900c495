"""Predicting: the network's answer for each image, in order, whatever lies among them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image

from harvest.errors import HarvestError, TrainingError, UsageError
from harvest.models import Refusal
from harvest.training import predictor as predicting
from harvest.training.predictor import LabelProbability, Predictor
from harvest.verdicts import Verdict
from tests import bombs
from tests.peak_memory import linux_only, peak_memory
from tests.pictures import encoded, photo
from tests.readme import block
from tests.training.tiny import LABELS, network, write_run

MiB = 2**20


@pytest.fixture(scope="module")
def predictor(run):
    return Predictor.open(run)


@pytest.fixture(scope="module")
def image_paths(tmp_path_factory):
    """Give 70 photographs: more than two batches."""
    folder = tmp_path_factory.mktemp("album")
    for number in range(70):
        photo(60 + number, 50, number).save(folder / f"{number:02}.png")
    return sorted(folder.iterdir())


def test_labels_are_ranked(predictor, image_paths):
    """Every label comes with its probability, the most probable first, and they add up to 1."""
    (guesses,) = predictor.predict(image_paths[:1])

    assert {guess.label for guess in guesses} == set(LABELS)
    assert list(guesses) == sorted(guesses, key=lambda guess: -guess.probability)
    assert sum(guess.probability for guess in guesses) == pytest.approx(1, abs=1e-5)


def test_top_is_how_many_come(predictor, image_paths):
    """`top` gives the best so many, and all where there are no more."""
    (best,), (two,), (all_of_them,) = (predictor.predict(image_paths[:1], top=top) for top in (1, 2, 100))

    assert best[:1] == two[:1] == all_of_them[:1]
    assert (len(two), len(all_of_them)) == (2, len(LABELS))


def test_batches_change_no_answer(predictor, image_paths):
    """Seventy images in batches get the answers that each gets alone, in their order."""
    together = predictor.predict(image_paths)
    alone = [predictor.predict([path])[0] for path in image_paths]

    assert [guesses[0].label for guesses in together] == [guesses[0].label for guesses in alone]
    for one, other in zip(together, alone, strict=True):
        assert dict(one) == pytest.approx(dict(other), abs=1e-4)


def test_the_engines_agree(exported, image_paths):
    """ONNX and torch give the same answers."""
    onnx, torch = Predictor.open(exported), Predictor.open(exported, prefer_onnx=False)

    assert (onnx.engine, torch.engine) == ("onnx", "torch")
    for one, other in zip(onnx.predict(image_paths), torch.predict(image_paths), strict=True):
        assert dict(one) == pytest.approx(dict(other), abs=1e-4)


def test_bytes_paths_and_names_are_the_same_picture(predictor, image_paths):
    """An image may be given as a path, as text, or as its bytes."""
    path = image_paths[0]

    first, *others = (
        predictor.predict([path]),
        predictor.predict([str(path)]),
        predictor.predict([path.read_bytes()]),
    )

    assert others == [first, first]


BROKEN = {
    "I01 cut": (lambda: bombs.cut(encoded(photo())), Verdict.BROKEN_IMAGE),
    "I01 nothing": (lambda: b"", Verdict.NOT_AN_IMAGE),
    "I02 bomb": (bombs.bomb, Verdict.TOO_MANY_PIXELS),
    "I02 webp bomb": (bombs.webp_bomb, Verdict.TOO_MANY_PIXELS),
    "I10 tiff": (lambda: encoded(photo(), "TIFF"), Verdict.UNSUPPORTED),
    "I10 svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", Verdict.UNSUPPORTED),
    "N17 page": (lambda: b"<!doctype html><title>Sign in</title>", Verdict.NOT_AN_IMAGE),
}


@pytest.mark.parametrize("what", BROKEN)
def test_T02_I01_I02_I10_what_is_broken_is_told(predictor, image_paths, tmp_path, what):
    """A broken image is a refusal in its place, and its neighbours get their answers."""
    body, verdict = BROKEN[what][0](), BROKEN[what][1]
    (tmp_path / "odd.jpg").write_bytes(body)

    first, second, third, fourth = predictor.predict(
        [image_paths[0], tmp_path / "odd.jpg", image_paths[1]]
    ) + predictor.predict([body])

    assert (first, third) == tuple(predictor.predict(image_paths[:2]))
    assert isinstance(second, Refusal)
    assert second.verdict == verdict
    assert second == fourth
    assert second.detail


def test_what_is_not_there_is_told(predictor, tmp_path):
    """A file that is gone, a folder, and a name that can be no file are refusals too."""
    gone, folder, odd = predictor.predict([tmp_path / "gone.jpg", tmp_path, "a\0b"])

    assert [each.verdict for each in (gone, folder, odd)] == [Verdict.BROKEN_IMAGE] * 3
    assert gone.detail == os.strerror(2)


def test_no_more_is_read_of_a_file_than_a_picture_has(predictor, tmp_path, monkeypatch):
    """A file of many gigabytes is not read into memory, whatever it is called."""
    monkeypatch.setattr(predicting, "MOST", MiB)
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(20 * 2**30)

    (refusal,) = predictor.predict([tmp_path / "huge.jpg"])

    assert refusal == Refusal(Verdict.TOO_BIG, "more than 1 MB")


def test_giants_are_decoded_one_after_another(predictor, monkeypatch):
    """Of images that take much memory to decode one is decoded at a time; the others go side by side."""
    giant, small = encoded(photo(1200, 900), "PNG"), encoded(photo(), "PNG")
    lock, side_by_side, see = threading.Lock(), threading.Barrier(2, timeout=60), predictor.prepare
    giants, most = 0, 0

    def watched(body):
        nonlocal giants, most
        if body is small:
            side_by_side.wait()
            return see(body)
        with lock:
            giants += 1
            most = max(most, giants)
        try:
            return see(body)
        finally:
            with lock:
                giants -= 1

    monkeypatch.setattr(predictor, "prepare", watched)
    monkeypatch.setattr("harvest.images.memory_budget.LARGE_DECODE", 4 * MiB)
    monkeypatch.setattr(predicting.os, "cpu_count", lambda: 4)

    ends = predictor.predict([giant] * 8 + [small] * 4)

    assert most == 1
    assert not [end for end in ends if isinstance(end, Refusal)]


def test_it_can_be_asked_from_many_threads(predictor, image_paths):
    """Threads that share a predictor get the answers they would get alone."""
    expected = predictor.predict(image_paths[:8])
    with ThreadPoolExecutor(8) as threads:
        result = list(threads.map(lambda path: predictor.predict([path])[0], image_paths[:8]))

    for one, other in zip(result, expected, strict=True):
        assert dict(one) == pytest.approx(dict(other), abs=1e-4)


def test_pictures_are_asked_for_as_they_are_needed(predictor, image_paths):
    """Of an endless row of images only the next few are looked at ahead of the answers."""
    given = 0

    def endless():
        nonlocal given
        while True:
            given += 1
            yield image_paths[0]

    answers = predictor.each(endless())
    for _ in range(100):
        next(answers)
    answers.close()

    assert given <= 100 + 2 * predicting.BATCH + 32


def test_a_run_is_named_after_its_tree(run, tmp_path):
    """A run next to its tree is named after both; one elsewhere by its folder."""
    assert Predictor.open(run).name == "snakes/first"
    assert Predictor.open(write_run(tmp_path / "mine")).name == "mine"


def test_what_is_no_run_is_told_from_the_one_meant(run, tmp_path, monkeypatch):
    """A folder of runs, or a tree with runs next to it, brings the newest run to mind."""
    runs = tmp_path / "snakes.runs"
    for number, name in enumerate(("old", "new")):
        shutil.copytree(run, runs / name)
        os.utime(runs / name / "config.json", (number, number))
    (tmp_path / "snakes").mkdir()
    (tmp_path / "empty").mkdir()

    for path in (runs, tmp_path / "snakes"):
        with pytest.raises(UsageError, match="is not a run") as result:
            Predictor.open(path)
        assert result.value.hint == f"Did you mean {runs / 'new'}?"
    monkeypatch.chdir(runs)
    with pytest.raises(UsageError, match="is not a run") as result:
        Predictor.open(".")
    assert result.value.hint == f"Did you mean {runs / 'new'}?"
    for name in ("empty", "nothing there", "snakes.runs/new/config.json", "/"):
        with pytest.raises(UsageError, match=r"no run at|not a run"):
            Predictor.open(tmp_path / name)


class Harmful:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors", "model.pt", "model.pkl"])
def test_T07_a_pickle_is_not_opened(run, tmp_path, name):
    """Weights that are a pickle, under any name, are refused; nothing of it runs."""
    import pickle  # noqa: PLC0415 - to attack with

    path = shutil.copytree(run, tmp_path / "run")
    (path / "model.safetensors").unlink()
    marker = tmp_path / "it ran"
    (path / name).write_bytes(pickle.dumps(Harmful(marker)))

    with pytest.raises(TrainingError):
        Predictor.open(path)

    assert not marker.exists()
    pickle.loads((path / name).read_bytes())
    assert marker.exists()  # the pickle does harm where it is opened


@pytest.mark.parametrize(
    "config", ["", "[]", "{", "null", '{"model_type": "resnet"}', '{"model_type": "no such"}', "[" * 100_000]
)
def test_T07_a_damaged_description_is_told(run, tmp_path, config):
    """A config.json that is none is a known error, not a traceback."""
    path = shutil.copytree(run, tmp_path / "run")
    (path / "config.json").write_text(config, "utf-8")

    with pytest.raises(HarvestError):
        Predictor.open(path)


def test_weights_that_give_no_numbers_are_told(tmp_path, image_paths):
    """A network whose weights are not numbers is an error, and not a list of labels in some order."""
    damaged = network()
    with torch.no_grad():
        damaged.head.weight.fill_(float("nan"))
    run = write_run(tmp_path / "run")
    damaged.model.save_pretrained(run)

    with pytest.raises(TrainingError, match="returns NaN"):
        Predictor.open(run).predict(image_paths[:1])


def test_onnx_is_run_without_torch(exported, image_paths):
    """With model.onnx a prediction loads neither torch nor transformers, which take seconds to load."""
    program = (
        "import json, sys\n"
        "from harvest.training.predictor import Predictor\n"
        "told = Predictor.open(sys.argv[1]).predict(sys.argv[2:])\n"
        "print(json.dumps([told[0][0].label, sorted({name.partition('.')[0] for name in sys.modules})]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(exported), str(image_paths[0])],
        check=True,
        capture_output=True,
        text=True,
    )

    label, modules = json.loads(ran.stdout)

    assert label in LABELS
    assert "onnxruntime" in modules
    assert not {"torch", "transformers"} & set(modules)


THIN = """
import sys
from pathlib import Path
from harvest.training.predictor import Predictor
from tests.peak_memory import peak_memory

predictor = Predictor.open(sys.argv[1])
predictor.predict(["ordinary.png"])
before = peak_memory()
for name in ("thin.png", "flat.png"):
    Path("snake.jpg").write_bytes(Path(name).read_bytes())
    predictor.predict([name])
    exec(Path("program.py").read_text("utf-8"), {})
print(peak_memory() - before)
"""


@linux_only
def test_X09_a_thin_image_takes_no_memory(exported, tmp_path):
    """An image of 1 × 65,535 pixels takes a few megabytes in `predict`, and in the program in docs/serving.md."""
    (tmp_path / "dataset.runs").mkdir()
    (tmp_path / "dataset.runs" / "first").symlink_to(exported)
    (tmp_path / "program.py").write_text(block("serving.md", "python", "onnxruntime"), "utf-8")
    for name, size in (("ordinary", (300, 300)), ("thin", (1, 65_535)), ("flat", (65_535, 1))):
        Image.new("RGB", size, "red").save(tmp_path / f"{name}.png")

    ran = subprocess.run(
        [sys.executable, "-c", THIN, str(exported)], cwd=tmp_path, check=True, capture_output=True, text=True
    )

    assert int(ran.stdout.split()[-1]) < 100e6  # bytes; enlarged as a whole, it was 8.2 GB


@linux_only
@pytest.mark.slow
def test_memory_stays_flat(predictor, tmp_path):
    """Four thousand images take no more memory than one thousand."""
    photo(240, 180).save(tmp_path / "a.jpg")

    def look(count):
        for _ in predictor.each([tmp_path / "a.jpg"] * count, 1):
            pass
        return peak_memory()

    assert -look(1_000) + look(4_000) < 4 * MiB  # their views, of 3 KB each, would be 9


def test_a_guess_is_a_pair():
    """A guess unpacks, and its parts have names."""
    label, probability = guess = LabelProbability("king", 0.5)

    assert (label, probability) == (guess.label, guess.probability) == ("king", 0.5)
