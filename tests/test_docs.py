"""The documentation: its links resolve, and the README stays short."""

from __future__ import annotations

import ast
import importlib
import re
from typing import TYPE_CHECKING

import pytest

from tests.readme import PAGES, README, ROOT

if TYPE_CHECKING:
    from pathlib import Path

FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_resolves(page: Path) -> None:
    """A link to a file of the repository names an existing file, and an existing heading."""
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page

        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_links_every_page() -> None:
    """Each page of documentation is linked from the README."""
    links = {link.partition("#")[0] for link in LINK.findall(README.read_text("utf-8"))}

    assert {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md"} <= links


def test_the_readme_is_short() -> None:
    """The README has at most 200 lines; everything else is in `docs/`."""
    assert len(README.read_text("utf-8").splitlines()) <= 200


def test_the_readme_has_the_line_that_installs_and_tests() -> None:
    """The command that installs everything and runs the tests is in the README exactly as it is run."""
    assert "\npip install -e '.[test,train,onnx]' && pytest " in README.read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_import_existing_names(page: Path) -> None:
    """Every name that a Python example imports from harvest exists."""
    for code in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "harvest":
                for name in node.names:
                    module = importlib.import_module(node.module)
                    assert hasattr(module, name.name) or importlib.import_module(f"{node.module}.{name.name}")
