"""Options of the view `features`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ...errors import UsageError
from ...options import Option, Options
from ..row_options import ONE_VIEW
from .extractors import EXTRACTORS

LOG_MEL, HIDDEN = "log-mel", "hidden-states"
NPY, SAFETENSORS = "npy", "safetensors"
DIGEST = "encoder_sha256"
"""The option under which a request has the digest of its encoder."""


@dataclass(frozen=True, kw_only=True)
class FeatureOptions(Options):
    """Which features, and in which files."""

    features: Annotated[
        str,
        Option("features: log-mel (spectrograms of --extractor) or hidden-states (of --encoder).", ONE_VIEW,
               choices=(LOG_MEL, HIDDEN)),
    ] = LOG_MEL  # fmt: skip
    extractor: Annotated[
        str, Option("features: whose extractor makes the spectrograms.", ONE_VIEW, choices=tuple(EXTRACTORS))
    ] = "qwen3-omni"
    encoder: Annotated[
        Path | None,
        Option("features: the folder of a Whisper, wav2vec 2.0, HuBERT or WavLM model, as transformers saves it.",
               ONE_VIEW, takes=str | Path, metavar="FOLDER"),
    ] = None  # fmt: skip
    layer: Annotated[
        int | None,
        Option("features: the layer of --encoder whose output is taken, 0 being its input; default: the last.",
               ONE_VIEW, min=0),
    ] = None  # fmt: skip
    file_format: Annotated[
        str,
        Option("features: npy (rows of one array) or safetensors (a tensor for each clip).", ONE_VIEW,
               choices=(NPY, SAFETENSORS)),
    ] = NPY  # fmt: skip

    def check(self) -> None:
        if self.features == HIDDEN and self.encoder is None:
            raise UsageError("--features hidden-states: of which model?", hint="add --encoder FOLDER")
        if self.features != HIDDEN and (self.encoder is not None or self.layer is not None):
            raise UsageError("--encoder and --layer are for hidden states.", hint="add --features hidden-states")


def complete(own: Mapping[str, Any]) -> dict[str, Any]:
    """The view's own options with the encoder's digest; features of another kind do not depend on an extractor.

    Raises:
        UsageError: There is no such model, or it is of a kind that is not known.
    """
    if own["features"] != HIDDEN:
        return dict(own)
    from .encoder import digest

    folder = Path(own["encoder"]).expanduser().absolute()
    return {**own, "extractor": None, "encoder": str(folder), DIGEST: digest(folder)}
