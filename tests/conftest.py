"""What tests stand on: nothing beyond loopback, a clean environment, the small Internet, the command."""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import browser
from tests.command import Command
from tests.guard.sitecustomize import stray
from tests.web import Internet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext

# Variables of the person who runs the tests that would change what the tests see.
FOREIGN = {
    "ALL_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
}
FOREIGN_PREFIXES = (
    "FLICKR_",
    "GOOGLE_",
    "SERPAPI_",
    "SERPER_",
    "OPENVERSE_",
    "BRAVE_",
    "SEARXNG_",
    "PEXELS_",
    "PIXABAY_",
    "NAVER_",
    "HARVEST_",
)

RAY_TESTS = "distributed/test_ray.py"
TORCH_COMMANDS = ("cli/test_serve.py", "training/test_processes.py")

FEW = 3  # files and tests that are run without workers

gc.disable()  # until all tests are collected: what they import stays, and looking at it again and again takes 3 s

_strays: list[str] = []
_numbers = count()


def _watch(event: str, args: tuple[object, ...]) -> None:
    host = stray(event, args)
    if host is not None:
        _strays.append(f"{event} {host}")
        raise OSError(f"a test must not leave loopback: {event} {host}")


settings.register_profile("any machine", deadline=None)  # a busy one is no fault
settings.load_profile("any machine")

sys.addaudithook(_watch)  # for good: an audit hook cannot be taken away, nor got around by any library


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run a few named files or tests in this process: workers would take longer to start.

    Else use one worker more than there are cores: none is idle while a test waits.
    """
    is_small = len(config.args) <= FEW and all("::" in arg or arg.endswith(".py") for arg in config.args)
    return 0 if is_small else (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests first, so that none runs alone at the end, then those whose commands need torch.

    One worker gets all of the latter, and imports torch once for the commands. One worker, the first, also gets those
    that share a Ray.
    """
    items.sort(
        key=lambda item: (
            not item.path.as_posix().endswith(RAY_TESTS),
            item.get_closest_marker("slow") is None,
            not item.path.as_posix().endswith(TORCH_COMMANDS),
        )
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line each which tests were left out because something is not installed."""
    if not (find_spec("torch") and find_spec("transformers")):
        terminalreporter.write_line("Left out the training tests: they need pip install -e '.[train]'.")
    if not find_spec("ray"):
        terminalreporter.write_line("Left out the tests on Ray: they need pip install -e '.[ray]'.")
    if not browser.is_installed():
        terminalreporter.write_line("Left out the tests of pages in a browser: they need Chromium and playwright.")


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of every later garbage collection: each took 0.5 s and more."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def on_loopback() -> Iterator[list[str]]:
    """Fail a test that looks up or connects to anything beyond loopback, even if it swallowed the refusal."""
    _strays.clear()
    yield _strays
    assert not _strays, f"left loopback: {', '.join(_strays)}"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Take away proxies, certificates, keys and colours of the person who runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-settings"))
    # Not `mktemp`, which lists the folders of all earlier tests for a free name; the commands create it.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "caches" / str(next(_numbers))))
    for name in tuple(os.environ):
        if name.upper() in FOREIGN or name.upper().startswith(FOREIGN_PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def _hang_ups_are_heard() -> Iterator[None]:
    """Undo what `nohup pytest` does: a command started by a test would not hear of SIGHUP."""
    hang_up = getattr(signal, "SIGHUP", None)
    before = hang_up and signal.signal(hang_up, signal.SIG_DFL)
    yield
    if hang_up:
        signal.signal(hang_up, before)


@pytest.fixture
def internet() -> Iterator[Internet]:
    """Give the small Internet, listening; `tests.web` tells what is in it."""
    with Internet() as internet:
        yield internet


@pytest.fixture
def cli(internet: Internet, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Give the real `harvest` command, run in `tmp_path`, with nothing but the small Internet around it."""
    command = Command(tmp_path, tmp_path_factory.mktemp("aside"), internet.environ)
    yield command
    command.close()
    if command.strays.exists():
        pytest.fail(f"the command left loopback: {command.strays.read_text('utf-8')}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Give a browser; as long as it is there, an event loop runs, in which no other test could start one."""
    with browser.chromium() as running:
        yield running


@pytest.fixture(scope="module")
def browser_context(chromium: Browser) -> Iterator[BrowserContext]:
    """Give one context for the pages of a module: a context per page takes a second of CPU for each."""
    context = chromium.new_context()
    yield context
    context.close()
