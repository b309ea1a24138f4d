"""What a run of phones, or a model folder that was made of one, says of clips.

A run's folder needs its base models, where they were or where they are said to be now; a model folder of
`triptych train export` holds all of them:

    phoneme.json        what it is made of
    language_model/     what any server of causal language models loads: adapters merged, tokens of phones in it
    encoder/            Whisper's encoder, with its feature extractor
    projector.safetensors
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ...shards.media.media import hash_file
from ..models.adapters import add_adapters
from ..models.model_files import ModelFiles, fingerprint, locate
from ..models.model_loading import require_torch
from ..models.training_model import AUTO, BF16, FP16, Loading
from ..models.weights import load_weights, read_tensors
from ..runs.loop.progress import check_files, read_state
from ..sft.conversation_encoder import EncoderSettings
from .base import Parts, inner, revision_of
from .config import PROMPT, ROWS, PhonemeConfig
from .decoder import PhoneDecoder
from .train import NAME, TOKENIZER
from .vocabulary import FILE as VOCABULARY
from .vocabulary import PhoneVocabulary

if TYPE_CHECKING:
    from ..runs.loop.checkpoints import Checkpoint

FILE, FORMAT = "phoneme.json", 1
LANGUAGE_MODEL, ENCODER, PROJECTOR = "language_model", "encoder", "projector.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class PhoneRecognizer:
    """Hears clips.

    Attributes:
        name: The folder, for messages and records.
        revision: Which model it is.
        prompt: What is asked.
        asks_rows: Whether it was trained with the questions of rows: then these are asked where there are any.
    """

    name: str
    revision: str
    prompt: str
    asks_rows: bool
    vocabulary: PhoneVocabulary
    decoder: PhoneDecoder

    @classmethod
    def open(
        cls, folder: Path, *, checkpoint: str = "best", base: Path | None = None, encoder: Path | None = None,
        device: str | None = None, dtype: str = AUTO, settings: EncoderSettings | None = None,
    ) -> PhoneRecognizer:  # fmt: skip
        """Load the model of a folder.

        Args:
            checkpoint: Of a run: `best`, `final` or the name of one.
            base, encoder: Where language model and speech encoder of a run are now, if they were moved.
            dtype: Of a model folder: what it computes in.

        Raises:
            UsageError: There is no such model, or a part of it is not here.
            DamagedError: A file is damaged, or of another model.
        """
        require_torch("train")
        if (folder / FILE).is_file():
            for flag, given in (("--base", base), ("--encoder", encoder)):
                if given is not None:
                    raise UsageError(f"{flag}: {folder} holds all of its models.", hint=f"leave {flag} out")
            return _of_folder(folder, device, dtype, settings)
        run = Run.open(folder, checkpoint, base=base, encoder=encoder)
        return run.recognizer(device, settings)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run of phones, at one of its checkpoints."""

    folder: Path
    checkpoint: Checkpoint
    config: PhonemeConfig
    parts: Parts
    base: ModelFiles
    revision: str

    @classmethod
    def open(cls, folder: Path, checkpoint: str, *, base: Path | None = None, encoder: Path | None = None) -> Run:
        """Find what a run is made of.

        Args:
            base, encoder: Where its models are now, if they were moved.

        Raises:
            UsageError: It is none, or a model of it is not here.
            DamagedError: A model is not the one that it was trained on.
        """
        from ..serving.merge import find_checkpoint

        if not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder.", hint="name the folder of a run, or of its model")
        chosen = find_checkpoint(folder, checkpoint)
        state = read_state(chosen)
        check_files(chosen, state["files"])
        identity = state["identity"]
        if NAME not in identity["config"]:
            raise UsageError(f"{folder} is no run of phones.", hint="triptych train phoneme makes one")
        told = {name: value for name, value in identity["config"].items() if name != "output_dir"}
        config = PhonemeConfig.model_validate_json(json.dumps(told))
        files = _here(config.model.base_model, config.model.revision, "--base", base)
        hearing = _here(config.phoneme.encoder, config.phoneme.encoder_revision, "--encoder", encoder)
        vocabulary = PhoneVocabulary.open(folder / TOKENIZER)
        _check_same(str(identity["model"]), files, hearing, vocabulary, moved=(base is not None, encoder is not None))
        parts = Parts.of(config, files.folder, hearing.folder, vocabulary)
        return cls(folder, chosen, config, parts, files, str(identity["model"]))

    @property
    def prompt(self) -> str:
        """What is asked about a clip, unless something else is given."""
        return PROMPT if self.config.phoneme.prompt == ROWS else self.config.phoneme.prompt

    def load(self, loading: Loading | None = None, *, device: str | None = None) -> Any:
        """The model with what the checkpoint has learned: in adapters, where it has these."""
        return self.loaded(loading or self.config.model, device=device)[0]

    def loaded(self, settings: Any, *, device: str | None = None) -> tuple[Any, str]:
        """The same, with the number format that it computes in."""
        read = self.parts.load(settings, device=device)
        model = read.model
        if self.config.lora is not None:
            model = add_adapters(model, read.family, self.config.lora)
        names = [name for name, _ in read_tensors(self.checkpoint.path)]
        _as_trained(model, names)
        load_weights(model, self.checkpoint.path, names)
        return model.eval(), read.dtype

    def recognizer(self, device: str | None, settings: EncoderSettings | None) -> PhoneRecognizer:
        model, dtype = self.loaded(self.config.model, device=device)
        encoder = self.parts.encoder(settings)
        decoder = PhoneDecoder(inner(model), encoder, _computing(inner(model), dtype))
        told = f"{self.revision}, {self.checkpoint.name}"
        return PhoneRecognizer(
            str(self.folder), told, self.prompt, self.parts.prompt is None, self.parts.vocabulary, decoder
        )


def _here(name: str, revision: str | None, flag: str, moved: Path | None) -> ModelFiles:
    if moved is not None:
        return locate(str(moved))
    try:
        return locate(name, revision=revision)
    except UsageError as error:
        raise UsageError(
            f"{name}, which the run was trained on, is not here.", hint=f"say where it is now: {flag} DIR"
        ) from error


def _check_same(
    then: str, files: ModelFiles, hearing: ModelFiles, vocabulary: PhoneVocabulary, *, moved: tuple[bool, bool]
) -> None:
    """Hold what is there against what a run was trained on.

    A folder is known by its settings and weights. What was a commit of the hub then, and is a folder now, cannot be
    compared: whoever names it says that it is the same.
    """
    now = revision_of(files, hearing, vocabulary)
    was, own = then.split(" + "), now.split(" + ")
    named = ("--base DIR", files.folder), ("--encoder DIR", hearing.folder)
    for part, (flag, folder) in enumerate(named):
        is_said = moved[part] and "sha256:" not in was[part]
        if own[part] != was[part] and not is_said:
            raise DamagedError(
                f"{folder} is not the model that the run was trained on: {own[part]} now, {was[part]} then.",
                hint=f"say where that is: {flag}",
            )
    if own[-1] != was[-1]:
        raise DamagedError(f"the phones of the run have changed: {own[-1]} now, {was[-1]} then.")


def _as_trained(model: Any, names: list[str]) -> None:
    """Trained weights are of 32 bits."""
    import torch

    wanted = set(names)
    for name, parameter in model.named_parameters():
        if name in wanted and parameter.dtype in (torch.bfloat16, torch.float16):
            parameter.data = parameter.data.float()


def _computing(model: Any, dtype: str) -> Callable[[], AbstractContextManager[Any]]:
    import torch

    kinds = {BF16: torch.bfloat16, FP16: torch.float16}
    if dtype not in kinds:
        return nullcontext
    kind = model.tokens.device.type
    return lambda: torch.autocast(kind, dtype=kinds[dtype])


def sums_of(folder: Path) -> dict[str, str]:
    """What the parts of a model folder are: the same numbers are another model beside another part."""
    files = {name: hash_file(folder / name)[0] for name in (PROJECTOR, f"{LANGUAGE_MODEL}/{VOCABULARY}")}
    return files | {name: fingerprint(folder / name) for name in (LANGUAGE_MODEL, ENCODER)}


def _of_folder(folder: Path, device: str | None, dtype: str, settings: EncoderSettings | None) -> PhoneRecognizer:
    """The recognizer of a model folder."""
    from safetensors.torch import load_file

    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise UsageError(f"{folder / FILE}: format {told['format']}; this version reads {FORMAT}.")
        if told["files"] != (now := sums_of(folder)):
            changed = next(name for name in now if told["files"].get(name) != now[name])
            raise DamagedError(
                f"{folder / changed}: changed since it was written.",
                hint="make the folder again: triptych train export",
            )
        parts = Parts(
            language_model=folder / LANGUAGE_MODEL, hearing=folder / ENCODER,
            vocabulary=PhoneVocabulary.open(folder / LANGUAGE_MODEL),
            prompt=None if told["asks_rows"] else told["prompt"], has_boundaries=told["boundary_tokens"],
        )  # fmt: skip
        read = parts.load(Loading(dtype=dtype), device=device)
        read.model.projector.load_state_dict(load_file(folder / PROJECTOR))
        encoder = parts.encoder(settings)
        decoder = PhoneDecoder(read.model.eval(), encoder, _computing(read.model, read.dtype))
        return PhoneRecognizer(
            str(folder), str(told["revision"]), told["prompt"], parts.prompt is None, parts.vocabulary, decoder
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DamagedError(f"{folder}: the model cannot be read: {error}.") from error
