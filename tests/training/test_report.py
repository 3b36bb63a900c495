"""report.html: what it says, what it shows, and that nothing in it can do anything."""

from __future__ import annotations

import base64
import io
import math
import os
import re
import shutil
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from harvest.errors import CannotWrite
from harvest.html_report import number_format
from harvest.labelled_pictures.image_reader import ImageReader
from harvest.training.report import (
    Candidate,
    ReportData,
    render,
    write,
)
from harvest.training.report.mistakes import list_suspects
from harvest.training.report.result_text import judge_outlook
from harvest.training.report.training_charts import epoch_charts
from harvest.training.report.training_report_images import ReportThumbnails
from tests import bombs
from tests.pictures import encoded, photo
from tests.training import report_examples as examples

if TYPE_CHECKING:
    from pathlib import Path


class Reader(HTMLParser):
    """Reads a page: its tags with their attributes, and its text without the style sheet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._style = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Take a tag."""
        self.tags.append((tag, dict(attrs)))
        self._style = tag == "style"

    def handle_endtag(self, tag):
        """Leave the style sheet."""
        self._style &= tag != "style"

    def handle_data(self, data):
        """Take a text."""
        if not self._style:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that can be read, on one line."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str, attribute: str) -> list[str]:
        """List an attribute of all tags of a kind."""
        return [
            attributes[attribute] or "" for name, attributes in self.tags if name == tag and attribute in attributes
        ]


def read(data: ReportData, folder: Path) -> Reader:
    return Reader(render(data, folder))


@pytest.fixture
def snakes(tmp_path: Path) -> ReportData:
    return examples.snakes_report(tmp_path / "tree")


# What it says


def test_first_screen(snakes, tmp_path: Path) -> None:
    """The first screen tells how good it is, where it goes wrong, whether more would help, and what to do."""
    text = read(snakes, tmp_path).text.partition("A suspect may be")[0]

    assert "80 % of the test images are predicted correctly" in text
    assert "16 of 20 right, 80 % (58–92 %)" in text
    assert "Expect 58–92 % on new images like these." in text
    assert "always predicting the largest class: 50 %" in text
    assert "8 of 40 held-out images are predicted wrongly. The most frequent mistakes:" in text
    assert "coral snake predicted as king snake" in text
    assert "Would more images help? Yes" in text
    assert "From 10 to 20 images per class, accuracy changes from 80 % to 85 %." in text
    assert "Check the 4 suspects." in text
    assert "Read the warning." in text
    assert "Train again. Images keep their part of the split" in text
    assert "harvest train snakes --lr find" in text


def test_valid_part_alone_is_not_called_untouched(snakes, tmp_path: Path) -> None:
    """Without a test part the valid one is shown, and that it flatters is said."""
    saved = replace(snakes.candidates[1], judgements=snakes.candidates[1].judgements[:1])

    text = read(replace(snakes, candidates=[saved]), tmp_path).text

    assert "of the valid images are predicted correctly. They were also used to choose the network" in text
    assert "They were not used to choose the network" not in text


def test_every_section_is_there(snakes, tmp_path: Path) -> None:
    """All parts of the story have their section, and each section is linked from the top."""
    page = read(snakes, tmp_path)
    sections = [name for name in page.all("section", "id") if name]

    assert sections == ["suspects", "mistakes", "pairs", "worst", "sure", "more", "training", "pictures", "made"]
    assert [f"#{name}" for name in sections] == page.all("a", "href")[: len(sections)]
    for words_of_it in (
        "Classes by F1, lowest first",
        "None of these",
        "king snake predicted as coral snake 4 times",
        "Loss lower is better",
        "Accuracy higher is better",
        "5 rows of history.csv",
        "chosen: 3e-4",
        "40 images, 28 for train, 8 for valid, 4 for test.",
        "1 file skipped",
        "2 groups met and went to train.",
        "Confusion matrix of frozen head",
    ):
        assert words_of_it in page.text


def test_nothing_known(tmp_path: Path) -> None:
    """A story of a title and two classes is a page that says what it does not know."""
    page = read(ReportData("nothing", ("a", "b")), tmp_path)

    assert page.text.count("Not known") == 3
    assert "No image was held out to evaluate it." in page.text
    assert not [name for name in page.all("section", "id") if name]


def test_training_that_diverged(tmp_path: Path) -> None:
    """Where no number came out, none is shown: what happened is said, and what to do."""
    text = read(examples.diverged(), tmp_path).text

    assert "15 held-out images could not be predicted: the training diverged, or the files were deleted." in text
    assert "Lower the learning rate. The training diverged." in text
    assert "The test part has no images." in text
    assert "The training diverged: 1 epoch without a finite value." in text
    assert not re.search(r"\bnan\b|\binf\b", text)


def test_no_epochs(snakes, tmp_path: Path) -> None:
    """With the frozen head alone there is no curve to draw; that there were no epochs is said."""
    text = read(replace(snakes, history=snakes.history[:1], search=None), tmp_path).text

    assert "No epochs: the head was solved in one step" in text
    assert "1 row of history.csv" in text
    assert "lower is better" not in text.partition("What the metrics mean")[0].partition("Training")[2]
    assert "diverged" not in text


def test_one_epoch(snakes, tmp_path: Path) -> None:
    """The frozen head and one epoch are two points: a line."""
    text = read(replace(snakes, history=snakes.history[:2]), tmp_path).text

    assert "Loss: train 1 at epoch 0.5" not in text
    assert "valid from 0.9 at epoch 0 to 0.45 at 1." in text
    assert "train 0.5 at epoch 1" in text


def test_the_mark_is_at_the_epoch_that_was_saved(snakes) -> None:
    """Of the epochs the one whose network is in the run is marked, whatever others came to."""
    charts = {chart.split('aria-label="')[1].split(":")[0]: chart for chart in map(str, epoch_charts(snakes))}

    assert re.findall('class="mark"[^>]*>([^<]*)<', charts["Accuracy"]) == ["85\N{NO-BREAK SPACE}%"]
    assert 'class="mark"' not in charts["Loss"]
    assert not any('class="mark"' in str(chart) for chart in epoch_charts(replace(snakes, kept=None)))


def test_all_is_right(snakes, tmp_path: Path) -> None:
    """A network without a mistake has no suspects and no worst answers; the page says so."""
    right = [row._replace(predicted=row.label, p_label=0.9, p_predicted=0.9) for row in snakes.predictions]
    changed = replace(
        snakes,
        candidates=[Candidate("frozen head", [examples.evaluate_rows(snakes.labels, right, "test")], answers=right)],
        predictions=right,
        warnings=(),
        line="",
        learning_curve=examples.curve(0.98, 0.99, 1.0),
    )

    page = read(changed, tmp_path)

    assert "Nowhere All 40 held-out images are predicted correctly." in page.text
    assert "From 10 to 20 images per class, accuracy changes from 99 % to 100 %. There is little left" in page.text
    assert "None. No image gets the probability of another class" in page.text
    assert "Harvest more" not in page.text
    assert "pairs" not in page.all("section", "id")


def test_a_mistake_that_the_network_is_unsure_of_is_no_suspect(snakes, tmp_path: Path) -> None:
    """Suspect is what looks like another class as surely as the images there, and no other mistake."""
    row = snakes.predictions[0]
    right = [row._replace(label=label, predicted=label, p_label=0.8, p_predicted=0.8) for label in snakes.labels]
    sure, unsure = (
        row._replace(label="coral snake", predicted="king snake", p_label=1 - p, p_predicted=p, loss=1)
        for p in (0.9, 0.7)
    )

    assert list_suspects([*right, unsure, sure]) == [sure]
    assert list_suspects([unsure]) == []
    text = read(replace(snakes, predictions=[*right, unsure, sure]), tmp_path).text
    assert "Check the suspect." in text
    assert "A suspect may be in the wrong folder: a network that was not trained on it" in text
    assert "more suspects than are shown" not in text
    knowing = read(replace(snakes, predictions=[*right, sure], knew=True), tmp_path).text
    assert "The network below that head was trained on these images" in knowing


def test_metric_that_could_not_be_measured(snakes, tmp_path: Path) -> None:
    """A metric that is no number is a dash in the table, and beneath it stands what it needs."""
    one = [row for row in snakes.predictions if row.label == snakes.labels[0]]
    changed = replace(
        snakes, candidates=[Candidate("frozen head", [examples.evaluate_rows(snakes.labels, one, "test")])]
    )

    assert "– ROC AUC of test needs images of two classes." in read(changed, tmp_path).text


def test_small_classes_come_first(snakes, tmp_path: Path) -> None:
    """Classes under twenty images are what to harvest next, before all others."""
    changed = replace(snakes, split={f"c{i}": {"train": 10 + i} for i in range(15)})

    assert "Fewer than 20 images: c0 (10), c1 (11), c2 (12) and 7 more." in read(changed, tmp_path).text


def test_small_classes_need_more_images_where_the_curve_is_flat(snakes, tmp_path: Path) -> None:
    """A page that advises to harvest more of the small classes does not say that more images are not needed."""
    flat = replace(snakes, learning_curve=examples.curve(0.97, 0.985, 0.99))
    small = replace(flat, split={"king": {"train": 12}, "coral": {"train": 40}})

    assert "In small classes. From" in read(small, tmp_path).text
    assert "But 1 class has fewer than 20 images." in read(small, tmp_path).text


@pytest.mark.parametrize(
    ("accuracies", "answer"),
    [
        ((), "Not known"),
        ((0.8,), "Not known"),
        ((0.7, 0.8, 0.85), "Yes"),
        ((0.85, 0.89, 0.9), "A little"),
        ((0.89, 0.9, 0.9), "Hardly"),
        ((0.9, 0.9, 0.88), "Hardly"),
        ((0.97, 0.985, 0.99), "No need"),
        ((math.nan, math.nan), "Not known"),
    ],
)
def test_outlook(accuracies, answer) -> None:
    """Whether more images would help is read off the last doubling of the learning curve."""
    assert judge_outlook(examples.curve(*accuracies)).answer == answer


def test_shares_are_never_rounded_to_all_or_nothing() -> None:
    """One mistake in a thousand is not 100 %, and one hit is not 0 %."""
    shown = [number_format.percent(share).replace("\u00a0", " ") for share in (0, 0.0001, 0.004, 0.5, 0.996, 0.9999, 1)]

    assert shown == ["0 %", "0.1 %", "0.4 %", "50 %", "99.6 %", "99.9 %", "100 %"]


# What it shows


def test_thumbnail_is_a_small_copy_without_anything_else(tmp_path: Path) -> None:
    """A copy is small, upright, and carries nothing of the file but its pixels."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "secret place"
    (tmp_path / "a.jpg").write_bytes(encoded(photo(640, 480), exif=exif))

    copy = ReportThumbnails(ImageReader(tmp_path), tmp_path).get("a.jpg")

    data = base64.b64decode(copy.uri.partition("base64,")[2])
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == ("WEBP", (180, 240))
    assert (copy.width, copy.height) == image.size
    assert not image.getexif()
    assert b"secret" not in data


def test_noise_is_stored_coarsely(tmp_path: Path) -> None:
    """An image of pure noise, which no format makes small, takes no more room than two photographs."""
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(noise), "PNG"))

    assert len(ReportThumbnails(ImageReader(tmp_path), tmp_path).get("a.png").uri) < 50_000


@pytest.mark.parametrize(
    ("content", "hole"),
    [
        (None, "deleted since"),
        (b"", "cannot be shown"),
        (b"<html>", "cannot be shown"),
        (encoded(photo())[:400], "cannot be shown"),
        (bombs.bomb(), "cannot be shown"),
    ],
)
def test_T02_hole_is_said(tmp_path: Path, content, hole) -> None:
    """An image that is gone, broken, or means harm is a hole with its reason, and the page goes on."""
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)

    copy = ReportThumbnails(ImageReader(tmp_path), tmp_path).get("a.jpg")

    assert not copy.uri
    assert copy.hole.startswith(hole)


def test_places_that_are_no_files(tmp_path: Path) -> None:
    """A folder, a pipe, a name that no file can have, and no tree at all are holes too."""
    (tmp_path / "folder").mkdir()
    names = ["folder", "a\0b", "x" * 400]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        names.append("pipe")

    assert all(ReportThumbnails(ImageReader(tmp_path), tmp_path).get(name).hole for name in names)
    assert ReportThumbnails(None, tmp_path).get("a.jpg").hole == "the dataset folder is not known"


def test_holes_are_on_the_page(snakes, tmp_path: Path) -> None:
    """Where the tree went away the page still stands, its holes said."""
    shutil.rmtree(snakes.images.root)

    page = read(snakes, tmp_path)

    assert "deleted since" in page.text
    assert not page.all("img", "src")


def test_links_lead_to_the_pictures(snakes, tmp_path: Path) -> None:
    """An image links to its file, by a way that holds from the page's folder."""
    run = tmp_path / "tree.runs" / "first"
    page = read(snakes, run)

    links = [link for link in page.all("a", "href") if not link.startswith("#")]
    assert links
    assert all((run / link).resolve().is_file() for link in links)


def test_names_in_links_are_quoted(tmp_path: Path) -> None:
    """No name of a file makes a link into anything but a way to that file."""
    page = read(examples.hostile(tmp_path / "tree"), tmp_path / "runs" / "1")

    links = [link for link in page.all("a", "href") if not link.startswith("#")]
    assert len(links) > 20
    assert all(re.fullmatch(r"\.\./\.\./tree/\d/[\w%.~-]+", link) for link in links), links


def test_a_hundred_classes_keep_the_page_small(tmp_path: Path) -> None:
    """The report of a hundred classes with an image of noise in every place stays under two megabytes."""
    changed = examples.snakes_report(tmp_path / "tree", [f"class {i}" for i in range(100)], 10)
    noise = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)))
    for row in changed.predictions:
        (tmp_path / "tree" / row.path).write_bytes(noise)

    assert len(render(changed, tmp_path).encode()) < 2_000_000


# That nothing in it does anything


def test_page_asks_for_nothing(snakes, tmp_path: Path) -> None:
    """The page forbids itself everything but its own style and images, and names no address."""
    text = render(snakes, tmp_path)
    page = Reader(text)

    (policy,) = [content for content in page.all("meta", "content") if "default-src" in content]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert all(source.startswith("data:image/webp;base64,") for source in page.all("img", "src"))
    assert not {"script", "iframe", "object", "embed", "form", "base", "audio", "video"} & {t for t, _ in page.tags}
    assert page.all("link", "href") == ["data:,"]
    assert not re.search(r"https?://|@import|url\(", text)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """Names of classes and files, titles, options and reasons are text, whatever they hold."""
    text = render(examples.hostile(tmp_path / "tree"), tmp_path)
    page = Reader(text)

    assert not {"script", "b", "i", "u"} & {tag for tag, attributes in page.tags if not attributes} - {"b"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert all(source.startswith("data:") for source in page.all("img", "src"))
    assert Counter(tag for tag, _ in page.tags)["style"] == 1
    assert examples.HOSTILE[0] in page.text
    assert "{{ 7 * 7 }}" in page.text


def test_nothing_turns_a_line_around(tmp_path: Path) -> None:
    """Characters that hide, turn or end a line are replaced; letters of any script and emoji are not."""
    text = render(examples.hostile(tmp_path / "tree"), tmp_path)

    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert "نمر ابيض كبير جدا" in text
    assert "🐍\u200d🔥" in text


def test_same_story_same_page(snakes, tmp_path: Path) -> None:
    """A story has one page, byte for byte."""
    assert render(snakes, tmp_path) == render(snakes, tmp_path)


def test_report_is_replaced_as_a_whole(snakes, tmp_path: Path) -> None:
    """Writing again replaces the report; where that cannot be, the error names the place."""
    for title in ("first", "second"):
        write(tmp_path, replace(snakes, title=title))
    assert "<title>second" in (tmp_path / "report.html").read_text("utf-8")
    assert not list(tmp_path.glob("*.part"))

    with pytest.raises(CannotWrite, match=r"report\.html"):
        write(tmp_path / "no such folder", snakes)
