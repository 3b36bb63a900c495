"""Find the files of a network: in an installed package, a directory, an earlier run or on the Hugging Face hub.

Pickled weights can run code, so those of a directory or a hub are refused, and nothing else is tried in their place.
Keys of a config.json that name code to run or to download are removed.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
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
from transformers.utils import logging

from harvest.errors import TrainingError
from harvest.training.choose_run_directory import newest_run
from harvest.training.network import packaged_weights  # it also registers its architecture in transformers
from harvest.training.network.model_files import ModelFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHORT = {
    "resnet18": "microsoft/resnet-18",
    "resnet34": "microsoft/resnet-34",
    "mobilenet": "google/mobilenet_v2_1.0_224",
    "dinov2": "facebook/dinov2-small",
}
NAMES = (packaged_weights.NAME, *SHORT)
CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
_INDEX = "model.safetensors.index.json"  # lists the files of weights that are split
_NO_ANSWER = hub.HTTPError  # type: ignore[attr-defined]  # of the httpx that the hub library uses
_MOST_JSON = 16 << 20
_MOST_FILES = 1000
MOST_NUMBERS = 1 << 31  # parameters: 8 GB in float32; the largest classifiers have half as many

_PICKLES = ("*.bin", "*.pkl", "*.pickle", "*.pt", "*.pth", "*.ckpt", "*.joblib")
# Keys of a config.json, at any depth, that name code, other files or other sources.
_CODE = frozenset({
    "auto_map", "custom_pipelines", "quantization_config", "transformers_weights", "fusion_config",
    "attn_implementation", "_attn_implementation", "_attn_implementation_internal",
    "experts_implementation", "_experts_implementation", "_experts_implementation_internal",
    "use_kernels", "kernel_config", "name_or_path", "_name_or_path", "_commit_hash",
    "checkpoint_path", "pretrained", "pretrained_cfg_overlay", "cache_dir",  # of timm
})  # fmt: skip
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def find_model_files(source: str, *, weights: bool = True, say: Callable[[str], None] | None = None) -> ModelFiles:
    """Find the files of a network by a short name, a directory or a hub id."""
    if source == packaged_weights.NAME:
        return packaged_weights.find_packaged_files(weights=weights)
    name = SHORT.get(source, source)
    folder = Path(os.path.expanduser(name))  # noqa: PTH111 - pathlib raises for an unknown user
    with silence_libraries():
        location = _Hub(name, say) if source in SHORT or _is_hub_id(name, folder) else _Folder(folder)
        config = _read_json(location, CONFIG)
        preprocessor = _read_json(location, PREPROCESSOR) if location.has(PREPROCESSOR) else {}
        files = ModelFiles(source, config, preprocessor, _find_weights(location) if weights else None)
        if files.count > MOST_NUMBERS:
            raise TrainingError(
                f"the weights of {source} have {files.count:,} parameters; the limit is {MOST_NUMBERS:,}.",
                f"Choose another network: --model {' or '.join(NAMES)}.",
            )
        return files


class _Folder:
    """A directory on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)
        if os.path.isfile(folder):  # noqa: PTH113 - pathlib raises on long names
            raise TrainingError(f"{folder} is a file.", f"Pass the directory that contains {CONFIG}.")
        if not os.path.isdir(folder):  # noqa: PTH112 - as above
            raise TrainingError(
                f"no network {folder}: it is neither a directory nor a known name.",
                f"Use {', '.join(NAMES)}, a hub model as owner/name, a directory or an earlier run.",
            )

    def has(self, name: str) -> bool:
        return (self._folder / name).is_file()

    def get(self, name: str) -> Path:
        return self._folder / name

    def pickles(self) -> list[str]:
        return sorted(path.name for kind in _PICKLES for path in self._folder.glob(kind))


class _Hub:
    """A repository of huggingface.co: files are taken from the local cache, or downloaded."""

    def __init__(self, repository: str, say: Callable[[str], None] | None) -> None:
        self.name = repository
        self._say = say
        self._is_reachable = False

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
            raise self._cannot_fetch(name, "the hub cannot be reached, and the file is not in the cache") from error
        except hub.EntryNotFoundError:
            raise
        except (_NO_ANSWER, OSError, hub.HFValidationError) as error:
            raise self._cannot_fetch(name, _reason(error)) from error
        raise hub.EntryNotFoundError(name)  # the hub answered so earlier, and the answer is cached

    def _download(self, name: str) -> Path:
        if not self._is_reachable:  # without a network, hf_hub_download would retry for 23 s
            huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(self.name, name))
            self._is_reachable = True
        if self._say and name.endswith(".safetensors"):
            self._say(f"downloading {name} of {self.name}")
        return Path(huggingface_hub.hf_hub_download(self.name, name))

    def pickles(self) -> list[str]:
        """Return the pickled weights of the repository, without downloading them."""
        name = "pytorch_model.bin"
        try:
            huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(self.name, name))
        except (_NO_ANSWER, OSError):
            return []
        return [name]

    def _cannot_fetch(self, name: str, why: str) -> TrainingError:
        return TrainingError(
            f"cannot fetch {name} of {self.name}: {why}.",
            f"On a machine with a network run hf download {self.name} --local-dir DIR, then pass --model DIR here. "
            f"The network {packaged_weights.NAME} needs no hub: --model {packaged_weights.NAME}.",
        )


def _reason(error: Exception) -> str:
    if isinstance(error, hub.GatedRepoError):
        return "its owner must grant access on huggingface.co first"
    if isinstance(error, hub.RepositoryNotFoundError):
        return "the hub has no such repository, or it is private"
    if isinstance(error, hub.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, and the file is not in the cache"
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _is_hub_id(name: str, folder: Path) -> bool:
    return not os.path.lexists(folder) and _HUB_ID.fullmatch(name) is not None


def _read_json(location: _Folder | _Hub, name: str) -> dict[str, Any]:
    """Read a configuration without the keys that name code; raise TrainingError if it is missing or invalid."""
    if not location.has(name):
        raise _missing_file(location, name)
    path = location.get(name)
    try:
        with path.open("rb") as file:
            document = _without_code(json.loads(file.read(_MOST_JSON)))
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path} cannot be read: {str(error) or type(error).__name__}") from error
    if not isinstance(document, dict):
        raise TrainingError(f"{path} does not describe a network: it is not a JSON object.")
    return document


def _find_weights(location: _Folder | _Hub) -> tuple[Path, ...]:
    """Return the paths of the weight files."""
    if location.has(WEIGHTS):
        return (location.get(WEIGHTS),)
    if not location.has(_INDEX):
        raise _missing_file(location, WEIGHTS)
    names = _read_json(location, _INDEX).get("weight_map")
    if not isinstance(names, dict):
        raise TrainingError(f"{_INDEX} of {location.name} lists no files.")
    found = sorted({str(name) for name in names.values()})
    if len(found) > _MOST_FILES:
        raise TrainingError(f"{_INDEX} of {location.name} lists more than {_MOST_FILES:,} files.")
    for name in found:
        if re.fullmatch(r"[\w.-]+\.safetensors", name) is None:
            raise TrainingError(f"{_INDEX} of {location.name} names {name!r}, which is not a file of that model.")
    return tuple(location.get(name) for name in found)


def _missing_file(location: _Folder | _Hub, name: str) -> TrainingError:
    pickles = location.pickles()
    if pickles:
        return TrainingError(
            f"{location.name} has no {name}, only {', '.join(pickles)}: refused, because a pickle can run code.",
            "Use weights saved as safetensors.",
        )
    meant = newest_run(Path(location.name)) if isinstance(location, _Folder) and name == CONFIG else None
    return TrainingError(
        f"{location.name} has no {name}, so it is not a network.",
        f"Did you mean {meant}?"
        if meant
        else f"A network needs {CONFIG} and {WEIGHTS}, as save_pretrained writes them.",
    )


def _without_code(value: Any) -> Any:
    """Remove, at any depth, the keys that name code or another source to load from."""
    if isinstance(value, dict):
        return {key: _without_code(inner) for key, inner in value.items() if key not in _CODE}
    if isinstance(value, list):
        return [_without_code(inner) for inner in value]
    return value


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Silence the progress bars, reports and advice of the libraries within the block."""
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
