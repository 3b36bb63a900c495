"""`harvest doctor`: check what works on this machine, and suggest fixes."""

from __future__ import annotations

import os
import platform
import shutil
import threading
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvest import __version__
from harvest.cli import console
from harvest.cli.completion import complete_source
from harvest.cli.operating_system_errors import is_working_directory_gone
from harvest.cli.save_pages_for_bug_reports import save_page
from harvest.counts_as_text import count_images
from harvest.errors import (
    ASK_THE_DOCTOR,
    HarvestError,
    KeyMissing,
    ProviderError,
    StorageError,
    Unavailable,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harvest.providers.base import Provider

PACKAGES = ("pillow", "requests", "httpx", "aiohttp", "imagehash", "flickrapi", "numpy")
LITTLE_SPACE = 2 * 10**9  # what a thousand pictures with originals take


class CheckState(StrEnum):
    """The result of a check; shown as a word and a sign, never by colour alone."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"


SIGNS = {CheckState.OK: "✓", CheckState.NOTE: "!", CheckState.FAILED: "✗"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    name: str
    state: CheckState
    text: str
    repair: str = ""
    exit_code: int = 0


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            autocompletion=complete_source,
            help="Sources to check.  [default: all of them]",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Contact no source.")] = False,
    proxy: Annotated[
        str | None, typer.Option("--proxy", metavar="URL", help="Proxy for all requests; overrides HTTPS_PROXY.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as one JSON document.")] = False,
) -> None:
    """Check versions, keys, the disk and every source, and suggest fixes.

    Each source gets one live query, which shows whether a problem is local.
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
    print(f"{SIGNS[check.state]} {check.state:<6} {check.name:<11} {console.printable(check.text)}", flush=True)
    for line in console.printable(check.repair).split("\n") if check.repair else []:
        print(f"{'':21}{line.strip()}", flush=True)


def _checks(names: list[str], proxy: str | None, *, offline: bool) -> Iterator[Check]:
    from harvest import providers as registry

    yield Check("harvest", CheckState.OK, f"{__version__}, Python {platform.python_version()}, {platform.system()}")
    yield Check("packages", CheckState.OK, ", ".join(f"{name} {version(name)}" for name in PACKAGES))
    yield _formats()
    yield _disk()
    if Path("dataset").is_dir():
        yield _dataset(Path("dataset"))
    yield _network(proxy)
    yield _keys()
    for message in registry.broken():
        yield Check("plug-in", CheckState.FAILED, message, exit_code=ProviderError.exit_code)
    settings = _settings()
    dependable = {registry.get(name).name for name in names} or set(registry.for_all(settings))
    for name in names or registry.names():
        provider = registry.get(name)(settings)
        try:
            check = _source(provider, proxy, offline=offline)
        finally:
            provider.close()
        # Best-effort sources fail for most people: a failure counts only if the source was named.
        yield check if provider.name in dependable or check.state is CheckState.OK else _as_warning(check)


def _formats() -> Check:
    from PIL import features

    missing = [name for name in ("webp", "avif") if not features.check(name)]
    if missing:
        text = f"this Pillow cannot read {' and '.join(missing)}"
        return Check("formats", CheckState.NOTE, text, "pip install --upgrade pillow")
    return Check("formats", CheckState.OK, "JPEG, PNG, WebP, GIF, BMP, AVIF")


def _disk() -> Check:
    if is_working_directory_gone():
        repair = "Change to one that does: cd ~"
        text = "the working directory no longer exists"
        return Check("disk", CheckState.FAILED, text, repair, UsageError.exit_code)
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    if not os.access(here, os.W_OK):
        repair = "Change to a folder that you can write, or name one with -o."
        return Check("disk", CheckState.FAILED, f"{here} is not writable", repair, StorageError.exit_code)
    text = f"{console.format_size(free)} free in {here}"
    if free < LITTLE_SPACE:
        return Check("disk", CheckState.NOTE, text, "A thousand images with their originals take about 2 GB.")
    return Check("disk", CheckState.OK, text)


def _dataset(root: Path) -> Check:
    from harvest.dataset import Dataset

    try:
        with Dataset.open(root, read_only=True) as dataset:
            text = f"{root}/ has {count_images(sum(dataset.counts().values()))}; its ledger is valid"
            return Check("dataset", CheckState.OK, text)
    except HarvestError as error:
        return Check("dataset", CheckState.FAILED, error.message, error.hint, error.exit_code)


def _network(proxy: str | None) -> Check:
    from harvest.web.proxies import Proxies

    in_use = Proxies(proxy).describe()
    return Check("network", CheckState.OK, f"through {in_use}" if in_use else "direct, no proxy")


def _keys() -> Check:
    from harvest import credentials

    try:
        count, file = len(credentials.load_keys()), credentials.key_file()
    except UsageError as error:
        return Check("keys", CheckState.FAILED, error.message, error.hint, error.exit_code)
    if count and credentials.is_readable_by_others(file):
        return Check("keys", CheckState.NOTE, f"other users can read {file}", f"chmod 600 {file}")
    return Check(
        "keys",
        CheckState.OK,
        f"{count} stored in {file}" if count else "none stored; only environment variables are used",
    )


def _settings() -> Mapping[str, str]:
    from harvest import credentials

    try:
        return credentials.environ()
    except UsageError:  # reported by `_keys`; the other checks go on
        return os.environ


def _as_warning(check: Check) -> Check:
    return replace(check, state=CheckState.NOTE, exit_code=0)


def _source(provider: Provider, proxy: str | None, *, offline: bool) -> Check:
    """Search a source for one hit, and return the result as a check."""
    name = provider.name.lower()
    try:
        provider.check()
    except (KeyMissing, Unavailable) as error:
        return Check(name, CheckState.NOTE, error.message, error.hint)
    if provider.probe is None:
        return Check(name, CheckState.OK, provider.about)
    notes = "\n".join(provider.notes())
    if offline:
        return Check(name, CheckState.OK, "not contacted (--offline)", notes)
    try:
        found = _ask(provider, provider.probe, proxy)
    except ProviderError as error:
        page = save_page(error, provider.name, Path.cwd())
        saved = f"\nThe page is saved in {page.name}; attach it to a bug report." if page else ""
        hint = error.hint.replace(ASK_THE_DOCTOR, "").strip()  # the user is already running the doctor
        repair = "\n".join(filter(None, (hint + saved, notes)))
        return Check(name, CheckState.FAILED, error.message, repair, error.exit_code)
    if not found:
        text = f"answers, but returns no result for {provider.probe!r}"
        return Check(name, CheckState.FAILED, text, "Please report it.", ProviderError.exit_code)
    return Check(name, CheckState.OK, "answers, and its results can be read", notes)


def _ask(provider: Provider, text: str, proxy: str | None) -> bool:
    from harvest.models import Query
    from harvest.web.request_search_pages import SearchSession

    with SearchSession(pace=0, proxy=proxy, stop=threading.Event(), secrets=provider.secrets) as pages:
        query = Query(text, "probe", limit=1)
        return next(iter(provider.search(query, pages)), None) is not None
