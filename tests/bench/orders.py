"""The share of planted images that each order by similarity shows in its first tenth.

    python -m tests.bench.orders WEIGHTS PHOTOS JUNK

Six images are planted among the photographs of each class of PHOTOS in turn: of JUNK, or of another class.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from harvest.labelled_pictures.load_pictures import load_pictures
from harvest.training.features.compute_features import compute_features
from harvest.training.features.similarity_orders import SimilarityOrders
from harvest.training.network.network_with_classes import load_pretrained

PLANTED, ROUNDS, FIRST = 6, 10, 0.1


def read_features(weights: str, tree: Path, cache: Path) -> tuple[dict, dict[str, str]]:
    """Return the features and the labels of a tree by content hash."""
    pictures = load_pictures(tree, say=print)
    network = load_pretrained(weights, pictures.labels)
    rows = compute_features(network, pictures, cache=cache).values
    contents = [each.content for each in pictures.examples]
    return dict(zip(contents, rows, strict=True)), {each.content: each.label for each in pictures.examples}


def share_found(order: list[str], planted: set[str], labels: dict[str, str], name: str) -> float:
    """Return the share of the planted images in the first tenth of their class."""
    tiles = [content for content in order if labels[content] == name]
    return len(planted & set(tiles[: round(FIRST * len(tiles))])) / len(planted)


def main() -> None:
    weights, photos, junk = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        features, labels = read_features(weights, photos, Path(folder))
        others, other_labels = read_features(weights, junk, Path(folder))
    rng = random.Random(1)
    found: dict[tuple[str, str], list[float]] = {}
    for name in sorted(set(labels.values())):
        pools = {"foreign junk": sorted(other_labels), "another class": sorted(c for c in labels if labels[c] != name)}
        for kind, pool in pools.items():
            for _ in range(ROUNDS):
                planted = set(rng.sample(pool, PLANTED))
                given = labels | dict.fromkeys(planted, name)
                orders = SimilarityOrders(features | others, given)
                lists = {
                    "odd ones": orders.list_odd_ones(),
                    "like another class": orders.list_like_another_class(),
                }
                for order, contents in lists.items():
                    found.setdefault((order, kind), []).append(share_found(contents, planted, given, name))
    for (order, kind), shares in found.items():
        print(f"{order:<20} {kind:<15} {sum(shares) / len(shares):.0%}")


if __name__ == "__main__":
    main()
