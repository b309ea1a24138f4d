"""Checkpoints of a run: folders `step-000500`, which are complete or are not there.

A checkpoint is written beside its place and renamed. Older ones go once it stands; the best one stays.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ....errors import DamagedError

_NAME = re.compile(r"step-(\d{6,})")
_PARTIAL, _REMOVED = ".partial", ".removed"
_WRITERS = ("PytorchStreamWriter", "inline_container", "safetensors", "No space left")
"""What errors of torch and safetensors say that come from writing a file."""


@dataclass(frozen=True, slots=True, order=True)
class Checkpoint:
    """A complete checkpoint."""

    step: int
    path: Path

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of a run.

    Attributes:
        folder: The folder that holds them.
        keep: So many of them stay, and the best one.
    """

    folder: Path
    keep: int = 2

    def all(self) -> list[Checkpoint]:
        """The complete ones, by step."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(Checkpoint(int(name[1]), path) for path in found if (name := _NAME.fullmatch(path.name)))

    @property
    def latest(self) -> Checkpoint | None:
        return max(self.all(), default=None)

    def at(self, step: int) -> Checkpoint:
        """The place of the checkpoint of a step."""
        return Checkpoint(step, self.folder / f"step-{step:06d}")

    def partial(self, step: int) -> Path:
        """The folder in which the checkpoint of a step is written."""
        return self.folder / f"{self.at(step).name}{_PARTIAL}"

    def begin(self, step: int) -> Path:
        """Make that folder, without anything of a save that was interrupted."""
        self.clear()
        path = self.partial(step)
        path.mkdir(parents=True)
        return path

    def complete(self, step: int, *, best: str | None = None) -> Checkpoint:
        """Give the checkpoint of a step its name, then remove the older ones that are not kept."""
        made = self.at(step)
        self.partial(step).rename(made.path)
        self.leave(best)
        return made

    def leave(self, best: str | None) -> None:
        """Remove those that are not kept."""
        for old in self.all()[: -self.keep]:
            if old.name != best:
                old.path.rename(old.path.with_name(old.name + _REMOVED))
        self.clear()

    def clear(self) -> None:
        """Remove what an interrupted save or removal left."""
        for ending in (_PARTIAL, _REMOVED):
            for path in self.folder.glob(f"step-*{ending}"):
                shutil.rmtree(path)

    def unsaved(self, error: Exception, step: int) -> Exception:
        """Clear what was begun; what to say of a checkpoint that could not be written. Another error is its own."""
        if not isinstance(error, OSError) and not any(name in str(error) for name in _WRITERS):
            return error
        free = shutil.disk_usage(self.folder).free
        self.clear()
        last = self.latest
        return DamagedError(
            f"the checkpoint of step {step:,} cannot be written: {str(error).splitlines()[0]} ({free / 1e9:,.1f} GB "
            f"are free in {self.folder}). " + (f"{last.name} is as it was." if last else "There is none before it."),
            hint="make room, then go on: triptych train ... --resume",
        )
