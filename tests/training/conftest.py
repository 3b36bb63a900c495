"""Fixtures of the training tests, which are skipped without the extra `train`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if not (find_spec("torch") and find_spec("transformers")):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let torch use two threads, also for small batches."""
    import torch  # noqa: PLC0415 - may not be there

    monkeypatch.setattr("harvest.training.cpu_parallel._SMALL_BATCH", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny run, which no test changes."""
    from tests.training.tiny import write_run  # noqa: PLC0415 - torch may not be there

    return write_run(tmp_path_factory.mktemp("snakes.runs", numbered=False) / "first")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same run with model.onnx and model.pt2."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from harvest.training.inference.model_export import export_model  # noqa: PLC0415 - torch may not be there
    from tests.training.tiny import network, write_run  # noqa: PLC0415

    path = write_run(tmp_path_factory.mktemp("exported.runs", numbered=False) / "first")
    differences = export_model(network(), path, ["pt2", "onnx"])
    assert max(differences.values()) < 1e-5
    return path
