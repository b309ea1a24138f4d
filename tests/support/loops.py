"""A loop of training over made batches of tokens: a tiny model of text, steps that are the same whenever they are asked
for, and a record of what was told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triptych.trainers.runs.config.sections import RunConfig
from triptych.trainers.runs.loop.checkpoints import Checkpoints
from triptych.trainers.runs.loop.stop_signals import StopRequest

VOCABULARY = 300


@dataclass
class Batch:
    """A batch as the loader gives it."""

    ids: tuple[str, ...]
    inputs: dict[str, Any] | None
    left_out: tuple[Any, ...] = ()


def batch(number: int, lengths: Sequence[int]) -> Batch:
    """Rows of random tokens, of these lengths; the first three of each are not trained."""
    import torch

    generator = torch.Generator().manual_seed(number)
    rows = [torch.randint(10, VOCABULARY, (length,), generator=generator) for length in lengths]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    labels = torch.where(mask.bool(), ids, -100)
    labels[:, :3] = -100
    inputs = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return Batch(tuple(f"{number}.{row}" for row in range(len(rows))), inputs)


def steps_of(count: int, make: Any = None) -> MadeSteps:
    """Steps of two batches, whose rows differ in length."""
    return MadeSteps(count, make or (lambda number: (batch(number, [8]), batch(1000 + number, [6, 11]))))


@dataclass
class MadeSteps:
    count: int
    make: Any

    def __len__(self) -> int:
        return self.count

    def after(self, step: int) -> Iterator[Any]:
        from triptych.trainers.runs.loop.steps import Step

        for number in range(step + 1, self.count + 1):
            yield Step(number, number / self.count, tuple(self.make(number)))


class Weights:
    """All weights of a model, in one file."""

    def save(self, model: Any, folder: Path) -> None:
        from safetensors.torch import save_file

        save_file({name: value.detach().clone() for name, value in model.named_parameters()}, folder / "w.safetensors")

    def load(self, model: Any, folder: Path) -> None:
        import torch
        from safetensors.torch import load_file

        values = load_file(folder / "w.safetensors")
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(values[name])


@dataclass
class Told:
    """What an observer is told."""

    steps: list[int] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)

    def stepped(self, step: int, of: int) -> None:
        self.steps.append(step)

    def logged(self, line: dict[str, Any]) -> None:
        self.lines.append(line)

    def saved(self, checkpoint: Any, progress: Any) -> None:
        self.checkpoints.append(checkpoint.name)

    def left_out(self, rows: Sequence[Any]) -> None:
        self.rows += rows


def tiny_text_model(**changes: Any) -> Any:
    """A Qwen3 of text with dropout."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
             "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "attention_dropout": 0.1,
             "tie_word_embeddings": False}  # fmt: skip
    return Qwen3ForCausalLM(Qwen3Config(**sizes | changes))


def hash_of(model: Any) -> str:
    digest = hashlib.sha256()
    for name, value in model.named_parameters():
        digest.update(name.encode() + value.detach().numpy().tobytes())
    return digest.hexdigest()


@dataclass
class Loop:
    """A trainer in a folder, ready to run."""

    trainer: Any
    told: Told
    checkpoints: Checkpoints
    stop: StopRequest

    def run(self, *, resume: bool = False) -> str:
        """The hash of the weights at the end."""
        self.trainer.run(self.checkpoints.latest if resume else None)
        return hash_of(self.trainer.model)


def loop(folder: Path, count: int = 6, *, make: Any = None, model: Any = None, objective: Any = None,
         weights: Any = None, keep: int = 2, lr: float = 1e-2, save_steps: int = 3,
         **options: Any) -> Loop:  # fmt: skip
    """A loop of so many steps."""
    from triptych.trainers.runs.loop.arguments import arguments_of
    from triptych.trainers.runs.loop.rates import schedule_of
    from triptych.trainers.runs.loop.trainer import RunTrainer
    from triptych.trainers.sft.cross_entropy import CrossEntropy

    config = RunConfig.model_validate({
        "model": {"base_model": "tiny"}, "data": {"train": "made"},
        "training": {"lr": lr, "warmup_steps": 0}, "logging": {"logging_steps": 2, "save_steps": save_steps},
    })  # fmt: skip
    schedule = schedule_of(config, count)
    told, stop = Told(), StopRequest()
    checkpoints = Checkpoints(folder / "checkpoints", keep)
    trainer = RunTrainer(
        model or tiny_text_model(), arguments_of(config, folder, steps=count), objective=objective or CrossEntropy(),
        steps=steps_of(count, make), checkpoints=checkpoints, weights=weights or Weights(), observer=told, stop=stop,
        groups=lambda model: [{"params": list(model.parameters()), "name": "all", "lr": lr}],
        schedule=lambda optimizer: schedule.of_groups(optimizer, lambda group, step: 1.0), **options,
    )  # fmt: skip
    return Loop(trainer, told, checkpoints, stop)
