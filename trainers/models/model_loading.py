"""The class, processor and template of a model in a folder, as transformers knows it.

Three kinds: models of sound and text, which are told what to do (Qwen2-Audio, Qwen3-Omni's thinker ...); transcribers,
which only hear (Whisper ...); and models of text alone. Code inside a model's folder is never run.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DamagedError, UsageError

CONVERSATION, TRANSCRIPTION, TEXT = "conversation", "transcription", "text"
CHAT, RAW = "chat", "raw"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model that is ready to answer.

    Attributes:
        kind: `conversation`, `transcription` or `text`.
        rate: Hz that its extractor takes.
        heard_s: Seconds after which its extractor cuts a clip; None: it does not.
        template: `chat` or `raw`.
    """

    model: Any
    processor: Any
    tokenizer: Any
    kind: str
    rate: int
    heard_s: float | None
    template: str

    @property
    def extractor(self) -> Any:
        return getattr(self.processor, "feature_extractor", None)


def load_model(folder: Path, *, device: str | None, dtype: str | None, template: str) -> LoadedModel:
    """Load the model of a folder to ask it.

    Raises:
        UsageError: transformers is not installed, or has no class for this model.
        DamagedError: Its files cannot be loaded.
    """
    torch = require_torch("infer")
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    options: dict[str, Any] = {"dtype": _dtype(dtype, where)}
    if where == "auto":
        options["device_map"] = "auto"
    read = read_model(folder, **options)
    model, processor = read.model, read.processor
    if template == CHAT and read.kind != TRANSCRIPTION and not getattr(processor, "chat_template", None):
        raise UsageError("--template chat: the model has no chat template.", hint="add --template raw")
    if where != "auto":
        model = model.to(where)
    return ready_to_answer(model.eval(), processor, kind=read.kind, template=template)


def ready_to_answer(model: Any, processor: Any, *, kind: str, template: str) -> LoadedModel:
    """A model, in evaluation mode, and what asking it needs; its own defaults of sampling are turned off."""
    _be_deterministic(model)
    extractor = getattr(processor, "feature_extractor", None)
    return LoadedModel(
        model=model,
        processor=processor,
        tokenizer=getattr(processor, "tokenizer", processor),
        kind=kind,
        rate=int(getattr(extractor, "sampling_rate", 16_000)),
        heard_s=_heard_s(processor, extractor),
        template=template,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ReadModel:
    """A model as it was read from its folder: of an Omni, the thinker."""

    model: Any
    processor: Any
    kind: str


def require_torch(extra: str) -> Any:
    """Return torch, where it and transformers are installed.

    Raises:
        UsageError: One of them is not; `extra` names what to install.
    """
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"{error.name} is not installed.", hint=f"pip install 'triptych[{extra}]' (torch first, for your hardware)"
        ) from error
    return torch


def read_config(folder: Path) -> Any:
    """The configuration of the model of a folder."""
    import transformers

    with quiet_transformers(), damage_of(folder):
        return transformers.AutoConfig.from_pretrained(folder)


def read_model(folder: Path, *, config: Any = None, **options: Any) -> ReadModel:
    """Read the model of a folder, all of its weights from the files, and its processor.

    Args:
        config: What `read_config` returned, where it was asked before.
        options: What `from_pretrained` takes.

    Raises:
        UsageError: transformers has no class for this model.
        DamagedError: Its files cannot be loaded.
    """
    config = config if config is not None else read_config(folder)
    with quiet_transformers(), damage_of(folder):
        kind, loader = _loader(config, folder)
        if config.model_type in _OMNI:
            config.enable_audio_output = False  # the part that speaks is not asked
        model, told = loader.from_pretrained(folder, config=config, output_loading_info=True, **options)
        check_weights(told, folder)
        processor = _processor(folder, kind, config.model_type)
    check_tokenizer(getattr(processor, "tokenizer", processor), folder)
    if config.model_type in _OMNI:
        spoken = model.generation_config
        model = model.thinker
        if model.generation_config.eos_token_id is None:
            model.generation_config.eos_token_id = spoken.eos_token_id
    return ReadModel(model, processor, kind)


@contextmanager
def damage_of(folder: Path) -> Iterator[None]:
    """What transformers raises for files that it cannot read is damage of this folder."""
    from safetensors import SafetensorError

    try:
        yield
    except (ValueError, OSError, KeyError, SafetensorError) as error:
        raise DamagedError(f"{folder}: the model cannot be loaded: {_first_line(error)}.") from error


_OMNI = frozenset({"qwen3_omni_moe", "qwen2_5_omni"})
"""Models whose thinker answers, and whose talker speaks the answer."""


def kind_of(config: Any) -> str | None:
    """What a model does, by its configuration: the first of the kinds that transformers has a class for."""
    return next((kind for kind, auto in _classes() if type(config) in auto._model_mapping), None)


def _classes() -> tuple[tuple[str, Any], ...]:
    from transformers import AutoModelForCausalLM, AutoModelForMultimodalLM, AutoModelForSpeechSeq2Seq

    # A model that is known as a transcriber and as a model of conversations (Voxtral) is asked in conversations.
    return (
        (CONVERSATION, AutoModelForMultimodalLM),
        (TRANSCRIPTION, AutoModelForSpeechSeq2Seq),
        (TEXT, AutoModelForCausalLM),
    )


def _loader(config: Any, folder: Path) -> tuple[str, Any]:
    kind = kind_of(config)
    if kind is None:
        raise UsageError(f"{folder}: transformers has no class that answers in text for {config.model_type!r}.")
    return kind, dict(_classes())[kind]


def _processor(folder: Path, kind: str, model_type: str) -> Any:
    import transformers

    if kind == TEXT:
        return transformers.AutoTokenizer.from_pretrained(folder)
    for family, name in _SEEING.items():
        if model_type.startswith(family):
            return _sound_only(getattr(transformers, name), folder)
    return transformers.AutoProcessor.from_pretrained(folder)


_SEEING = {"qwen3_omni_moe": "Qwen3OmniMoeProcessor", "qwen2_5_omni": "Qwen2_5OmniProcessor"}
"""Families of models that also see, and their processors: made without the parts for images and video, which need
further packages."""


def _sound_only(processor: Any, folder: Path) -> Any:
    """A processor without its parts for images and video."""
    from transformers import AutoFeatureExtractor, AutoTokenizer

    class SoundOnly(processor):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

    return SoundOnly(
        None, None, AutoFeatureExtractor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder),
        chat_template=chat_template(folder),
    )  # fmt: skip


def _dtype(dtype: str | None, device: str) -> Any:
    import torch

    if dtype is not None:
        return getattr(torch, dtype)
    return torch.float32 if device == "cpu" else "auto"


def check_weights(told: Any, folder: Path) -> None:
    """A weight that is not in the files would be random: an answer of such a model is noise."""
    missing = sorted(told.get("missing_keys") or ())
    if missing:
        raise DamagedError(
            f"{folder}: {len(missing)} weights of the model are not in its files, the first are {missing[:3]}.",
            hint="download or save the model again",
        )


def check_tokenizer(tokenizer: Any, folder: Path) -> None:
    """transformers makes a tokenizer without a vocabulary where its files are missing: no text would have a token.

    Raises:
        DamagedError: It has none.
    """
    if len(tokenizer) <= len(tokenizer.get_added_vocab()):
        raise DamagedError(
            f"{folder}: the files of its tokenizer are missing: it has no vocabulary.",
            hint="copy them from the base model: tokenizer.json, tokenizer_config.json",
        )


def _be_deterministic(model: Any) -> None:
    """The model's own defaults of sampling must not reach a greedy answer; penalties of repetition stay."""
    config = model.generation_config
    config.do_sample = False
    config.temperature = config.top_p = config.top_k = None


def _heard_s(processor: Any, extractor: Any) -> float | None:
    if extractor is None or (getattr(processor, "audio_kwargs", None) or {}).get("truncation") is False:
        return None
    length = getattr(extractor, "chunk_length", None)
    return float(length) if length else None


def template_of(folder: Path, asked: str | None) -> str:
    """Which template is used, as far as the files say: that of base models is raw, though their processors, being
    of the same class as those of their chat models, may have one nonetheless."""
    return asked or (RAW if chat_template(folder) is None else CHAT)


def chat_template(folder: Path) -> str | None:
    """The chat template in a model's files, in any of the places where they have been kept."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        file = folder / name
        found = json.loads(file.read_text(encoding="utf-8")).get("chat_template") if file.is_file() else None
        if isinstance(found, str) and found:
            return found
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers from printing bars and advice meanwhile, also where several threads ask for it at once."""
    from transformers.utils import logging

    with _QUIET.lock:
        if _QUIET.depth == 0:
            _QUIET.level, _QUIET.has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
            logging.set_verbosity_error()
            logging.disable_progress_bar()
        _QUIET.depth += 1
    try:
        yield
    finally:
        with _QUIET.lock:
            _QUIET.depth -= 1
            if _QUIET.depth == 0:
                logging.set_verbosity(_QUIET.level)
                if _QUIET.has_bars:
                    logging.enable_progress_bar()


@dataclass(slots=True)
class _Quiet:
    """How many want it quiet, and how loud it was before the first of them."""

    lock: Any
    depth: int = 0
    level: int = 0
    has_bars: bool = True


_QUIET = _Quiet(threading.Lock())
