"""`harvest why`: the history of a picture, and the ways to name it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from harvest.cli.picture_history import describe_verdict
from harvest.dataset import Dataset, HitVerdict, Placement
from harvest.licences import Evidence, Licence
from harvest.verdicts import Verdict
from tests.datasets import a_hit, a_picture, fill, find, jpeg, name, new

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]

URL = "https://pictures.example.com/3.jpg"
TOLD = {
    "page": "https://www.example.com/snakes/3",
    "title": "Scarlet kingsnake",
    "author": "Ana Díaz",
    "licence": Licence("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/", Evidence.STATED),
}


def refuse(root: Path, verdict: Verdict, detail: str = "", **more: object) -> str:
    """Record a failed hit, and return its URL."""
    with Dataset.open(root) as dataset:
        (task,) = find(dataset, [a_hit(900, **more)])
        dataset.record_verdicts([HitVerdict(task.id, verdict, detail)])
    return task.hit.url


# How to ask.


@pytest.mark.parametrize(
    "words",
    [
        ["dataset/king/{name}"],
        ["{root}/king/{name}"],
        ["./dataset/../dataset/king/{name}"],
        ["dataset", "dataset/king/{name}"],
        ["dataset", "king/{name}"],
        ["dataset", "{name}"],
        ["dataset/{name}"],
        ["king/{name}"],
        ["{name}"],
        ["KING/{name}"],
        ["dataset.raw/king/{stem}.png"],
        ["dataset", URL],
        [URL, "dataset"],
        [f"king/{name(3)}", "dataset"],
        [URL],
        ["http://PICTURES.example.com:80/3.jpg?utm_source=feed#top"],
    ],
)
def test_every_way_to_name_a_picture_leads_to_it(root: Path, harvest: Harvest, words: list[str]) -> None:
    """A path, class/name, name or URL, with or without the dataset, gives the same history."""
    stem = name(3).removesuffix(".jpg")
    result = harvest("why", *(word.format(name=name(3), stem=stem, root=root) for word in words))

    assert (result.code, result.err) == (0, "")
    assert result.lines[0] == f"king/{name(3)} is kept"


@pytest.mark.parametrize(("folder", "word"), [("", "king/{}"), ("", "{}"), ("king", "{}"), ("coral", "../king/{}")])
def test_inside_a_dataset_names_are_enough(
    root: Path, harvest: Harvest, monkeypatch: pytest.MonkeyPatch, folder: str, word: str
) -> None:
    """Inside the dataset or a class folder, relative paths work."""
    monkeypatch.chdir(root / folder)

    assert harvest("why", word.format(name(3))).lines[0] == f"king/{name(3)} is kept"


def test_a_dataset_of_another_name_is_found_from_the_path(root: Path, harvest: Harvest) -> None:
    """The path of a picture determines its dataset, whatever its name and location."""
    (root.parent / "deep").mkdir()
    root.rename(root.parent / "deep" / "snakes")

    result = harvest("why", f"deep/snakes/king/{name(3)}")

    assert f"file deep/snakes/king/{name(3)}" in result.lines


# What is result.


def test_the_history_shows_source_licence_and_sizes(tmp_path: Path, harvest: Harvest) -> None:
    """The history shows the source, the author, the licence with its evidence, and both sizes."""
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        (task,) = find(dataset, [a_hit(3, "FLICKR", **TOLD)], text="scarlet king snake")
        dataset.place([Placement(task, a_picture(3))])

    result = harvest("why", name(3, "flickr"))

    assert f"file dataset/king/{name(3, 'flickr')}" in result.lines
    assert "size 24 × 24, made from 240 × 240 PNG" in result.lines
    assert "from flickr, result 3 for 'scarlet king snake' (king)" in result.lines
    assert "title Scarlet kingsnake" in result.lines
    assert "author Ana Díaz" in result.lines
    assert "page https://www.example.com/snakes/3" in result.lines
    assert "licence CC-BY-4.0, stated by the source https://creativecommons.org/licenses/by/4.0/" in result.lines
    assert result.lines[-2:] == [URL, "flickr, result 3 for 'scarlet king snake' (king): gave the image"]


@pytest.mark.parametrize(
    ("licence", "result"),
    [
        (Licence(), "licence unknown"),
        (
            Licence("LicenseRef-Claimed-open", evidence=Evidence.CLAIMED),
            "licence LicenseRef-Claimed-open, claimed by the search, not by the source",
        ),
    ],
)
def test_a_licence_is_never_more_certain_than_it_is(
    tmp_path: Path, harvest: Harvest, licence: Licence, result: str
) -> None:
    """An unknown licence is shown as unknown, and a claimed one as a claim."""
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        (task,) = find(dataset, [a_hit(3, licence=licence)])
        dataset.place([Placement(task, a_picture(3))])

    assert result in harvest("why", name(3)).lines


def test_every_url_of_a_picture_is_listed_with_its_result(root: Path, harvest: Harvest) -> None:
    """Other URLs of the picture are listed with their results, and give the same history."""
    with Dataset.open(root) as dataset:
        (task,) = find(dataset, [a_hit(900, "FLICKR")])
        (known,) = (known for known in dataset.list_present() if known.content == a_picture(3).content)
        dataset.record_verdicts([HitVerdict(task.id, Verdict.DUPLICATE, "looks the same", known.id)])

    result = harvest("why", task.hit.url)

    assert result.lines[0] == f"king/{name(3)} is kept"
    assert result.lines[-5:] == [
        "URLs",
        URL,
        "bing, result 3 for 'king snake' (king): gave the image",
        task.hit.url,
        "flickr, result 900 for 'king snake' (king): duplicate of another image (looks the same)",
    ]


def test_the_history_of_a_replaced_copy_names_the_better_one(root: Path, harvest: Harvest) -> None:
    """For a file that a better copy replaced, the history says so, and shows the licence of the copy."""
    with Dataset.open(root) as dataset:
        (task,) = find(dataset, [a_hit(900, "FLICKR", **TOLD)])
        (known,) = (known for known in dataset.list_present() if known.content == a_picture(3).content)
        dataset.place([Placement(task, a_picture(900), known)])

    result = harvest("why", f"dataset/king/{name(3)}")

    assert result.lines[:2] == [
        f"king/{name(900, 'flickr')} is kept",
        f"king/{name(3)} was replaced by it: a better copy, or one of several",
    ]
    assert any(line.startswith("licence CC-BY-4.0, stated") for line in result.lines)
    assert "gave a better copy, which replaced the earlier one" in result.out
    assert result.lines[-1].endswith("gave a copy that another one replaced")


def test_a_conflict_is_listed_with_its_copies(root: Path, harvest: Harvest) -> None:
    """For a picture in two class folders, the history names the other class and the copy."""
    shutil.copy(root / "king" / name(3), root / "coral" / "copy.jpg")

    result = harvest("why", f"king/{name(3)}")

    assert "conflict: also found for coral. Move it there, or delete it" in result.lines
    assert "same as coral/copy.jpg, byte for byte" in result.lines
    assert result.err == "note: recorded changes in the folders: 1 in two classes\n"


def test_a_deleted_picture_has_a_history_and_a_hint(root: Path, harvest: Harvest) -> None:
    """A deleted picture still has a history, with the time of its rejection and how to restore it."""
    (root / "king" / name(3)).unlink()

    result = harvest("why", f"dataset/king/{name(3)}")

    assert result.lines[0] == (f"king/{name(3)} was rejected. To restore it: harvest restore dataset king/{name(3)}")
    assert not any(line.startswith("file ") for line in result.lines)
    assert result.lines[-1].endswith("UTC rejected in the folders")
    assert "from bing, result 3 for 'king snake' (king)" in result.lines


def test_a_picture_in_dataset_rejected_is_found(root: Path, harvest: Harvest) -> None:
    """The path in dataset.rejected gives the history, with the place and reason of the rejection."""
    with Dataset.open(root) as dataset:
        dataset.reject(dataset.find(name(3)), by="page", reason="blurred")

    result = harvest("why", f"dataset.rejected/king/{name(3)}")

    assert f"file dataset.rejected/king/{name(3)}" in result.lines
    assert result.lines[-1].endswith("UTC rejected on the review page blurred")


def test_decisions_are_listed_in_order(root: Path, harvest: Harvest) -> None:
    """The history of a moved and edited picture shows both."""
    (root / "king" / name(3)).rename(root / "coral" / name(3))
    harvest("status")
    (root / "coral" / name(3)).write_bytes(jpeg(500))

    result = harvest("why", name(3))

    assert result.lines[0] == f"coral/{name(3)} is kept"
    assert [line.partition(" UTC ")[2] for line in result.lines[-2:]] == [
        f"moved in the folders king/{name(3)} → coral/{name(3)}",
        "edited in the folders",
    ]


def test_a_picture_taken_back_waits_for_the_next_get(root: Path, harvest: Harvest) -> None:
    """A picture restored without a file is neither present nor rejected."""
    (root / "king" / name(3)).unlink()
    harvest("restore", name(3))

    assert "the next get downloads its file again" in harvest("why", name(3)).out
    assert "left for the next run" in harvest("why", URL).out


def test_a_file_of_the_user_has_no_source(root: Path, harvest: Harvest) -> None:
    """A file that the user added has no source and no known licence."""
    (root / "king" / "mine.jpg").write_bytes(jpeg(500, 64))

    result = harvest("why", "dataset/king/mine.jpg")

    assert result.lines[0] == "king/mine.jpg is your own file; harvest never changes it"
    assert "size 64 × 64" in result.lines
    assert "licence not known: harvest did not download it" in result.lines


def test_a_name_in_two_classes_names_both(root: Path, harvest: Harvest) -> None:
    """A name of several pictures gives the history of the first and lists the others."""
    (root / "king" / "mine.jpg").write_bytes(jpeg(500))
    (root / "coral" / "mine.jpg").write_bytes(jpeg(501))

    result = harvest("why", "mine.jpg")

    assert result.lines[-2:] == ["other matches", "king/mine.jpg"]
    assert result.lines[0].startswith("coral/mine.jpg ")


# Addresses that came to nothing.


def test_the_verdict_of_a_url_is_shown_as_text(root: Path, harvest: Harvest) -> None:
    """The result of a URL is shown as text, with the detail, and whether it is retried."""
    url = refuse(root, Verdict.TIMEOUT, "60 s")

    result = harvest("why", url)

    assert result.code == 0
    assert result.lines[0] == f"{url} gave no image"
    assert result.lines[-1] == ("bing, result 900 for 'king snake' (king): timed out (60 s); a later run retries it")


def test_the_page_of_a_failed_url_finds_it(root: Path, harvest: Harvest) -> None:
    """The URL of a picture's page finds the picture."""
    url = refuse(root, Verdict.TOO_SMALL, "120 × 90", page="https://www.example.com/album")

    result = harvest("why", "https://www.example.com/album")

    assert url in result.lines
    assert result.lines[-1].endswith("too small (120 × 90)")


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_words(verdict: Verdict) -> None:
    """Every verdict has a text other than its name."""
    assert describe_verdict(verdict)
    assert "_" not in describe_verdict(verdict)


# What is not known.


@pytest.mark.usefixtures("root")
def test_an_unknown_name_is_an_error_with_a_guess(harvest: Harvest) -> None:
    """The beginning of a name is not enough, but similar names are suggested."""
    start = name(3).removesuffix(".jpg")[:-3]

    result = harvest("why", "dataset", start)

    assert (result.code, result.out) == (2, "")
    assert f"dataset has no image {start}." in result.err
    assert f"Did you mean king/{name(3)}?" in result.err


@pytest.mark.usefixtures("root")
def test_an_unknown_path_names_its_dataset(harvest: Harvest) -> None:
    """An unknown path is an error that shows how to name pictures."""
    result = harvest("why", "dataset/king/holiday.jpg")

    assert result.code == 2
    assert "dataset has no image king/holiday.jpg." in result.err
    assert "Name an image by path, class/name, name or URL." in result.err


@pytest.mark.usefixtures("root")
def test_an_unknown_address_is_an_error(harvest: Harvest) -> None:
    """A URL that no source returned is unknown, and the error explains why."""
    result = harvest("why", "https://www.example.com/elsewhere.jpg")

    assert result.code == 2
    assert "no search for dataset has returned the URL https://www.example.com/elsewhere.jpg." in result.err


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("words", "result"),
    [
        (["dataset"], "dataset is a dataset, not an image."),
        (["datset", "a.jpg"], "there is no folder datset."),
        ([URL, "datset"], "there is no folder datset."),
        ([URL, URL], "harvest why takes one image or URL, but got several."),
        (["dataset", "a.jpg", "b.jpg"], "harvest why takes one image or URL, but got several."),
        (["snakes/king/a.jpg"], "there is no folder snakes."),
        (["dataset", "snakes/king/a.jpg"], "snakes/king/a.jpg is not in dataset."),
        ([], "Missing argument"),
        (["x" * 5000], " has no image "),
        (["", "a.jpg"], "is not a dataset"),
    ],
)
def test_wrong_arguments_are_named(harvest: Harvest, words: list[str], result: str) -> None:
    """Invalid arguments are an error with exit code 2."""
    messages = harvest("why", *words)

    assert (messages.code, messages.out) == (2, "")
    assert result in messages.err


def test_the_history_is_shown_while_a_class_is_missing(root: Path, harvest: Harvest) -> None:
    """A missing drive is reported, and the history stays the same."""
    shutil.rmtree(root / "king")

    result = harvest("why", name(3))

    assert result.code == 0
    assert result.lines[0] == f"king/{name(3)} is kept"
    assert result.err == "warning: dataset: 25 of 25 images of king are gone. Nothing was recorded.\n"


# For programs, and against them.


def test_json_has_the_same_history(tmp_path: Path, harvest: Harvest) -> None:
    """`--json` is one document with the picture, its sources and its decisions."""
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        (task,) = find(dataset, [a_hit(3, "FLICKR", **TOLD)])
        dataset.place([Placement(task, a_picture(3))])
        fill(dataset, "coral", [1])
    (tmp_path / "dataset" / "king" / name(3, "flickr")).rename(tmp_path / "dataset" / "coral" / "moved.jpg")

    history = harvest("why", "moved.jpg", "--json").json

    assert history["path"] == "dataset/coral/moved.jpg"
    assert (history["class"], history["name"], history["state"], history["own"]) == (
        "coral",
        "moved.jpg",
        "present",
        False,
    )
    assert (history["size"], history["original_size"]) == ([24, 24], [240, 240])
    (source,) = history["sources"]
    assert source["url"] == URL
    assert (source["provider"], source["query"], source["rank"]) == ("FLICKR", "king snake", 3)
    assert (source["licence"], source["licence_evidence"]) == ("CC-BY-4.0", "stated")
    assert (source["verdict"], source["in_words"]) == ("kept", "gave the image")
    (decision,) = history["decisions"]
    assert (decision["action"], decision["by"], decision["to"]) == ("move", "files", "coral/moved.jpg")


def test_json_of_an_address_has_no_picture(root: Path, harvest: Harvest) -> None:
    """A failed URL is a JSON document too."""
    history = harvest("why", refuse(root, Verdict.GONE, "HTTP 404"), "--json").json

    assert history["path"] is None
    assert history["sources"][0]["verdict"] == "gone"


def test_hostile_titles_are_sanitized(tmp_path: Path, harvest: Harvest) -> None:
    """A title with newlines, escapes or direction marks is printed as one sanitized line."""
    evil = "king\n   licence   CC0-1.0, stated by the source\x1b[2J\u202e"
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        (task,) = find(dataset, [a_hit(3, title=evil, author=evil, page=f"https://example.com/{evil}")])
        dataset.place([Placement(task, a_picture(3))])

    result = harvest("why", name(3))
    document = harvest("why", name(3), "--json")

    assert [line for line in result.lines if line.startswith("licence")] == ["licence unknown"]
    assert "title king licence CC0-1.0, stated by the source?[2J?" in result.lines
    assert document.json["sources"][0]["title"] == evil


def test_a_name_with_an_accent_is_found_however_it_is_typed(tmp_path: Path, harvest: Harvest) -> None:
    """Composed and decomposed Unicode names are the same name."""
    new(tmp_path / "dataset", víbora=[3])

    assert harvest("why", f"vi\u0301bora/{name(3)}").lines[0] == f"víbora/{name(3)} is kept"


def test_an_edited_image_is_found_by_its_earlier_name(root: Path, harvest: Harvest) -> None:
    """For the name before a conversion, the history says so."""
    new_name = name(3).replace(".jpg", ".png")
    (root / "king" / name(3)).write_bytes(jpeg(700))
    (root / "king" / name(3)).rename(root / "king" / new_name)

    why = harvest("why", "dataset", f"king/{name(3)}")

    assert f"king/{new_name} is kept" in why.lines[0]
    assert "is its name before you edited it" in why.lines[1]
