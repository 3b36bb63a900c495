"""Read a robots.txt (RFC 9309): its rules for this program and for all crawlers, and what it says of training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from protego import Protego

from harvest.models import Refusal
from harvest.verdicts import Verdict
from harvest.web.usage_preferences import signal_forbids_training, usage_forbids_training
from harvest.web.user_agent import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ACCESS = frozenset({"allow", "disallow"})
_FORBIDS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "content-usage": ("Content-Usage: train-ai=n", usage_forbids_training),
    "content-signal": ("Content-Signal: ai-train=no", signal_forbids_training),
}
_SITE_WIDE = frozenset({"sitemap", "host"})  # they belong to no group
_MOST_TEXT = 64 << 10  # characters of one group that are kept: many hosts must not fill the memory
_MOST_STATEMENTS = 200  # about training in one group; most files have one
_LONGEST = 2_000  # characters of a line; longer ones are ignored


class RobotsRule(NamedTuple):
    """One line of a group: the name of its field in lower case, and its value."""

    field: str
    value: str


class PathPattern:
    """A path of robots.txt, in which `*` is any text and a final `$` the end of the URL.

    >>> PathPattern("/photos/*.jpg$").matches("https://img.example/photos/2024/a.jpg")
    True
    """

    def __init__(self, pattern: str) -> None:
        self.length = len(pattern.encode())
        self._rules = Protego.parse(f"User-agent: *\nDisallow: {pattern}")

    def matches(self, url: str) -> bool:
        """Return whether the path of a URL, with its query, matches."""
        return not self._rules.can_fetch(url, NAME)


class RobotsGroup:
    """The rules for one crawler."""

    def __init__(self, rules: tuple[RobotsRule, ...]) -> None:
        self.rules = rules

    def allows(self, url: str) -> bool:
        """Return whether the crawler may fetch a URL."""
        return self._access.can_fetch(url, NAME)

    def find_opt_out(self, url: str) -> str | None:
        """Return the statement that forbids training with a URL: of each kind, the one with the longest path counts.

        Of several with the same path, the one that forbids it counts.
        """
        for field, (wording, _) in _FORBIDS.items():
            matching = [(path.length, no) for path, no in self._statements.get(field, ()) if path.matches(url)]
            if matching and max(matching)[1]:
                return wording
        return None

    @cached_property
    def _access(self) -> Protego:
        lines = (f"{rule.field}: {rule.value}" for rule in self.rules if rule.field in _ACCESS)
        return Protego.parse("\n".join(("User-agent: *", *lines)))

    @cached_property
    def _statements(self) -> dict[str, list[tuple[PathPattern, bool]]]:
        found: dict[str, list[tuple[PathPattern, bool]]] = {}
        for field, value in [rule for rule in self.rules if rule.field in _FORBIDS][:_MOST_STATEMENTS]:
            path, statement = _split_path(value)
            found.setdefault(field, []).append((PathPattern(path), _FORBIDS[field][1](statement)))
        return found


@dataclass(frozen=True)
class RobotsTxt:
    """The groups of a robots.txt that can concern this program: its own, if there is one, and that of all crawlers."""

    own: RobotsGroup | None
    general: RobotsGroup

    def find_refusal(self, url: str, *, obey_opt_out: bool, obey_general: bool) -> Refusal | None:
        """Return why a URL may not be downloaded, or `None`.

        A group that names this program replaces the general one, as RFC 9309 says.
        """
        group = self.general if self.own is None else self.own
        if obey_opt_out and self.own is not None and not self.own.allows(url):
            return Refusal(Verdict.OPTED_OUT, f"robots.txt: User-agent: {NAME}")
        if obey_opt_out and (statement := group.find_opt_out(url)):
            return Refusal(Verdict.OPTED_OUT, f"robots.txt: {statement}")
        if obey_general and not group.allows(url):
            return Refusal(Verdict.DISALLOWED, "robots.txt: Disallow")
        return None


EMPTY = RobotsTxt(None, RobotsGroup(()))


def parse_robots_txt(text: str) -> RobotsTxt:
    r"""Return the groups of a robots.txt; lines that are not understood are ignored.

    >>> rules = parse_robots_txt("User-agent: *\nContent-Signal: ai-train=no\nAllow: /")
    >>> rules.find_refusal("https://img.example/a.jpg", obey_opt_out=True, obey_general=False).detail
    'robots.txt: Content-Signal: ai-train=no'
    """
    groups: dict[str, list[RobotsRule]] = {"*": []}
    room = {"*": _MOST_TEXT, NAME: _MOST_TEXT}
    agents = {"*"}  # a statement before the first group is for everyone
    is_group_complete = True
    for field, value in _lines(text):
        if field == "user-agent":
            if is_group_complete:
                agents, is_group_complete = set(), False
            agents.add(_agent(value))
            continue
        is_group_complete = True
        if value and (field in _FORBIDS or field in _ACCESS):
            for agent in agents & {"*", NAME}:
                room[agent] -= len(value)
                if room[agent] >= 0:
                    groups.setdefault(agent, []).append(RobotsRule(field, value))
        elif NAME in agents:
            groups.setdefault(NAME, [])  # its group may forbid nothing: "Disallow:"
    own = groups.get(NAME)
    return RobotsTxt(None if own is None else RobotsGroup(tuple(own)), RobotsGroup(tuple(groups["*"])))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.removeprefix("\ufeff").splitlines():
        if len(line) <= _LONGEST:
            field, colon, value = line.partition("#")[0].partition(":")
            field = field.strip().lower()
            if colon and field not in _SITE_WIDE:
                yield field, value.strip()


def _agent(value: str) -> str:
    """Return the product of a User-agent line, without its version.

    >>> _agent("ClassHarvest/1.0"), _agent("*")
    ('classharvest', '*')
    """
    return value.lower().partition("/")[0].strip()


def _split_path(value: str) -> tuple[str, str]:
    """Split the value of a statement into its path, by default `/`, and the preferences.

    >>> _split_path("/ai-ok/ train-ai=y"), _split_path("train-ai=n")
    (('/ai-ok/', 'train-ai=y'), ('/', 'train-ai=n'))
    """
    if not value.startswith("/"):
        return "/", value
    path, *statement = value.split(None, 1)
    return path, "".join(statement)
