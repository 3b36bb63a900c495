"""Ask each host once for its robots.txt and its tdmrep.json, whatever the number of its images.

The images of a host that are fetched at the same time wait for the same two requests. A host that does not answer
them has no rules, for this run; what it answers is kept for a day.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from harvest.web.host_rules_cache import HostRules
from harvest.web.robots_txt import EMPTY, parse_robots_txt
from harvest.web.tdm_reservation import Reservations, parse_reservations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    from harvest.models import Refusal
    from harvest.web.address_policy import Address
    from harvest.web.host_rules_cache import HostRulesCache

    # Returns the text at a URL, which is empty if the host has none; `None` if the host does not answer.
    FetchText = Callable[[httpx.URL], Awaitable[str | None]]


class ObeyedRules(NamedTuple):
    """Which rules of hosts are obeyed: those about training or this program, and those for all crawlers."""

    opt_out: bool = True
    general: bool = False


class HostRulesLoader:
    """The rules of every host of a run."""

    def __init__(self, fetch: FetchText, cache: HostRulesCache, obeyed: ObeyedRules) -> None:
        self._fetch = fetch
        self._cache = cache
        self._obeyed = obeyed
        self._loads: dict[str, asyncio.Task[HostRules]] = {}

    async def find_refusal(self, address: Address) -> Refusal | None:
        """Return why the robots.txt of a host forbids an address, or `None`."""
        rules = await self._load(address)
        opt_out, general = self._obeyed
        return rules.robots.find_refusal(str(address.url), obey_opt_out=opt_out, obey_general=general)

    async def is_reserved(self, address: Address) -> bool:
        """Return whether the tdmrep.json of a host reserves an address."""
        rules = await self._load(address)
        return self._obeyed.opt_out and rules.reservations.is_reserved(str(address.url))

    async def aclose(self) -> None:
        """Save what was learnt, and cancel the requests under way."""
        self._cache.save()
        for task in self._loads.values():
            task.cancel()
        await asyncio.gather(*self._loads.values(), return_exceptions=True)

    async def _load(self, address: Address) -> HostRules:
        task = self._loads.get(address.server)
        if task is None:
            task = self._loads[address.server] = asyncio.create_task(self._request(address))
        return await asyncio.shield(task)  # an image that is cancelled leaves the request to the others

    async def _request(self, address: Address) -> HostRules:
        if (stored := self._cache.get(address.server)) is not None:
            return stored
        robots, reservations = await asyncio.gather(
            self._fetch(address.url.copy_with(raw_path=b"/robots.txt")),
            self._fetch(address.url.copy_with(raw_path=b"/.well-known/tdmrep.json")),
        )
        rules = HostRules(
            EMPTY if robots is None else parse_robots_txt(robots),
            Reservations(()) if reservations is None else parse_reservations(reservations),
        )
        if robots is not None and reservations is not None:
            self._cache.add(address.server, rules)
        return rules
