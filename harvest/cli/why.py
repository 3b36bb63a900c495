"""`harvest why`: one picture's story, or what became of an address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvest.cli import console, datasets
from harvest.cli.listing import PLACES, print_list, print_rest
from harvest.cli.verdicts import in_words
from harvest.errors import UsageError
from harvest.models import Evidence, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harvest.dataset import Dataset, Story
    from harvest.ledger.stories import Event, Source
    from harvest.models import Licence

_MOST = 20  # addresses of one picture, or pictures of one page
_DEEDS = {"reject": "thrown out", "restore": "restored", "move": "moved", "rate": "rated", "keep": "kept"}
_EVIDENCE = {Evidence.STATED: "stated by the source", Evidence.CLAIMED: "claimed by the search, not stated"}


def why(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[DATASET] FILE|URL", autocompletion=datasets.complete_first, hidden=True),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the story as one JSON document.")] = False,
) -> None:
    """Tell one picture's story: where it is from, under what licence, what became of it.

    FILE is a path, class/name or a name, of a picture that is there or was. URL is the address of a picture
    or of its page. A path tells its dataset; without a path and without DATASET it is `dataset`.
    """
    root, text = _asked(words)
    with datasets.open_dataset(root) as dataset:
        datasets.tell(dataset, root)
        story = dataset.why(text)
        if story is None:
            raise _unknown(dataset, root, text)
        others = [dataset.story_of(number) for number in dataset.find(text)[1 : _MOST + 1]]
    if as_json:
        also = [f"{other.class_name}/{other.name}" for other in others]
        console.print_json(_document(story, root) | {"also": also})
    elif story.id is None:
        _print_address(story.sources, text)
    else:
        _print_picture(story, root, text)
        _print_others(others)


def _asked(words: Sequence[str]) -> tuple[Path, str]:
    """Part the words into the dataset and the one thing that is asked about."""
    if len(words) > 1:
        datasets.check(Path(words[0]))
    root, texts = datasets.select(words)
    if not texts:
        hint = (
            f"Name one of its pictures: harvest why {datasets.shell(root)} coral_snake/bing-1f3c9a2e7b01.jpg"
        )
        raise UsageError(console.line(f"{root} is a dataset. Which picture?"), hint)
    if len(texts) > 1:
        hint = f"harvest why {datasets.shell(root)} {datasets.shell(texts[0])}"
        raise UsageError("one picture at a time.", hint)
    return root, texts[0]


def _unknown(dataset: Dataset, root: Path, text: str) -> UsageError:
    if "://" in text:
        return UsageError(
            console.line(f"no search for {root} ever gave the address {text}."),
            "Addresses are known from the moment a source names them; each search ends at its -m.",
        )
    stem = text.rpartition("/")[2].partition(".")[0]
    close = [console.line(name) for name in dataset.names_like(stem)] if stem else []
    hint = f"Did you mean {' or '.join(close)}?" if close else "Name it by path, class/name, name or address."
    return UsageError(console.line(f"{root} knows no picture {text}."), hint)


# A picture.


def _print_picture(story: Story, root: Path, asked: str) -> None:
    print(console.line(f" {story.class_name}/{story.name}  {_state(story, root)}"))
    if "://" not in asked and asked.rpartition("/")[2] != story.name:
        print(console.line(f" {asked} gave its place to it: a better copy, or one of several"))
    for other in story.wanted_by:
        print(console.line(f" in conflict: {other} wants it too. Move it there, or delete it"))
    print()
    for name, value in _facts(story, root):
        print(console.line(f"   {name:<9} {value}"))
    _print_sources("all its addresses" if len(story.sources) > 1 else "its address", story.sources)
    if story.events:
        print("\n decided")
        print_list([_event(event) for event in story.events], None, more="")


def _state(story: Story, root: Path) -> str:
    back = f"harvest restore {datasets.shell(root)} {datasets.shell(f'{story.class_name}/{story.name}')}"
    if story.state == "rejected":
        return f"was thrown out, for good. To take that back: {back}"
    if story.state == "lifted":
        return "was thrown out and taken back: the next get fetches it again"
    if story.own:
        return "is your own: you put it there, and harvest never changes it"
    return "is kept"


def _facts(story: Story, root: Path) -> Iterator[tuple[str, str]]:
    """Give what is known of the picture, and of the source that gave it."""
    if (path := _path(story, root)) is not None:
        yield "file", str(path)
    yield "since", _time(story.at)
    if made := _sizes(story):
        yield "size", made
    for copy in story.copies:
        yield "same as", f"{copy}, byte for byte"
    source = story.sources[0] if story.sources and not story.own else None
    if source is None:
        yield "licence", "yours to know: harvest did not fetch it"
        return
    yield "from", _search(source)
    for name, value in (("title", source.title), ("author", source.author), ("page", source.page)):
        if value:
            yield name, value
    yield "licence", _licence(source.licence)


def _path(story: Story, root: Path) -> Path | None:
    """Tell where its file lies, if there is one."""
    if story.state == "present":
        return root / story.class_name / story.name
    if story.shelved:
        return datasets.shelf(root, ".rejected") / story.class_name / story.name
    return None


def _sizes(story: Story) -> str:
    made = "{} × {}".format(*story.size) if story.size else ""
    if story.own or story.original is None:
        return made
    return f"{made}, made from {'{} × {}'.format(*story.original)} {story.format or ''}".rstrip()


def _search(source: Source) -> str:
    return f"{source.provider.lower()}, result {source.rank} for {source.query!r} ({source.class_name})"


def _licence(licence: Licence) -> str:
    if licence.id is None:
        return "unknown"
    return f"{licence.id}, {_EVIDENCE.get(licence.evidence, 'unknown')}  {licence.url or ''}".rstrip()


def _event(event: Event) -> str:
    deed = _DEEDS.get(event.action, f"{event.action}ed")
    way = f"  {event.source} → {event.target}" if event.target and event.target != event.source else ""
    value = f"  {event.value}" if event.value else ""
    return console.line(f"{_time(event.at)}  {deed} {PLACES.get(event.by, f'by {event.by}')}{way}{value}")


def _time(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"


def _print_others(others: Sequence[Story]) -> None:
    if others:
        print("\n what you asked for also means")
        print_list([console.line(f"{each.class_name}/{each.name}") for each in others], None, more="")


# Addresses.


def _print_address(sources: Sequence[Source], text: str) -> None:
    print(console.line(f" {text} gave no picture"))
    _print_sources("found", sources)


def _print_sources(title: str, sources: Sequence[Source]) -> None:
    if not sources:
        return
    print(f"\n {title}")
    for number, source in enumerate(sources[:_MOST]):
        told = in_words(source.verdict, source.detail)
        if number and source.verdict in (Verdict.KEPT, Verdict.BETTER):
            told = "gave a copy, until another took its place"
        print(console.line(f"   {source.url}"))
        print(console.line(f"     {_search(source)}: {told}"))
    print_rest(len(sources) - _MOST, "--json shows them")


# For programs.


def _document(story: Story, root: Path) -> dict[str, Any]:
    path = _path(story, root)
    return {
        "dataset": str(root),
        "path": str(path) if path else None,
        "class": story.class_name,
        "name": story.name,
        "state": story.state,
        "own": story.own,
        "at": story.at,
        "content": story.content,
        "size": story.size,
        "original_size": story.original,
        "original_format": story.format,
        "wanted_by": story.wanted_by,
        "copies": story.copies,
        "sources": [_source(source) for source in story.sources],
        "decisions": [
            {"at": e.at, "by": e.by, "action": e.action, "from": e.source, "to": e.target, "value": e.value}
            for e in story.events
        ],
    }


def _source(source: Source) -> dict[str, Any]:
    return {
        "provider": source.provider,
        "query": source.query,
        "class": source.class_name,
        "rank": source.rank,
        "url": source.url,
        "page": source.page,
        "title": source.title,
        "author": source.author,
        "licence": source.licence.id,
        "licence_url": source.licence.url,
        "licence_evidence": source.licence.evidence,
        "verdict": source.verdict,
        "detail": source.detail,
        "in_words": in_words(source.verdict, source.detail),
    }
