"""Run commands in this process, as `harvest.cli.main` runs them, in a temporary folder."""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harvest.cli import app
from tests.command import parser
from tests.datasets import copied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTROL = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class Result:
    """The output and exit code of a command; the output must not contain control characters."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        control = {c for c in self.out + self.err if unicodedata.category(c) in CONTROL} - {"\n"}
        assert not control, f"printed {control!r}"
        assert "Traceback" not in self.err

    @property
    def json(self) -> Any:
        """Return the parsed output of `--json`."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """Return the lines of stdout, with columns separated by one space."""
        return [" ".join(line.split()) for line in self.out.splitlines()]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a dataset of two classes in `dataset`, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return copied(tmp_path / "dataset", king=range(25), coral=range(100, 125))


@pytest.fixture
def harvest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Return a function that runs a command: `harvest("status", …)`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*args: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["harvest", *map(str, args)])
        capsys.readouterr()
        code = app._run(parser())
        return Result(code, *capsys.readouterr())

    return run
