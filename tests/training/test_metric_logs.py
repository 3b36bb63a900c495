"""`--log wandb,mlflow`: metrics go to the services that the command names, and to no other."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest

from harvest.cli.train import load_train_script, resume_hint
from harvest.errors import UsageError, UserCodeError
from harvest.training.resumed_options import code_words, merge_options, missing_services
from harvest.training.training_options import TrainingOptions
from tests.training.shapes import Listener, tree

if TYPE_CHECKING:
    from pathlib import Path

SERVICES = ("wandb", "mlflow")


class FakeService(MagicMock):
    """A module that accepts every call, and records them."""

    def logged(self) -> dict[str, float]:
        """Return all metrics that were logged, of either service."""
        calls = [*self.log.call_args_list, *self.log_metrics.call_args_list]
        return {name: value for call in calls for name, value in (call.kwargs.get("metrics") or call.args[0]).items()}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeService]:
    """Install both services as fakes."""
    fakes = {}
    for name in SERVICES:
        fakes[name] = FakeService(__spec__=ModuleSpec(name, None), __version__="3.0.0")
        monkeypatch.setitem(sys.modules, name, fakes[name])
    for name in ("wandb.sdk", "wandb.sdk.lib", "wandb.sdk.lib.config_util"):
        monkeypatch.setitem(sys.modules, name, MagicMock(ConfigError=KeyError))
    fakes["wandb"].run = None
    fakes["wandb"].init.side_effect = lambda **_: setattr(fakes["wandb"], "run", MagicMock())
    fakes["mlflow"].active_run.side_effect = [None, *[MagicMock()] * 9]
    fakes["mlflow"].utils.validation.MAX_PARAM_VAL_LENGTH = 500
    fakes["mlflow"].utils.validation.MAX_PARAMS_TAGS_PER_BATCH = 100
    for name in ("WANDB_LOG_MODEL", "WANDB_WATCH", "WANDB_PROJECT", "DISABLE_MLFLOW_INTEGRATION", "MLFLOW_TAGS"):
        monkeypatch.delenv(name, raising=False)
    return fakes


def train(folder: Path, **more: Any) -> None:
    shapes = tree(folder / "shapes", {"disc": 6, "square": 6})
    options = TrainingOptions(
        shapes, out=folder / "first", from_scratch=True, epochs=1, size=32, batch=8, cpu=True, **more
    )
    with resume_hint(options):
        load_train_script()(options, Listener())


def test_both_services_get_the_metrics_of_each_epoch(tmp_path: Path, services: dict[str, FakeService]) -> None:
    """Training loss, validation loss and accuracy are logged, under the name of the run."""
    train(tmp_path, log=("wandb", "mlflow"))

    assert {"train/loss", "eval/loss", "eval/accuracy"} <= services["wandb"].logged().keys()
    assert {"loss", "eval_loss", "eval_accuracy"} <= services["mlflow"].logged().keys()
    assert services["wandb"].init.call_args.kwargs["name"] == "first"
    assert services["mlflow"].start_run.call_args.kwargs["run_name"] == "first"


def test_nothing_is_sent_without_the_option(tmp_path: Path, services: dict[str, FakeService]) -> None:
    """An installed service gets nothing from a training that does not name it."""
    train(tmp_path)

    assert not any(service.method_calls for service in services.values())


@pytest.mark.parametrize("kind", SERVICES)
def test_a_missing_package_is_an_error_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Without its package, the training ends with how to install it; no run is started."""
    monkeypatch.setattr("harvest.training.trainer.metric_logs.find_spec", lambda _: None)
    options = TrainingOptions(tmp_path / "not read", log=(kind,))

    with pytest.raises(UsageError, match=f"--log {kind} needs") as refused:
        load_train_script()(options, Listener())

    assert refused.value.hint == f"pip install {kind}"
    assert not options.runs.exists()


def test_an_error_of_a_service_names_the_option(tmp_path: Path, services: dict[str, FakeService]) -> None:
    """A service that refuses to start ends the training with its message and the command to continue."""
    services["wandb"].init.side_effect = RuntimeError("No API key configured.")

    with pytest.raises(UserCodeError, match=r"--log wandb failed at .*No API key configured") as refused:
        train(tmp_path, log=("csv", "wandb"))

    assert "wandb login" in refused.value.hint
    assert "--log csv,wandb" in refused.value.hint


def test_X01_a_run_directory_does_not_choose_a_service(tmp_path: Path) -> None:
    """A resumed run is only logged to services that the command names again."""
    original = TrainingOptions(tmp_path, log=("csv", "tensorboard", "wandb"))
    plain, again = TrainingOptions(tmp_path, resume=True), TrainingOptions(tmp_path, resume=True, log=("wandb",))

    assert merge_options(plain, original, tmp_path).log == ("csv", "tensorboard")
    assert merge_options(again, original, tmp_path).log == original.log
    assert (missing_services(plain, original), missing_services(again, original)) == (["wandb"], [])
    assert code_words(original) == "--log csv,tensorboard,wandb"
