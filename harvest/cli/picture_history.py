"""The history of a picture, as `harvest why` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.cli import console, open_dataset
from harvest.cli.find_named_pictures import sibling_folder
from harvest.cli.shortened_lists import PLACES, print_list, print_rest
from harvest.files.shard_files import name_shard
from harvest.licences import Evidence
from harvest.models import AI_SOURCE_TYPES
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harvest.dataset import PictureHistory
    from harvest.ledger.history import DecisionRecord, HitRecord
    from harvest.licences import Licence

_MOST = 20  # URLs of one picture
_ACTION_WORDS = {
    "reject": "rejected",
    "restore": "restored",
    "move": "moved",
    "rate": "rated",
    "keep": "kept",
}
_EVIDENCE = {
    Evidence.STATED: "stated by the source",
    Evidence.CLAIMED: "claimed by the search, not by the source",
    Evidence.UNKNOWN: "not confirmed",
}


def print_picture(history: PictureHistory, root: Path, asked: str) -> None:
    """Print the history of a picture; `asked` is the name that the user typed."""
    print(console.one_line(f" {history.class_name}/{history.name}  {_state(history, root)}"))
    if "://" not in asked and asked.rpartition("/")[2] != history.name:
        print(console.one_line(f" {asked} {_earlier_name(history, asked)}"))
    for other in history.wanted_by:
        print(console.one_line(f" conflict: also found for {other}. Move it there, or delete it"))
    print()
    for name, value in _facts(history, root):
        print(console.one_line(f"   {name:<9} {value}"))
    _print_sources("URLs" if len(history.sources) > 1 else "URL", history.sources)
    if history.events:
        print("\n decisions")
        print_list([_event(event) for event in history.events], None, more="")


def _earlier_name(history: PictureHistory, asked: str) -> str:
    name = asked.replace("\\", "/").rpartition("/")[2]
    if any(each.action == "edit" and (each.source or "").rpartition("/")[2] == name for each in history.events):
        return "is its name before you edited it"
    return "was replaced by it: a better copy, or one of several"


def _state(history: PictureHistory, root: Path) -> str:
    name = open_dataset.quote_path(f"{history.class_name}/{history.name}")
    command = f"harvest restore {open_dataset.quote_path(root)} {name}"
    if history.state == "rejected":
        return f"was rejected. To restore it: {command}"
    if history.state == "lifted":
        return "was rejected and restored; the next get downloads its file again"
    if history.own:
        return "is your own file; harvest never changes it"
    return "is kept"


def _facts(history: PictureHistory, root: Path) -> Iterator[tuple[str, str]]:
    """Yield the facts about the picture and its first source, as labels and values."""
    if (path := path_of(history, root)) is not None:
        yield "file", str(path)
    if (place := history.shard) is not None:
        yield "bytes", f"{place.length:,}, from byte {place.offset:,} of the shard"
    yield ("seen" if history.own else "placed"), _time(history.at)
    if made := _sizes(history):
        yield "size", made
    if history.source_type:
        yield "made", _origin_type(history.source_type)
    for copy in history.copies:
        yield "same as", f"{copy}, byte for byte"
    for other in history.near_duplicates:
        yield "like", f"{other}: they may be copies"
    if history.own:
        yield "licence", "not known: harvest did not download it"
    elif history.sources:
        yield from _origin(history.sources[0])


def _origin(source: HitRecord) -> Iterator[tuple[str, str]]:
    yield "from", _search(source)
    for name, value in (("title", source.title), ("author", source.author), ("page", source.page)):
        if value:
            yield name, value
    yield "licence", _licence(source.licence)


def _origin_type(source_type: str) -> str:
    """Return how an image was made, as its download stated.

    >>> _origin_type("digitalCapture"), _origin_type("trainedAlgorithmicMedia")
    ('digitalCapture, as its download stated', 'with AI, as its download stated: trainedAlgorithmicMedia')
    """
    if source_type in AI_SOURCE_TYPES:
        return f"with AI, as its download stated: {source_type}"
    return f"{source_type}, as its download stated"


def _sizes(history: PictureHistory) -> str:
    made = "{} × {}".format(*history.size) if history.size else ""
    if history.own or history.original is None:
        return made
    return f"{made}, made from {'{} × {}'.format(*history.original)} {history.format or ''}".rstrip()


def _search(source: HitRecord) -> str:
    if not source.query:
        return f"{source.provider.lower()}, read from its EXIF data ({source.class_name})"
    return f"{source.provider.lower()}, result {source.rank} for {source.query!r} ({source.class_name})"


def _licence(licence: Licence) -> str:
    if licence.id is None:
        return "unknown"
    return f"{licence.id}, {_EVIDENCE[licence.evidence]}  {licence.url or ''}".rstrip()


def _event(event: DecisionRecord) -> str:
    action = _ACTION_WORDS.get(event.action, f"{event.action}ed")
    way = f"  {event.source} → {event.target}" if event.target and event.target != event.source else ""
    value = f"  {event.value}" if event.value else ""
    return console.one_line(f"{_time(event.at)}  {action} {PLACES.get(event.by, f'by {event.by}')}{way}{value}")


def _time(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"


def print_others(others: Sequence[PictureHistory]) -> None:
    """Print the other pictures that the same name or page stands for."""
    if others:
        print("\n other matches")
        print_list([console.one_line(f"{each.class_name}/{each.name}") for each in others], None, more="")


def path_of(history: PictureHistory, root: Path) -> Path | None:
    """Return the path of a picture's file, or of the shard that contains it, or None if it has no file."""
    if history.shard is not None:
        return root / name_shard(history.shard.shard)
    if history.state == "present":
        return root / history.class_name / history.name
    if history.shelved:
        return sibling_folder(root, ".rejected") / history.class_name / history.name
    return None


# URLs.


def print_address(sources: Sequence[HitRecord], text: str) -> None:
    """Print the results of a URL that gave no picture."""
    print(console.one_line(f" {text} gave no image"))
    _print_sources("found", sources)


def _print_sources(title: str, sources: Sequence[HitRecord]) -> None:
    if not sources:
        return
    print(f"\n {title}")
    for number, source in enumerate(sources[:_MOST]):
        result = describe_verdict(source.verdict, source.detail)
        if number and source.verdict in (Verdict.KEPT, Verdict.BETTER):
            result = "gave a copy that another one replaced"
        print(console.one_line(f"   {source.url}"))
        print(console.one_line(f"     {_search(source)}: {result}"))
    print_rest(len(sources) - _MOST, "--json shows them")


def describe_verdict(verdict: Verdict | None, detail: str = "") -> str:
    """Return the result of a URL as text, with details.

    >>> describe_verdict(Verdict.TOO_SMALL, "120 × 90")
    'too small (120 × 90)'
    >>> describe_verdict(None)
    'left for the next run'
    """
    if verdict is None:
        return "left for the next run"
    again = "; a later run retries it" if verdict.is_transient else ""
    return verdict.wording + (f" ({detail})" if detail else "") + again
