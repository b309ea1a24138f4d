"""What `transformers.Trainer` is told of a configuration."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ..processes.ranks import on_cpu

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from ..config.sections import RunConfig

log = logging.getLogger("triptych")

FP32, BF16, FP16 = "fp32", "bf16", "fp16"


def arguments_of(config: RunConfig, folder: Path, *, steps: int, mixed: str = FP32) -> TrainingArguments:
    """The arguments of a run of so many steps.

    Batches, accumulation and epochs are in its steps; evaluation, learning rates and lines of metrics are its own.

    Args:
        mixed: What passes are computed in where that is not the type of the trained weights: `bf16` or `fp16`.
    """
    from transformers import TrainingArguments

    training, logging = config.training, config.logging
    made = TrainingArguments(
        output_dir=str(folder), max_steps=steps, num_train_epochs=1, per_device_train_batch_size=1,
        gradient_accumulation_steps=1, learning_rate=training.lr, weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm, adam_beta1=config.optimizer.betas[0],
        adam_beta2=config.optimizer.betas[1], adam_epsilon=config.optimizer.eps, optim="adamw_torch",
        bf16=mixed == BF16, fp16=mixed == FP16, seed=training.seed, data_seed=training.seed,
        logging_steps=logging.logging_steps, logging_nan_inf_filter=False, save_strategy="steps",
        save_steps=logging.save_steps, eval_strategy="no", report_to=_reports(logging.report_to),
        run_name=folder.name, remove_unused_columns=False, ignore_data_skip=True, disable_tqdm=True,
        ddp_find_unused_parameters=False, use_cpu=on_cpu(),
    )  # fmt: skip
    # Without bf16 and fp16, transformers takes what `accelerate launch` has in the environment.
    own = mixed if mixed in (BF16, FP16) else "no"
    if made.mixed_precision != own:
        log.warning(
            "accelerate's mixed precision (%s) is not used: model.dtype is %s.", made.mixed_precision, mixed
        )  # fmt: skip
        made.mixed_precision = own
    return made


def check_reports(names: tuple[str, ...]) -> None:
    """Check that metrics can be reported to these places, before a model is loaded.

    Raises:
        UsageError: One is unknown, or its package is not installed.
    """
    from transformers.integrations import get_reporting_integration_callbacks

    for name in names:
        if name in ("all", "none"):
            continue
        try:
            [report() for report in get_reporting_integration_callbacks([name])]
        except (ValueError, RuntimeError, ImportError) as error:
            raise UsageError(f"logging.report_to: {name}: {str(error).splitlines()[0]}") from error


def _reports(names: tuple[str, ...]) -> Any:
    return list(names) or "none"
