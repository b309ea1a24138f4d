"""The loop of a run: `transformers.Trainer`, with our steps, losses and checkpoints.

To the Trainer a run is one epoch, and each of its batches is one of our steps: all batches between two updates of the
weights. So a run goes on from any step, and the loss of a step is one mean over all its items, on all ranks.

torch and transformers are imported at the top: import this file where a run begins.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate.utils import save_fsdp_optimizer
from transformers import Trainer, TrainingArguments
from transformers.trainer import SCHEDULER_NAME
from transformers.trainer_callback import PrinterCallback

from ....errors import DamagedError
from ..processes.parts import is_in_parts, part_again, part_by_layer
from ..processes.ranks import gathered
from ..scores.evaluations import CutShort, Evaluations, Measurement
from .checkpoints import Checkpoint, Checkpoints
from .identity import Identity, check_same
from .interval import COUNTS, Interval, Seen
from .number_guard import NumberGuard
from .objective import Objective
from .progress import Observer, Progress, check_files, read_state, update_progress, write_state
from .step_end import StepEnd
from .steps import FromStep, Hooks, Step, Steps
from .stop_signals import StopRequest

STATE = "trainer_state.json"


class Weights(Protocol):
    """Writes and reads what is trained; each rank is asked, the first one writes."""

    def save(self, model: Any, folder: Path) -> None:
        """Write the weights into the folder of a checkpoint."""

    def load(self, model: Any, folder: Path) -> None:
        """Put the weights of a checkpoint into the model, before it is wrapped for several devices."""


class RunTrainer(Trainer):  # type: ignore[misc]
    """Trains a model.

    Args:
        model: The model, or its adapter.
        args: Without batches, accumulation and epochs, which `steps` has.
        groups: Groups of parameters for the optimizer, each with its `name` and `lr`.
        weights: Writes and reads the weights of a checkpoint.
        schedule: Makes the schedule of learning rates for the optimizer.
        identity: What a checkpoint keeps of the run, and what one that it goes on from must agree with.
        hooks: What is called within each step.
    """

    optimizer: Any
    lr_scheduler: Any
    control: Any

    def __init__(
        self,
        model: Any,
        args: TrainingArguments,
        *,
        objective: Objective,
        steps: Steps,
        groups: Callable[[Any], list[dict[str, Any]]],
        schedule: Callable[[Any], Any],
        checkpoints: Checkpoints,
        weights: Weights,
        observer: Observer,
        stop: StopRequest,
        identity: Identity | None = None,
        evaluations: Evaluations | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        super().__init__(model, args, callbacks=[StepEnd(self)])
        part_by_layer(self.accelerator, model)
        self.remove_callback(PrinterCallback)
        self.objective = objective
        self.steps = steps
        self.groups = groups
        self.schedule = schedule
        self.checkpoints = checkpoints
        self.weights = weights
        self.observer = observer
        self.stop = stop
        self.identity = identity or {}
        self.evaluations = evaluations
        self.hooks = hooks or Hooks()
        self.progress = Progress()
        self.stopped_by: int | None = None
        self._from: Checkpoint | None = None
        self._start = 0
        self._interval = Interval()
        self._step: Step | None = None
        self._last_inputs: dict[str, Any] | None = None
        self._batch_losses: list[torch.Tensor] = []
        self._rates_of_step: list[float] = []
        self._guard = NumberGuard(checkpoints, is_scaled=self.accelerator.scaler is not None)

    # ---- from the first step to the last

    def run(self, resume: Checkpoint | None = None) -> None:
        """Train to the last step, or until a signal or an early stop; goes on from a checkpoint.

        Raises:
            Diverged: The loss or its gradients are no longer numbers; nothing is saved after that.
            DamagedError: The checkpoint cannot be read, or a new one not be written.
        """
        if resume is not None:
            self.restore(resume)
        if self._from is None and self.evaluations is not None and self.evaluations.base:
            self._evaluated(self.evaluations.of(self.model))
            self.progress.base_scores = self.progress.scores
        if self.progress.awaits_scores:
            self._score_again()
        self._interval = Interval()
        if self._start < len(self.steps) and not self.progress.is_stopped_early and self.stopped_by is None:
            self.train(resume_from_checkpoint=None if self._from is None else str(self._from.path))

    def _score_again(self) -> None:
        """Make the evaluation of the step that the run goes on from, which was not begun or not over."""
        if self.evaluations is None:
            self.progress.awaits_scores = False
            return
        self.state.global_step, self.state.epoch = self._start, self.progress.epoch
        self.evaluate()
        self._save_checkpoint(self.model)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take the weights of a checkpoint; `run` then goes on from it.

        Raises:
            UsageError: It is of another run.
            DamagedError: It cannot be read.
        """
        state = read_state(checkpoint)
        if self.identity:
            check_same(state["identity"], self.identity)
        check_files(checkpoint, state["files"])
        self.weights.load(self.model, checkpoint.path)
        self.progress = state["progress"]
        self._from, self._start = checkpoint, checkpoint.step

    def get_train_dataloader(self) -> Any:
        return FromStep(self.steps, self._start)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Step], num_batches: int, device: Any
    ) -> tuple[list[Step], None]:
        step = next(epoch_iterator, None)
        return ([] if step is None else [step]), None

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Nothing: `run` has read the weights, before a strategy of many devices parted them."""

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            self.optimizer = kind(self.groups(self.model if model is None else model), **options)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        if self.lr_scheduler is None:
            self.lr_scheduler = self.schedule(self.optimizer)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    # ---- one step

    def training_step(self, model: Any, inputs: Step, num_items_in_batch: Any = None) -> torch.Tensor:
        """Add up the gradients of all batches of a step; returns the loss of this rank's share."""
        model.train()
        self._step, self._batch_losses = inputs, []
        self.hooks.before_step(inputs.number)
        items = [0 if batch.inputs is None else self.objective.items(batch.inputs) for batch in inputs.batches]
        ranks = self.accelerator.num_processes
        total = max(1, self._agreed(sum(items)))
        loss = torch.zeros((), device=self.args.device)
        for number, batch in enumerate(inputs.batches):
            is_last = number == len(inputs.batches) - 1
            self.accelerator.gradient_state._set_sync_gradients(is_last)
            with nullcontext() if is_last else self.accelerator.no_sync(model):
                losses = self._losses(model, batch)
                if losses:
                    whole = torch.stack(tuple(losses.values())).sum()
                    if whole.requires_grad:  # a batch may not reach what a stage trains
                        self.accelerator.backward(whole * (ranks / total))
                    told = whole.detach().float()
                    self._batch_losses.append(told / max(1, items[number]))
                    loss += told * (ranks / total)
            self._interval.add(batch, items[number], losses)
        self._interval.end(inputs)
        self._fill_gradients()
        self.hooks.after_backward(model, inputs.number)
        return loss

    def _fill_gradients(self) -> None:
        """Zeros for what no batch of the step has reached (the tower, where all of it is text): several ranks have such
        gradients too, and an optimizer passes over a parameter that has none."""
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.requires_grad and parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)

    def _agreed(self, items: int) -> int:
        """The items of a step on all ranks; a signal that one of them got reaches all at the same step."""
        signal = self.stop.signal or 0
        if self.accelerator.num_processes > 1:
            told = self.accelerator.gather(torch.tensor([[items, signal]], device=self.args.device))
            items, signal = int(told[:, 0].sum()), int(told[:, 1].max())
        self.stopped_by = signal or None
        return items

    def _is_to_stop(self) -> bool:
        """Whether a signal came, to any of the ranks."""
        self._agreed(0)
        return self.stopped_by is not None

    def _losses(self, model: Any, batch: Any) -> dict[str, torch.Tensor]:
        """The losses of a batch; of one without rows none, or on several ranks those of another batch, times zero:
        every rank takes part in every pass."""
        inputs, share = batch.inputs, 1.0
        if inputs is None:
            if self.accelerator.num_processes == 1:
                return {}
            inputs, share = self._last_inputs, 0.0
            if inputs is None:
                raise DamagedError(
                    f"step {self._step.number if self._step else 0}: all rows of the first batch are bad.",
                    hint="see rows_left_out.jsonl",
                )
        elif self.accelerator.num_processes > 1:
            self._last_inputs = inputs
        moved = self._prepare_inputs(dict(inputs))
        with self.compute_loss_context_manager():
            losses = self.objective.losses(model, moved)
        self.hooks.after_forward(inputs)
        if share:
            self._interval.measure(self.objective.measures)
        return losses if share else {name: value * share for name, value in losses.items()}

    def floating_point_ops(self, inputs: Any) -> int:
        return 0

    # ---- what must not go on

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)
        assert self._step is not None
        losses = torch.stack(self._batch_losses).tolist() if self._batch_losses else []
        self._guard.check(self._step, losses, float(norm), rate=self._get_learning_rate())
        return norm

    # ---- what is told

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Tell what was seen since the last line; the Trainer's own summary at the end is left out."""
        if "loss" not in logs:
            return
        line = self._line(logs)
        if self.is_world_process_zero():
            self.observer.logged(line)
        told = {**{name: line[name] for name in ("loss", "grad_norm", "tokens_per_second", "padding")},
                **{f"lr/{name}": rate for name, rate in line["lr"].items()},
                **{f"loss/{name}": value for name, value in line["losses"].items()},
                **line.get("measures", {})}  # fmt: skip
        self.control = self.callback_handler.on_log(self.args, self.state, self.control, told)

    def _line(self, logs: Mapping[str, float]) -> dict[str, Any]:
        """One line of metrics, over all ranks."""
        own, self._interval = self._interval, Interval()
        seen = Seen.of(gathered(own.document()), time.monotonic() - own.started)
        for name in COUNTS:
            setattr(self.progress, name, getattr(self.progress, name) + seen.counts[name])
        for _, row in seen.left_out:
            self.progress.reasons[row.reason] = self.progress.reasons.get(row.reason, 0) + 1
        if seen.left_out and self.is_world_process_zero():
            self.observer.left_out(seen.left_out)
        told = seen.document()
        self.progress.epoch, self.progress.loss = round(float(self.state.epoch or 0), 6), told["loss"]
        self.progress.measures = told.get("measures", {})
        return {
            "step": self.state.global_step, "epoch": self.progress.epoch, **told, "lr": self._rates(),
            "grad_norm": logs.get("grad_norm"),
        }  # fmt: skip

    def _rates(self) -> dict[str, float]:
        """The learning rate of each group at the last step; of groups of one name the highest."""
        found: dict[str, float] = {}
        rates = self._rates_of_step or [float(group["lr"]) for group in self.optimizer.param_groups]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            name = str(group.get("name", "all"))
            found[name] = max(found.get(name, 0.0), rate)
        return found

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Measure the model; a new best score makes a checkpoint, and too many without one end the run.

        What is due is saved first. A signal ends the evaluation of one process, and keeps that of several from
        beginning: the run that goes on makes it.
        """
        assert self.evaluations is not None
        self.progress.awaits_scores = True
        scores: dict[str, float] = {}
        if not self._is_to_stop():
            if self.control.should_save:
                self._save_checkpoint(self.model)
            alone = self.accelerator.num_processes == 1
            with suppress(CutShort):
                found = self.evaluations.of(self.model, until=lambda: alone and self.stop.signal is not None)
                if is_in_parts(self.accelerator):
                    part_again(self.model)
                self.progress.awaits_scores = False
                scores = self._evaluated(found)
                self._compare(found)
                self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, scores)
        if self._is_to_stop():
            self.control.should_save = self.control.should_training_stop = True
        return scores

    def _evaluated(self, found: Sequence[Measurement]) -> dict[str, float]:
        self.progress.scores = {each.name: each.value for each in found}
        line = {
            "step": self.state.global_step, "epoch": round(float(self.state.epoch or 0), 6),
            "scores": self.progress.scores,
            "counts": {each.name: each.counts for each in found if each.counts},
        }  # fmt: skip
        if self.is_world_process_zero():
            self.observer.logged(line)
        return {f"eval_{each.name}": each.value for each in found}

    def _compare(self, found: Sequence[Measurement]) -> None:
        assert self.evaluations is not None
        chosen = next((each for each in found if each.selects), None)
        if chosen is not None and self.progress.compare(
            chosen.value, more_is_better=chosen.more_is_better, step=self.state.global_step,
            patience=self.evaluations.patience,
        ):  # fmt: skip
            self.control.should_save = True
            self.control.should_training_stop |= self.progress.is_stopped_early

    # ---- checkpoints

    def _save_checkpoint(self, model: Any, trial: Any = None) -> None:
        step = self.state.global_step
        is_main = self.is_world_process_zero()
        if self.checkpoints.at(step).path.is_dir():  # the same step of the same run
            if is_main and update_progress(self.checkpoints.at(step), self.progress):
                self.checkpoints.leave(self._best)
                self.observer.saved(self.checkpoints.at(step), self.progress)
            return
        try:
            if is_main:
                self.checkpoints.begin(step)
            self.accelerator.wait_for_everyone()
            folder = self.checkpoints.partial(step)
            self.weights.save(self.model, folder)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._save_optimizer(folder)
                self._save_scaler(str(folder))
            self._save_rng_state(str(folder))
            self.accelerator.wait_for_everyone()
            if is_main:
                self.state.save_to_json(str(folder / STATE))
                write_state(folder, self.progress, self.identity, step=step)
            self.accelerator.wait_for_everyone()
        except (OSError, RuntimeError) as error:
            raise self.checkpoints.unsaved(error, step) from error
        if is_main:
            self.observer.saved(self.checkpoints.complete(step, best=self._best), self.progress)
        self.accelerator.wait_for_everyone()

    def _save_optimizer(self, folder: Path) -> None:
        """Write the state of the optimizer and the scheduler; the Trainer would write the weights of FSDP too."""
        if not is_in_parts(self.accelerator):
            self._save_optimizer_and_scheduler(str(folder))
            return
        plugin = self.accelerator.state.fsdp_plugin
        save_fsdp_optimizer(plugin, self.accelerator, self.optimizer, self.model, str(folder))
        if self.is_world_process_zero():
            torch.save(self.lr_scheduler.state_dict(), folder / SCHEDULER_NAME)

    @property
    def _best(self) -> str | None:
        """The name of the best checkpoint."""
        return None if self.progress.best_step is None else self.checkpoints.at(self.progress.best_step).name
