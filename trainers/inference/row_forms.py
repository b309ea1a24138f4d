"""The forms of rows that ask something, and the question of each.

    messages, conversations    a conversation, whose last answer is what is to be found; contents are texts with tags
                               (`<audio>`, or `<audio>PATH</audio>`), or lists of typed parts
    query                      Qwen2-Audio's chat evaluation: the tokens of the sound stand in the text
    prompt, question, instruction   a prompt, with `audio`, `audio_path` or `audios`; `choices` and a
                               `description` of the sound
    audio alone                for models that only transcribe, or with a prompt for all rows

A row that cannot be asked as it is becomes a question with a `fault`: it is counted, never changed or left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...validators.formats.evaluation.evaluation_chat import SOUND
from ..data.turns import ASSISTANT, SYSTEM, USER, Clip, Part, Turn
from .questions import Question

PROMPTS = ("prompt", "question", "instruction")
CLIPS = ("audio", "audio_path", "audio_filepath", "audios")
DESCRIPTIONS = ("description", "audio_description")
ANSWERS = ("gt", "answer")
_UNSUPPORTED = ("video", "videos", "image", "images")

_ROLES = {"human": USER, "user": USER, "gpt": ASSISTANT, "assistant": ASSISTANT, "system": SYSTEM}
_TAG = re.compile(r"<audio>(?:([^<>\n]+)</audio>)?")
_MODEL_TOKENS = ("<|AUDIO|>", "<|audio_bos|>", "<|audio_pad|>", "<|audio_start|>", "<|im_start|>", "<|im_end|>")
_SOUND_FILE = re.compile(r"^[^\n]+\.(wav|flac|mp3|ogg|opus|m4a|aac|wma|aiff?)$", re.IGNORECASE)
_HEARD_FIRST = "Audio 1: "

CHOOSE = "Choose one of these options:"
"""As rows of conversations list them."""


class _Fault(Exception):
    """Why a row cannot be asked."""


def question_of(row: Mapping[str, Any], *, id: str, where: str, folder: Path, prompt: str | None = None) -> Question:
    """The question that a row asks.

    Args:
        folder: What relative paths are relative to, where a file is there; else the working directory.
        prompt: What is asked of rows that ask nothing themselves.
    """
    clips, unread = _clips(row, folder)
    answer = next((row[name] for name in ANSWERS if isinstance(row.get(name), str)), None)
    choices = row.get("choices")
    question = Question(
        id=id,
        where=where,
        audio=clips[0].path if clips else None,
        source=row["source"] if isinstance(row.get("source"), str) else None,
        gt=answer,
        choices=tuple(map(str, choices)) if isinstance(choices, Sequence) and not isinstance(choices, str) else (),
        description=next((row[name] for name in DESCRIPTIONS if isinstance(row.get(name), str)), None),
    )
    try:
        for name in _UNSUPPORTED:
            if row.get(name):
                raise _Fault(f"{name}_unsupported: only sound is asked about")
        if unreadable := unread or _choices_fault(choices):
            raise _Fault(unreadable)
        asked = _asked(question, row, clips, folder, prompt)
        if not asked.clips and asked.description is None and (other := _other_sound(row)):
            raise _Fault(f"unread_audio: {other} names a sound; call the column audio")
        return asked
    except _Fault as fault:
        return question.with_fault(str(fault))


def _asked(
    question: Question, row: Mapping[str, Any], clips: tuple[Clip, ...], folder: Path, prompt: str | None
) -> Question:
    for name in ("messages", "conversations"):
        if row.get(name) is not None:
            turns = _conversation(row[name], name, clips, folder)
            reference = turns[-1].text if turns[-1].role == ASSISTANT else question.gt
            turns = turns[:-1] if turns[-1].role == ASSISTANT else turns
            if not turns or turns[-1].role != USER:
                raise _Fault(f"no_prompt: {name} has no turn of the user to answer")
            first = next((part.path for turn in turns for part in turn.parts if isinstance(part, Clip)), None)
            return replace(question, turns=_with_system(row, turns), gt=reference, audio=question.audio or first)
    if isinstance(row.get("query"), str):
        return replace(question, turns=(Turn(USER, _query(row["query"], clips)),))
    own = next((row[name] for name in PROMPTS if isinstance(row.get(name), str) and row[name].strip()), prompt)
    if own is None and not clips:
        raise _Fault(f"no_prompt: neither a sound nor one of {', '.join(PROMPTS)}")
    text = own or ""
    _refuse_tokens(text)
    if question.choices:
        text = "\n".join([text, CHOOSE, *(f"- {choice}" for choice in question.choices)])
    return replace(question, turns=_with_system(row, (Turn(USER, _placed(text, clips, folder)),)), is_plain=True)


def _clips(row: Mapping[str, Any], folder: Path) -> tuple[tuple[Clip, ...], str | None]:
    """The clips of a row, or why what stands in their column is none: a question is never asked without its sound."""
    for name in CLIPS:
        value = row.get(name)
        if value is None or value == []:
            continue
        if isinstance(value, Mapping):
            value = value.get("path")
        paths = [value] if isinstance(value, str) else value
        if not isinstance(paths, Sequence) or not all(isinstance(each, str) and each.strip() for each in paths):
            return (), f"unread_audio: column {name}: expected the path of a sound, or a list of paths"
        return tuple(_clip(each, folder) for each in paths), None
    return (), None


def _other_sound(row: Mapping[str, Any]) -> str | None:
    """A column whose value looks like the path of a sound."""
    others = (name for name in row if name not in ("id", "source", *PROMPTS, *ANSWERS))
    return next((name for name in others if isinstance(row[name], str) and _SOUND_FILE.search(row[name])), None)


def _choices_fault(choices: Any) -> str | None:
    told = not isinstance(choices, str) and isinstance(choices, Sequence)
    if choices is None or (told and all(isinstance(each, str | int | float) for each in choices)):
        return None
    return "choices: expected a list of texts"


def _clip(path: str, folder: Path) -> Clip:
    clip = Clip(path.strip())
    if clip.is_url or Path(clip.path).is_absolute():
        return clip
    beside = folder / clip.path
    return Clip(str(beside if beside.exists() else Path(clip.path)))


def _with_system(row: Mapping[str, Any], turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    system = row.get("system")
    if isinstance(system, str) and system.strip() and turns[0].role != SYSTEM:
        return (Turn(SYSTEM, (system,)), *turns)
    return turns


def _placed(text: str, clips: tuple[Clip, ...], folder: Path) -> tuple[Part, ...]:
    """The sound where a tag stands, else before the text."""
    if _TAG.search(text):
        rest = list(clips)
        parts = _tagged(text, rest, folder)
        if rest:
            raise _Fault(f"tags: {len(rest)} more sounds than <audio> tags")
        return parts
    return (*clips, text) if text else clips


def _tagged(text: str, clips: list[Clip], folder: Path) -> tuple[Part, ...]:
    """The parts of a text with tags; takes the clips of tags without a path."""
    parts: list[Part] = []
    end = 0
    for tag in _TAG.finditer(text):
        if tag.start() > end:
            parts.append(text[end : tag.start()])
        if tag[1]:
            parts.append(_clip(tag[1], folder))
        elif clips:
            parts.append(clips.pop(0))
        else:
            raise _Fault("tags: more <audio> tags than sounds")
        end = tag.end()
    if text[end:]:
        parts.append(text[end:])
    return tuple(parts)


def _query(query: str, clips: tuple[Clip, ...]) -> tuple[Part, ...]:
    """The text of a chat evaluation, with its sound in place of the tokens."""
    before, sound, after = query.partition(SOUND)
    if len(clips) != 1 or not sound or SOUND in after:
        raise _Fault("sound_tokens: one sound and its tokens once are expected")
    if before == _HEARD_FIRST and after.startswith("\n"):  # the chat template itself writes this
        before, after = "", after[1:]
    for text in (before, after):
        _refuse_tokens(text)
    return tuple(part for part in (before, clips[0], after) if part)


def _conversation(messages: Any, column: str, clips: tuple[Clip, ...], folder: Path) -> tuple[Turn, ...]:
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise _Fault(f"{column}: expected a list of messages")
    rest = list(clips)
    turns = []
    for message in messages:
        role = _ROLES.get(str(message.get("role") or message.get("from"))) if isinstance(message, Mapping) else None
        if role is None:
            raise _Fault(f"{column}: a message whose role is none of {', '.join(_ROLES)}")
        content = message.get("content") if "content" in message else message.get("value")
        turns.append(Turn(role, _content(content, column, rest, folder)))
    users = [number for number, turn in enumerate(turns) if turn.role == USER]
    if rest and users and not any(isinstance(part, Clip) for turn in turns for part in turn.parts):
        turns[users[0]] = Turn(USER, (*rest, *turns[users[0]].parts))
        rest = []
    if rest:
        raise _Fault(f"tags: {len(rest)} more sounds than <audio> tags")
    return tuple(turns)


def _content(content: Any, column: str, clips: list[Clip], folder: Path) -> tuple[Part, ...]:
    if isinstance(content, str):
        _refuse_tokens(content)
        return _tagged(content, clips, folder)
    if not isinstance(content, Sequence):
        raise _Fault(f"{column}: a message without content")
    parts: list[Part] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and isinstance(part.get("text"), str):
            _refuse_tokens(part["text"])
            parts.append(part["text"])
        elif kind in ("audio", "audio_url", "input_audio"):
            found = part.get("audio") or part.get("audio_url") or part.get("path") or part.get("url")
            found = found.get("url") if isinstance(found, Mapping) else found
            if found is None and clips:
                parts.append(clips.pop(0))
            elif isinstance(found, str) and not found.startswith("data:"):
                parts.append(_clip(found.removeprefix("file://"), folder))
            else:
                raise _Fault(f"{column}: a sound inside the row; only paths and URLs are asked about")
        else:
            raise _Fault(f"{column}: a part of type {kind!r}; only text and audio are asked about")
    return tuple(parts)


def _refuse_tokens(text: str) -> None:
    """A token of a sound or a turn inside a text would be one to the model."""
    for token in _MODEL_TOKENS:
        if token in text:
            raise _Fault(f"model_token: {token} in the prompt")
