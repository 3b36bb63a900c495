"""Keys in a file: for its owner only, second to the environment, and never half written."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from harvest import credentials
from harvest.errors import CannotWrite, UsageError


@pytest.fixture(autouse=True)
def _settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_key_is_kept_and_found(tmp_path):
    """What is kept is in the environment that sources are given, among what was kept before."""
    assert credentials.load_keys() == {}
    assert credentials.save_key("FLICKR_API_KEY", "k1") == tmp_path / "harvest" / "keys.json"
    credentials.save_key("BRAVE_API_KEY", "k2 – ü")
    credentials.save_key("FLICKR_API_KEY", "k3")
    assert credentials.load_keys() == {"FLICKR_API_KEY": "k3", "BRAVE_API_KEY": "k2 – ü"}
    assert credentials.environ()["FLICKR_API_KEY"] == "k3"
    assert [path.name for path in (tmp_path / "harvest").iterdir()] == ["keys.json"]


@pytest.mark.parametrize("value", ["other", ""])
def test_the_environment_comes_first(monkeypatch, value):
    """A variable that is set wins, also by being empty: so a key is left out for once."""
    credentials.save_key("FLICKR_API_KEY", "kept")
    monkeypatch.setenv("FLICKR_API_KEY", value)
    assert credentials.environ()["FLICKR_API_KEY"] == value


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_V04_nobody_else_can_read_the_file(tmp_path):
    """The file has mode 0600 and its folder 0700, whatever the umask, also in place of one that was open."""
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
def test_a_file_that_is_none_is_told_and_left(tmp_path, text):
    """A file that holds anything but keys is named, and not written over."""
    file = tmp_path / "harvest" / "keys.json"
    file.parent.mkdir()
    file.write_text(text, "utf-8", "surrogateescape")
    for action in (
        credentials.load_keys,
        credentials.environ,
        lambda: credentials.save_key("FLICKR_API_KEY", "k"),
    ):
        with pytest.raises(UsageError, match="is no file of keys") as caught:
            action()
        assert str(file) in caught.value.message
    assert file.read_text("utf-8", "surrogateescape") == text


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    """Where no file can be made, the error says so, and that nothing was changed."""
    (tmp_path / "harvest").write_text("a file where the folder should be")
    assert credentials.load_keys() == {}
    with pytest.raises(CannotWrite, match="cannot be written"):
        credentials.save_key("FLICKR_API_KEY", "k")


def test_a_full_disk_leaves_the_old_keys(tmp_path, monkeypatch):
    """When writing fails, the keys of before are there, and no file is left beside them."""
    credentials.save_key("FLICKR_API_KEY", "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match="No space left"):
        credentials.save_key("FLICKR_API_KEY", "new")
    assert credentials.load_keys() == {"FLICKR_API_KEY": "old"}
    assert [path.name for path in (tmp_path / "harvest").iterdir()] == ["keys.json"]


def test_a_link_stays_a_link(tmp_path):
    """Who keeps settings elsewhere, by a link, finds the keys there."""
    there = tmp_path / "dotfiles.json"
    there.write_text("{}")
    (tmp_path / "harvest").mkdir()
    (tmp_path / "harvest" / "keys.json").symlink_to(there)
    credentials.save_key("FLICKR_API_KEY", "k")
    assert (tmp_path / "harvest" / "keys.json").is_symlink()
    assert json.loads(there.read_text()) == {"FLICKR_API_KEY": "k"}


@pytest.mark.parametrize(
    ("platform", "given", "expected"),
    [
        ("linux", {}, ".config/harvest/keys.json"),
        ("linux", {"XDG_CONFIG_HOME": "/x"}, "/x/harvest/keys.json"),
        ("linux", {"XDG_CONFIG_HOME": "relative"}, ".config/harvest/keys.json"),
        ("darwin", {}, "Library/Application Support/harvest/keys.json"),
        ("darwin", {"XDG_CONFIG_HOME": "/x"}, "/x/harvest/keys.json"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/harvest/keys.json"),
        ("win32", {}, "AppData/Roaming/harvest/keys.json"),
    ],
)
def test_each_system_has_its_place(tmp_path, monkeypatch, platform, given, expected):
    """The file is in the folder for settings of the system, or where XDG_CONFIG_HOME says."""
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    assert credentials.key_file() == tmp_path / expected


def test_without_a_home_nothing_is_kept(monkeypatch):
    """Where there is no home folder there are no keys, and keeping one is told to be impossible."""

    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", nowhere)
    assert credentials.load_keys() == {}
    with pytest.raises(UsageError, match="no home folder"):
        credentials.save_key("FLICKR_API_KEY", "k")
