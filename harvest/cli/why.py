"""`harvest why`: the history of a picture, or the result of a URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvest.cli import console, open_dataset
from harvest.cli.completion import complete_first
from harvest.cli.find_named_pictures import is_dataset, split_dataset_argument
from harvest.cli.picture_history import (
    describe_verdict,
    path_of,
    print_address,
    print_others,
    print_picture,
)
from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harvest.dataset import PictureHistory
    from harvest.ledger.history import HitRecord

_MOST = 20  # pictures from one page


def why(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[DATASET] FILE|URL", autocompletion=complete_first, hidden=True),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the history as one JSON document.")] = False,
) -> None:
    """Show an image's history: its source, its licence and what happened to it.

    FILE is a path, class/name or a name of an image, which may be deleted. URL is the URL of an image or of
    its page. A path determines the dataset; without a path and without DATASET it is `dataset`.
    """
    root, text = _parse_words(words)
    with open_dataset.open_dataset(root, only_to_read=True) as dataset:
        open_dataset.print_changes_note(dataset, root)
        history = dataset.history_of_text(text)
        if history is None:
            raise open_dataset.unknown_picture_error(dataset, root, text)
        others = [dataset.picture_history(number) for number in dataset.find(text)[1 : _MOST + 1]]
        others = [other for other in others if (other.class_name, other.name) != (history.class_name, history.name)]
    if as_json:
        also = [f"{other.class_name}/{other.name}" for other in others]
        console.print_json(_document(history, root) | {"also": also})
    elif history.id is None:
        print_address(history.sources, text)
    else:
        print_picture(history, root, text)
        print_others(others)


def _parse_words(words: Sequence[str]) -> tuple[Path, str]:
    """Split the words into the dataset and the one picture or URL."""
    if _is_dataset_last(words):
        words = words[::-1]
    if len(words) > 1 and not _is_url(words[0]):
        open_dataset.check_dataset(Path(words[0]))
    root, texts = split_dataset_argument(words)
    if not texts:
        hint = f"Name one of its images: harvest why {open_dataset.quote_path(root)} FILE"
        raise UsageError(console.one_line(f"{root} is a dataset, not an image."), hint)
    if len(texts) > 1:
        hint = f"harvest why {open_dataset.quote_path(root)} {open_dataset.quote_path(texts[0])}"
        raise UsageError("harvest why takes one image or URL, but got several.", hint)
    return root, texts[0]


def _is_dataset_last(words: Sequence[str]) -> bool:
    """Return whether the words are an image or a URL, and then the dataset."""
    if len(words) != 2 or is_dataset(words[0]) or _is_url(words[1]):  # noqa: PLR2004
        return False
    return is_dataset(words[1]) or _is_url(words[0])


def _is_url(word: str) -> bool:
    return "://" in word


def _document(history: PictureHistory, root: Path) -> dict[str, Any]:
    path = path_of(history, root)
    return {
        "dataset": str(root),
        "path": str(path) if path else None,
        "shard": {"offset": history.shard.offset, "length": history.shard.length} if history.shard else None,
        "class": history.class_name,
        "name": history.name,
        "state": history.state,
        "own": history.own,
        "at": history.at,
        "content": history.content,
        "size": history.size,
        "original_size": history.original,
        "original_format": history.format,
        "source_type": history.source_type,
        "wanted_by": history.wanted_by,
        "copies": history.copies,
        "near_duplicates": history.near_duplicates,
        "sources": [_source(source) for source in history.sources],
        "decisions": [
            {"at": e.at, "by": e.by, "action": e.action, "from": e.source, "to": e.target, "value": e.value}
            for e in history.events
        ],
    }


def _source(source: HitRecord) -> dict[str, Any]:
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
        "in_words": describe_verdict(source.verdict, source.detail),
    }
