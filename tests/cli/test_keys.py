"""`harvest keys`: stores keys, lists where they come from, and never shows one."""

from __future__ import annotations

import getpass
import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from harvest import credentials

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]

SECRET = "s3cret-0123"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store keys in a temporary folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path / "settings" / "harvest" / "keys.json"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the text on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("flickr", "FLICKR_API_KEY"),
        ("FLICKR", "FLICKR_API_KEY"),
        ("flickr_api_secret", "FLICKR_API_SECRET"),
        ("Brave", "BRAVE_API_KEY"),
        ("GOOGLE_CSE_ID", "GOOGLE_CSE_ID"),
        ("serpapi-api-key", "SERPAPI_API_KEY"),
        ("HARVEST_CONTACT", "HARVEST_CONTACT"),
        ("commons", "HARVEST_CONTACT"),
        ("searxng", "SEARXNG_URL"),
        ("serper-api-key", "SERPER_API_KEY"),
        ("pexels", "PEXELS_API_KEY"),
        ("pixabay", "PIXABAY_API_KEY"),
        ("naver", "NAVER_API_HUB_CLIENT_ID"),
        ("naver_client_secret", "NAVER_CLIENT_SECRET"),
    ],
)
def test_a_key_is_read_from_standard_input(
    harvest: Harvest, file: Path, typed: Callable[[str], None], name: str, variable: str
) -> None:
    """`set` takes a source or a variable, in any case, and stores the first line, stripped."""
    typed(f"  {SECRET} \nmore\n")

    result = harvest("keys", "set", name)

    assert (result.code, result.err) == (0, "")
    assert result.out == f"{variable} is stored in {file}\n"
    assert json.loads(file.read_text()) == {variable: SECRET}


def test_on_a_terminal_the_key_is_not_shown(harvest: Harvest, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt names the variable, and the input is not shown."""
    asked = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("shown"))
    monkeypatch.setattr(getpass, "getpass", lambda prompt: asked.append(prompt) or SECRET)

    result = harvest("keys", "set", "flickr")

    assert asked == ["FLICKR_API_KEY: "]
    assert SECRET not in result.out + result.err
    assert credentials.load_keys() == {"FLICKR_API_KEY": SECRET}
    assert file.exists()


@pytest.mark.parametrize("text", ["", "\n", "   \n", f"{SECRET}\x1b[2J\n", "\udcff\x00"])
def test_an_invalid_key_changes_nothing(harvest: Harvest, file: Path, typed: Callable[[str], None], text: str) -> None:
    """Empty input, blanks and control characters are refused, and not printed."""
    typed(text)

    result = harvest("keys", "set", "flickr")

    assert result.code == 2
    assert "FLICKR_API_KEY" in result.err
    assert SECRET not in result.err
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["set"], "needs a name"),
        (["set", "FLIKR"], "Did you mean FLICKR?"),
        (["set", "bing"], "Bing needs no key."),
        (["set", "google"], "GOOGLE_API_KEY, GOOGLE_CSE_ID, SERPAPI_API_KEY, SERPER_API_KEY"),
        (["list", "flickr"], "takes no name"),
        (["path", "flickr"], "takes no name"),
    ],
)
def test_usage_errors(harvest: Harvest, file: Path, words: list[str], messages: str) -> None:
    """A missing, misspelled or superfluous name is a usage error."""
    result = harvest("keys", *words)

    assert result.code == 2
    assert messages in result.err
    assert not file.exists()


def test_V04_list_names_places_and_never_keys(harvest: Harvest, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`list` shows for each key whether it comes from the environment or the file, and never its value."""
    credentials.save_key("FLICKR_API_KEY", SECRET)
    credentials.save_key("SOMEBODYS_KEY", SECRET)
    credentials.save_key("GOOGLE_CSE_ID", SECRET)
    monkeypatch.setenv("BRAVE_API_KEY", SECRET)
    monkeypatch.setenv("GOOGLE_CSE_ID", "")

    result = harvest("keys", "list")

    assert SECRET not in result.out + result.err
    assert f"FLICKR_API_KEY FLICKR {file}" in result.lines
    assert f"SOMEBODYS_KEY {file}" in result.lines
    assert "BRAVE_API_KEY BRAVE the environment" in result.lines
    assert "GOOGLE_CSE_ID GOOGLE the environment, empty" in result.lines
    assert "SERPAPI_API_KEY GOOGLE not set" in result.lines
    assert (result.code, result.err) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_V04_list_warns_of_a_file_that_others_can_read(harvest: Harvest, file: Path) -> None:
    """`list` warns about a key file that others can read."""
    credentials.save_key("FLICKR_API_KEY", SECRET)
    file.chmod(0o640)

    assert f"other users can read {file}" in harvest("keys", "list").err


def test_path_prints_the_path_of_the_key_file(harvest: Harvest, file: Path) -> None:
    """`path` prints only the path of the key file, whether it exists or not."""
    assert harvest("keys", "path").out == f"{file}\n"


def test_set_prints_a_note_if_the_environment_takes_precedence(
    harvest: Harvest, file: Path, typed: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`set` prints a note if the environment has another value."""
    monkeypatch.setenv("FLICKR_API_KEY", "another")
    typed(SECRET)

    result = harvest("keys", "set", "flickr")

    assert "takes precedence" in result.err
    assert "another" not in result.out
    assert credentials.load_keys() == {"FLICKR_API_KEY": SECRET}
    assert file.exists()


def test_an_unreadable_key_file_is_reported(harvest: Harvest, file: Path, typed: Callable[[str], None]) -> None:
    """An unreadable key file ends `keys` and `get` with its name; `doctor` continues."""
    file.parent.mkdir(parents=True)
    file.write_text("{")
    typed(SECRET)

    assert str(file) in harvest("keys", "list").err
    assert str(file) in harvest("keys", "set", "flickr").err
    result = harvest("doctor", "--offline", "sample")
    assert result.code == 2
    assert str(file) in result.out
    assert "sample" in result.out
    assert file.read_text() == "{"
