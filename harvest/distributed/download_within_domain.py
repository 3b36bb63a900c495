"""Download each hit from the hosts of one domain; where it leads to another domain, hand it on to another worker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harvest.distributed.assign_hosts_to_workers import is_same_domain
from harvest.distributed.jobs import DownloadJob, JobResult
from harvest.harvesting.download import LocalWorkers, may_try_next_rendition
from harvest.models import Refusal
from harvest.verdicts import Verdict
from harvest.web.image_client import OtherDomain

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from harvest.harvesting.worker_settings import DownloadSettings
    from harvest.models import Body, Picture, Task
    from harvest.web.host_rules_cache import HostRulesCache
    from harvest.web.limits import ImageLimits


def divide_limits(limits: ImageLimits, parts: int) -> ImageLimits:
    """Return the limits of a worker that may use one of so many parts of the rate of its hosts.

    >>> from harvest.web.limits import ImageLimits
    >>> limits = divide_limits(ImageLimits(), 4)
    >>> limits.connections, limits.per_host, limits.pace
    (8, 1, 0.2)
    """
    if parts == 1:
        return limits
    return replace(
        limits,
        connections=max(1, limits.connections // parts),
        per_host=max(1, limits.per_host // parts),
        large_at_once=max(1, limits.large_at_once // parts),
        pace=limits.pace * parts,
    )


class DomainWorkers(LocalWorkers):
    """Works on jobs; where the next URL of one is of another domain, it returns the job for another worker."""

    def __init__(self, settings: DownloadSettings, say: Callable[[str], None], host_rules: HostRulesCache) -> None:
        self.client = settings.open_client(say, host_rules)
        super().__init__(self.client, settings.recipe, rules=settings.rules)
        self._redirects: dict[int, int] = {}  # that led to the URL of a task, by its id

    async def work_in_domain(self, job: DownloadJob) -> JobResult | DownloadJob:
        """Try the URLs of a job until one gives the image or is of another domain."""
        read, first = job.bytes_read, job.urls[0]
        result: Picture | Refusal = Refusal(Verdict.BAD_ADDRESS, "no address")
        for number, url in enumerate(job.urls):
            if number and not is_same_domain(first, url):
                return replace(job, urls=job.urls[number:], redirects=0, bytes_read=read)
            self._redirects[job.task.id] = 0 if number else job.redirects
            try:
                outcome = await self.work_at(job.task, (url,))
            except OtherDomain as other:
                urls = (other.url, *job.urls[number + 1 :])
                return replace(job, urls=urls, redirects=other.redirects, bytes_read=read)
            finally:
                del self._redirects[job.task.id]
            result, read = outcome.result, read + outcome.bytes_read
            if not may_try_next_rendition(result):
                break
        return JobResult(job.task.id, result, read)

    def open_fetch(self, url: str, task: Task) -> AbstractAsyncContextManager[Body | Refusal]:
        """Return the download of one URL, which ends at a redirect to another domain."""
        redirects = self._redirects[task.id]
        return self.client.fetch(url, referer=task.hit.page, leaves_domain=False, redirects=redirects)
