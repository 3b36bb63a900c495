"""A picture's story as `harvest why` tells it to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.cli import console, open_dataset
from harvest.cli.locate_dataset import sibling_folder
from harvest.cli.text_lists import PLACES, print_list, print_rest
from harvest.cli.verdict_text import describe_verdict
from harvest.models import Evidence, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harvest.dataset import PictureHistory
    from harvest.ledger.history import DecisionRecord, HitRecord
    from harvest.models import Licence

_MOST = 20  # addresses of one picture
_ACTION_WORDS = {
    "reject": "thrown out",
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


def print_picture(story: PictureHistory, root: Path, asked: str) -> None:
    """Tell a picture's story to a person who asked for it under some name."""
    print(console.one_line(f" {story.class_name}/{story.name}  {_state(story, root)}"))
    if "://" not in asked and asked.rpartition("/")[2] != story.name:
        print(console.one_line(f" {asked} {_earlier_name(story, asked)}"))
    for other in story.wanted_by:
        print(console.one_line(f" in conflict: {other} wants it too. Move it there, or delete it"))
    print()
    for name, value in _facts(story, root):
        print(console.one_line(f"   {name:<9} {value}"))
    _print_sources("all its addresses" if len(story.sources) > 1 else "its address", story.sources)
    if story.events:
        print("\n decided")
        print_list([_event(event) for event in story.events], None, more="")


def _earlier_name(story: PictureHistory, asked: str) -> str:
    name = asked.replace("\\", "/").rpartition("/")[2]
    if any(each.action == "edit" and (each.source or "").rpartition("/")[2] == name for each in story.events):
        return "is what it was before you edited it"
    return "gave its place to it: a better copy, or one of several"


def _state(story: PictureHistory, root: Path) -> str:
    back = (
        f"harvest restore {open_dataset.quote_path(root)} {open_dataset.quote_path(f'{story.class_name}/{story.name}')}"
    )
    if story.state == "rejected":
        return f"was thrown out, for good. To take that back: {back}"
    if story.state == "lifted":
        return "was thrown out and taken back; there is no file until a get fetches it again"
    if story.own:
        return "is your own: you put it there, and harvest never changes it"
    return "is kept"


def _facts(story: PictureHistory, root: Path) -> Iterator[tuple[str, str]]:
    """Give what is known of the picture, and of the source that gave it."""
    if (path := path_of(story, root)) is not None:
        yield "file", str(path)
    yield ("seen" if story.own else "placed"), _time(story.at)
    if made := _sizes(story):
        yield "size", made
    for copy in story.copies:
        yield "same as", f"{copy}, byte for byte"
    if story.own:
        yield "licence", "yours to know: harvest did not fetch it"
    elif story.sources:
        yield from _origin(story.sources[0])


def _origin(source: HitRecord) -> Iterator[tuple[str, str]]:
    yield "from", _search(source)
    for name, value in (("title", source.title), ("author", source.author), ("page", source.page)):
        if value:
            yield name, value
    yield "licence", _licence(source.licence)


def _sizes(story: PictureHistory) -> str:
    made = "{} × {}".format(*story.size) if story.size else ""
    if story.own or story.original is None:
        return made
    return f"{made}, made from {'{} × {}'.format(*story.original)} {story.format or ''}".rstrip()


def _search(source: HitRecord) -> str:
    if not source.query:
        return f"{source.provider.lower()}, read back from its file ({source.class_name})"
    return f"{source.provider.lower()}, result {source.rank} for {source.query!r} ({source.class_name})"


def _licence(licence: Licence) -> str:
    if licence.id is None:
        return "unknown"
    return f"{licence.id}, {_EVIDENCE[licence.evidence]}  {licence.url or ''}".rstrip()


def _event(event: DecisionRecord) -> str:
    deed = _ACTION_WORDS.get(event.action, f"{event.action}ed")
    way = f"  {event.source} → {event.target}" if event.target and event.target != event.source else ""
    value = f"  {event.value}" if event.value else ""
    return console.one_line(f"{_time(event.at)}  {deed} {PLACES.get(event.by, f'by {event.by}')}{way}{value}")


def _time(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"


def print_others(others: Sequence[PictureHistory]) -> None:
    """Name the other pictures that a name or a page means."""
    if others:
        print("\n what you asked for also means")
        print_list([console.one_line(f"{each.class_name}/{each.name}") for each in others], None, more="")


def path_of(story: PictureHistory, root: Path) -> Path | None:
    """Tell where a picture's file lies, if there is one."""
    if story.state == "present":
        return root / story.class_name / story.name
    if story.shelved:
        return sibling_folder(root, ".rejected") / story.class_name / story.name
    return None


# Addresses.


def print_address(sources: Sequence[HitRecord], text: str) -> None:
    """Tell what became of an address that no picture came from."""
    print(console.one_line(f" {text} gave no picture"))
    _print_sources("found", sources)


def _print_sources(title: str, sources: Sequence[HitRecord]) -> None:
    if not sources:
        return
    print(f"\n {title}")
    for number, source in enumerate(sources[:_MOST]):
        told = describe_verdict(source.verdict, source.detail)
        if number and source.verdict in (Verdict.KEPT, Verdict.BETTER):
            told = "gave a copy, until another took its place"
        print(console.one_line(f"   {source.url}"))
        print(console.one_line(f"     {_search(source)}: {told}"))
    print_rest(len(sources) - _MOST, "--json shows them")
