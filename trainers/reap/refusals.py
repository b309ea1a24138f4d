"""What is refused before a model is loaded and rows are measured: it may take hours until it would be found out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import DamagedError, UsageError
from ..models.training_model import TrainingModel
from . import criteria
from .options import PruneOptions
from .scores.calibration import Source
from .scores.expert_sums import State

SCORES = "scores.npz"
_IDENTITY = {"model", "sources", "samples", "part", "dtype"}


def count_of(options: PruneOptions, experts: int) -> int:
    """How many experts of a layer are kept."""
    return criteria.keep_count(experts, retention=options.retention, compression=options.compression_ratio)


def check_counts(options: PruneOptions, config: Any) -> None:
    """Raise UsageError if too few experts would be left, or all."""
    text = getattr(config, "thinker_config", config).get_text_config()
    experts = int(text.num_experts)
    criteria.check_count(count_of(options, experts), experts=experts, top_k=int(text.num_experts_per_tok))


def check_folders(options: PruneOptions, base: Path) -> None:
    """Raise UsageError if what is written would stand in the base, or in place of something else."""
    for flag, folder in (("--output", options.output), ("--report", options.report_folder)):
        if folder is None:
            continue
        whole = folder.resolve()
        if whole.is_relative_to(base.resolve()):
            raise UsageError(f"{flag} {folder} is in the folder of the model, which stays as it is.",
                             hint="name another folder")  # fmt: skip
        there = next(each for each in (whole, *whole.parents) if each.exists())
        if not there.is_dir():
            raise UsageError(f"{flag} {folder}: {there} is a file.", hint="name another folder")
    if options.output is not None and options.output.exists() and any(options.output.iterdir()):
        raise UsageError(f"--output {options.output} is there and not empty.",
                         hint="name another folder, or remove it")  # fmt: skip


# ---- scores that were measured before


def states_of(folders: Sequence[Path], loaded: TrainingModel) -> list[State]:
    """Read the scores of folders.

    Raises:
        UsageError: They are of another model, or parts that do not make up a whole.
        DamagedError: They cannot be read.
    """
    for folder in folders:
        if not (folder / SCORES).is_file():
            raise UsageError(
                f"--scores {folder}: there is no {SCORES}.", hint="name the folder that --report or --output made"
            )
    states = [State.load(each / SCORES) for each in folders]
    for state, folder in zip(states, folders, strict=True):
        if missing := _IDENTITY - set(state.identity):
            raise DamagedError(f"--scores {folder}: they do not say of which {', '.join(sorted(missing))} they are.")
    first = states[0]
    for state, folder in zip(states, folders, strict=True):
        if state.identity["model"] != loaded.revision:
            raise UsageError(f"--scores {folder}: they are of another model ({state.identity['model']}).")
        if not state.is_complete:
            raise UsageError(f"--scores {folder}: its measurement was not finished.",
                             hint="run the command that began it again: it goes on where it was")  # fmt: skip
        if set(state.differs_in(first.identity)) - {"part"} or state.identity["part"][1] != len(states):
            raise UsageError(f"--scores {folder}: it is not one of {len(states)} parts of one measurement.",
                             hint="name the folder of each part once")  # fmt: skip
    if sorted(state.identity["part"][0] for state in states) != list(range(len(states))):
        raise UsageError("--scores: a part is there twice, and another is missing.")
    return states


def check_sources(sources: Sequence[Source], state: State) -> None:
    """Raise UsageError if rows beside scores are not those that were measured: what is left of them would not be what
    the scores have not seen."""
    known = {(modality, sha256) for modality, _, sha256 in state.identity["sources"]}
    for source in sources:
        if (source.modality, source.sha256) not in known:
            raise UsageError(
                f"--{source.modality} {source.name}: the scores of --scores were not measured on it.",
                hint=f"leave --{source.modality} out, or leave --scores out to measure it",
            )
