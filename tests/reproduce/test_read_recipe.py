"""Recipes that are damaged, hostile or edited by hand: each is refused with its line and what to do."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from harvest.errors import RecipeError
from harvest.reproduce.read_recipe import read_recipe
from harvest.reproduce.write_recipe import write_recipe
from tests import datasets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """Return the lines of a valid recipe: two results, two images."""
    root = datasets.copied(tmp_path_factory.mktemp("recipes") / "snakes", king=range(2))
    path = write_recipe(root).path
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recipe.jsonl"


def save(path: Path, lines: Lines) -> None:
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def refusal(path: Path) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        list(read_recipe(path))
    return caught.value


def test_a_written_recipe_is_read(path: Path, lines: Lines) -> None:
    """What is written is read: every record, with the same values."""
    save(path, lines)
    records = list(read_recipe(path))
    assert [type(record).__name__ for record in records] == [
        *("RecipeHeader", "RecipeTransform", "RecipeSearch"),
        *("RecipeResult", "RecipeResult", "RecipeImage", "RecipeImage"),
    ]
    assert [record.hit for record in records[3:5]] == [datasets.a_hit(0), datasets.a_hit(1)]
    assert records[5].content == datasets.a_picture(0).content


# Line (counted from 1), the changed field, its value, and a word of the message.
CHANGES = {
    "unknown kind": (2, "kind", "picture", "kind"),
    "newer format": (1, "format", 2, "format 2"),
    "format of the wrong type": (1, "format", "1", "format"),
    "absurd size": (2, "size", 10**12, "size"),
    "negative size": (2, "size", -1, "size"),
    "size of the wrong type": (2, "size", True, "size"),
    "number beyond every limit": (2, "size", 10**3000, "size"),
    "quality of a fraction": (2, "quality", 90.5, "quality"),
    "pad of the wrong type": (2, "pad", "yes", "pad"),
    "class that leads out": (3, "class", "../../etc", "contains '/'"),
    "class of Windows": (3, "class", "C:king", "contains ':'"),
    "class that is hidden": (3, "class", ".ssh", "begins with"),
    "class of the dataset itself": (3, "class", "harvest.db", "belong to the dataset"),
    "class without a name": (3, "class", "", "class"),
    "class of an image that leads out": (6, "class", "../king", "contains '/'"),
    "classes that differ in case": (6, "class", "KING", "only in case"),
    "source of the wrong form": (3, "source", "../x", "source"),
    "filters that are deep": (3, "filters", {"a": {"b": 1}}, "filters"),
    "private address": (4, "url", "http://169.254.169.254/latest/meta-data/", "address is refused"),
    "address of this machine": (4, "url", "http://127.1/a.jpg", "address is refused"),
    "local file": (4, "url", "file:///etc/passwd", "address is refused"),
    "private rendition": (4, "others", ["http://10.0.0.1/a.jpg"], "address is refused"),
    "address of the wrong type": (4, "url", 7, "url"),
    "half a character": (4, "title", "\ud800", "Unicode"),
    "unknown verdict": (4, "verdict", "excellent", "verdict"),
    "unknown evidence": (4, "evidence", "sure", "evidence"),
    "result of another search": (4, "search", 7, "search is 7"),
    "duplicate id": (5, "id", 1, "id is 1"),
    "the same photo twice": (5, "photo", datasets.a_hit(0).source, "same search already"),
    "result of a missing image": (5, "image", 9, "image 9, which is missing"),
    "image of a missing result": (6, "result", 9, "result 9, which is missing"),
    "image of a missing transform": (6, "transform", 9, "transform 9, which is missing"),
    "two images of one result": (7, "result", 1, "result 1 already"),
    "unknown state": (6, "state", "lost", "state"),
    "hash of the wrong length": (6, "content", "ab", "content"),
    "hash that is a path": (6, "body", "../" * 21 + "a", "body"),
    "rating out of range": (6, "rating", 10, "rating"),
    "wrong number of lines": (8, "lines", 9, "8 lines"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_line_is_refused(path: Path, lines: Lines, name: str) -> None:
    """A value that no recipe has is refused: the message names file, line and field, and says what to do."""
    number, field, value, word = CHANGES[name]
    changed = [dict(line) for line in lines]
    changed[number - 1][field] = value
    save(path, changed)
    error = refusal(path)
    place = len(lines) if name == "result of a missing image" else number
    assert error.message.startswith(f"{path} line {place}: ")
    assert word in error.message
    assert "\n" not in error.message
    assert len(error.message) < len(str(path)) + 300
    assert "Nothing was written." in error.hint


def test_a_newer_format_asks_for_an_update(path: Path, lines: Lines) -> None:
    """The hint for a newer format is to update harvest."""
    save(path, [lines[0] | {"format": 2}, *lines[1:]])
    assert "pip install -U" in refusal(path).hint


# The recipe as bytes → other bytes, the line of the error, and a word of the message.
DAMAGES: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "empty": (lambda _: b"", 1, "missing"),
    "without its last line": (lambda data: data[: data.rindex(b"\n", 0, -1) + 1], 8, "missing"),
    "cut in its last line": (lambda data: data[:-9], 8, "not complete"),
    "cut in the middle": (lambda data: data[: data.index(b"\n", 500) - 9], 4, "not complete"),
    "more after its end": (lambda data: data + data, 9, "after the line"),
    "lines in another order": (lambda data: b"\n".join(data.split(b"\n")[1:]), 1, "first line"),
    "an image": (lambda _: b"\xff\xd8\xff\xe0" * 100 + b"\n", 1, "not JSON"),
    "a list": (lambda _: b"[]\n", 1, "not a JSON object"),
    "no quotes": (lambda _: b"{kind: recipe}\n", 1, "in double quotes at column 2"),
    "deep brackets": (lambda _: b"[" * 200_000 + b"\n", 1, "not JSON"),
    "a line of two megabytes": (lambda _: b'{"kind":"' + b"x" * 2**21 + b'"}\n', 1, "longer than"),
    "not a number": (lambda data: data.replace(b'"quality": 90', b'"quality": NaN'), 2, "not JSON"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_refused(path: Path, lines: Lines, name: str) -> None:
    """A file that is cut, mixed up or no recipe at all is refused with the line, and with what to do."""
    damage, number, word = DAMAGES[name]
    save(path, lines)
    path.write_bytes(damage(path.read_bytes()))
    error = refusal(path)
    assert error.message.startswith(f"{path} line {number}: ")
    assert word in error.message
    assert "Nothing was written." in error.hint


def test_a_long_recipe_is_not_held_in_memory(path: Path, lines: Lines) -> None:
    """A thousand results are read one by one: memory does not grow with the length of their lines."""
    result = {name: value for name, value in lines[3].items() if name not in {"image", "photo"}}
    with path.open("wb") as file:
        for line in lines[:3]:
            file.write(json.dumps(line).encode() + b"\n")
        text = json.dumps(result | {"id": "ID", "title": "x" * 9_000, "url": "https://example.org/ID.jpg"})
        for number in range(1, 1_001):
            file.write(text.replace('"ID"', str(number)).replace("ID", str(number)).encode() + b"\n")
        file.write(b'{"kind": "end", "lines": 1004}\n')
    tracemalloc.start()
    count = sum(1 for _ in read_recipe(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1_003
    assert peak < path.stat().st_size // 2


def test_a_missing_recipe_is_an_error(path: Path) -> None:
    """A path without a file is a usage error that names it."""
    with pytest.raises(Exception, match=r"recipe\.jsonl"):
        list(read_recipe(path))
