"""Fetch a small text that a host has for all programs, such as its robots.txt, under the same guards as an image."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from harvest.models import Refusal
from harvest.verdicts import Verdict
from harvest.web.address_policy import AddressRefused, join_url
from harvest.web.failure_verdicts import Failure
from harvest.web.host_scheduler import ConnectionSlot, HostParked
from harvest.web.image_response import Redirect, check_status

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from harvest.web.address_policy import Address
    from harvest.web.host_scheduler import ConnectionSlots
    from harvest.web.limits import ImageLimits
    from harvest.web.send_one_request import RequestSender
    from harvest.web.user_agent import UserAgents

_HEADERS = {"Accept": "text/plain,*/*;q=0.8", "Accept-Encoding": "identity"}


class HostDocuments:
    """Fetches texts, each with one attempt; `check` returns the address of a URL or refuses it."""

    def __init__(
        self,
        sender: RequestSender,
        slots: ConnectionSlots,
        limits: ImageLimits,
        *,
        agents: UserAgents,
        check: Callable[[httpx.URL], Address],
        count: Callable[[int], None],
    ) -> None:
        self._sender = sender
        self._slots = slots
        self._limits = limits
        self._agents = agents
        self._check = check
        self._count = count

    async def fetch(self, url: httpx.URL) -> str | None:
        """Return the text at a URL, cut off at the limit; empty if the host has none, `None` if it does not answer."""
        left = self._limits.document_total
        slot = ConnectionSlot(self._slots)
        try:
            address = self._check(url)
            for _ in range(self._limits.redirects + 1):
                headers = {"User-Agent": self._agents.choose(address.host), **_HEADERS}
                result, spent = await self._sender.send(address, headers, slot, self._read, left=left, is_image=False)
                left -= spent
                if isinstance(result, str):
                    return result
                if isinstance(result, Refusal):
                    return "" if result.verdict is Verdict.GONE else None
                if isinstance(result, Failure):
                    return None
                address = self._check(join_url(address, result.location))
        except (AddressRefused, HostParked):
            pass
        return None

    async def _read(self, response: httpx.Response) -> str | Redirect | Refusal | Failure:
        if (other := check_status(response)) is not None:
            return other
        if response.status_code != HTTPStatus.OK or response.headers.get("content-encoding", "identity") != "identity":
            return Refusal(Verdict.ENCODED)
        body = bytearray()
        async for piece in response.aiter_raw():
            self._count(len(piece))
            body += piece
            if len(body) >= self._limits.document:
                break
        return bytes(body[: self._limits.document]).decode(errors="replace")
