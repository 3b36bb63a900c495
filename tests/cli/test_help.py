"""The help of every command: there, with an example, the same in the documentation, and fast.

`python -m tests.cli.test_help` writes the program's help into the pages, below each `<!-- help: NAME -->`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harvest.cli.app import app
from tests.command import HARVEST, Running, clean_environ
from tests.readme import PAGES, README

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]

BLOCK = re.compile(r"(?P<mark><!-- help: (?P<name>\w+) -->\n)```\w*\n(?P<text>.*?)```\n", re.DOTALL)
COMMANDS = [info.callback.__name__ for info in app.registered_commands if info.callback]
# What reading, fetching and comparing pictures needs, and a person who asks for help does not.
HEAVY = {
    *("PIL", "imagehash", "numpy", "pywt", "scipy", "pyarrow", "sqlite3"),
    *("aiohttp", "asyncio", "bs4", "flickrapi", "httpx", "httpx_aiohttp", "requests", "ssl", "urllib3"),
    "rich",
}
# Ranges, types and defaults, which Typer has shown in more than one way.
DECORATION = re.compile(r"\[[^]]*\]|<[^>]*>|[{}]")


def help_of(name: str) -> str:
    """Return what `harvest NAME --help` prints at 100 columns; `harvest` is the whole program."""
    command = [*HARVEST, *([] if name == "harvest" else [name]), "--help"]
    with tempfile.TemporaryDirectory() as aside:
        ran = Running(command, Path(aside), {**clean_environ(), "COLUMNS": "100"}, Path(aside)).wait()
    assert ran.code == 0, ran.err
    return ran.out


def rewrite(page: str) -> str:
    """Return the text of a page with every block of help as the program prints it now."""
    return BLOCK.sub(lambda block: f"{block['mark']}```\n{help_of(block['name'])}```\n", page)


def words(text: str) -> list[str]:
    """Return the words of a help text, without line breaks and Typer's decoration."""
    return re.findall(r"\w+", DECORATION.sub(" ", text))


# The help itself.


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_explains_itself(harvest: Harvest, name: str, option: str) -> None:
    """Each command says what it does, describes every option, and ends with examples that name it."""
    result = harvest(name, option)

    assert (result.code, result.err) == (0, "")
    usage, _, what, *_ = result.lines
    assert usage.startswith(f"Usage: harvest {name} [OPTIONS]")
    assert what.endswith((".", "?"))
    _, _, examples = result.out.partition("Examples:\n")
    assert "harvest " in examples
    undescribed = [line for line in result.lines if re.fullmatch(r"--?[a-z-]+( [A-Z]+)?", line)]
    assert not undescribed


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_use_existing_options(harvest: Harvest, name: str) -> None:
    """Every option in an example is an option of the command."""
    result = harvest(name, "--help")
    options, _, examples = result.out.partition("Examples:\n")
    lines = [line for line in examples.splitlines() if line.strip()]
    known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", options))

    assert lines
    for line in lines:
        command = re.split(r" {2,}", line.strip())[0]
        assert command.startswith(("harvest ", f"harvest {name}"))
        assert set(re.findall(r"(?<=\s)--?[a-z][\w-]*", command)) <= known, line


def test_descriptions_of_commands_are_whole(harvest: Harvest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal of 80 columns, the descriptions of the commands are wrapped and not cut."""
    monkeypatch.setenv("COLUMNS", "80")
    result = harvest("--help")

    listed = result.out.partition("Commands:\n")[2].partition("Examples:\n")[0]
    assert "..." not in listed
    for info in app.registered_commands:
        sentence = info.callback.__doc__.split("\n\n")[0].partition(". ")[0]
        assert " ".join(words(sentence)) in " ".join(words(listed))


def test_help_is_at_most_100_columns_wide(harvest: Harvest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Help stays within the width that the documentation has for it."""
    monkeypatch.setenv("COLUMNS", "200")

    for name in COMMANDS:
        assert max(map(len, harvest(name, "--help").out.splitlines())) <= 100, name


def test_the_program_lists_its_commands(harvest: Harvest) -> None:
    """`harvest --help` lists every command with its complete description."""
    result = harvest("--help")

    for name in COMMANDS:
        (line,) = [line for line in result.lines if line.startswith(f"{name} ")]
        assert not line.endswith("...")


# The documentation.


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_documentation_shows_the_current_help(page: Path) -> None:
    """Every block of help in a page is what the program prints; this module rewrites them."""
    text = page.read_text("utf-8")
    blocks = [block["name"] for block in BLOCK.finditer(text)]

    assert set(blocks) <= {"harvest", *COMMANDS}
    # A page that quotes the mark in a sentence has it in backquotes.
    assert len(re.findall(r"^<!-- help:", text, re.MULTILINE)) == len(blocks), "a mark without its block"
    assert words(rewrite(text)) == words(text), "python -m tests.cli.test_help rewrites the pages"


def test_the_documentation_has_the_help_of_the_main_commands() -> None:
    """The options of the commands with pages of their own are each in one page."""
    blocks = [block["name"] for page in PAGES for block in BLOCK.finditer(page.read_text("utf-8"))]

    described = ["export", "get", "merge", "predict", "recipe", "render", "replay", "report", "serve", "train"]
    assert sorted(blocks) == described


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_mentions_every_command(name: str) -> None:
    """The README mentions every command."""
    assert f"harvest {name}" in README.read_text("utf-8")


# What help costs.


def loaded(*args: str, cwd: Path | None = None) -> set[str]:
    """Run a command in a process of its own, and return the top-level modules it loaded."""
    program = (
        "import json, sys\n"
        f"sys.argv = {['harvest', *args]!r}\n"
        "from harvest.cli import app\n"
        "app._run()\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=cwd, check=True, capture_output=True, encoding="utf-8")
    assert ran.stdout
    return set(json.loads(ran.stderr.splitlines()[-1]))


@pytest.mark.parametrize("args", [["--help"], ["get", "--help"], ["status", "-h"], ["--version"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    """Help loads no module for images, network or ledger."""
    assert not loaded(*args) & HEAVY


def test_the_report_of_a_dataset_loads_no_network(root: Path) -> None:
    """`report` reads what trainings wrote, and needs no PyTorch for it."""
    assert not loaded("report", cwd=root.parent) & {"torch", "transformers", "sklearn"}


def test_status_loads_no_decoder_and_no_network(root: Path) -> None:
    """`status` on unchanged folders loads only SQLite."""
    assert loaded("status", cwd=root.parent) & HEAVY == {"sqlite3"}


# What the shell completes.


def completed(folder: Path, line: str) -> list[str]:
    """Return what bash offers at the end of a line."""
    environ = {
        **clean_environ(),
        "_HARVEST_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    with tempfile.TemporaryDirectory() as aside:
        program = [sys.executable, "-c", "from harvest.cli import main; main()"]
        ran = Running(program, folder, environ, Path(aside)).wait()
    assert (ran.code, ran.err) == (0, "")
    return ran.out.split()


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("harvest sta", ["status"]),
        ("harvest get -c BI", ["BING"]),
        ("harvest -c bi", ["bing"]),
        ("harvest -c BING -c AL", ["ALL"]),
        ("harvest snakes.csv --crawler FL", ["FLICKR"]),
        ("harvest doctor sam", ["sample"]),
        ("harvest status data", ["dataset"]),
        ("harvest status snakes/", ["snakes/deep"]),
        ("harvest why ", ["dataset"]),
        ("harvest why dataset ki", []),
        ("harvest restore --all da", ["dataset"]),
        ("harvest get x.csv -o da", ["dataset"]),
        ("harvest nonsense -c UR", ["URLS"]),
        ("harvest status --acc", ["--accept-missing"]),
    ],
)
def test_the_shell_completes(root: Path, line: str, offers: list[str]) -> None:
    """Commands, sources and datasets complete; otherwise the shell completes files."""
    (root.parent / "snakes" / "deep").mkdir(parents=True)
    (root.parent / "snakes" / "deep" / "harvest.db").touch()
    (root.parent / "data").mkdir()

    assert completed(root.parent, line) == offers


if __name__ == "__main__":
    for shown in PAGES:
        shown.write_text(rewrite(shown.read_text("utf-8")), "utf-8")
