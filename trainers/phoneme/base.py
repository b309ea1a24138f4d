"""What a run of phones begins with: a speech encoder, a language model, and a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ..data.training_rows import TrainingRows
from ..models.families import PHONEME, TEXT, family_of
from ..models.model_files import ModelFiles, locate
from ..models.model_loading import (
    check_weights,
    damage_of,
    quiet_transformers,
    read_config,
    read_model,
    require_torch,
)
from ..models.training_model import BF16, FP16, Loading, LoadSettings, TrainingModel, load_for_training
from ..runs.prepare import Base
from ..sft.conversation_encoder import EncoderSettings
from .config import ROWS, PhonemeConfig
from .phone_rows import PhoneEncoder
from .vocabulary import SOUND, PhoneVocabulary, Said

if TYPE_CHECKING:
    from .model import PhonemeModel

WHISPER = "whisper"
VIEW = "phoneme"
ALONE = "WhisperEncoder"
"""The architecture of a folder that holds an encoder without its decoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The folders that a model is made of, and what it is asked and says.

    Attributes:
        random_seed: Random weights in the encoder; None: its own.
        prompt: What is asked about every clip; None: what each row asks.
        seed: Of what begins with random weights.
        has_ctc: Whether there is a head over the frames.
        kept_bytes: Of memory for what the encoder makes of clips.
    """

    language_model: Path
    hearing: Path
    vocabulary: PhoneVocabulary
    prompt: str | None
    has_boundaries: bool = True
    random_seed: int | None = None
    seed: int = 0
    has_ctc: bool = False
    kept_bytes: int = 0

    @classmethod
    def of(cls, config: PhonemeConfig, language_model: Path, hearing: Path, vocabulary: PhoneVocabulary) -> Parts:
        """The parts of a run, in these folders."""
        section, seed = config.phoneme, config.training.seed
        return cls(
            language_model=language_model, hearing=hearing, vocabulary=vocabulary,
            prompt=None if section.prompt == ROWS else section.prompt, has_boundaries=section.boundary_tokens,
            random_seed=seed if section.random_encoder else None, seed=seed, has_ctc=section.ctc_weight > 0,
            kept_bytes=round(1e9 * section.keep_states),
        )  # fmt: skip

    def encoder(self, settings: EncoderSettings | None = None) -> PhoneEncoder:
        """What makes inputs of rows."""
        return PhoneEncoder(
            self.language_model, settings, hearing=self.hearing, vocabulary=self.vocabulary, prompt=self.prompt,
            has_boundaries=self.has_boundaries, needs_ctc=self.has_ctc,
        )  # fmt: skip

    def load(
        self, settings: LoadSettings | None = None, *, revision: str = "", device: str | None = None
    ) -> TrainingModel:
        """Load both models, and put what is new between them.

        Raises:
            UsageError: One of them is of another kind, or cannot be trained like this on this device.
            DamagedError: Their files cannot be loaded.
        """
        import torch

        from .model import PhonemeModel

        read = load_for_training(self.language_model, settings or Loading(), revision=revision, device=device)
        tokenizer = self.vocabulary.extended(self.language_model)
        numbers = self.vocabulary.ids(tokenizer)
        before = len(read.tokenizer)
        dtype = {BF16: torch.bfloat16, FP16: torch.float16}.get(read.dtype, torch.float32)
        hearing = self.whisper(dtype).to(next(read.model.parameters()).device)
        model = PhonemeModel(
            hearing, read.model, tokens=numbers,
            sound=tokenizer.convert_tokens_to_ids(SOUND), known=[each for each in numbers if each < before],
            ctc=len(self.vocabulary.phones) if self.has_ctc else 0, seed=self.seed,
            kept_bytes=self.kept_bytes,
        )  # fmt: skip
        return replace(read, model=model, processor=tokenizer, tokenizer=tokenizer, family=PHONEME)

    def whisper(self, dtype: Any) -> Any:
        """The speech encoder, in a number format.

        Raises:
            DamagedError: Its files cannot be loaded.
        """
        import torch
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        folder = self.hearing
        config = read_config(folder)
        if ALONE in (config.architectures or ()):
            with quiet_transformers(), damage_of(folder):
                encoder, told = WhisperEncoder.from_pretrained(folder, dtype=dtype, output_loading_info=True)
            check_weights(told, folder)
        else:
            encoder = read_model(folder, config=config, dtype=dtype).model.get_encoder()
        if self.random_seed is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.random_seed)
                encoder = WhisperEncoder(encoder.config).to(dtype)
        return encoder


def base_of(config: PhonemeConfig, rows: TrainingRows) -> Base:
    """What a run is made of, before anything is loaded.

    Raises:
        UsageError: A model is not here, or of another kind; there are no phones.
    """
    require_torch("train")
    section = config.phoneme
    files = locate(config.model.base_model, revision=config.model.revision, download=config.model.download)
    if family_of(read_config(files.folder)) is not TEXT:
        raise UsageError(
            f"model.base_model: {config.model.base_model}: it is no model of text alone.",
            hint="phones are written by a causal language model, such as Qwen/Qwen3-8B",
        )
    hearing = locate(section.encoder, revision=section.encoder_revision, download=config.model.download)
    _check_whisper(section.encoder, hearing.folder)
    parts = Parts.of(config, files.folder, hearing.folder, vocabulary_of(config, rows, files.folder))
    revision = revision_of(files, hearing, parts.vocabulary)
    data = config.data
    encoder = parts.encoder(EncoderSettings(
        max_tokens=data.max_tokens, max_audio_seconds=data.max_audio_seconds, long=data.long
    ))  # fmt: skip
    return Base(
        files=ModelFiles(files.folder, revision), family=PHONEME, encoder=encoder,
        load=lambda device: parts.load(config.model, revision=revision, device=device),
    )  # fmt: skip


def revision_of(files: ModelFiles, hearing: ModelFiles, vocabulary: PhoneVocabulary) -> str:
    """Which language model, encoder and vocabulary a run has."""
    return f"{files.revision} + {hearing.revision} + {vocabulary.sha256[:16]}"


def vocabulary_of(config: PhonemeConfig, rows: TrainingRows, folder: Path) -> PhoneVocabulary:
    """The vocabulary that the configuration names, or that of the rows.

    Raises:
        UsageError: It was built for another language model; one prompt would replace different questions; or rows are
            of another view, and no vocabulary says what phones they have.
    """
    said = Said.of(rows)
    if len(said.questions) > 1 and config.phoneme.prompt != ROWS:
        raise UsageError(
            f"phoneme.prompt: one prompt would take the place of {len(said.questions)} different questions of"
            f" {rows.where}: {said.questions[0]!r:.60}, {said.questions[1]!r:.60} ...",
            hint="phoneme.prompt: rows keeps them; or export with one question: --phone-prompt",
        )
    if config.model.tokenizer is None:
        if (view := rows.reader.version.manifest.get("view")) != VIEW:
            raise UsageError(
                f"{rows.where}: rows of the view {view}, not of phones: every word of an answer would be one phone.",
                hint="triptych export phoneme; if the answers are phones: triptych phoneme build-vocabulary "
                f"{rows.where} --model {config.model.base_model} --out DIR, and --set model.tokenizer=DIR",
            )
        return PhoneVocabulary.of_export(rows, min_freq=config.phoneme.min_freq, said=said)
    found = PhoneVocabulary.open(config.model.tokenizer)
    with quiet_transformers(), damage_of(config.model.tokenizer):
        from transformers import AutoTokenizer

        saved = AutoTokenizer.from_pretrained(config.model.tokenizer)
    if saved.get_vocab() != found.extended(folder).get_vocab():
        raise UsageError(
            f"model.tokenizer: {config.model.tokenizer}: it was built for another model than"
            f" {config.model.base_model}.",
            hint=f"triptych phoneme build-vocabulary EXPORT --model {config.model.base_model} --out DIR",
        )
    return found


def _check_whisper(name: str, folder: Path) -> None:
    config = read_config(folder)
    if config.model_type != WHISPER:
        raise UsageError(
            f"phoneme.encoder: {name}: a Whisper is expected, not {config.model_type!r}.",
            hint="phoneme.encoder: openai/whisper-large-v3",
        )


def inner(model: Any) -> PhonemeModel:
    """The model inside adapters and wrappers."""
    from ..models.families import base_model

    found: PhonemeModel = base_model(model)
    return found
