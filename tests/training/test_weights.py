"""Sources of networks, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file
from transformers.utils import logging

from harvest.errors import TrainingError
from harvest.training.network import find_model_files, model_files
from harvest.training.network.network_with_classes import load_pretrained, open_trained_network
from tests.training.hub import Hub
from tests.training.tiny import LABELS, network, write_run


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "code was run"


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "model")


@pytest.fixture
def hub(monkeypatch, tmp_path, folder):
    """Start a hub with the tiny network, and use an empty cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    files = {f"someone/tiny/{path.name}": path.read_bytes() for path in folder.iterdir()}
    with Hub(files) as hub:
        go_to(hub, monkeypatch)
        yield hub


def go_to(hub, monkeypatch):
    """Make the library use that hub instead of huggingface.co, as HF_ENDPOINT does."""
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def rewrite(path, **changes):
    """Change a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pkl", "weights.pt", "best.pth", "last.ckpt"])
def test_T07_pickled_weights_are_refused(folder, marker, name):
    """Pickled weights are named and refused, not run, and nothing else is tried."""
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb(marker)))

    with pytest.raises(TrainingError, match=rf"only {name}: refused") as refused:
        load_pretrained(str(folder), LABELS)

    assert refused.value.exit_code == 2
    assert not marker.exists()


def test_T07_torchs_own_format_is_refused(folder, marker):
    """A file of torch.save is a pickle and is refused."""
    (folder / "model.safetensors").unlink()
    torch.save({"classifier.weight": Bomb(marker)}, folder / "pytorch_model.bin")

    with pytest.raises(TrainingError, match="refused"):
        load_pretrained(str(folder), LABELS)
    assert not marker.exists()


def test_T07_a_pickle_under_another_name_is_no_weights(folder, marker):
    """A pickle called model.safetensors is refused as damaged."""
    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb(marker)))

    with pytest.raises(TrainingError, match="damaged or truncated"):
        load_pretrained(str(folder), LABELS)
    assert not marker.exists()


def test_T07_a_pickle_beside_good_weights_is_not_read(folder, marker):
    """Only the safetensors file is read, whatever else is in the folder."""
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(marker)))

    assert load_pretrained(str(folder), LABELS).labels == LABELS
    assert not marker.exists()


def test_T07_code_that_a_model_brings_is_not_run(folder, marker):
    """auto_map in config.json is ignored if transformers knows the model type."""
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n", "utf-8")
    own = {"AutoConfig": "own.Config", "AutoModelForImageClassification": "own.Model"}
    rewrite(folder / "config.json", auto_map=own)

    assert load_pretrained(str(folder), LABELS).labels == LABELS
    assert not marker.exists()


def test_T07_a_network_that_is_only_code_is_refused(folder, marker):
    """Code of an unknown model type is not run."""
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n", "utf-8")
    rewrite(folder / "config.json", model_type="own", auto_map={"AutoConfig": "own.Config"})

    with pytest.raises(TrainingError, match="does not know the model type 'own'"):
        load_pretrained(str(folder), LABELS)
    assert not marker.exists()


def test_T07_a_kernel_to_download_is_passed_over(folder):
    """config.json cannot make transformers download code for attention; conftest would notice."""
    rewrite(folder / "config.json", attn_implementation="evil/kernel", _attn_implementation="evil/kernel")

    load_pretrained(str(folder), LABELS)


def test_code_is_left_out_at_any_depth(folder):
    """Keys that name code are removed from nested configurations too."""
    inner = {"auto_map": {}, "list": [{"checkpoint_path": "x"}], "kept": 1}
    rewrite(folder / "config.json", vision_config=inner)

    assert find_model_files.find_model_files(str(folder)).config["vision_config"] == {"list": [{}], "kept": 1}


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.5, 0.999])
def test_weights_that_were_cut_off_are_named(folder, share):
    """A truncated weight file is an error that names it."""
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])

    with pytest.raises(TrainingError, match=r"model\.safetensors is damaged or truncated"):
        load_pretrained(str(folder), LABELS)


def test_weights_of_another_network_are_refused(folder):
    """Weights that do not fit the configuration are an error."""
    rewrite(folder / "config.json", hidden_sizes=[8, 24])

    with pytest.raises(TrainingError, match=r"weights do not fit its config\.json: \d+ tensors are missing"):
        load_pretrained(str(folder), LABELS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[1]", "not a JSON object"),
        ("{}", "does not know the model type None"),
        ('{"model_type": "bert"}', "no image classifier of type bert"),
        ('{"model_type": "resnet", "hidden_sizes": "x"}', "config.json cannot be used"),
        ('{"model_type": "resnet", "layer_type": 7}', "config.json cannot be used"),
        ('{"model_type": "resnet", "hidden_sizes": [], "depths": []}', "config.json cannot be used"),
        ('{"model_type": "resnet", "depths": [1, 1000000000]}', "more than 2,000 layers"),
        ('{"model_type": ["resnet"]}', "does not know the model type"),
        ('{"a":' * 900 + "1" + "}" * 900, "cannot be read"),
        ('{"model_type": "resnet", "num_labels": 100000000}', "more than 1,000,000 labels"),
        ('{"model_type": "vit", "num_hidden_layers": 1000000000}', "more than 2,000 layers"),
        ('{"architecture": "hf_hub:evil/one", "num_classes": 2}', "not the name of a timm network"),
    ],
)
def test_a_senseless_description_is_refused(folder, text, reason):
    """Every invalid config.json is a TrainingError."""
    (folder / "config.json").write_text(text, "utf-8")

    with pytest.raises(TrainingError, match=reason):
        load_pretrained(str(folder), LABELS)


def test_what_is_missing_is_named(folder):
    """The error for a directory without a configuration or weights names the missing file."""
    (folder / "config.json").rename(folder / "description.json")
    with pytest.raises(TrainingError, match=r"has no config\.json"):
        load_pretrained(str(folder), LABELS)
    (folder / "description.json").rename(folder / "config.json")
    (folder / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match=r"has no model\.safetensors"):
        load_pretrained(str(folder), LABELS)


def test_a_folder_of_runs_brings_the_newest_to_mind(folder, tmp_path):
    """The error for a folder of runs suggests the newest run."""
    run = tmp_path / "snakes.runs" / "first"
    run.parent.mkdir()
    folder.rename(run)

    with pytest.raises(TrainingError, match=r"has no config\.json") as result:
        load_pretrained(str(run.parent), LABELS)

    assert result.value.hint == f"Did you mean {run}?"


@pytest.mark.parametrize("name", ["nowhere", "./nowhere", "a/b/c", "", "resnet-34"])
def test_a_name_that_is_nothing_lists_what_is(name, tmp_path, monkeypatch):
    """The error for an unknown name lists the known ones."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError) as refused:
        load_pretrained(name, LABELS) if name else find_model_files.find_model_files("nowhere")
    assert "resnet34" in refused.value.hint


def test_a_file_is_no_directory(folder):
    """Passing the weight file instead of its directory is an error."""
    with pytest.raises(TrainingError, match="is a file"):
        load_pretrained(str(folder / "model.safetensors"), LABELS)


def test_weights_in_several_files(folder):
    """Weights in several files are read through their index."""
    whole = find_model_files.find_model_files(str(folder)).weights
    names = sorted(whole)
    (folder / "model.safetensors").unlink()
    parts = {"one.safetensors": names[::2], "two.safetensors": names[1::2]}
    for file, held in parts.items():
        save_file({name: whole[name] for name in held}, folder / file)
    index = {"weight_map": {name: file for file, held in parts.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")

    assert find_model_files.find_model_files(str(folder)).weights.keys() == whole.keys()


@pytest.mark.parametrize("name", ["../model/stolen.safetensors", "/etc/passwd", "x.bin", ["y"]])
def test_an_index_names_only_its_own_files(folder, name):
    """An index can only name safetensors files in its own folder."""
    (folder / "model.safetensors").rename(folder / "stolen.safetensors")
    index = {"weight_map": {"classifier.weight": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")

    with pytest.raises(TrainingError, match="not a file of that model"):
        load_pretrained(str(folder), LABELS)


def test_from_the_hub_and_then_from_its_cache(hub):
    """A hub model is downloaded once; the second time no request is sent."""
    messages: list[str] = []
    first = load_pretrained("someone/tiny", LABELS, say=messages.append)
    assert messages == ["downloading model.safetensors of someone/tiny"]
    hub.asked.clear()

    second = load_pretrained("someone/tiny", LABELS)

    assert hub.asked == []
    assert second.fingerprint == first.fingerprint == network().fingerprint


def test_T07_pickled_weights_on_the_hub_are_refused(hub, marker):
    """A repository that only has pickled weights is refused without downloading them."""
    del hub.files["someone/tiny/model.safetensors"]
    hub.files["someone/tiny/pytorch_model.bin"] = pickle.dumps(Bomb(marker))

    with pytest.raises(TrainingError, match=r"tiny has no model\.safetensors, only pytorch_model\.bin"):
        load_pretrained("someone/tiny", LABELS)

    assert not marker.exists()
    assert "GET someone/tiny/pytorch_model.bin" not in hub.asked


@pytest.mark.usefixtures("hub")
def test_a_repository_that_is_not_there():
    """The error for an unknown repository differs from that for an unreachable hub."""
    with pytest.raises(TrainingError, match=r"config\.json of someone/tinny: the hub has no such repository"):
        load_pretrained("someone/tinny", LABELS)


def test_T08_without_a_network(monkeypatch, tmp_path):
    """Without an Internet connection the error comes at once, names the file and gives both alternatives."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with Hub({}) as gone:
        go_to(gone, monkeypatch)
    # Which would try again and again, for 23 s.
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: pytest.fail("asked a hub that is not there"))

    with pytest.raises(TrainingError, match=r"cannot fetch config\.json of microsoft/resnet-34") as refused:
        load_pretrained("resnet34", LABELS)

    assert "--model DIR" in refused.value.hint
    assert "--model lite0" in refused.value.hint


def test_T08_the_hub_forbidden(monkeypatch, tmp_path):
    """HF_HUB_OFFLINE is respected and named in the error."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(TrainingError, match=r"config\.json of facebook/dinov2-small: .*HF_HUB_OFFLINE"):
        load_pretrained("dinov2", LABELS)


def test_a_run_is_opened_by_its_path_alone(tmp_path, monkeypatch):
    """A run that has the name of a hub id or a short name is opened as a directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("resnet34", "microsoft/resnet-34"):
        write_run(Path(name))
        assert open_trained_network(Path(name)).labels == LABELS


def test_nothing_of_the_libraries_reaches_the_terminal(folder, capfd):
    """The libraries print nothing, and their settings are restored."""
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()

    load_pretrained(str(folder), ["other", "classes"]).save(folder)

    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"crop_size": 10**6}, "more than 2,048 pixels"),
        ({"crop_size": 10**400}, "more than 2,048 pixels"),
        ({"image_mean": [10**400] * 3}, "image_mean cannot be"),
        ({"image_std": [0, 0, 0]}, "image_std cannot be"),
    ],
)
def test_pictures_that_cannot_be_wanted(folder, changes, reason):
    """Invalid sizes and channels are refused before memory is allocated."""
    rewrite(folder / "preprocessor_config.json", **changes)
    with pytest.raises(TrainingError, match=reason):
        load_pretrained(str(folder), LABELS)


def test_a_pipe_is_not_waited_for(folder):
    """A listed weight file that is a pipe is an error and is not read."""
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "b.safetensors"}}')
    os.mkfifo(folder / "b.safetensors")
    with pytest.raises(TrainingError, match="is missing or is not a file"):
        load_pretrained(str(folder), LABELS)


def test_X11_weights_of_any_size_are_not_loaded(folder, monkeypatch):
    """Weights with too many parameters are refused by the header of their file, before they are read."""
    monkeypatch.setattr(model_files, "load_file", None)
    head = json.dumps({"a": {"dtype": "F32", "shape": [1 << 33], "data_offsets": [0, 1 << 35]}}).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        file.truncate(8 + len(head) + (1 << 35))  # 34 GB, of which the disk has nothing

    with pytest.raises(TrainingError, match="have 8,589,934,592 parameters; the limit is 2,147,483,648"):
        load_pretrained(str(folder), LABELS)


def test_X11_weights_are_no_larger_than_their_network(folder, monkeypatch):
    """A file with far more parameters than its network is refused before they are read."""
    monkeypatch.setattr(model_files, "load_file", None)
    head = json.dumps({"a": {"dtype": "F32", "shape": [1 << 30], "data_offsets": [0, 1 << 32]}}).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        file.truncate(8 + len(head) + (1 << 32))

    with pytest.raises(TrainingError, match="its weights have 1,073,741,824"):
        load_pretrained(str(folder), LABELS)


@pytest.mark.parametrize("from_scratch", [False, True])
def test_X11_a_network_of_any_size_is_not_made(folder, from_scratch):
    """A configuration of a network that fits no memory is refused before it is built."""
    rewrite(folder / "config.json", hidden_sizes=[30_000, 30_000])

    with pytest.raises(TrainingError, match=r"its config\.json asks for a network of [\d,]+ parameters"):
        load_pretrained(str(folder), LABELS, from_scratch=from_scratch)
