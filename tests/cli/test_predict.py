"""`harvest predict`: labels for images as text, JSON and CSV, and the exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from harvest.cli import optional_packages
from harvest.dataset import Dataset
from harvest.training import image_array
from harvest.training.predictor import Predictor
from tests import bombs, datasets
from tests.pictures import encoded, photo
from tests.training.tiny import LABELS, write_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("predict") / "snakes.runs" / "first")


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """Return a folder with five images, one in a subfolder, and other files."""
    folder = tmp_path / "camera"
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    names = ("b.jpg", "a.PNG", "c.webp", "deep/d.jpg", "deep/deeper/e.bmp")
    for number, name in enumerate(names):
        photo(80, 60, number).save(folder / name)
    (folder / ".hidden" / "f.jpg").write_bytes(encoded(photo()))
    (folder / ".g.jpg").write_bytes(encoded(photo()))
    (folder / "notes.txt").write_text("no picture", "utf-8")
    return folder


KNOWN = ("known", "similarity", "nearest")
SHOWN = ["a.PNG", "b.jpg", "c.webp", "deep/d.jpg", "deep/deeper/e.bmp"]


def labels(run: Path, *pictures: Path) -> list[list[tuple[str, float]]]:
    """Return the rounded probabilities of the network."""
    return [
        [(guess.label, guess.probability) for guess in guesses] for guesses in Predictor.open(run).predict(pictures)
    ]


def test_tta_averages_ten_views(harvest: Harvest, run: Path, camera: Path) -> None:
    """`--tta` prints the mean probabilities of the ten views, which are not those of the center alone."""
    result = harvest("predict", run, camera / "a.PNG", "--tta", "--json")

    ((averaged,),) = [Predictor.open(run, tta=True).predict([camera / "a.PNG"])]
    printed = [guess["probability"] for guess in json.loads(result.out)[0]["ranked"]]
    assert printed == pytest.approx([guess.probability for guess in averaged], abs=1e-4)
    assert printed != pytest.approx([part for _, part in labels(run, camera / "a.PNG")[0]], abs=1e-3)


# For a person.


def test_one_picture_has_its_labels_below_it(harvest: Harvest, run: Path, camera: Path) -> None:
    """One image is printed with a line and a bar for each label, the best first."""
    result = harvest("predict", run, camera / "a.PNG")

    (expected,) = labels(run, camera / "a.PNG")
    assert (result.code, result.err) == (0, "")
    assert result.lines[0] == str(camera / "a.PNG")
    assert [line.split()[:3] for line in result.lines[1:]] == [
        [label, f"{100 * part:.1f}", "%"] for label, part in expected
    ]
    assert "█" in result.lines[1]


def test_a_folder_has_a_line_for_each_picture(harvest: Harvest, run: Path, camera: Path) -> None:
    """Each image in a folder and its subfolders has a line; hidden and other files have none."""
    result = harvest("predict", run, camera, "--top", 1)

    assert result.code == 0
    assert [line.split()[0] for line in result.lines] == [str(camera / name) for name in SHOWN]
    assert {line.split()[1] for line in result.lines} <= set(LABELS)


def test_images_and_folders_can_be_mixed(harvest: Harvest, run: Path, camera: Path) -> None:
    """Images and folders can be mixed; named files are read whatever their suffix."""
    (camera / "a.PNG").rename(camera / "notes")

    result = harvest("predict", run, camera / "deep", camera / "notes", camera / ".g.jpg")

    assert [Path(line.split()[0]).name for line in result.lines] == ["d.jpg", "e.bmp", "notes", ".g.jpg"]


def test_labels_that_do_not_fit_are_left_out_on_a_terminal(
    harvest: Harvest, run: Path, camera: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal each image takes one line, with the labels that fit; a file gets all labels."""
    in_full = harvest("predict", run, camera).out.splitlines()
    room = max(map(len, in_full)) - 1
    monkeypatch.setattr("harvest.cli.console.terminal_width", lambda: room)

    fitted = harvest("predict", run, camera).out.splitlines()

    assert all(len(line) <= room and full.startswith(line) for line, full in zip(fitted, in_full, strict=True))
    assert all(line.endswith(" %") for line in fitted)
    assert fitted != in_full


@pytest.mark.parametrize(("top", "count"), [(1, 1), (2, 2), (3, 3), (50, 3)])
def test_top_sets_the_number_of_labels(harvest: Harvest, run: Path, camera: Path, top: int, count: int) -> None:
    """`--top` sets the number of labels."""
    assert len(harvest("predict", run, camera / "b.jpg", "--top", top).lines) == 1 + count


# For a script.


def test_json_is_one_document(harvest: Harvest, run: Path, camera: Path) -> None:
    """`--json` prints one document: a list of images with their ranked labels."""
    result = harvest("predict", run, camera, "--json")

    assert [each["image"] for each in result.json] == [str(camera / name) for name in SHOWN]
    expected = labels(run, *(camera / name for name in SHOWN))
    for each, ranked in zip(result.json, expected, strict=True):
        assert [guess["label"] for guess in each["ranked"]] == [label for label, _ in ranked]
        assert [guess["probability"] for guess in each["ranked"]] == pytest.approx([part for _, part in ranked])


@pytest.mark.parametrize("where", ["-", "answers.csv"])
def test_csv_has_a_row_for_each(harvest: Harvest, run: Path, camera: Path, tmp_path: Path, where: str) -> None:
    """`--csv` writes a row per image: the image, the best label, then the other labels."""
    result = harvest("predict", run, camera, "--csv", where, "--top", 2)

    text = result.out if where == "-" else (tmp_path / where).read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["image", "label", "probability", "label_2", "probability_2", *KNOWN, "error"]
    assert [row["image"] for row in rows] == [str(camera / name) for name in SHOWN]
    expected = labels(run, *(camera / name for name in SHOWN))
    assert [row["label"] for row in rows] == [ranked[0][0] for ranked in expected]
    assert [float(row["probability_2"]) for row in rows] == pytest.approx([r[1][1] for r in expected], abs=1e-6)
    assert where == "-" or result.out == ""


def test_json_and_csv_can_be_combined(harvest: Harvest, run: Path, camera: Path, tmp_path: Path) -> None:
    """`--json` prints while `--csv` writes to a file; both on standard output is refused."""
    both = harvest("predict", run, camera, "--json", "--csv", "answers.csv")
    refused = harvest("predict", run, camera, "--json", "--csv", "-")

    assert len(both.json) == 5
    assert len((tmp_path / "answers.csv").read_text("utf-8").splitlines()) == 6
    assert (refused.code, refused.out) == (2, "")


# What cannot be read.


@pytest.fixture
def some_broken(camera: Path) -> Path:
    (camera / "b.jpg").write_bytes(bombs.cut(encoded(photo())))
    (camera / "c.webp").write_bytes(b"<!doctype html>")
    return camera


def test_T02_broken_pictures_are_named_and_the_others_told(harvest: Harvest, run: Path, some_broken: Path) -> None:
    """An unreadable image is reported on stderr, the others are classified, and the exit code is 3."""
    result = harvest("predict", run, some_broken)

    assert result.code == 3
    assert [Path(line.split()[0]).name for line in result.lines] == ["a.PNG", "d.jpg", "e.bmp"]
    assert f"{some_broken / 'b.jpg'}: JPEG: " in result.err
    assert f"{some_broken / 'c.webp'}: a web page" in result.err
    assert "2 of 5 images could not be read" in result.err


def test_X07_X08_pictures_that_cannot_be_decoded_are_named(
    harvest: Harvest, run: Path, camera: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PNG without its palette and an image that triggers a bug are reported; the others are classified."""
    (camera / "a.PNG").write_bytes(bombs.without_palette())
    crop = image_array.centre_crop

    def fail_on_one(image: Image.Image, size: int) -> Image.Image:
        if image.width > image.height * 2:
            raise ZeroDivisionError("in the works")
        return crop(image, size)

    monkeypatch.setattr(image_array, "centre_crop", fail_on_one)
    photo(200, 60).save(camera / "b.jpg")

    result = harvest("predict", run, camera)

    assert result.code == 3
    assert [Path(line.split()[0]).name for line in result.lines] == ["c.webp", "d.jpg", "e.bmp"]
    assert f"{camera / 'a.PNG'}: PNG: it has no palette" in result.err
    assert f"{camera / 'b.jpg'}: ZeroDivisionError: in the works" in result.err


def test_T02_broken_pictures_keep_their_place_for_scripts(harvest: Harvest, run: Path, some_broken: Path) -> None:
    """An unreadable image has an entry with the reason in the JSON document and the CSV table."""
    document = harvest("predict", run, some_broken, "--json")
    table = harvest("predict", run, some_broken, "--csv", "-")

    assert (document.code, table.code) == (3, 3)
    assert [each.get("error") for each in document.json][2] == "a web page"
    assert [sorted(each) for each in document.json][1] == ["error", "image"]
    rows = list(csv.DictReader(io.StringIO(table.out)))
    assert [bool(row["error"]) for row in rows] == [False, True, True, False, False]
    assert [bool(row["label"]) for row in rows] == [True, False, False, True, True]


def test_without_a_readable_image_the_exit_code_is_4(harvest: Harvest, run: Path, tmp_path: Path) -> None:
    """Without a readable image the exit code is 4, and the JSON document stays valid."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.jpg").write_bytes(b"")

    for path in ("empty", "x.jpg"):
        result = harvest("predict", run, path, "--json")
        assert result.code == 4
        assert f"no image in {path}" in result.err
        assert isinstance(result.json, list)


def test_images_in_shards_are_named_with_what_to_do(harvest: Harvest, run: Path) -> None:
    """For a dataset with shards, the commands that export its images and classify them are named."""
    with Dataset.open("my data", create=True, exclusive=True) as dataset:
        dataset.use_shards(1 << 20)
        datasets.fill(dataset, "king", range(3))

    result = harvest("predict", run, "my data")
    assert result.code == 4
    assert "harvest export 'my data' 'my data-images' --to imagefolder" in result.err
    assert f"harvest predict {run} 'my data-images'" in result.err

    Path("my data/king").mkdir()
    Path("my data/king/own.jpg").write_bytes(encoded(photo()))
    result = harvest("predict", run, "my data")
    assert result.code == 0
    assert "The images in the shards of my data are not read." in result.err


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (("nothing there", "."), "there is no run at nothing there."),
        ((".", "."), "is not a run: it has no config.json."),
        (("RUN", "nothing.jpg"), "there is no image or folder nothing.jpg."),
        (("RUN", "https://example.com/a.jpg"), "harvest predict reads files, not URLs."),
        (("RUN", ".", "nothing.jpg"), "there is no image or folder nothing.jpg."),
        (("RUN", "RUN", "."), "is a run, not a folder of images"),
        (("RUN", ".", "--csv", "no/where.csv"), "cannot write no/where.csv"),
        (("RUN", ".", "--top", "0"), "--top"),
        (("RUN",), "Missing argument"),
    ],
)
def test_usage_errors_come_before_any_output(harvest: Harvest, run: Path, words: tuple, messages: str) -> None:
    """A missing input or an unwritable output is a usage error, raised before anything is printed."""
    result = harvest("predict", *(run if word == "RUN" else word for word in words))

    assert (result.code, result.out) == (2, "")
    assert messages in result.err


# Names from outside.


def test_C09_names_cannot_steer_a_terminal_nor_a_spreadsheet(harvest: Harvest, run: Path, tmp_path: Path) -> None:
    """For any file name no escape is printed, no cell starts a formula, and JSON has the exact name."""
    names = ["=cmd|calc.png", "a\x1b[2J.png", "b\n,c.png", "d\u202egnp.png", 'e,"f".png']
    if sys.platform == "linux":
        names.append(os.fsdecode(b"g\xff.png"))
    (tmp_path / "odd").mkdir()
    for name in names:
        photo(60, 60).save(tmp_path / "odd" / name, "PNG")

    os.chdir(tmp_path / "odd")
    line, table, document = (harvest_here(harvest, run, *more) for more in ((), ("--csv", "-"), ("--json",)))

    rows = list(csv.reader(io.StringIO(table.out)))
    assert len(line.lines) == len(rows) - 1 == len(document.json) == len(names)
    assert [row[0] for row in rows[1:] if row[0].startswith("=")] == []
    assert sorted(each["image"] for each in document.json) == sorted(names)


def harvest_here(harvest: Harvest, run: Path, *more: str) -> Result:
    return harvest("predict", run, ".", *more)


def test_labels_are_sanitized(harvest: Harvest, tmp_path: Path, camera: Path) -> None:
    """A label with terminal escapes or a formula is sanitized."""
    odd = write_run(tmp_path / "odd", ("=1+1", "a\x1b[31mred", "b\u202ec"))

    for more in ((), ("--csv", "-"), ("--json",)):
        result = harvest("predict", odd, camera / "a.PNG", *more)
        assert result.code == 0
    assert {row[1] for row in csv.reader(io.StringIO(harvest("predict", odd, camera, "--csv", "-").out))} <= {
        *("label", "'=1+1", "a?[31mred", "b?c")
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_skipped(harvest: Harvest, run: Path, camera: Path) -> None:
    """A named pipe with an image suffix and a cyclic link are skipped."""
    os.mkfifo(camera / "pipe.jpg")
    (camera / "deep" / "circle").symlink_to(camera, target_is_directory=True)

    assert len(harvest("predict", run, camera).lines) == len(SHOWN)


# What it takes.


def test_a_missing_package_is_named(harvest: Harvest, run: Path, camera: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch and onnxruntime the error names the missing package, and the install command."""
    monkeypatch.setattr(optional_packages, "find_spec", lambda name: None if name in {"torch", "onnxruntime"} else True)

    result = harvest("predict", run, camera)

    assert result.code == 2
    assert "this needs torch, which" in result.err
    assert "pip install -e '.[train]'" in result.err


def test_help_and_errors_load_no_network(harvest: Harvest, run: Path) -> None:
    """A missing image is reported without loading a network."""
    program = f"import sys\nsys.argv = ['harvest', 'predict', {str(run)!r}, 'nothing']\n"
    program += "from harvest.cli import app\ncode = app._run()\nprint(code, 'torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert ran.stdout.split() == ["2", "False"]
    assert harvest("predict", "--help").code == 0


def test_explain_draws_what_decides(harvest: Harvest, run: Path, tmp_path: Path) -> None:
    """`--explain` writes an image besides the answer, and names the label that it is about."""
    photo(80, 60).save(tmp_path / "a.jpg")

    result = harvest("predict", run, tmp_path / "a.jpg", "--json", "--explain", tmp_path / "heat.png")

    assert result.code == 0
    best = result.json[0]["ranked"][0]["label"]
    assert f"speaks for {best}" in result.err
    assert (tmp_path / "heat.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [["a.jpg", "b.jpg"], ["."]])
def test_explain_is_for_one_image(harvest: Harvest, run: Path, tmp_path: Path, words: list[str]) -> None:
    """`--explain` with several images or a folder is refused before anything is read."""
    for name in ("a.jpg", "b.jpg"):
        photo(80, 60).save(tmp_path / name)

    result = harvest("predict", run, *words, "--explain", "heat.png")

    assert result.code == 2
    assert "one image at a time" in result.err
    assert not (tmp_path / "heat.png").exists()


def test_explain_does_not_overwrite_the_image(
    harvest: Harvest, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image itself as the file to write is refused, however its path is written."""
    photo(80, 60).save(tmp_path / "a.jpg")
    before = (tmp_path / "a.jpg").read_bytes()
    monkeypatch.chdir(tmp_path)

    result = harvest("predict", run, "a.jpg", "--explain", tmp_path / "a.jpg")

    assert result.code == 2
    assert "would overwrite the image" in result.err
    assert (tmp_path / "a.jpg").read_bytes() == before


def test_explain_needs_the_suffix_of_an_image(harvest: Harvest, run: Path, tmp_path: Path) -> None:
    """A file that would not be an image is refused, and nothing is written."""
    photo(80, 60).save(tmp_path / "a.jpg")

    result = harvest("predict", run, tmp_path / "a.jpg", "--explain", tmp_path / "heat.txt")

    assert result.code == 2
    assert "not a PNG, JPEG or WebP file" in result.err
