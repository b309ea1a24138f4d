"""SONAR's encoder of speech (Duquenne et al., 2023), by its own package: a vector of 1,024 numbers for a clip.

The package, `sonar-space`, makes vectors of clips itself and downloads the weights that it does not have. It is no
extra of ours: its fairseq2 takes one release of torch only. The encoder is compared with others, not trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ...models.weights import weights_sha256
from .encoders import SpeechEncoder, device_here

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...data.sound import Samples
    from ..scores.metrics import Vectors

PREFIX = "sonar_speech_encoder_"
RATE, HEARD_S = 16_000, 30.0
_PACKAGE = "sonar-space"


@dataclass(frozen=True, slots=True, eq=False)
class SonarEncoder(SpeechEncoder):
    """Makes a vector of a clip with SONAR's pipeline, which is its `extractor`."""

    @property
    def can_be_trained(self) -> bool:
        return False

    def inputs(self, clips: Sequence[Samples]) -> dict[str, Any]:
        raise UsageError(f"{PREFIX}...: SONAR's encoder takes clips whole; it is not trained.")

    def vector(self, samples: Samples) -> Vectors:
        import torch

        self.check_length(samples)
        found: Vectors = self.extractor.predict([torch.from_numpy(samples)[None]])[0].float().cpu().numpy()
        return found


def is_sonar(name: str) -> bool:
    """Whether a name is one of SONAR's encoders of speech, such as `sonar_speech_encoder_eng`."""
    return name.startswith(PREFIX)


def sonar_encoder(name: str, *, download: bool, random_seed: int | None = None) -> SonarEncoder:
    """Open one of SONAR's encoders of speech.

    Raises:
        UsageError: Its package is not installed, may not download, or does not know this name; or random weights are
            asked for.
    """
    if random_seed is not None:
        raise UsageError(
            f"{name}: SONAR's encoder is not made with random weights.",
            hint="for a control name a Whisper or a Qwen2-Audio: retrieval.random_speech=true",
        )
    try:
        speech = import_module("sonar.inference_pipelines.speech")
    except ImportError as error:
        raise UsageError(
            f"{name}: the package {_PACKAGE} is not installed ({error.name or error}).",
            hint=f"pip install {_PACKAGE}, in an environment with the torch that its fairseq2 takes",
        ) from error
    if not download:
        raise UsageError(
            f"{name}: the package {_PACKAGE} downloads weights that it does not have.",
            hint="add --download to allow it",
        )
    import torch

    try:
        pipeline = speech.SpeechToEmbeddingModelPipeline(encoder=name, device=torch.device(device_here()))
    except Exception as error:  # fairseq2 has errors of its own for names that it does not know
        raise UsageError(f"{name}: {_PACKAGE} cannot open it: {str(error).splitlines()[0]}") from error
    model = pipeline.model.eval().requires_grad_(False)
    revision = f"{_PACKAGE} {_version()}, sha256:{weights_sha256(model)}"
    return SonarEncoder(model, pipeline, int(model.model_dim), 0, RATE, HEARD_S, revision, Path(name))


def _version() -> str:
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return "of unknown version"
