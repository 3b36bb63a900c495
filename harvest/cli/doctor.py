"""`harvest doctor`: what works here, what does not, and the repair beside it."""

from __future__ import annotations

import os
import platform
import shutil
import threading
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvest import __version__
from harvest.cli import console
from harvest.cli.completion import complete_source
from harvest.errors import HarvestError, KeyMissing, ProviderError, StorageError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.providers.base import Provider

PACKAGES = ("pillow", "requests", "httpx", "aiohttp", "imagehash", "flickrapi", "numpy")
LITTLE_SPACE = 2 * 10**9  # a thousand pictures with originals come to this


class State(StrEnum):
    """How a check ended; told by a word and a sign, never by colour alone."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"


SIGNS = {State.OK: "✓", State.NOTE: "!", State.FAILED: "✗"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    name: str
    state: State
    text: str
    repair: str = ""
    exit_code: int = 0


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            autocompletion=complete_source,
            help="Sources to look at.  [default: all of them]",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no source.")] = False,
    proxy: Annotated[str | None, typer.Option("--proxy", metavar="URL", help="Use this proxy.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as one JSON document.")] = False,
) -> None:
    """Check versions, keys, the disk and every source, and say what to do.

    Each source is asked one live question, so that you learn whether it is you or everyone.
    """
    checks = []
    for check in _checks(names or [], proxy, offline=offline):
        checks.append(check)
        if not as_json:
            _print(check)
    if as_json:
        console.print_json([asdict(check) for check in checks])
    if failed := max((check.exit_code for check in checks), default=0):
        raise typer.Exit(failed)


def _print(check: Check) -> None:
    print(f"{SIGNS[check.state]} {check.state:<6} {check.name:<11} {console.plain(check.text)}", flush=True)
    for line in console.plain(check.repair).split("\n") if check.repair else []:
        print(f"{'':21}{line.strip()}", flush=True)


def _checks(names: list[str], proxy: str | None, *, offline: bool) -> Iterator[Check]:
    from harvest import providers as registry

    yield Check(
        "harvest", State.OK, f"{__version__}, Python {platform.python_version()}, {platform.system()}"
    )
    yield Check("packages", State.OK, ", ".join(f"{name} {version(name)}" for name in PACKAGES))
    yield _formats()
    yield _disk()
    if Path("dataset").is_dir():
        yield _dataset(Path("dataset"))
    yield _network(proxy)
    for message in registry.broken():
        yield Check("plug-in", State.FAILED, message, exit_code=ProviderError.exit_code)
    for name in names or registry.names():
        provider = registry.get(name)(os.environ)
        try:
            yield _source(provider, proxy, offline=offline)
        finally:
            provider.close()


def _formats() -> Check:
    from PIL import features

    missing = [name for name in ("webp", "avif") if not features.check(name)]
    if missing:
        text = f"this Pillow cannot read {' and '.join(missing)}"
        return Check("formats", State.NOTE, text, "pip install --upgrade pillow")
    return Check("formats", State.OK, "JPEG, PNG, WebP, GIF, BMP, AVIF")


def _disk() -> Check:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    if not os.access(here, os.W_OK):
        repair = "Go to a folder of your own, or name one with -o."
        return Check("disk", State.FAILED, f"{here} cannot be written", repair, StorageError.exit_code)
    text = f"{console.size(free)} free in {here}"
    if free < LITTLE_SPACE:
        return Check("disk", State.NOTE, text, "A thousand pictures with their originals take about 2 GB.")
    return Check("disk", State.OK, text)


def _dataset(root: Path) -> Check:
    from harvest.dataset import Dataset

    try:
        with Dataset.open(root, read_only=True) as dataset:
            text = f"{root}/ has {sum(dataset.counts().values())} pictures; its ledger is in order"
            return Check("dataset", State.OK, text)
    except HarvestError as error:
        return Check("dataset", State.FAILED, error.message, error.hint, error.exit_code)


def _network(proxy: str | None) -> Check:
    from harvest.web.proxies import Proxies

    in_use = Proxies(proxy).describe()
    return Check("network", State.OK, f"through {in_use}" if in_use else "direct, no proxy")


def _source(provider: Provider, proxy: str | None, *, offline: bool) -> Check:
    """Ask a source for one hit, and tell its answers apart."""
    name = provider.name.lower()
    try:
        provider.check()
    except (KeyMissing, Unavailable) as error:
        return Check(name, State.NOTE, error.message, error.hint)
    if provider.probe is None:
        return Check(name, State.OK, provider.about)
    if offline:
        return Check(name, State.OK, "not asked (--offline)")
    try:
        found = _ask(provider, provider.probe, proxy)
    except ProviderError as error:
        return Check(name, State.FAILED, error.message, error.hint, error.exit_code)
    if not found:
        text = f"answers, but has nothing for {provider.probe!r}"
        return Check(
            name, State.FAILED, text, "Please report it with the output of -v.", ProviderError.exit_code
        )
    return Check(name, State.OK, "answers, and its results can be read")


def _ask(provider: Provider, text: str, proxy: str | None) -> bool:
    from harvest.models import Query
    from harvest.web.pages import Pages

    with Pages(pace=0, proxy=proxy, stop=threading.Event()) as pages:
        query = Query(text, "probe", limit=1)
        return next(iter(provider.search(query, pages)), None) is not None
