"""Fine-tune with transformers' Trainer: one cycle, the best epoch saved, resumed exactly."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from harvest.errors import UsageError
from harvest.labelled_pictures.load_pictures import SplitPart
from harvest.training.network.find_model_files import silence_libraries
from harvest.training.out_of_memory import explain_out_of_memory
from harvest.training.processes_and_devices import choose_mixed_precision
from harvest.training.torch_dataset import ImageDataset, collate
from harvest.training.trainer import optimizers
from harvest.training.trainer.cpu_parallel_trainer import ParallelTrainer
from harvest.training.trainer.metric_logs import make_log_callbacks
from harvest.training.trainer.plan_stages_and_find_checkpoints import latest_checkpoint
from harvest.training.trainer.save_best_and_stop_early import EpochCallback
from harvest.training.trainer.user_callback_errors import GuardedCallback, from_worker
from harvest.training.user_code import load_object, own_code

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.training.metrics.metrics_computed_each_epoch import EpochMetrics
    from harvest.training.trainer.objects_shared_by_stages import TrainingContext
    from harvest.training.trainer.plan_stages_and_find_checkpoints import Stage
    from harvest.training.training_options import TrainingOptions


def fit_stage(context: TrainingContext, stage: Stage) -> bool:
    """Train one stage, restore the best network so far, and return whether the stage finished."""
    network, options = context.network, context.options
    if stage.whole:
        optimizers.unfreeze(network.model)
    else:
        optimizers.freeze_body(network.model, network.head)
    if not options.from_scratch:
        optimizers.freeze_batch_norm(network.model)
    folder = context.run.checkpoints / stage.name
    checkpoint = latest_checkpoint(folder) if options.resume else None
    try:
        with explain_out_of_memory(options.batch * options.n_augmentation, network.size), from_worker():
            _train(context, stage, folder, checkpoint)
    except KeyboardInterrupt:
        return False
    finally:
        if (context.run.path / "model.safetensors").exists():
            network.restore(context.run.path)
    return True


def _train(context: TrainingContext, stage: Stage, folder: Path, checkpoint: Path | None) -> None:
    train_data, valid_data = context.dataset(SplitPart.TRAIN), context.dataset(SplitPart.VALID)
    model: Any = context.network.model
    # Convolutions are fastest with channels last: MobileNetV2 on AMX, forward and backward, 82 → 67 ms per image.
    model.to(context.processes.device, memory_format=torch.channels_last)
    steps = stage.epochs * math.ceil(len(train_data) / (context.options.batch * context.processes.count))
    optimizer = optimizers.make_optimizer(model, *stage.rates)
    with context.cpu_workers() as workers, silence_libraries():
        trainer = ParallelTrainer(
            workers=workers,
            loss=context.loss,
            mixup=context.mixup,
            model=model,
            args=_arguments(context, stage, folder),
            train_dataset=train_data,
            eval_dataset=valid_data,
            data_collator=collate,
            optimizers=(optimizer, optimizers.make_one_cycle(optimizer, steps)),
            compute_metrics=lambda answer: _epoch_metrics(answer, context.measures),
            callbacks=_callbacks(context, train_data, stage),
        )
        trainer.remove_callback(PrinterCallback)
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            context.gone |= train_data.gone | valid_data.gone
            # accelerate wraps `forward` in half precision; the network is evaluated and exported without.
            trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)


def _arguments(context: TrainingContext, stage: Stage, folder: Path) -> TrainingArguments:
    options, device = context.options, context.processes.device
    precision = choose_mixed_precision(device)
    return TrainingArguments(
        output_dir=str(folder),
        run_name=f"{context.run.path.name} {stage.name}" if options.two_stage else context.run.path.name,
        per_device_train_batch_size=options.batch,
        per_device_eval_batch_size=options.batch,
        num_train_epochs=stage.epochs,
        eval_strategy="epoch",
        logging_strategy="epoch",
        logging_nan_inf_filter=False,
        save_strategy="no",  # EpochCallback decides when
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
        report_to=[],  # `make_log_callbacks` adds what `--log` names
        disable_tqdm=True,
        log_level="error",
    )


def decoding_workers(device: torch.device) -> int:
    """Return the number of processes that decode images: none on a CPU, where the network uses every core."""
    return 0 if device.type == "cpu" else min(8, max(0, (os.cpu_count() or 1) - 1))


def _callbacks(context: TrainingContext, train_data: ImageDataset, stage: Stage) -> list[TrainerCallback]:
    return [
        EpochCallback(context, train_data, stage.first_epoch),
        *load_user_callbacks(context.options),
        *make_log_callbacks(context),
    ]


def load_user_callbacks(options: TrainingOptions) -> list[TrainerCallback]:
    """Return the callbacks of `--callback`; raise UsageError if one is not a TrainerCallback."""
    found: list[TrainerCallback] = []
    for name in options.callbacks:
        callback = load_object(name)
        if isinstance(callback, type):
            with own_code(f"--callback {name}", "The class is called without arguments."):
                callback = callback()
        if not isinstance(callback, TrainerCallback):
            raise UsageError(f"--callback {name} is not a transformers.TrainerCallback.")
        found.append(GuardedCallback(f"--callback {name}", callback))
    return found


def _epoch_metrics(answer: Any, measures: EpochMetrics) -> dict[str, float]:
    logits = torch.from_numpy(np.asarray(answer.predictions, np.float64))
    return measures.measure(np.asarray(answer.label_ids, np.int64), torch.softmax(logits, dim=1).numpy())
