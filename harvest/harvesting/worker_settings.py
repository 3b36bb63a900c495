"""What the workers of a run need to know; it can be pickled, so that workers on other machines get the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harvest.harvesting.download import LocalWorkers, RunWorkers
from harvest.models import DEFAULT_RULES, Recipe, StatementRules
from harvest.web.host_rules_cache import HostRulesCache
from harvest.web.image_client import ImageClient, ImageLimits

# Makes the workers of a run; the second argument is called with messages for the user.
MakeWorkers = Callable[["DownloadSettings", Callable[[str], None]], RunWorkers]


@dataclass(frozen=True)
class DownloadSettings:
    """How images are downloaded and written."""

    recipe: Recipe = field(default_factory=Recipe)
    rules: StatementRules = DEFAULT_RULES
    limits: ImageLimits = field(default_factory=ImageLimits)
    proxy: str | None = field(default=None, repr=False)  # may contain a password
    allow_private: bool = False
    trusted: frozenset[str] = frozenset()
    obey_opt_out: bool = True
    obey_robots: bool = False
    contact: str = ""

    def open_client(self, say: Callable[[str], None], host_rules: HostRulesCache) -> ImageClient:
        """Return a client with these settings."""
        return ImageClient(
            limits=self.limits,
            proxy=self.proxy,
            allow_private=self.allow_private,
            trusted=self.trusted,
            obey_opt_out=self.obey_opt_out,
            obey_robots=self.obey_robots,
            host_rules=host_rules,
            contact=self.contact,
            say=say,
        )


def make_local_workers(settings: DownloadSettings, say: Callable[[str], None]) -> LocalWorkers:
    """Return workers in this process."""
    return LocalWorkers(settings.open_client(say, HostRulesCache()), settings.recipe, rules=settings.rules)
