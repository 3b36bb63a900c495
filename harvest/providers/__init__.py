"""The registry of providers: built-in ones and those of other packages, each loaded when it is first used."""

from __future__ import annotations

import logging
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from harvest.errors import ProviderError, Unavailable, UsageError
from harvest.providers.base import Key, NewHits, PageResults, Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

__all__ = ["Key", "NewHits", "PageResults", "Provider", "broken", "for_all", "get", "names"]

GROUP = "harvest.providers"

_BUILT_IN = {
    "BAIDU": "harvest.providers.baidu:Baidu",
    "BING": "harvest.providers.bing:Bing",
    "BRAVE": "harvest.providers.brave:Brave",
    "COMMONS": "harvest.providers.commons:Commons",
    "DUCKDUCKGO": "harvest.providers.duckduckgo:DuckDuckGo",
    "FLICKR": "harvest.providers.flickr:Flickr",
    "GBIF": "harvest.providers.gbif:Gbif",
    "GOOGLE": "harvest.providers.google:Google",
    "INATURALIST": "harvest.providers.inaturalist:INaturalist",
    "NAVER": "harvest.providers.naver:Naver",
    "OPENVERSE": "harvest.providers.openverse:Openverse",
    "PEXELS": "harvest.providers.pexels:Pexels",
    "PIXABAY": "harvest.providers.pixabay:Pixabay",
    "SAMPLE": "harvest.providers.sample:Sample",
    "SEARXNG": "harvest.providers.searxng:SearXNG",
    "URLS": "harvest.providers.url_file:Urls",
}


def names() -> list[str]:
    """Return the names of all providers, built-in ones first, without loading any of them."""
    return [*_BUILT_IN, *sorted(_external())]


def get(name: str) -> type[Provider]:
    """Return a provider by its name in any case."""
    upper_name = name.strip().upper()
    if upper_name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[upper_name].partition(":")
        found: type[Provider] = getattr(import_module(module), attribute)
        return found
    if upper_name in _external():
        return _load(_external()[upper_name])
    close = get_close_matches(upper_name, names(), n=1, cutoff=0.5)
    guess = f" Did you mean {close[0]}?" if close else ""
    raise UsageError(f"no provider '{name}'.{guess}  ({', '.join(names())})")


def for_all(environ: Mapping[str, str]) -> list[str]:
    """Return the providers that `-c ALL` stands for: those that are usable with these keys."""
    return [name for name in names() if _is_usable(name, environ)]


def broken() -> list[str]:
    """Return a message for each provider of another package that cannot be loaded."""
    messages = []
    for point in _entry_points():
        try:
            _load(point)
        except Unavailable as error:
            messages.append(error.message)
    return messages


def _is_usable(name: str, environ: Mapping[str, str]) -> bool:
    try:
        kind = get(name)
        if not kind.in_all:
            return False
        provider = kind(environ)
        provider.check()
        return provider.is_dependable()
    except ProviderError:
        return False
    except Exception:
        if name in _BUILT_IN:
            return True  # the run meets the same exception, and reports this provider as failed
        log.warning("provider %s cannot be created and is left out", name, exc_info=True)
        return False


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    """Return the entry points of other packages, read once: it takes 50 ms where a hundred packages are installed."""
    return tuple(entry_points(group=GROUP))


def _external() -> dict[str, EntryPoint]:
    points = {point.name.upper(): point for point in _entry_points()}
    return {name: point for name, point in points.items() if name not in _BUILT_IN}


@cache
def _load(point: EntryPoint) -> type[Provider]:
    name = point.name.upper()
    try:
        loaded = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - another package's module may raise anything; reported below
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    else:
        if not (isinstance(loaded, type) and issubclass(loaded, Provider)):
            reason = f"{point.value} is not a Provider"
        elif getattr(loaded, "name", None) != name:
            reason = f"its name is {getattr(loaded, 'name', None)}, not {name}"
        elif name in _BUILT_IN:
            reason = "a built-in provider has the same name"
        else:
            return loaded
    package = f" of {point.dist.name}" if point.dist else ""
    raise Unavailable(f"provider {name}{package} cannot be loaded: {reason}", "Update or remove its package.")
