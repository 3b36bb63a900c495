"""Fine-tuning with transformers' Trainer: one cycle, the best epoch kept, resumed to the step."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from harvest.errors import UsageError
from harvest.training.network.model_files import silence_libraries
from harvest.training.out_of_memory import explain_out_of_memory
from harvest.training.pictures.labelled_pictures import SplitPart
from harvest.training.processes import choose_mixed_precision
from harvest.training.torch_dataset import ImageDataset, collate
from harvest.training.trainer import schedule
from harvest.training.trainer.checkpoints import latest_checkpoint
from harvest.training.trainer.epoch_callback import EpochCallback
from harvest.training.trainer.parallel_trainer import ParallelTrainer
from harvest.training.trainer.user_callbacks import GuardedCallback, from_worker
from harvest.training.user_code import load_object, own_code

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.metrics.epoch_metrics import EpochMetrics
    from harvest.training.trainer.checkpoints import Stage
    from harvest.training.trainer.training_context import TrainingContext
    from harvest.training.training_options import TrainingOptions


def fit_stage(bench: TrainingContext, stage: Stage) -> bool:
    """Run one stage, leave the best network so far, and tell whether the stage came to its end."""
    network, options = bench.network, bench.options
    if stage.whole:
        schedule.unfreeze(network.model)
    else:
        schedule.freeze_body(network.model, network.head)
    if not options.from_scratch:
        schedule.freeze_batch_norm(network.model)
    folder = bench.run.checkpoints / stage.name
    begun = latest_checkpoint(folder) if options.resume else None
    try:
        with explain_out_of_memory(options.batch * options.n_augmentation, network.size), from_worker():
            _train(bench, stage, folder, begun)
    except KeyboardInterrupt:
        return False
    finally:
        if (bench.run.path / "model.safetensors").exists():
            network.restore(bench.run.path)
    return True


def _train(bench: TrainingContext, stage: Stage, folder: Path, begun: Path | None) -> None:
    lessons, exam = bench.dataset(SplitPart.TRAIN), bench.dataset(SplitPart.VALID)
    model: Any = bench.network.model
    # Channels last is how convolutions are fastest: MobileNetV2 with tiles 82 → 67 ms a picture, both ways.
    model.to(bench.processes.device, memory_format=torch.channels_last)
    steps = stage.epochs * math.ceil(len(lessons) / (bench.options.batch * bench.processes.count))
    optimizer = schedule.make_optimizer(model, *stage.rates)
    with bench.cpu_workers() as hands, silence_libraries():
        trainer = ParallelTrainer(
            hands=hands,
            loss=bench.loss,
            model=model,
            args=_arguments(bench, stage, folder),
            train_dataset=lessons,
            eval_dataset=exam,
            data_collator=collate,
            optimizers=(optimizer, schedule.make_one_cycle(optimizer, steps)),
            compute_metrics=lambda answer: _epoch_metrics(answer, bench.measures),
            callbacks=_callbacks(bench, lessons, stage),
        )
        trainer.remove_callback(PrinterCallback)
        try:
            trainer.train(resume_from_checkpoint=str(begun) if begun else None)
        finally:
            bench.gone |= lessons.gone | exam.gone
            # accelerate wraps `forward` in half precision; what is exported and judged is the network itself.
            trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)


def _arguments(bench: TrainingContext, stage: Stage, folder: Path) -> TrainingArguments:
    options, device = bench.options, bench.processes.device
    precision = choose_mixed_precision(device)
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=options.batch,
        per_device_eval_batch_size=options.batch,
        num_train_epochs=stage.epochs,
        eval_strategy="epoch",
        logging_strategy="epoch",
        logging_nan_inf_filter=False,
        save_strategy="no",  # the keeper says when
        save_total_limit=max(1, options.keep),
        seed=options.seed,
        data_seed=options.seed,
        use_cpu=device.type == "cpu",
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        dataloader_num_workers=decoding_workers(device),
        dataloader_pin_memory=device.type == "cuda",
        remove_unused_columns=False,
        label_names=["labels"],
        average_tokens_across_devices=False,
        ddp_find_unused_parameters=False,
        report_to=[],
        disable_tqdm=True,
        log_level="error",
    )


def decoding_workers(device: torch.device) -> int:
    """Return how many processes decode beside this one: none where the network itself takes every core."""
    return 0 if device.type == "cpu" else min(8, max(0, (os.cpu_count() or 1) - 1))


def _callbacks(bench: TrainingContext, lessons: ImageDataset, stage: Stage) -> list[TrainerCallback]:
    found: list[TrainerCallback] = [
        EpochCallback(bench, lessons, stage.first_epoch),
        *load_user_callbacks(bench.options),
    ]
    if "tensorboard" in bench.options.log and bench.processes.is_first:
        found.append(_tensorboard(bench.run.path / "logs"))
    return found


def load_user_callbacks(options: TrainingOptions) -> list[TrainerCallback]:
    """Make what `--callback` names; UsageError where it is no callback."""
    found: list[TrainerCallback] = []
    for name in options.callbacks:
        made = load_object(name)
        if isinstance(made, type):
            with own_code(f"--callback {name}", "A class is made without arguments."):
                made = made()
        if not isinstance(made, TrainerCallback):
            raise UsageError(f"--callback {name}: no transformers.TrainerCallback.")
        found.append(GuardedCallback(name, made))
    return found


def _tensorboard(folder: Path) -> TrainerCallback:
    # Few want them, and they are slow.
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
    from transformers.integrations.integration_utils import TensorBoardCallback  # noqa: PLC0415

    made: TrainerCallback = TensorBoardCallback(SummaryWriter(str(folder)))  # type: ignore[no-untyped-call]
    return made


def _epoch_metrics(answer: Any, measures: EpochMetrics) -> dict[str, float]:
    logits = torch.from_numpy(np.asarray(answer.predictions, np.float64))
    return measures.measure(np.asarray(answer.label_ids, np.int64), torch.softmax(logits, dim=1).numpy())
