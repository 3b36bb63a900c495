"""Exports of one small dataset, made once a module: several sources, licences, authors and hostile texts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.export.small_dataset import make_dataset

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that no test changes."""
    return make_dataset(tmp_path_factory.mktemp("export") / "snakes")


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """Return a dataset of its own for a test that changes it."""
    for suffix in ("", ".runs"):
        source = template.with_name(template.name + suffix)
        if source.exists():
            shutil.copytree(source, tmp_path / source.name)
    return tmp_path / template.name
