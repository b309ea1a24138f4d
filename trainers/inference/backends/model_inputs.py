"""The inputs of one row, and of several rows as one batch.

Every row is rendered and encoded by itself, then rows are joined with padding on the left: Qwen3-Omni's extractor gives
one clip in eight another number of tokens if it is encoded beside a longer one, and an answer must not depend on what
else is asked. Nothing of a row may be lost on the way: its texts stand in what the template made, and each clip has as
many tokens as the extractor made features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...data.turns import Clip, Turn
from ...models.model_loading import CHAT, TRANSCRIPTION, LoadedModel
from ...models.prompt_forms import raw_form, takes_special_tokens
from ..questions import Question

if TYPE_CHECKING:
    from ...data.sound import Samples

Inputs = dict[str, Any]

_TOKENS = frozenset({"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"})
"""Inputs with one number a token."""


class UnaskableError(Exception):
    """A row that this model cannot be asked."""


def encode(loaded: LoadedModel, question: Question, sounds: Sequence[Samples]) -> Inputs:
    """The inputs of one row.

    Raises:
        UnaskableError: Its reason and detail.
    """
    _check_lengths(loaded, sounds)
    if loaded.kind == TRANSCRIPTION:
        if len(sounds) != 1:
            raise UnaskableError(f"one_sound: the model transcribes one sound, and the row has {len(sounds)}")
        return dict(loaded.extractor(
            sounds[0], sampling_rate=loaded.rate, return_tensors="pt", return_attention_mask=True
        ))  # fmt: skip
    if sounds and loaded.extractor is None:
        raise UnaskableError("text_only: the model hears nothing, and the row has a sound")
    text = render(loaded, question)
    if not sounds:
        own = takes_special_tokens(loaded.tokenizer, text)
        return dict(loaded.processor(text=[text], add_special_tokens=own, return_tensors="pt"))
    made = dict(loaded.processor(text=[text], audio=list(sounds), sampling_rate=loaded.rate, return_tensors="pt"))
    _check_sound_tokens(loaded, made, sounds)
    return made


def render(loaded: LoadedModel, question: Question) -> str:
    """The text of a conversation as the model reads it, with a placeholder for each clip."""
    text = _by_chat(loaded, question) if loaded.template == CHAT else raw_form(question.turns, _sound(loaded))
    place = 0
    for turn in question.turns:
        for part in turn.parts:
            if isinstance(part, str) and part.strip():
                found = text.find(part.strip(), place)
                if found < 0:
                    shown = part.strip()[:60]
                    raise UnaskableError(f"template: the model's template leaves out {shown!r}")
                place = found + len(part.strip())
    marker = getattr(loaded.processor, "audio_token", None)
    if marker and text.count(marker) != len(question.clips):
        raise UnaskableError(
            f"template: the model's template makes {text.count(marker)} places for {len(question.clips)} sounds"
        )
    return text


def _by_chat(loaded: LoadedModel, question: Question) -> str:
    from jinja2 import TemplateError

    messages = [{"role": turn.role, "content": _content(turn)} for turn in question.turns]
    try:
        return str(loaded.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except (TemplateError, TypeError) as error:
        raise UnaskableError(f"template: the model's template refuses the row: {error}") from error


def _content(turn: Turn) -> Any:
    """A text where a turn is one, else typed parts: templates look at the keys of parts, and null counts as one."""
    if not any(isinstance(part, Clip) for part in turn.parts):
        return turn.text
    return [
        {"type": "audio", "audio": part.path} if isinstance(part, Clip) else {"type": "text", "text": part}
        for part in turn.parts
    ]


def _sound(loaded: LoadedModel) -> str:
    """What stands for a sound."""
    names = ("audio_bos_token", "audio_token", "audio_eos_token")
    return "".join(getattr(loaded.processor, name, None) or "" for name in names)


def _check_lengths(loaded: LoadedModel, sounds: Sequence[Samples]) -> None:
    """An extractor pads half a window by reflection, which a shorter sound cannot fill."""
    least = int(getattr(loaded.extractor, "n_fft", 0)) // 2 + 1 if loaded.heard_s is None else 1
    for sound in sounds:
        if len(sound) < least:
            raise UnaskableError(f"too_short: {len(sound)} samples; the extractor needs {least}")


def _check_sound_tokens(loaded: LoadedModel, made: Mapping[str, Any], sounds: Sequence[Samples]) -> None:
    """Each clip stands in the text as one run of tokens of sound."""
    token = getattr(loaded.processor, "audio_token_id", None)
    if token is None:
        return
    is_sound = (made["input_ids"][0] == token).int()
    runs = int(((is_sound[1:] - is_sound[:-1]) == 1).sum()) + int(is_sound[0])
    if runs != len(sounds):
        raise UnaskableError(f"sound_tokens: {runs} runs of tokens of sound for {len(sounds)} sounds")


def is_alone(loaded: LoadedModel, inputs: Inputs) -> bool:
    """Whether a row must not be joined with others.

    Qwen3-Omni's encoder pads a clip to the longest chunk of its batch, at most 1 s, before convolutions with a bias:
    the last features of a clip shorter than a chunk depend on the clips beside it.
    """
    chunk = 2 * int(getattr(getattr(loaded.model.config, "audio_config", None), "n_window", 0) or 0)
    heard = inputs.get("feature_attention_mask")
    return bool(chunk and heard is not None and (heard.sum(-1) < chunk).any())


def join(rows: Sequence[Inputs], pad: int) -> Inputs | None:
    """The inputs of several rows as one batch; None if they do not fit together."""
    import torch
    from torch.nn.functional import pad as padded

    if len(rows) == 1:
        return dict(rows[0])
    batch: Inputs = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if name in row]
        if not all(isinstance(value, torch.Tensor) for value in values):
            return None
        width = max(value.shape[-1] for value in values)
        if name in _TOKENS:
            if len(values) != len(rows):
                return None
            fill = pad if name == "input_ids" else 0
            sized = [padded(value, (width - value.shape[-1], 0), value=fill) for value in values]
        else:
            sized = [padded(value, (0, width - value.shape[-1])) if value.dim() > 1 else value for value in values]
        if len({value.shape[1:] for value in sized}) > 1:
            return None
        batch[name] = torch.cat(sized)
    return batch
