"""The layout of the package: imports go one way, names are unique, and each library is imported in one place."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import harvest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(harvest.__file__).parent

# From the bottom up. A part imports only from lower layers, not from its own layer.
LAYERS = (
    ("charts", "classifier_page", "counts_as_text", "spdx"),
    ("default_callbacks", "licences", "verdicts"),
    ("errors", "photo_keys"),
    ("option_fields", "settings_and_cache_files"),
    ("models",),
    ("credentials", "duplicates", "files", "options", "contain_unexpected_errors", "web"),
    ("queries",),
    ("http_server", "images", "ledger", "providers"),
    ("dataset", "html_report"),
    ("labelled_pictures",),
    ("splits",),
    ("export", "harvesting", "review", "training"),
    ("distributed",),
    ("api", "dataset_report", "open_review", "reproduce", "serving"),
    ("cli",),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

# The only parts that may import a third-party or system library.
HOMES = {
    "sqlite3": {"ledger"},
    "httpx": {"web"},
    "httpx_aiohttp": {"web"},
    "aiohttp": {"web"},
    "yarl": {"web"},
    "protego": {"web"},
    "socket": {"distributed", "http_server", "web"},
    "ssl": {"web"},
    "requests": {"web", "providers"},  # flickrapi signs its requests
    "flickrapi": {"providers"},
    "platformdirs": {"settings_and_cache_files"},
    "bs4": {"providers"},
    # SAMPLE draws; `doctor` lists formats
    "PIL": {"cli", "duplicates", "export", "html_report", "images", "providers", "training"},
    "imagehash": {"duplicates"},
    "numpy": {
        "charts",
        "dataset_report",
        "duplicates",
        "images",
        "labelled_pictures",
        "open_review",
        "serving",
        "splits",
        "training",
    },
    "torch": {"training"},
    "transformers": {"training"},
    "safetensors": {"training"},
    "sklearn": {"training"},
    "scipy": {"training"},
    "jinja2": {"dataset_report", "html_report", "training"},
    "markupsafe": {"charts", "dataset_report", "html_report", "training"},
    "starlette": {"http_server", "review", "serving"},
    "uvicorn": {"http_server"},
    "typer": {"cli"},
    "rich": {"cli"},
    "segno": {"cli"},
    "ray": {"distributed"},
}
HEAVY = {*HOMES, "asyncio"} - {"socket", "ssl"}
# Modules that can turn data into code that runs.
RUNNERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "code", "runpy"}


class Import(NamedTuple):
    """One import statement: its place, its module and the imported names."""

    path: Path
    line: int
    module: str
    names: tuple[str, ...]

    @property
    def part(self) -> str:
        """The part that imports: `web` for all of harvest/web/."""
        return part_of(self.path)

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT.parent)}:{self.line} imports {self.module}"


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}


@cache
def imports() -> list[Import]:
    """List every import, including those for type checkers and those inside functions."""
    found = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found += [Import(path, node.lineno, alias.name, ()) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = tuple(alias.name for alias in node.names)
                if node.module == "harvest":  # from harvest import images
                    found += [Import(path, node.lineno, f"harvest.{name}", ()) for name in names]
                else:
                    assert node.module, f"{path}:{node.lineno} imports by a relative name"
                    found.append(Import(path, node.lineno, node.module, names))
    return found


def calls(name: str) -> list[str]:
    """List the calls of a function."""
    return [
        f"{path.relative_to(ROOT.parent)}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def test_every_part_has_a_layer():
    """A part is in exactly one layer, and every part of the layers exists."""
    parts = {part_of(path) for path in trees()} - {"__init__", "__main__"}

    assert set(LEVEL) == parts
    assert sum(map(len, LAYERS)) == len(parts)


def is_sound(found: Import) -> bool:
    """Return whether an import within the package goes down, or imports a public name of the package."""
    name = found.module.split(".")[1]
    if name == "__version__" or found.part not in LEVEL:
        return True
    if name in harvest.__all__:
        return found.part == "cli"  # the command line may use the public Python API
    return name == found.part or LEVEL[name] < LEVEL[found.part]


def test_imports_run_one_way():
    """A part imports only from lower layers, so that there are no cycles."""
    ours = [found for found in imports() if found.module.startswith("harvest.")]

    assert len(ours) > len(LEVEL)
    assert not [str(found) for found in ours if not is_sound(found)]


def _module_imports() -> dict[str, set[str]]:
    """Map each module to the modules of the package that it imports, including those for type checkers."""
    names = {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__") for path in trees()
    }
    graph: dict[str, set[str]] = {name: set() for name in names}
    for found in imports():
        if not found.module.startswith("harvest."):
            continue
        importer = ".".join(found.path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        submodules = {f"{found.module}.{name}" for name in found.names} & names
        graph[importer] |= submodules or {found.module} & names
    return graph


def test_no_two_modules_import_each_other():
    """No module imports one that imports it, directly, through others or for type checkers."""
    graph = _module_imports()
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " imports ".join((*path[path.index(module) :], module))
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_no_two_public_classes_share_a_name():
    """A class name means one thing in the whole package."""
    places = defaultdict(list)
    for path, tree in trees().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))

    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_two_modules_share_a_file_name():
    """A file name outside `cli/` identifies one module."""
    places = defaultdict(list)
    for path in trees():
        if path.name != "__init__.py" and part_of(path) != "cli":
            places[path.name].append(str(path.relative_to(ROOT)))

    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


# Past participles that are not formed with -ed.
PARTICIPLES = {"begun", "built", "chosen", "dealt", "drawn", "found", "given", "held", "kept", "known", "left", "lost"}
PARTICIPLES |= {"made", "meant", "said", "seen", "sent", "shown", "spelt", "spoken", "taken", "told", "written"}
# `resized` returns a copy, as `sorted` does.
NOT_PARTICIPLES = {"embed", "exceed", "feed", "need", "resized", "seed", "speed"}


def test_functions_are_not_named_with_participles():
    """No function name is only a participle: `load_image`, not `loaded`."""
    wrong = []
    for path, tree in trees().items():
        properties = {
            item
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.decorator_list
            for item in [node.name]
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in properties:
                name = node.name.strip("_")
                if name in PARTICIPLES or ("_" not in name and name.endswith("ed") and name not in NOT_PARTICIPLES):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")

    assert not wrong, "\n".join(wrong)


# Metaphors that once were names; the section Language of the design bans them.
METAPHORS = re.compile(
    r"\b(darkroom|desks?|doors?|heirs?|heed(s|ed)?|mend(s|ed)?|by no address|return what is|tells?|told"
    r"|thr(own|ew) out|became of|stor(y|ies)|exams?|dealt|kin)\b",
    re.IGNORECASE,
)


def texts() -> Iterator[tuple[str, str]]:
    """Yield every comment and string of the package, docstrings included, with its place."""
    for path in trees():
        with tokenize.open(path) as file:
            for token in tokenize.generate_tokens(file.readline):
                if token.type in {tokenize.COMMENT, tokenize.STRING}:
                    yield f"{path.relative_to(ROOT.parent)}:{token.start[0]}", token.string


def test_texts_use_no_metaphors():
    """No comment, docstring or message uses a word that the design bans."""
    assert not [f"{place}: {found[0]}" for place, text in texts() if (found := METAPHORS.search(text))]


def test_private_names_are_not_imported():
    """A name that begins with an underscore is used only in its module."""
    wrong = [
        f"{found}.{name}"
        for found in imports()
        if found.module.startswith("harvest")
        for name in found.names
        if name.startswith("_") and not name.startswith("__")
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_its_place(library):
    """Third-party libraries are imported where they belong: the database in the ledger, the network in web."""
    users = {found.part for found in imports() if found.module.partition(".")[0] == library}

    assert users
    assert users <= HOMES[library], f"{library} in {users - HOMES[library]}"


def test_few_modules_are_loaded_by_name() -> None:
    """Only the public names, the providers and `Dataset.review()` are loaded by name, which the layers do not see."""
    assert {place.partition(":")[0] for place in calls("import_module")} == {
        "harvest/__init__.py",
        "harvest/dataset/dataset.py",
        "harvest/providers/__init__.py",
    }


def test_only_the_command_line_prints():
    """Only harvest/cli prints, because notebooks and servers show output in their own ways."""
    assert not [place for place in calls("print") if not place.startswith("harvest/cli/")]
    assert calls("print")


def test_no_data_can_run_as_code():
    """No module loads data that can run code, and none calls `eval` or `exec`."""
    wrong = [
        str(found)
        for found in imports()
        if found.module.partition(".")[0] in RUNNERS and found.names != ("UnpicklingError",)  # runs nothing
    ]

    assert not wrong + calls("eval") + calls("exec") + calls("__import__")


def test_N15_no_insecure_switch():
    """Certificate verification is never turned off."""
    for path, tree in trees().items():
        for node in ast.walk(tree):
            place = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.keyword) and node.arg in {
                "verify",
                "ssl",
                "verify_ssl",
                "check_hostname",
            }:
                assert not (isinstance(node.value, ast.Constant) and node.value.value is False), place
            assert not (isinstance(node, ast.Attribute) and node.attr == "CERT_NONE"), place
            assert not (isinstance(node, ast.Attribute) and node.attr == "_create_unverified_context"), place


def test_X05_pages_are_asked_for_in_one_place():
    """Only `web` opens connections for search pages: providers may use `requests` to sign, not to send."""
    senders = {
        "Session",
        "session",
        "request",
        "get",
        "post",
        "put",
        "head",
        "delete",
        "urlopen",
        "PoolManager",
    }
    wrong = [
        f"{path.relative_to(ROOT.parent)}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in {"requests", "urllib3"}
        and node.attr in senders
    ]
    adapters = [str(found) for found in imports() if "urllib.request" in found.module and found.part != "web"]

    assert [line.partition(":")[0] for line in wrong] == ["harvest/web/page_client.py"]
    assert not adapters


def test_the_package_loads_nothing_heavy():
    """`import harvest` loads no decoder, no network and no database: they are loaded when they are used."""
    program = "import json, sys, harvest; print(json.dumps(list(sys.modules)))"

    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    loaded = {name.partition(".")[0] for name in json.loads(ran.stdout)}
    assert "harvest" in loaded
    assert not loaded & HEAVY


def test_all_public_names_exist():
    """`from harvest import *` gives exactly the public names, each from the module that type checkers read."""
    namespace: dict[str, object] = {}

    exec("from harvest import *", namespace)  # the statement itself is what is tested

    assert namespace.keys() - {"__builtins__"} == set(harvest.__all__)
    stated = {
        name
        for found in imports()
        if found.path == ROOT / "__init__.py" and found.module.startswith("harvest.")
        for name in found.names
    }
    assert stated == set(harvest.__all__)
    assert sorted(harvest.__all__) == harvest.__all__
