"""Networks: a head for any classes, and saving and loading without a change."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from transformers import (
    AutoModel,
    AutoModelForImageClassification,
    BertConfig,
    ConvNextV2Config,
    DeiTConfig,
    Dinov2Config,
    MobileNetV2Config,
    RegNetConfig,
    SwiftFormerConfig,
    SwiftFormerForImageClassification,
    SwinConfig,
    ViTConfig,
    ViTForImageClassification,
    pipeline,
)

from harvest.errors import CannotWrite, TrainingError
from harvest.files import disk
from harvest.training.inference.optimize_network import optimize_features
from harvest.training.network.from_scratch_configs import ARCHITECTURES
from harvest.training.network.network_with_classes import load_pretrained, open_trained_network
from harvest.training.network.weight_write_errors import weight_errors_named
from tests.pictures import photo
from tests.training.tiny import LABELS, network, write_run

MOBILENET = Path(__file__).parents[3] / "shared" / "data" / "mobilenet_v2"


@pytest.fixture
def pictures():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def answers(network, pictures):
    with torch.inference_mode():
        return network.model(pixel_values=pictures).logits


def weights_of(network):
    return network.model.state_dict()


def test_what_is_saved_opens_the_same(tmp_path, pictures):
    """A loaded run has the outputs, labels and preprocessing of the network that was saved."""
    saved = network()
    saved.save(tmp_path)

    opened = open_trained_network(tmp_path)

    assert opened.labels == LABELS
    assert opened.preprocessing == saved.preprocessing
    assert opened.fingerprint == saved.fingerprint
    torch.testing.assert_close(answers(opened, pictures), answers(saved, pictures), rtol=0, atol=0)


def test_a_run_is_a_model_of_transformers(tmp_path):
    """A transformers pipeline loads the directory and returns our labels."""
    write_run(tmp_path / "run")

    result = pipeline("image-classification", str(tmp_path / "run"))(photo())

    assert {answer["label"] for answer in result} == set(LABELS)


def test_labels_of_any_script(tmp_path):
    """Labels of any script are loaded unchanged."""
    labels = ("Äpfel, grün", "a b", "a-b", "яблоко", "蛇\N{COMBINING ACUTE ACCENT}")
    network(labels).save(tmp_path)

    assert open_trained_network(tmp_path).labels == labels
    assert (tmp_path / "labels.txt").read_text("utf-8").splitlines() == list(labels)


def test_the_head_is_kept_for_the_same_classes(run, pictures):
    """An earlier run with the same classes keeps its head."""
    torch.testing.assert_close(answers(load_pretrained(str(run), LABELS), pictures), answers(network(), pictures))


@pytest.mark.parametrize("labels", [("coral", "king", "milk"), LABELS[::-1], LABELS[:2], (*LABELS, "adder")])
def test_T09_other_classes_get_a_new_head(run, labels):
    """An earlier run with other classes keeps everything but its head, even if their number is the same."""
    changed = load_pretrained(str(run), labels)

    assert changed.labels == labels
    assert changed.head.out_features == len(labels)
    assert changed.fingerprint == network().fingerprint
    rows = min(len(labels), len(LABELS))
    assert not torch.allclose(changed.head.weight[:rows], network().head.weight[:rows])


def test_a_new_head_is_the_same_by_the_same_seed(run):
    """A new head depends on the seed alone and does not change the global random state."""
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, again, other = (load_pretrained(str(run), ["a", "b"], seed=seed).head.weight for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.rand(3), expected)


def test_features_are_what_the_head_gets(pictures):
    """The head applied to the features is the output of the model."""
    whole = network()
    with torch.inference_mode():
        features = whole.features(pictures)
        torch.testing.assert_close(whole.head(features), answers(whole, pictures))
    assert features.shape == (2, whole.head.in_features)


def test_the_fingerprint_names_what_makes_features():
    """Other weights, sizes or normalisations change the fingerprint; another head does not."""
    name = network().fingerprint
    assert network(seed=1).fingerprint != name
    for change in ({"size": 64}, {"mean": (0.5, 0.5, 0.5)}, {"std": (0.5, 0.5, 0.5)}):
        other = network()
        other.preprocessing = replace(other.preprocessing, **change)
        assert other.fingerprint != name
    taught = network()
    with torch.no_grad():
        taught.head.bias.add_(1)
    assert taught.fingerprint == name


def test_restored_it_is_what_was_saved(tmp_path):
    """The saved weights can be restored after a worse epoch."""
    kept = network()
    kept.save(tmp_path)
    before = {name: value.clone() for name, value in weights_of(kept).items()}
    with torch.no_grad():
        for weight in kept.model.parameters():
            weight.add_(1)

    kept.restore(tmp_path)

    assert all(torch.equal(value, before[name]) for name, value in weights_of(kept).items())


@pytest.mark.parametrize("step", range(4))
def test_T06_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, step):
    """Wherever saving fails, every file is complete, and the run loads as one of the two networks."""
    network(seed=0).save(tmp_path)
    done = []

    def fail(source, target):
        if len(done) == step:
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(target)
        source.replace(target)

    monkeypatch.setattr(disk, "replace", fail)
    with pytest.raises(CannotWrite, match="No space left"):
        network(seed=1).save(tmp_path)

    prints = {network(seed=seed).fingerprint for seed in (0, 1)}
    assert open_trained_network(tmp_path).fingerprint in prints
    assert {path.name for path in tmp_path.iterdir()} == {
        "model.safetensors",
        "config.json",
        "preprocessor_config.json",
        "labels.txt",
    }


def test_others_may_read_what_is_saved(run):
    """The weights have the permissions of the labels: a server may run as another user."""
    modes = {path.stat().st_mode for path in run.iterdir()}
    assert len(modes) == 1


SMALL = {"image_size": 32, "patch_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
KINDS = [
    ViTConfig(hidden_size=16, intermediate_size=16, **SMALL),
    DeiTConfig(hidden_size=16, intermediate_size=16, architectures=["DeiTForImageClassification"], **SMALL),
    Dinov2Config(hidden_size=16, mlp_ratio=1, **SMALL),
    SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4),
    ConvNextV2Config(image_size=32, hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1]),
    RegNetConfig(embedding_size=8, hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1], groups_width=8),
    MobileNetV2Config(image_size=32, depth_multiplier=0.35, tf_padding=False),
]


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.model_type)
@pytest.mark.parametrize("headless", [False, True])
def test_networks_of_many_kinds(tmp_path, config, headless):
    """Networks of many types get a head, save, load, and give the same features when optimised."""
    maker = AutoModel if headless else AutoModelForImageClassification
    maker.from_config(config).save_pretrained(tmp_path / "theirs")
    pictures = torch.randn(2, 3, 32, 32)

    made = load_pretrained(str(tmp_path / "theirs"), LABELS, size=32)
    made.save(tmp_path)

    with torch.inference_mode():
        plain = made.features(pictures)
        again = open_trained_network(tmp_path).features(pictures)
    torch.testing.assert_close(again, plain, rtol=0, atol=0)
    assert (
        optimize_features(made)(pictures) - plain
    ).abs().max() < 0.1 * plain.abs().max()  # in half precision perhaps


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_T08_from_scratch_downloads_nothing(name):
    """Every built-in architecture is built without a download and depends on its seed alone."""
    made, again, other = (load_pretrained(name, ["a", "b"], from_scratch=True, seed=seed) for seed in (3, 3, 4))

    assert made.size == (64 if name == "small" else 224)
    assert made.fingerprint == again.fingerprint != other.fingerprint


def test_a_directory_from_scratch(run):
    """With --from-scratch the weights of a directory are not read."""
    fresh = load_pretrained(str(run), LABELS, from_scratch=True, seed=1)

    assert fresh.fingerprint != network().fingerprint
    assert fresh.size == 32


def test_the_size_is_the_networks_own_unless_it_is_given(run):
    """The input size is that of the network unless another is given."""
    assert load_pretrained(str(run), LABELS).size == 32
    assert load_pretrained(str(run), LABELS, size=48).size == 48


def test_a_size_that_a_network_does_not_take(tmp_path):
    """A network with a fixed input size refuses another one before anything is computed."""
    config = ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32)
    ViTForImageClassification(config).save_pretrained(tmp_path)

    assert load_pretrained(str(tmp_path), LABELS).size == 32
    with pytest.raises(TrainingError, match="does not accept images of 48 × 48 pixels") as refused:
        load_pretrained(str(tmp_path), LABELS, size=48)
    assert "--size" in refused.value.hint


def test_a_network_of_words_is_refused(tmp_path):
    """A network that does not classify images is an error."""
    (tmp_path / "config.json").write_text(json.dumps(BertConfig().to_dict()), "utf-8")

    with pytest.raises(TrainingError, match="cannot classify images"):
        load_pretrained(str(tmp_path), LABELS, from_scratch=True)


def test_a_network_with_two_heads_is_refused(tmp_path):
    """A network whose output is not a linear layer of its features is an error."""
    config = SwiftFormerConfig(depths=[1, 1, 1, 1], embed_dims=[8, 8, 8, 8], image_size=32)
    SwiftFormerForImageClassification(config).save_pretrained(tmp_path)

    with pytest.raises(TrainingError, match="does not end in a single linear layer"):
        load_pretrained(str(tmp_path), LABELS, size=64)


@pytest.mark.parametrize(
    ("preprocessor", "size", "mean", "std"),
    [
        ({"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}, 32, 0.5, 0.5),
        ({"size": 48, "do_center_crop": False, "crop_size": 32}, 48, 0.5, 0.5),
        (
            {"size": {"height": 40, "width": 40}, "image_mean": [0.1] * 3, "image_std": [0.2] * 3},
            40,
            0.1,
            0.2,
        ),
        ({"size": 32, "do_normalize": False}, 32, 0.0, 1.0),
        ({"size": 32, "rescale_factor": 1 / 127.5}, 32, 0.25, 0.25),
        ({"size": 32, "do_rescale": False, "image_mean": [127.5] * 3, "image_std": [255] * 3}, 32, 0.5, 1.0),
    ],
)
def test_how_pictures_go_in_is_read(tmp_path, preprocessor, size, mean, std):
    """Every form of preprocessor_config.json on the hub gives a size and a normalisation of values from 0 to 1."""
    path = write_run(tmp_path / "model")
    (path / "preprocessor_config.json").write_text(json.dumps(preprocessor), "utf-8")

    read = load_pretrained(str(path), LABELS)

    assert read.size == size
    assert read.mean == pytest.approx((mean,) * 3)
    assert read.std == pytest.approx((std,) * 3)


@pytest.mark.parametrize(
    "broken", [{"image_std": [0, 1, 1]}, {"image_mean": [1]}, {"image_std": "x"}, {"rescale_factor": -1}]
)
def test_greys_that_cannot_be_are_refused(tmp_path, broken):
    """An invalid normalisation in preprocessor_config.json is an error that names the key."""
    path = write_run(tmp_path / "model")
    (path / "preprocessor_config.json").write_text(json.dumps(broken), "utf-8")

    with pytest.raises(TrainingError, match=next(iter(broken))):
        load_pretrained(str(path), LABELS)


@pytest.mark.skipif(not MOBILENET.is_dir(), reason="the real weights are not here")
def test_real_weights():
    """A directory of from_pretrained loads with its own head or a new one."""
    assert open_trained_network(MOBILENET).labels[:2] == ("tench", "goldfish")
    assert load_pretrained(str(MOBILENET), LABELS).head.in_features == 1280


NO_ROOM = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
TORCH = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 1030272 vs 1030160")


@pytest.mark.parametrize("problem", [NO_ROOM, TORCH, OSError(errno.ENOSPC, "No space left on device")])
def test_no_room_for_weights_is_said_as_for_all_else(tmp_path, problem):
    """A full disk is reported with the path as CannotWrite, whichever library writes."""
    with (
        pytest.raises(CannotWrite, match="cannot write"),
        weight_errors_named(tmp_path / "checkpoints"),
    ):
        raise problem


def test_a_network_is_not_changed_by_its_file(tmp_path, pictures):
    """Overwriting the file of a loaded network does not change its outputs."""
    opened = open_trained_network(write_run(tmp_path / "run"))
    before = answers(opened, pictures)
    path = tmp_path / "run" / "model.safetensors"
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert torch.equal(answers(opened, pictures), before)


def test_other_errors_are_none_of_the_disk(tmp_path):
    """Other errors are not changed."""
    with pytest.raises(RuntimeError, match="shapes"), weight_errors_named(tmp_path):
        raise RuntimeError("shapes do not fit")


def test_a_run_without_room_for_its_network_is_none(tmp_path, monkeypatch):
    """config.json is written last, so an incomplete run is not recognised as one."""

    def full(*_, **__):
        raise NO_ROOM

    made = network()
    monkeypatch.setattr(made.model, "save_pretrained", full)
    with pytest.raises(CannotWrite, match="No space left"):
        made.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"preprocessor_config.json", "labels.txt"}
