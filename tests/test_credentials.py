"""The key file: readable by its owner only, overridden by the environment, and written atomically."""

from __future__ import annotations

import json
import os

import platformdirs.windows
import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from harvest import credentials
from harvest.errors import CannotWrite, UsageError


@pytest.fixture(autouse=True)
def _settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_key_is_kept_and_found(tmp_path):
    """A saved key is in the environment of the providers, together with earlier ones."""
    assert credentials.load_keys() == {}
    assert credentials.save_key("FLICKR_API_KEY", "k1") == tmp_path / "harvest" / "keys.json"
    credentials.save_key("BRAVE_API_KEY", "k2 – ü")
    credentials.save_key("FLICKR_API_KEY", "k3")
    assert credentials.load_keys() == {"FLICKR_API_KEY": "k3", "BRAVE_API_KEY": "k2 – ü"}
    assert credentials.environ()["FLICKR_API_KEY"] == "k3"
    assert [path.name for path in (tmp_path / "harvest").iterdir()] == ["keys.json"]


@pytest.mark.parametrize("value", ["other", ""])
def test_the_environment_comes_first(monkeypatch, value):
    """A variable that is set has precedence, even if empty, so that a key can be disabled once."""
    credentials.save_key("FLICKR_API_KEY", "kept")
    monkeypatch.setenv("FLICKR_API_KEY", value)
    assert credentials.environ()["FLICKR_API_KEY"] == value


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_V04_nobody_else_can_read_the_file(tmp_path):
    """The file has mode 0600 and its folder 0700, whatever the umask and the mode of an earlier file."""
    file = tmp_path / "harvest" / "keys.json"
    before = os.umask(0)
    try:
        credentials.save_key("FLICKR_API_KEY", "k")
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        file.chmod(0o644)
        assert credentials.is_readable_by_others(file)
        credentials.save_key("FLICKR_API_KEY", "k")
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not credentials.is_readable_by_others(file)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"a": "lower"}', '{"A": 7}', '{"../A": "x"}', "[" * 70_000, "\udcff"]
)
def test_an_invalid_file_is_reported_and_kept(tmp_path, text):
    """A file with other content is an error that names it, and is not overwritten."""
    file = tmp_path / "harvest" / "keys.json"
    file.parent.mkdir()
    file.write_text(text, "utf-8", "surrogateescape")
    for action in (
        credentials.load_keys,
        credentials.environ,
        lambda: credentials.save_key("FLICKR_API_KEY", "k"),
    ):
        with pytest.raises(UsageError, match="is not a valid key file") as caught:
            action()
        assert str(file) in caught.value.message
    assert file.read_text("utf-8", "surrogateescape") == text


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    """If the file cannot be created, the error says so, and that nothing was changed."""
    (tmp_path / "harvest").write_text("a file where the folder should be")
    assert credentials.load_keys() == {}
    with pytest.raises(CannotWrite, match="cannot be written"):
        credentials.save_key("FLICKR_API_KEY", "k")


def test_a_full_disk_leaves_the_old_keys(tmp_path, monkeypatch):
    """If writing fails, the earlier keys are kept, and no temporary file remains."""
    credentials.save_key("FLICKR_API_KEY", "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match="No space left"):
        credentials.save_key("FLICKR_API_KEY", "new")
    assert credentials.load_keys() == {"FLICKR_API_KEY": "old"}
    assert [path.name for path in (tmp_path / "harvest").iterdir()] == ["keys.json"]


def test_a_link_stays_a_link(tmp_path):
    """A symbolic link to a file elsewhere is kept, and the keys are written to its target."""
    there = tmp_path / "dotfiles.json"
    there.write_text("{}")
    (tmp_path / "harvest").mkdir()
    (tmp_path / "harvest" / "keys.json").symlink_to(there)
    credentials.save_key("FLICKR_API_KEY", "k")
    assert (tmp_path / "harvest" / "keys.json").is_symlink()
    assert json.loads(there.read_text()) == {"FLICKR_API_KEY": "k"}


@pytest.mark.parametrize(
    ("system", "given", "expected"),
    [
        (Unix, {}, ".config/harvest/keys.json"),
        (Unix, {"XDG_CONFIG_HOME": "/x"}, "/x/harvest/keys.json"),
        (Unix, {"XDG_CONFIG_HOME": "relative"}, ".config/harvest/keys.json"),
        (MacOS, {}, "Library/Application Support/harvest/keys.json"),
        (MacOS, {"XDG_CONFIG_HOME": "/x"}, "/x/harvest/keys.json"),
        (Windows, {}, "AppData/Roaming/harvest/keys.json"),
        (Windows, {"XDG_CONFIG_HOME": "/x"}, "/x/harvest/keys.json"),
    ],
)
def test_each_system_has_its_folder(tmp_path, monkeypatch, system, given, expected):
    """The file is in the settings folder of the system, or in XDG_CONFIG_HOME."""
    roaming = {"CSIDL_APPDATA": str(tmp_path / "AppData" / "Roaming")}
    monkeypatch.delenv("XDG_CONFIG_HOME")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(platformdirs, "PlatformDirs", system)
    monkeypatch.setattr(platformdirs.windows, "get_win_folder", roaming.__getitem__)
    assert credentials.key_file() == tmp_path / expected


@pytest.mark.skipif(os.name != "posix", reason="the home folder comes from HOME or the user database")
def test_without_a_home_nothing_is_saved(monkeypatch):
    """Without a home folder there are no keys, and saving one is an error."""
    import pwd  # noqa: PLC0415

    def unknown(_):
        raise KeyError("uid not found")

    for name in ("XDG_CONFIG_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert credentials.load_keys() == {}
    with pytest.raises(UsageError, match="no home folder"):
        credentials.save_key("FLICKR_API_KEY", "k")
