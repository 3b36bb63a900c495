"""Judge a dataset for the first screen: whether it is good enough to train on, and whether it can be published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from harvest.charts import Part
from harvest.counts_as_text import count
from harvest.dataset_report.credit_lines import is_claimed, is_free
from harvest.html_report.number_format import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harvest.dataset import ClassCounts, OriginCount, ReportStatistics

FEW, ENOUGH = 20, 100  # images of a class: below the first, a validation part has one or two
NETWORK_SIDE = 224  # pixels that most pretrained networks look at
_BALANCED, _UNBALANCED = 3, 10  # times as many images in the largest class as in the smallest
_DOMINANT, _DOMINANT_COUNT = 0.3, 10  # share and number of images of a class from one photographer or host
_SMALL, _RARE = 0.1, 0.01  # share of images that are smaller than a network looks at; of those made with AI
_LISTED, _LONGEST_NAME = 3, 60  # names that a sentence lists, and their characters


class DatasetCheck(NamedTuple):
    """One property of the dataset: its state is `ok`, `warn` or `bad`, and `target` is the section about it."""

    name: str
    state: str
    text: str
    target: str = ""


class Judgement(NamedTuple):
    """An answer in a word or two, and the reason in a sentence."""

    answer: str
    why: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answers, with the checks they are based on."""

    training: Judgement
    checks: Sequence[DatasetCheck]
    publishing: Judgement
    licence_parts: Sequence[Part]
    dominant: Sequence[OriginCount]


def assess(facts: ReportStatistics) -> Assessment:
    """Judge a dataset by its counts."""
    dominant = list_dominant(facts)
    kept = [each for each in facts.classes if each.kept]
    checks = list(_list_checks(facts, kept, dominant)) if kept else []
    return Assessment(_judge_training(facts, kept), checks, *_judge_publishing(facts), dominant)


def _judge_training(facts: ReportStatistics, kept: Sequence[ClassCounts]) -> Judgement:
    if not kept:
        why = "Every image is rejected." if facts.rejected else "There is no image yet."
        return Judgement("No", why)
    if len(kept) == 1:
        return Judgement("Not yet", "There is one class. A classifier needs at least two.")
    if few := [each for each in by_size(facts.classes) if each.kept < FEW]:
        names = join_names([f"{each.class_name} ({each.kept})" for each in few])
        have = f"{count(len(few), 'class', 'classes')} {'has' if len(few) == 1 else 'have'}"
        return Judgement("Not yet", Markup("{} fewer than {} images: {}.").format(have, FEW, names))
    smallest = min(each.kept for each in kept)
    if count_unreviewed(facts) > facts.kept / 2:
        share = percent(count_unreviewed(facts) / facts.kept)
        purpose = "" if smallest >= ENOUGH else " for a first training"
        why = f"There are enough images{purpose}, but nobody has looked at {share} of them."
        why += " Searches also return wrong images."
        return Judgement("After a review", why)
    if smallest < ENOUGH:
        why = f"The smallest class has {smallest} images. With {ENOUGH} per class, results are more reliable."
        return Judgement("For a first training", why)
    return Judgement("Yes", f"Each of the {len(kept):,} classes has at least {smallest:,} images.")


def join_names(names: Sequence[str]) -> Markup:
    """Join names for a sentence, each with its own text direction; of many, the first ones and a count.

    >>> str(join_names(["a", "b", "c", "d"]))
    '<bdi>a</bdi>, <bdi>b</bdi>, <bdi>c</bdi> and 1 more'
    """
    shown = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names[:_LISTED]]
    more = len(names) - len(shown)
    text = Markup(", ").join(Markup("<bdi>{}</bdi>").format(name) for name in shown)
    return text + (f" and {more:,} more" if more else "")


def by_size(classes: Sequence[ClassCounts]) -> list[ClassCounts]:
    """Return classes, the smallest first."""
    return sorted(classes, key=lambda each: (each.kept, each.class_name))


def list_reviewed_classes(facts: ReportStatistics) -> set[str]:
    """Return the classes that a person has pruned or reviewed at least in part.

    A class of which images were deleted in a file manager counts too: its other images were seen.
    """
    pruned = {each.class_name for each in facts.classes if each.rejected}
    return pruned | {each.class_name for each in facts.reviews if each.reviewed}


def count_unreviewed(facts: ReportStatistics) -> int:
    """Return the downloaded images on disk that nobody has looked at."""
    pruned = {each.class_name for each in facts.classes if each.rejected}
    return sum(each.kept - each.own - each.reviewed for each in facts.reviews if each.class_name not in pruned)


def _list_checks(
    facts: ReportStatistics, kept: Sequence[ClassCounts], dominant: Sequence[OriginCount]
) -> Iterator[DatasetCheck]:
    smallest, largest = by_size(kept)[0].kept, by_size(kept)[-1].kept
    state = "ok" if smallest >= ENOUGH else "warn" if smallest >= FEW else "bad"
    text = f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
    yield DatasetCheck("Images per class", state, text, "classes")
    ratio = largest / smallest
    state = "ok" if ratio < _BALANCED else "warn" if ratio < _UNBALANCED else "bad"
    text = "equal" if ratio == 1 else f"the largest class is {ratio:.1f} × the smallest"
    yield DatasetCheck("Balance", state, text, "classes")
    unreviewed = count_unreviewed(facts)
    text = f"{unreviewed:,} of {facts.kept:,} images not looked at" if unreviewed else "nothing left to look at"
    yield DatasetCheck("Review", "warn" if unreviewed else "ok", text, "kept")
    groups, conflicts = len(facts.near_duplicates), len(facts.conflicts)
    text = f"{count(groups, 'group')} to decide on" if groups else "none to decide on"
    yield DatasetCheck("Near-duplicates", "warn" if groups else "ok", text, "duplicates")
    text = f"{count(conflicts, 'image')} in question" if conflicts else "none"
    yield DatasetCheck("Found for two classes", "warn" if conflicts else "ok", text, "conflicts")
    yield _check_sides(facts)
    yield _check_variety(dominant)
    artificial = sum(each.ai for each in facts.classes)
    state = "warn" if artificial > _RARE * facts.kept else "ok"
    yield DatasetCheck("Made with AI", state, count(artificial, "image") if artificial else "none stated", "ai")


def _check_sides(facts: ReportStatistics) -> DatasetCheck:
    small = sum(each.images for each in facts.file_sides if each.low < NETWORK_SIDE)
    state = "warn" if small > _SMALL * facts.kept else "ok"
    text = f"{count(small, 'image')} below {NETWORK_SIDE} pixels" if small else f"all at least {NETWORK_SIDE} pixels"
    return DatasetCheck("Size", state, text, "sizes")


def _check_variety(dominant: Sequence[OriginCount]) -> DatasetCheck:
    if not dominant:
        return DatasetCheck("Variety", "ok", "no photographer or host dominates a class", "origins")
    classes = len({each.class_name for each in dominant})
    return DatasetCheck("Variety", "warn", f"one origin dominates in {count(classes, 'class', 'classes')}", "origins")


def list_dominant(facts: ReportStatistics) -> list[OriginCount]:
    """Return the photographers and hosts that gave a large share of a class, unless they gave all of the dataset."""
    of_class = {each.class_name: each.kept for each in facts.classes}
    found = [
        each
        for each in (*facts.photographers_of_classes, *facts.hosts_of_classes)
        if each.images >= max(_DOMINANT_COUNT, _DOMINANT * of_class.get(each.class_name, 0))
    ]
    return sorted(found, key=lambda each: (-each.images / max(1, of_class[each.class_name]), each))


def _judge_publishing(facts: ReportStatistics) -> tuple[Judgement, list[Part]]:
    """Judge the licences as the sources state them; this is not legal advice."""
    sums = dict.fromkeys(("open", "restricted", "claimed", "unknown"), 0)
    for licence, number in facts.licences:
        kind = "unknown" if licence is None else "claimed" if is_claimed(licence) else "restricted"
        sums["open" if is_free(licence) else kind] += number
    names = {"open": "open", "restricted": "with restrictions", "claimed": "claimed by a filter", "unknown": "unknown"}
    total = sum(sums.values())
    parts = [Part(names[kind], number, percent(number / total), kind) for kind, number in sums.items() if number]
    if not total:
        return Judgement("–", "There is no image yet."), parts
    if sums["open"] == total:
        why = "Every image has an open licence, as its source states. Publish the credits with the images."
        return Judgement("Yes", why), parts
    if not sums["open"]:
        return Judgement("No", "No image is known to have an open licence."), parts
    why = f"{sums['open']:,} of {total:,} images have an open licence, as their sources state."
    return Judgement("In part", why), parts
