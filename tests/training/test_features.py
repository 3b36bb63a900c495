"""Features: computed once, cached by content, and correct in every mode."""

from __future__ import annotations

import errno
import multiprocessing
import random

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch

from harvest.errors import TrainingError
from harvest.files import disk
from harvest.training import image_array
from harvest.training.augment import Augmentation
from harvest.training.features.compute_features import compute_features
from harvest.training.features.feature_cache import FeatureCache
from harvest.training.inference import optimize_network
from harvest.training.inference.optimize_network import optimize_features
from harvest.training.network.network_with_classes import load_pretrained
from tests.training import keeping
from tests.training.labelled_trees import jpeg, look, plant
from tests.training.tiny import network

HALF = 0.05  # share of the largest feature: the error of half precision, on hardware that has it


@pytest.fixture
def labelled_pictures(tmp_path):
    return look(plant(tmp_path / "tree", {"coral": range(5), "king": range(5, 9)}))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch):
    """List the images that are decoded."""
    seen = []
    see = image_array.load_image

    def noted(picture, size):
        seen.append(picture)
        return see(picture, size)

    monkeypatch.setattr(image_array, "load_image", noted)
    return seen


def kept(cache):
    return sorted(path for path in cache.iterdir() if path.suffix == ".safetensors")


def expected(network, labelled_pictures):
    """Compute the features directly."""
    images = [
        image_array.centre_crop(
            image_array.load_image(labelled_pictures.reader.file(each.path), network.size), network.size
        )
        for each in labelled_pictures.examples
    ]
    batch = torch.stack([image_array.to_tensor(image, network.mean, network.std) for image in images])
    with torch.inference_mode():
        return network.features(batch).numpy()


def close(values, others, share=HALF):
    return np.abs(values - others).max() <= share * np.abs(others).max()


def test_features_are_the_networks(labelled_pictures, cache):
    """Each row is the input of the network's head for that image, in the order of the images."""
    tiny = network()
    plain = expected(tiny, labelled_pictures)

    values = compute_features(tiny, labelled_pictures, cache=cache, batch=2).values

    assert values.shape == (9, tiny.head.in_features)
    assert close(values, plain)
    assert np.argmin(np.abs(values[:, None] - plain).sum(axis=2), axis=1).tolist() == list(range(9))


def test_a_second_time_nothing_is_decoded(labelled_pictures, cache, decoded):
    """The cache gives the same numbers without decoding an image."""
    first = compute_features(network(), labelled_pictures, cache=cache).values
    assert len(decoded) == 9
    again = compute_features(network(), labelled_pictures, cache=cache).values
    assert len(decoded) == 9
    assert np.array_equal(first, again)


def test_a_duplicate_is_decoded_once(tmp_path, cache, decoded):
    """Images are identified by content: a copy under another name is not decoded."""
    root = plant(tmp_path / "tree", {"coral": [1, 2], "king": [3]})
    (root / "king" / "copy.jpg").write_bytes(jpeg(1))
    labelled_pictures = look(root)

    values = compute_features(network(), labelled_pictures, cache=cache).values

    assert len(decoded) == 3
    rows = [
        row
        for row, each in enumerate(labelled_pictures.examples)
        if each.content == labelled_pictures.examples[0].content
    ]
    assert len(rows) == 2
    assert np.array_equal(*values[rows])


def test_only_new_images_are_decoded(tmp_path, labelled_pictures, cache, decoded):
    """Only new and replaced images are decoded."""
    compute_features(network(), labelled_pictures, cache=cache)
    decoded.clear()
    root = plant(tmp_path / "tree", {"king": [20]})
    labelled_pictures.reader.file(labelled_pictures.examples[0].path).write_bytes(jpeg(21))

    changed = look(root)
    values = compute_features(network(), changed, cache=cache).values

    assert len(decoded) == 2
    assert close(values, expected(network(), changed))


def test_each_network_has_its_own_cache(labelled_pictures, cache):
    """Another network or another size has a cache of its own."""
    first = compute_features(network(), labelled_pictures, cache=cache).values
    other = compute_features(network(seed=1), labelled_pictures, cache=cache).values
    assert not close(first, other)
    assert len(kept(cache)) == 2


@pytest.mark.parametrize("harm", ["empty", "cut off", "noise", "other shape", "other kind", "other names", "a folder"])
def test_a_damaged_cache_is_computed_anew(labelled_pictures, cache, harm):
    """The features are correct whatever is in the cache file."""
    right = compute_features(network(), labelled_pictures, cache=cache).values
    (path,) = kept(cache)
    contents = load_file(path)["contents"]
    body = path.read_bytes()
    if harm == "a folder":
        path.unlink()
        path.mkdir()
    elif harm in {"empty", "cut off", "noise"}:
        path.write_bytes({"empty": b"", "cut off": body[:-7], "noise": random.Random(0).randbytes(5000)}[harm])
    elif harm == "other names":
        save_file({"x": right}, path)
    else:
        values = right[:, :3].copy() if harm == "other shape" else right.astype(np.float64)
        save_file({"contents": contents, "values": values}, path)

    messages: list[str] = []
    again = compute_features(network(), labelled_pictures, cache=cache, say=messages.append).values

    assert np.array_equal(again, right)
    assert bool(messages) == (harm == "a folder")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e4m3fn, torch.complex64, torch.float64])
@pytest.mark.parametrize("shape", [(2, 16), (), (0,), (2, 16, 1)])
def test_a_cache_of_other_types_is_ignored(tmp_path, kind, shape):
    """A cache file with types unknown to numpy, or other shapes, is ignored."""
    path = tmp_path / "features.safetensors"
    contents = torch.zeros(2, 32, dtype=torch.uint8)
    save_torch({"contents": contents, "values": torch.zeros(shape).to(kind)}, path)

    assert FeatureCache(path, (16,)).read() == {}


def test_features_that_cannot_be_cached_are_used(labelled_pictures, cache, monkeypatch):
    """A full disk is reported, and the training continues."""

    def full(_path, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "write", full)
    messages: list[str] = []

    values = compute_features(network(), labelled_pictures, cache=cache, say=messages.append).values

    assert np.isfinite(values).all()
    assert len(messages) == 1
    assert "No space left" in messages[0]
    assert "The training continues" in messages[0]


def test_a_cache_that_is_a_file(labelled_pictures, cache):
    """A file at the path of the cache folder does not stop the training."""
    cache.write_text("not a folder")
    messages: list[str] = []
    assert np.isfinite(compute_features(network(), labelled_pictures, cache=cache, say=messages.append).values).all()
    assert messages


def test_interrupted_features_are_cached(labelled_pictures, cache, decoded):
    """Ctrl-C loses no computed features."""

    def stop(done, _total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_features(network(), labelled_pictures, cache=cache, batch=2, tick=stop)
    decoded.clear()

    compute_features(network(), labelled_pictures, cache=cache)

    assert len(decoded) == 5


def test_progress_counts_every_image(labelled_pictures, cache):
    """The progress counts every image, and ends at their number."""
    heard: list[tuple[int, int]] = []
    compute_features(network(), labelled_pictures, cache=cache, batch=4, tick=lambda *now: heard.append(now))
    assert heard == [(number, 9) for number in range(1, 10)]


def test_a_changed_image_has_no_features(labelled_pictures, cache):
    """A file that was deleted or replaced since the folders were read has no features."""
    gone, changed = labelled_pictures.examples[1], labelled_pictures.examples[4]
    labelled_pictures.reader.file(gone.path).unlink()
    labelled_pictures.reader.file(changed.path).write_bytes(jpeg(50))

    values = compute_features(network(), labelled_pictures, cache=cache).values

    assert np.isnan(values[[1, 4]]).all()
    assert np.isfinite(np.delete(values, [1, 4], axis=0)).all()
    labelled_pictures.reader.file(gone.path).write_bytes(jpeg(1))
    assert np.isfinite(compute_features(network(), labelled_pictures, cache=cache).values[1]).all()


def test_missing_images_are_not_reported_as_damaged_weights(labelled_pictures, cache):
    """If all files are missing, the error says so, and not that the weights are damaged."""
    for example in labelled_pictures.examples:
        labelled_pictures.reader.file(example.path).unlink()
    with pytest.raises(TrainingError, match="disappeared since"):
        compute_features(network(), labelled_pictures, cache=cache)


def test_a_broken_network_is_named(labelled_pictures, cache):
    """Weights that are NaN are an error at once."""
    broken = network()
    with torch.no_grad():
        next(broken.model.parameters()).fill_(float("nan"))

    with pytest.raises(TrainingError, match="its weights are damaged"):
        compute_features(broken, labelled_pictures, cache=cache)


def test_concurrent_trainings_cache_at_once(tmp_path):
    """Concurrent trainings leave one complete cache file at any moment, and no other file."""
    path = tmp_path / "features.safetensors"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=keeping.keep, args=(path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    store = keeping.store(path)
    reads = 0
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            kept = store.read()
            assert kept
            assert all((row == int(content[:8], 16)).all() for content, row in kept.items())
            reads += 1
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert reads
    assert list(tmp_path.iterdir()) == [path]


def test_augmented_views(labelled_pictures, cache, decoded):
    """Features of views are cached by seed and settings."""
    tiny, ways = network(), Augmentation()

    def look_again(**more):
        more = {"views": 3, "augmentation": ways, "seed": 1} | more
        return compute_features(tiny, labelled_pictures, cache=cache, **more).views

    first = look_again()
    count = len(decoded)

    assert first.shape == (9, 3, tiny.head.in_features)
    assert not close(first[:, 0], first[:, 1], share=1e-4)
    assert np.array_equal(look_again(), first)
    assert len(decoded) == count
    assert not np.array_equal(look_again(seed=2), first)
    assert not np.array_equal(look_again(augmentation=Augmentation(rotation=1)), first)
    assert look_again(views=0) is None
    assert look_again(augmentation=None) is None


def test_views_are_of_their_picture(labelled_pictures, cache):
    """The features of a view are those of the image that the augmentation returns."""
    tiny = network()
    views = compute_features(tiny, labelled_pictures, cache=cache, views=2, augmentation=Augmentation(), seed=4).views
    image = image_array.load_image(labelled_pictures.reader.file(labelled_pictures.examples[3].path), tiny.size)
    drawn = Augmentation().view(image, tiny.size, random.Random(f"4/{labelled_pictures.examples[3].content}/1"))

    with torch.inference_mode():
        plain = tiny.features(image_array.to_tensor(drawn, tiny.mean, tiny.std)[None]).numpy()[0]

    assert close(views[3, 1], plain)


@pytest.mark.parametrize("name", ["small", "mobilenet", "resnet18"])
def test_the_optimized_network_gives_the_same_features(name, monkeypatch):
    """Folding and channels last change neither the features nor the network."""
    monkeypatch.setattr(optimize_network, "choose_mixed_precision", lambda _: "no")
    whole = load_pretrained(name, ["a", "b"], from_scratch=True, size=64)
    with torch.no_grad():
        for module in whole.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # as after a training
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
    before = whole.fingerprint
    pictures = torch.randn(3, 3, 64, 64)
    with torch.inference_mode():
        plain = whole.features(pictures)

    quick = optimize_features(whole)(pictures)

    torch.testing.assert_close(quick, plain, rtol=0, atol=1e-4 * float(plain.abs().max()))
    assert whole.fingerprint == before


def test_folding_takes_every_batch_norm():
    """No batch norm of a ResNet is left after folding."""
    model = network().model
    optimize_network.fold_batch_norm(model, torch.randn(1, 3, 32, 32))
    assert not [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]


class Fork(torch.nn.Module):
    """A convolution whose output is used twice."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(8, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        torch.nn.init.constant_(self.norm.weight, 3)

    def forward(self, given):
        """Return the output with and without the norm."""
        between = self.convolution(given)
        return self.norm(between) + between


def test_what_cannot_be_folded_is_unchanged(monkeypatch):
    """A batch norm is not folded where that would change the results."""
    monkeypatch.setattr(optimize_network, "choose_mixed_precision", lambda _: "no")
    odd = network()
    odd.model.resnet.embedder.pooler = Fork().eval()
    pictures = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        plain = odd.features(pictures)

    quick = optimize_features(odd)(pictures)

    torch.testing.assert_close(quick, plain, rtol=0, atol=1e-4 * float(plain.abs().max()))
