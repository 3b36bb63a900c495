"""Where a network's files come from: a directory, an earlier run or the hub; and what is never read.

Weights are read from safetensors alone. A pickle can run code, so one is refused and nothing is tried in its
place; a config.json may name code to run or to download, and whatever does is left out of it.
"""

from __future__ import annotations

import json
import math
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import huggingface_hub
from huggingface_hub import errors as hub
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from transformers.utils import logging

from harvest.errors import TrainingError
from harvest.training.choose_run_directory import newest_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

SHORT = {
    "resnet18": "microsoft/resnet-18",
    "resnet34": "microsoft/resnet-34",
    "mobilenet": "google/mobilenet_v2_1.0_224",
    "dinov2": "facebook/dinov2-small",
}
CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
_INDEX = "model.safetensors.index.json"  # of weights in several files
_NO_ANSWER = hub.HTTPError  # type: ignore[attr-defined]  # of whichever httpx the hub uses
_MOST_JSON = 16 << 20
_MOST_FILES = 1000
MOST_NUMBERS = 1 << 31  # in a network: 8 GB as they are computed with; the largest classifiers have half of it

_PICKLES = ("*.bin", "*.pkl", "*.pickle", "*.pt", "*.pth", "*.ckpt", "*.joblib")
# Keys of a config.json that name code, other files or other places to load from, wherever they stand.
_CODE = frozenset({
    "auto_map", "custom_pipelines", "quantization_config", "transformers_weights", "fusion_config",
    "attn_implementation", "_attn_implementation", "_attn_implementation_internal",
    "experts_implementation", "_experts_implementation", "_experts_implementation_internal",
    "use_kernels", "kernel_config", "name_or_path", "_name_or_path", "_commit_hash",
    "checkpoint_path", "pretrained", "pretrained_cfg_overlay", "cache_dir",  # timm's
})  # fmt: skip
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class ModelFiles:
    """What was found under a name: descriptions, and weights where they were asked for."""

    source: str
    config: dict[str, Any]
    preprocessor: dict[str, Any]
    paths: tuple[Path, ...] | None = field(repr=False)  # of the weights; None where they are not asked for

    @cached_property
    def count(self) -> int:
        """How many numbers the weights have, by the heads of their files: nothing else of them is read."""
        return sum(map(_count, self.paths or ()))

    @cached_property
    def weights(self) -> dict[str, Tensor] | None:
        """The weights themselves."""
        if self.paths is None:
            return None
        return {name: tensor for path in self.paths for name, tensor in _tensors(path).items()}


def find_model_files(source: str, *, weights: bool = True, say: Callable[[str], None] | None = None) -> ModelFiles:
    """Read a network's files by a short name, a directory or a hub id."""
    where = SHORT.get(source, source)
    folder = Path(os.path.expanduser(where))  # noqa: PTH111 - pathlib raises where there is no such user
    with silence_libraries():
        place = _Hub(where, say) if source in SHORT or _is_hub_id(where, folder) else _Folder(folder)
        config = _document(place, CONFIG)
        preprocessor = _document(place, PREPROCESSOR) if place.has(PREPROCESSOR) else {}
        files = ModelFiles(source, config, preprocessor, _weights(place) if weights else None)
        if files.count > MOST_NUMBERS:
            raise TrainingError(
                f"the weights of {source} are {files.count:,} numbers; the most is {MOST_NUMBERS:,}.",
                f"Choose another network: --model {' or '.join(SHORT)}.",
            )
        return files


class _Folder:
    """A directory on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)
        if os.path.isfile(folder):  # noqa: PTH113 - pathlib raises on long names
            raise TrainingError(f"{folder} is a file.", f"Name the directory that holds {CONFIG}.")
        if not os.path.isdir(folder):  # noqa: PTH112 - as above
            raise TrainingError(
                f"no network {folder}: there is no such directory, and no such name is known.",
                f"Known are {', '.join(SHORT)}, hub models as owner/name, directories, and earlier runs.",
            )

    def has(self, name: str) -> bool:
        return (self._folder / name).is_file()

    def get(self, name: str) -> Path:
        return self._folder / name

    def pickles(self) -> list[str]:
        return sorted(path.name for kind in _PICKLES for path in self._folder.glob(kind))


class _Hub:
    """A repository of huggingface.co: what is in its cache here, else downloaded."""

    def __init__(self, repository: str, say: Callable[[str], None] | None) -> None:
        self.name = repository
        self._say = say
        self._answers = False

    def has(self, name: str) -> bool:
        try:
            self.get(name)
        except hub.EntryNotFoundError:
            return False
        return True

    def get(self, name: str) -> Path:
        try:
            cached = huggingface_hub.try_to_load_from_cache(self.name, name)
            if isinstance(cached, str):
                return Path(cached)
            if cached is None:
                return self._download(name)
        except hub.LocalEntryNotFoundError as error:
            raise self._not_downloaded(name, "no network, and it was not downloaded before") from error
        except hub.EntryNotFoundError:
            raise
        except (_NO_ANSWER, OSError, hub.HFValidationError) as error:
            raise self._not_downloaded(name, _reason(error)) from error
        raise hub.EntryNotFoundError(name)  # as the hub said once

    def _download(self, name: str) -> Path:
        if not self._answers:  # where there is no network, hf_hub_download would try for 23 s
            huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(self.name, name))
            self._answers = True
        if self._say and name.endswith(".safetensors"):
            self._say(f"downloading {name} of {self.name}")
        return Path(huggingface_hub.hf_hub_download(self.name, name))

    def pickles(self) -> list[str]:
        """Ask for what is not to be downloaded."""
        name = "pytorch_model.bin"
        try:
            huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(self.name, name))
        except (_NO_ANSWER, OSError):
            return []
        return [name]

    def _not_downloaded(self, name: str, why: str) -> TrainingError:
        return TrainingError(
            f"cannot fetch {name} of {self.name}: {why}.",
            f"Where there is a network, hf download {self.name} --local-dir DIR; here, --model DIR. "
            "Without pretrained weights: --from-scratch.",
        )


def _reason(error: Exception) -> str:
    if isinstance(error, hub.GatedRepoError):
        return "its owner wants to be asked on huggingface.co first"
    if isinstance(error, hub.RepositoryNotFoundError):
        return "the hub has no such repository, or keeps it for others"
    if isinstance(error, hub.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, and it was not downloaded before"
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _is_hub_id(name: str, folder: Path) -> bool:
    return not os.path.lexists(folder) and _HUB_ID.fullmatch(name) is not None


def _document(place: _Folder | _Hub, name: str) -> dict[str, Any]:
    """Read a description; a missing one is said in the words of its place."""
    if not place.has(name):
        raise _no_weights(place, name)
    path = place.get(name)
    try:
        with path.open("rb") as file:
            document = _without_code(json.loads(file.read(_MOST_JSON)))
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path} cannot be read: {str(error) or type(error).__name__}") from error
    if not isinstance(document, dict):
        raise TrainingError(f"{path} describes no network: it is no JSON object.")
    return document


def _weights(place: _Folder | _Hub) -> tuple[Path, ...]:
    """Return the files of the weights."""
    if place.has(WEIGHTS):
        return (place.get(WEIGHTS),)
    if not place.has(_INDEX):
        raise _no_weights(place, WEIGHTS)
    names = _document(place, _INDEX).get("weight_map")
    if not isinstance(names, dict):
        raise TrainingError(f"{_INDEX} of {place.name} lists no files.")
    found = sorted({str(name) for name in names.values()})
    if len(found) > _MOST_FILES:
        raise TrainingError(f"{_INDEX} of {place.name} lists more than {_MOST_FILES:,} files.")
    for name in found:
        if re.fullmatch(r"[\w.-]+\.safetensors", name) is None:
            raise TrainingError(f"{_INDEX} of {place.name} names {name!r}, which is none of its files.")
    return tuple(place.get(name) for name in found)


def _count(path: Path) -> int:
    """Count the numbers in a file of weights by its head."""
    with _whole(path), safe_open(path, "numpy") as file:  # as torch, it would map all of it
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - not a dict


def _tensors(path: Path) -> dict[str, Tensor]:
    with _whole(path):
        # Copies: what is only mapped changes with the file; where that is cut off, the process dies of it.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Name a file of weights that is damaged."""
    if not path.is_file():  # a pipe would be waited for
        raise TrainingError(f"{path} is no file, or is not there.", "Take it from where the others came.")
    try:
        yield
    except (SafetensorError, OSError, RuntimeError) as error:  # torch's, where it cannot be mapped
        raise TrainingError(
            f"{path} is damaged or cut off: {error}", "Fetch it again, or take it from where it came."
        ) from error


def _no_weights(place: _Folder | _Hub, name: str) -> TrainingError:
    pickles = place.pickles()
    if pickles:
        return TrainingError(
            f"{place.name} has no {name}, only {', '.join(pickles)}: refused, for that can run code.",
            "Use weights saved as safetensors.",
        )
    meant = newest_run(Path(place.name)) if isinstance(place, _Folder) and name == CONFIG else None
    return TrainingError(
        f"{place.name} has no {name}: no network can be made of it.",
        f"Did you mean {meant}?" if meant else f"Needed are {CONFIG} and {WEIGHTS}, as save_pretrained writes them.",
    )


def _without_code(value: Any) -> Any:
    """Leave out, at any depth, whatever names code or another place to load from."""
    if isinstance(value, dict):
        return {key: _without_code(inner) for key, inner in value.items() if key not in _CODE}
    if isinstance(value, list):
        return [_without_code(inner) for inner in value]
    return value


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Keep the libraries' bars, reports and advice from the terminal: what matters is said in our words."""
    logs: tuple[Any, ...] = (logging, hub_logging)
    before = [log.get_verbosity() for log in logs]
    bar, hub_bar = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    for log in logs:
        log.set_verbosity_error()
    logs[0].disable_progress_bar()
    disable_progress_bars()
    try:
        yield
    finally:
        for log, verbosity in zip(logs, before, strict=True):
            log.set_verbosity(verbosity)
        if bar:
            logs[0].enable_progress_bar()
        if hub_bar:
            enable_progress_bars()
