"""fastai's own recipe on a list of images: run by `training.py` with the interpreter that has fastai.

    python training_rival.py TASK.json

Prints the results as JSON. It receives our weights and images, and needs no code of ours.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path

import torch

# torchvision next to the CPU build of torch lacks its two operators; nothing here calls them.
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

# These imports need those operators.
from fastai.vision import all as vision  # noqa: E402
from fastai.vision.learner import default_split, model_meta  # noqa: E402
from pandas import DataFrame  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torchvision.models import mobilenet_v2  # noqa: E402

PLACES = ("first_conv", "expand_1x1", "conv_3x3", "reduce_1x1", "convolution", "normalization")
FIELDS = ("weight", "bias", "running_mean", "running_var")
COUNTER = "num_batches_tracked"


def place(name: str) -> tuple[int, int, list[int], int]:
    """Return the name of a weight of transformers' MobileNetV2 in torchvision's."""
    parts = name.removeprefix("mobilenet_v2.").split(".")
    stage = ["conv_stem", "layer", "conv_1x1", "classifier"].index(parts[0])
    block = int(parts[1]) if parts[0] == "layer" else 0
    return stage, block, [PLACES.index(part) for part in parts if part in PLACES], FIELDS.index(parts[-1])


def pretrained(folder: str) -> torch.nn.Module:
    """Load the weights of transformers' MobileNetV2 into torchvision's."""
    model = mobilenet_v2(weights=None)
    given = load_file(Path(folder) / "model.safetensors")
    names = [name for name in model.state_dict() if not name.endswith(COUNTER)]
    others = sorted((name for name in given if not name.endswith(COUNTER)), key=place)
    taken = {name: given[other] for name, other in zip(names, others, strict=True)}
    model.load_state_dict(taken, strict=False)
    return model


def used() -> float:
    """Return the CPU seconds of this process and of its decoding processes."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    warnings.simplefilter("ignore")
    torch.set_num_threads(task["threads"])

    def architecture(pretrained: object) -> torch.nn.Module:  # noqa: ARG001 - as fastai calls it
        return pretrained_model

    pretrained_model = pretrained(task["weights"])
    model_meta[architecture] = {"cut": -1, "split": default_split}
    began, worked = time.monotonic(), used()
    vision.set_seed(task["seed"], reproducible=True)
    greys = vision.Normalize.from_stats(*vision.imagenet_stats)
    block = vision.DataBlock(
        blocks=(vision.ImageBlock, vision.CategoryBlock),
        get_x=vision.ColReader("path"),
        get_y=vision.ColReader("label"),
        splitter=vision.ColSplitter("is_valid"),
        item_tfms=vision.Resize(task["resize"]),
        batch_tfms=[*vision.aug_transforms(size=task["size"]), greys],
    )
    loaders = block.dataloaders(
        DataFrame(task["pictures"]), bs=task["batch"], num_workers=task["workers"], path=task["folder"]
    )
    learner = vision.vision_learner(loaders, architecture, metrics=vision.accuracy)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(task["epochs"])
    seconds, worked = time.monotonic() - began, used() - worked
    answers = {}
    for part, pictures in task["exams"].items():
        asked = loaders.test_dl(DataFrame(pictures), with_labels=True)
        with learner.no_bar():
            predicted, truth = learner.get_preds(dl=asked)
        answers[part] = float((predicted.argmax(dim=1) == truth).float().mean())
    print(json.dumps({"seconds": seconds, "cpu": worked, **answers}))


if __name__ == "__main__":
    main()
