"""What happens at the end of a step, beside logs and checkpoints by number: scores, and the end after a signal.

A signal leaves little time: the step is saved, and the run that goes on makes its evaluation.
"""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback


class StepEnd(TrainerCallback):  # type: ignore[misc]
    """Called by `transformers.Trainer` at its turns.

    Attributes:
        trainer: The RunTrainer.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        state.compute_steps(args, state.max_steps)  # a checkpoint brings those of the run that it was written in

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.trainer._rates_of_step = [float(group["lr"]) for group in self.trainer.optimizer.param_groups]

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        trainer = self.trainer
        step = trainer._step
        assert step is not None
        state.epoch = step.epoch
        is_last = state.global_step >= state.max_steps
        evaluations = trainer.evaluations
        if evaluations is not None and (is_last or state.global_step % evaluations.steps == 0):
            control.should_evaluate = True
        if trainer.accelerator.num_processes == 1:
            trainer.stopped_by = trainer.stop.signal  # several processes agree on it within a step
        if trainer.stopped_by is not None:
            trainer.progress.awaits_scores = control.should_evaluate
            control.should_evaluate = False
            control.should_save = control.should_training_stop = True
        if control.should_save or control.should_evaluate or control.should_training_stop:
            control.should_log = True  # what a line tells ends with a checkpoint, and begins after one
        if trainer.is_world_process_zero():
            trainer.observer.stepped(state.global_step, state.max_steps)
