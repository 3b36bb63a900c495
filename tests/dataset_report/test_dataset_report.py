"""The report of a dataset: its answers, steps and sections, and what it does with the unexpected."""

from __future__ import annotations

import csv
import json
import os
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

import harvest
from harvest.charts import Column, Part, columns, share_bar
from harvest.dataset import Dataset
from harvest.dataset_report import report, shown_images, write_report
from harvest.dataset_report.assessment import assess
from harvest.dataset_report.report_thumbnails import _ALL_BYTES
from harvest.dataset_report.shown_images import choose_images
from harvest.dataset_report.suggest_next_steps import choose_target, list_steps
from harvest.dataset_report.yield_tables import describe_ranks, rows_by_query, rows_by_source
from harvest.errors import MissingFiles, UsageError
from harvest.html_report.thumbnails import shrink
from harvest.ledger.report_queries import RankRate
from harvest.ledger.statistics import ClassCounts, KeepRate
from harvest.queries.query_file import read_queries
from tests import datasets
from tests.dataset_report import examples
from tests.pictures import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harvest.dataset import ReportStatistics


class Reader(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(str(page))
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag with its attributes."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Record text."""
        self.text += data


def read(root: Path, **options: object) -> Reader:
    return Reader(report(root, **options).read_text("utf-8"))


@pytest.fixture(scope="module")
def garden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return examples.garden(tmp_path_factory.mktemp("rich") / "garden")


@pytest.fixture(scope="module")
def page(garden: Path) -> Reader:
    return read(garden)


@pytest.fixture
def facts(garden: Path) -> Iterator[ReportStatistics]:
    with Dataset.open(garden) as dataset:
        yield dataset.report_statistics()


# The page


@pytest.mark.usefixtures("page")
def test_the_report_is_in_the_dataset(garden: Path) -> None:
    """The report is a plain file in the dataset, which no later command takes for an image or a class."""
    assert (garden / "report.html").is_file()
    with Dataset.open(garden) as dataset:
        assert dataset.counts() == {"daisy": 34, "roses": 24}
        assert not dataset.changes.counts()


def test_every_section_is_there(page: Reader) -> None:
    """A dataset with something of everything has every section but that of a training run."""
    ids = {attributes["id"] for tag, attributes in page.tags if tag == "section" and "id" in attributes}

    top = {"classes", "kept", "rejected", "duplicates", "conflicts", "yield"}
    assert ids == top | {"sizes", "licences", "origins", "ai", "credits", "made"}


def test_the_page_needs_nothing_else(page: Reader) -> None:
    """Images are in the page, there is no script, and the page forbids itself to load anything."""
    assert not [tag for tag, _ in page.tags if tag in {"script", "iframe", "object", "form"}]
    assert all(a["src"].startswith("data:image/webp;base64,") for tag, a in page.tags if tag == "img")
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:")


def test_every_image_is_credited(page: Reader) -> None:
    """Each number under an image leads to a credit, and a stated credit has title, author, source and licence."""
    ids = {a["id"] for _, a in page.tags if "id" in a}
    numbers = {a["href"][1:] for tag, a in page.tags if tag == "a" and re.match(r"#c\d", a["href"])}

    assert numbers
    assert numbers <= ids
    assert "“In the garden” by Ana Lopes, flickr.example, CC BY 2.0" in page.text
    assert "licence unknown" in page.text


def test_images_link_to_their_files(garden: Path, page: Reader) -> None:
    """An image leads to its file, relative to the report, also a rejected one."""
    links = [a["href"] for tag, a in page.tags if tag == "a" and a.get("class") == "picture"]

    assert len(links) > 20
    assert all((garden / link).is_file() for link in links)
    assert any(link.startswith("../garden.rejected/") for link in links)


def test_the_same_dataset_gives_the_same_report(garden: Path, page: Reader, tmp_path: Path) -> None:
    """The sample depends on the seed alone."""
    texts = [read(garden, out=tmp_path / f"{seed}.html", seed=seed).text for seed in (0, 0, 3)]

    assert texts[0] == texts[1] == page.text
    assert texts[2] != page.text


# What is shown


def test_sample_is_even_by_source(tmp_path: Path) -> None:
    """A sample of a class has as many images of a small source as of a large one."""
    with Dataset.open(tmp_path / "d", create=True, exclusive=True) as dataset:
        examples.place(dataset, "king", range(60), "BING")
        examples.place(dataset, "king", range(100, 120), "FLICKR")
        shown = choose_images(dataset, dataset.report_statistics(), seed=0)

    sources = [row.source for row in shown.kept[0].rows]
    assert sources == ["BING"] * 18 + ["FLICKR"] * 18


def test_of_many_classes_the_smallest_and_the_largest_are_shown(tmp_path: Path, monkeypatch) -> None:
    """With more classes than fit, the page shows the smallest and the largest, and says so."""
    monkeypatch.setattr(shown_images, "CLASSES", 4)
    sizes = {"a": range(3), "b": range(10, 11), "c": range(20, 24), "d": range(30, 32), "e": range(40, 43)}
    datasets.new(tmp_path / "d", **sizes)

    with Dataset.open(tmp_path / "d") as dataset:
        shown = choose_images(dataset, dataset.report_statistics(), 0)
    page = read(tmp_path / "d")

    assert [sheet.class_name for sheet in shown.kept] == ["b", "c", "d", "e"]
    assert "Of 5 classes, the 4 smallest and largest are shown" in page.text


def test_large_images_are_sampled_more_thinly(tmp_path: Path) -> None:
    """Where images have many pixels fewer are shown, so that decoding them takes seconds."""
    datasets.new(tmp_path / "d", king=range(30))
    with Dataset.open(tmp_path / "d") as dataset:
        facts = dataset.report_statistics()
        with dataset._ledger.transaction():
            dataset._ledger.execute("UPDATE picture SET width = 9000, height = 9000")
        large = dataset.report_statistics()

        assert len(choose_images(dataset, facts, 0).kept[0].rows) == 30
        assert len(choose_images(dataset, large, 0).kept[0].rows) < 5


def test_a_file_that_is_gone_leaves_a_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image whose file vanishes or is damaged while the report is made is named instead of shown."""
    datasets.new(tmp_path / "d", king=range(3))
    monkeypatch.setattr(Dataset, "read_image", lambda *_args, **_options: None)

    assert "missing, or too large to show" in read(tmp_path / "d").text


# Answers


@pytest.mark.parametrize(
    ("classes", "answer"),
    [
        ({}, "There is no image yet"),
        ({"king": range(30)}, "There is one class"),
        ({"king": range(30), "coral": range(40, 45)}, "1 class has fewer than 20 images: coral (5)"),
        (
            {"king": range(30), "coral": range(40, 70)},
            "There are enough images for a first training, but nobody has looked at 100 % of them",
        ),
    ],
)
def test_the_answer_names_its_reason(tmp_path: Path, classes, answer) -> None:
    """The first screen says why a dataset is not good enough to train on yet."""
    datasets.new(tmp_path / "d", **classes)

    with Dataset.open(tmp_path / "d") as dataset:
        why = Markup(assess(dataset.report_statistics()).training.why).striptags()
    assert answer in why


def test_checks_of_a_reviewed_dataset(facts) -> None:
    """Each check has its state and leads to a section."""
    found = {check.name: (check.state, check.text) for check in assess(facts).checks}

    assert found["Images per class"] == ("warn", "24 to 34")
    assert found["Review"] == ("warn", "24 of 58 images not looked at")
    assert found["Near-duplicates"] == ("warn", "1 group to decide on")
    assert found["Found for two classes"] == ("warn", "1 image in question")
    assert found["Variety"] == ("warn", "one origin dominates in 2 classes")
    assert found["Made with AI"] == ("warn", "1 image")


def test_licences_decide_whether_it_can_be_published(facts) -> None:
    """Only licences that a source states count as open, and unknown ones are counted."""
    assessment = assess(facts)

    assert assessment.publishing.answer == "In part"
    assert {part.name: part.size for part in assessment.licence_parts} == {
        "open": 24,
        "with restrictions": 24,
        "unknown": 10,
    }


def test_proposed_query_file_is_read_by_harvest(facts, tmp_path: Path) -> None:
    """The step that asks for more images has a query file of the small classes, and the command for it."""
    step = next(step for step in list_steps(facts, assess(facts), "'my garden'") if step.file)

    (tmp_path / "more.csv").write_text(step.file, "utf-8")
    queries = read_queries(tmp_path / "more.csv")
    assert [(query.class_name, query.text) for query in queries] == [
        ("roses", "roses flower"),
        ("daisy", "daisy flower"),
    ]
    assert step.command.startswith("harvest more.csv -o 'my garden' --target 100 -c ")


def test_target_is_a_third_of_the_largest_class() -> None:
    """Every class should have 100 images, or a third of the largest class, in round numbers."""
    assert choose_target([ClassCounts("a", kept=40), ClassCounts("b", kept=290)]) == 100
    assert choose_target([ClassCounts("a", kept=40), ClassCounts("b", kept=1000)]) == 350


def test_poor_queries_are_named(facts) -> None:
    """A query whose images were mostly rejected is to be changed."""
    texts = [step.text for step in list_steps(facts, assess(facts), "garden")]

    assert any("“daisy flower” (bing, 33\u00a0% kept)" in text for text in texts)


def test_keep_rates_are_those_of_reviewed_classes() -> None:
    """An image that nobody has looked at says nothing about its query: its class has no keep rate."""
    rates = [KeepRate("a", "x", "BING", 10, 8, 4), KeepRate("b", "y", "BING", 10, 8, 8)]

    assert [row.rate for row in rows_by_query(rates, {"a"})][:1] == [0.5]
    assert rows_by_source(rates, {"a"})[0] == (["bing"], 20, 16, 12, 0.5)
    assert str(rows_by_source(rates, set())[0].rate) == "nan"


@pytest.mark.parametrize(("last", "words"), [(10, "another query or source"), (48, "a larger -m or --target")])
def test_ranks_decide_whether_more_results_are_worth_it(last, words) -> None:
    """If later results are kept less often, another query is better than more results."""
    assert words in describe_ranks([RankRate(1, 50, 49), RankRate(201, 50, last)])
    assert describe_ranks([RankRate(1, 50, 49), RankRate(201, 3, 0)]) == ""


# Charts


def test_charts_say_their_numbers() -> None:
    """The numbers of a histogram and of a bar of shares are text; only the drawing is hidden from screen readers."""
    chart = Reader(columns("Sizes", [Column(0.5, "12", "100–149", "40 %")], across="pixels"))
    bar = Reader(share_bar([Part("bing", 1200, "60 %"), Part("<b>", 800, "40 %", "unknown")]))

    assert chart.text == "Sizes 12100–14940 %pixels"
    assert bar.text == "bing 1,200 60 %<b> 800 40 %"
    assert all(a.get("aria-hidden") for tag, a in (*chart.tags, *bar.tags) if tag == "svg")


# Hostile and missing


def test_hostile_ledger(tmp_path: Path) -> None:
    """Text of the ledger is text: no tag, no scheme but http and https, no direction character, and no long line."""
    root = examples.hostile(tmp_path / "d")

    page = read(root)

    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    links = [a["href"] for tag, a in page.tags if tag == "a" and "rel" in a]
    assert not [link for link in links if not link.startswith(("http://", "https://"))]
    assert not [link for link in links if "@" in link]
    assert "<img src=x onerror=alert(1)>" in page.text
    assert "\u202e" not in page.text
    assert "{{ 7*7 }}" in page.text
    assert "x" * 300 not in page.text
    assert "harvest more.csv -o " in page.text
    assert not re.search(r"harvest more.csv -o [^;]* -c ;", page.text)
    assert (root / "report.html").stat().st_size < 500_000


@pytest.mark.parametrize(
    ("make", "texts"),
    [
        (examples.empty, ["There is no image yet.", "harvest QUERIES.csv -o"]),
        (examples.all_rejected, ["Every image is rejected.", "harvest restore", "4 rejected images"]),
        (examples.one_class, ["There is one class.", "No image is known to have an open licence."]),
    ],
)
def test_something_is_missing(tmp_path: Path, make, texts) -> None:
    """An empty dataset, one with rejected images only and one of one class have a report that says what to do."""
    page = read(make(tmp_path / "d"))

    assert [text for text in texts if text not in page.text] == []


def test_names_in_commands_are_quoted(tmp_path: Path) -> None:
    """A dataset whose name would be several words in a shell is quoted in the commands of the report."""
    datasets.new(tmp_path / "my snakes; ls", king=range(3))

    assert "my snakes; ls' --target" in read(tmp_path / "my snakes; ls").text


def test_missing_files_give_no_report(tmp_path: Path) -> None:
    """A dataset whose drive is away gets no report: nothing would be right in it."""
    datasets.copied(tmp_path / "d", king=range(30))
    for file in (tmp_path / "d" / "king").iterdir():
        file.unlink()

    with pytest.raises(MissingFiles):
        report(tmp_path / "d")
    assert not (tmp_path / "d" / "report.html").exists()


def test_only_a_report_is_replaced(garden: Path, tmp_path: Path) -> None:
    """A file that is not a report is never overwritten, and a folder is not a place for one."""
    notes = tmp_path / "notes.html"
    notes.write_text("<p>mine")

    with pytest.raises(UsageError, match="not a report"):
        report(garden, notes)
    with pytest.raises(UsageError, match="is a folder"):
        report(garden, tmp_path)
    with pytest.raises(UsageError, match="no folder"):
        report(garden, tmp_path / "absent" / "report.html")
    assert notes.read_text() == "<p>mine"
    assert report(garden, tmp_path / "ours.html") == report(garden, tmp_path / "ours.html")


def test_size_is_limited() -> None:
    """Images of pure noise, the largest there are, keep the page below 5 MB."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8))
    most = _ALL_BYTES // 420

    assert len(shrink(encoded(noise, "PNG"), side=200, most=most).uri) < most * 4 / 3 + 100
    assert _ALL_BYTES * 4 / 3 < 4_300_000


# The training run


def test_newest_run_is_added(garden: Path, tmp_path: Path) -> None:
    """With `run`, the curves, the confusion matrix and the images with the highest loss of the newest run are shown."""
    write_run(garden)

    page = read(garden, out=tmp_path / "r.html", run=True)

    assert "The saved network predicts 75 % of the test images correctly." in page.text
    assert "Confusion matrix" in page.text
    assert "daisy, predicted as roses" in page.text
    assert ("b", {}) in page.tags
    assert "Loss" in page.text


def test_damaged_run_does_no_harm(garden: Path, tmp_path: Path) -> None:
    """A run of a stranger, in which nothing is as expected, gives a section without those parts."""
    run_folder = write_run(garden, name="z-damaged")
    (run_folder / "metrics.json").write_text('{"candidates": 7, "saved": []}')
    (run_folder / "history.csv").write_text("epoch\nx\n")
    (run_folder / "predictions.csv").write_bytes(b"\x00\xff,\npath")
    os.utime(run_folder / "config.json", (2e9, 2e9))

    assert "z-damaged: it has no predictions." in read(garden, out=tmp_path / "r.html", run=True).text


def write_run(root: Path, name: str = "first") -> Path:
    """Write the files of a training run next to a dataset."""
    folder = root.with_name(f"{root.name}.runs") / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    part = {"accuracy": 0.75, "interval_95": [0.6, 0.9]}
    (folder / "metrics.json").write_text(json.dumps({"saved": "head", "candidates": {"head": {"test": part}}}))
    (folder / "history.csv").write_text("epoch,train_loss,valid_loss\n0,,0.9\n1,0.8,0.5\n2,0.4,0.3\n")
    with Dataset.open(root) as dataset:
        rows = [row for row in dataset.review_rows() if not row.rejected][:12]
    with (folder / "predictions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "content", "label", "predicted", "p_label", "p_predicted", "loss", "fold"])
        for number, row in enumerate(rows):
            guess = "roses" if number < 3 else row.class_name
            table.writerow((f"{row.class_name}/{row.name}", row.content, row.class_name, guess, 0.2, 0.8, 1.6, 0))
    return folder


# From Python


def test_read_only_dataset(tmp_path: Path) -> None:
    """A dataset that cannot be written gets its report elsewhere."""
    datasets.copied(tmp_path / "d", king=range(3))

    with Dataset.open(tmp_path / "d", read_only=True) as dataset:
        assert write_report(dataset, tmp_path / "r.html", name="d").is_file()


def test_public_function(tmp_path: Path) -> None:
    """`harvest.report` is the same from Python."""
    datasets.copied(tmp_path / "d", king=range(3))

    assert harvest.report(tmp_path / "d") == tmp_path / "d" / "report.html"
