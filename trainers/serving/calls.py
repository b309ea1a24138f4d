"""`triptych.train_export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ...errors import UsageError
from ...options import described_by
from .options import MergeOptions

if TYPE_CHECKING:
    from ...options.arguments import TrainExportArguments
    from .merge import Merged

PathLike = str | Path


@described_by(MergeOptions)
def train_export(run: PathLike, **options: Unpack[TrainExportArguments]) -> Merged:
    """Make a model folder of a run: every file of the base, with what was learned in its weights. Of a run of phones,
    the language model, the encoder and what lies between.

    The folder stands only after its logits were held against those of the base with the checkpoint.

    Args:
        run: The folder of the run.
        {options}

    Raises:
        UsageError: There is no such run, checkpoint or base, the server has no such layout, or `out` is taken.
        DamagedError: The checkpoint is not of this base, or the result does not say what base and checkpoint say.
    """
    return train_export_with(run, MergeOptions.of(**options))


def train_export_with(run: PathLike, options: MergeOptions) -> Merged:
    """`train_export` with options that are already parsed."""
    from ..phoneme.hand_on import hand_on
    from ..phoneme.train import NAME
    from ..runs.loop.progress import read_state
    from .merge import find_checkpoint, merge_run

    # The configuration of a trainer of phones has a section of that name.
    identity = read_state(find_checkpoint(Path(run), options.checkpoint))["identity"]
    if NAME in identity["config"]:
        return hand_on(
            Path(run), options.out, layout=options.layout, checkpoint=options.checkpoint, base=options.base,
            encoder=options.encoder,
        )  # fmt: skip
    if options.encoder is not None:
        raise UsageError(f"--encoder: {run} is no run of phones.", hint="leave --encoder out; --base names its model")
    return merge_run(Path(run), options.out, layout=options.layout, checkpoint=options.checkpoint, base=options.base)
