"""Groups to decide together: images that two classes claim, and near-duplicates with a proposal which to keep."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from harvest.licences import Licence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harvest.dataset import Conflict, ReviewRow

_SHARPER = 1.1  # times the variance of the edges of the next best; less is not visible


class Group(NamedTuple):
    """Images to decide together; `keep` is the proposal, empty where a person has to choose, and `why` its reason."""

    kind: str
    members: Sequence[ReviewRow]
    classes: Sequence[str]
    keep: Sequence[int] = ()
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the group as the page reads it."""
        return {
            "key": "-".join(str(row.id) for row in self.members),
            "kind": self.kind,
            "classes": list(self.classes),
            "members": [_member(row) for row in self.members],
            "keep": list(self.keep),
            "why": self.why,
        }


class DuplicateGroup(NamedTuple):
    """Near-duplicates, before an image is proposed: that may need to read files."""

    members: Sequence[ReviewRow]
    are_copies: bool  # certainly, each of another one


def _member(row: ReviewRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "class": row.class_name,
        "name": row.name,
        "w": row.width,
        "h": row.height,
        "licence": row.licence,
        "source": row.source,
        "v": row.content[:8],
        "kept_by_you": bool(row.reviewed),
    }


def find_conflicts(conflicts: Iterable[Conflict], rows: Mapping[int, ReviewRow]) -> list[Group]:
    """Return a group for each image that is claimed by several classes, with its copies in other class folders."""
    by_content: defaultdict[str, list[ReviewRow]] = defaultdict(list)
    claims: defaultdict[str, set[str]] = defaultdict(set)
    for each in conflicts:
        if (row := rows.get(each.id)) is not None:
            claims[row.content] |= {row.class_name, each.other}
    for row in rows.values():
        if row.content in claims and not row.rejected:
            by_content[row.content].append(row)
            claims[row.content].add(row.class_name)
    groups = [
        Group("conflict", sorted(members, key=_path), sorted(claims[content]))
        for content, members in by_content.items()
    ]
    return sorted(groups, key=lambda group: _path(group.members[0]))


def find_duplicate_groups(
    pairs: Iterable[tuple[int, int, bool]], rows: Mapping[int, ReviewRow], conflicts: Iterable[Group] = ()
) -> list[DuplicateGroup]:
    """Return the groups of near-duplicates, and whether all images of each are certainly copies.

    Copies in two classes are one of the `conflicts`, where a person chooses the class, and no group here.
    """
    undecided = {number: group for group in conflicts for number in (row.id for row in group.members)}
    pairs = [pair for pair in pairs if pair[0] not in undecided or undecided[pair[0]] is not undecided.get(pair[1])]
    certain = [(one, two) for one, two, is_certain in pairs if is_certain]
    are_copies = {frozenset(row.id for row in group) for group in find_near_duplicates(certain, rows)}
    return [
        DuplicateGroup(members, are_copies=frozenset(row.id for row in members) in are_copies)
        for members in find_near_duplicates([(one, two) for one, two, _ in pairs], rows)
    ]


def find_near_duplicates(pairs: Iterable[tuple[int, int]], rows: Mapping[int, ReviewRow]) -> list[list[ReviewRow]]:
    """Return the connected near-duplicates, in the order of their paths."""
    neighbours: defaultdict[int, set[int]] = defaultdict(set)
    for one, two in pairs:
        if all(number in rows and not rows[number].rejected for number in (one, two)):
            neighbours[one].add(two)
            neighbours[two].add(one)
    groups, done = [], set()
    for start in neighbours:
        if start not in done:
            group, waiting = set(), [start]
            while waiting:
                number = waiting.pop()
                if number not in group:
                    group.add(number)
                    waiting += neighbours[number] - group
            done |= group
            groups.append(sorted((rows[number] for number in group), key=_path))
    return sorted(groups, key=lambda group: _path(group[0]))


def propose(group: DuplicateGroup, sharpness: Callable[[ReviewRow], float]) -> Group:
    """Return a group of near-duplicates with the best image; it is a proposal only if all are certainly copies.

    Photographs of one series resemble each other as copies do, and Enter rejects what is not proposed.
    """
    best = _choose_best(group.members, sharpness)
    return best if group.are_copies else best._replace(keep=(), why=f"best: {best.why}")


def _choose_best(members: Sequence[ReviewRow], sharpness: Callable[[ReviewRow], float]) -> Group:
    """Return a group of copies with the one to keep, and the reason.

    What a person kept stays. Otherwise the best one: known open licence, then larger original, then sharper, then
    better rank. `sharpness` reads a file, and is called only where licence and size do not decide.
    """
    classes = sorted({row.class_name for row in members})
    if kept := [row for row in members if row.reviewed]:
        return Group("duplicate", members, classes, [row.id for row in kept], "kept by you")
    best, reason = list(members), "first by name"
    for name, value in (("known open licence", _is_open), ("larger original", _area)):
        most = max(value(row) for row in best)
        left = [row for row in best if value(row) == most]
        reason = name if len(left) < len(best) else reason
        best = left
    if len(best) > 1:
        best, reason = _compare_details(best, sharpness, reason)
    row = best[0]
    facts = [f"{_width(row)} × {_height(row)}", *([row.licence] if row.licence else [])]
    return Group("duplicate", members, classes, [row.id], f"{reason}: {', '.join(facts)}")


def _compare_details(
    best: list[ReviewRow], sharpness: Callable[[ReviewRow], float], reason: str
) -> tuple[list[ReviewRow], str]:
    values = sorted(((sharpness(row), row) for row in best), key=lambda pair: -pair[0])
    (first, row), (second, _) = values[:2]
    if first > _SHARPER * second:
        return [row], "sharper"
    ranks = {row.rank for row in best}
    best = sorted(best, key=lambda row: (row.rank or 1 << 30, _path(row)))
    return best[:1], "better search rank" if len(ranks) > 1 else reason


def _path(row: ReviewRow) -> tuple[str, str]:
    return row.class_name, row.name


def _is_open(row: ReviewRow) -> int:
    return int(Licence(row.licence).is_open)


def _width(row: ReviewRow) -> int:
    return row.original_width or row.width


def _height(row: ReviewRow) -> int:
    return row.original_height or row.height


def _area(row: ReviewRow) -> int:
    return _width(row) * _height(row)
