"""The lines of docs/export.md that load an export: they run, where the package of the reader is installed."""

from __future__ import annotations

import gc
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from harvest.export.export_formats import FORMATS
from tests.export.written_records import make_records, write
from tests.readme import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "export.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))
EXAMPLES = [
    (name, code)
    for name, text in SECTIONS.items()
    if name not in {"hf", "imagefolder"}  # `datasets` has its own tests
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    if "epochs" not in code  # a training takes too long
]


@pytest.mark.filterwarnings("ignore")  # those of the readers, which also leave files open
@pytest.mark.parametrize(("name", "code"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_the_documented_lines_load_the_export(
    name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example of a format loads the images of the training split."""
    for package in re.findall(r"^(?:from|import) (\w+)", code, re.MULTILINE):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    monkeypatch.chdir(tmp_path)
    records = make_records(tmp_path)
    write(FORMATS[name], records, tmp_path / "OUT")
    variables: dict[str, object] = {}

    exec(code, variables)

    train = variables["train"]
    count = len(train) if hasattr(train, "__len__") else sum(1 for _ in train)
    assert count == len(records.of_split("train"))
    del train
    variables.clear()
    gc.collect()


def test_every_format_has_a_section() -> None:
    """The page describes each format under its name, and its table names each format."""
    assert set(SECTIONS) == set(FORMATS)
    for name in FORMATS:
        assert f"[`{name}`](#{name})" in PAGE
