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
from ..data.bad_rows import BadRow
from ..data.turn_parts import AUDIO, ROLES, PartReader, refuse_tokens
from ..data.turns import ASSISTANT, SYSTEM, USER, Clip, Part, Turn
from .questions import Question

PROMPTS = ("prompt", "question", "instruction")
CLIPS = ("audio", "audio_path", "audio_filepath", "audios")
DESCRIPTIONS = ("description", "audio_description")
ANSWERS = ("gt", "answer")
_UNSUPPORTED = ("video", "videos", "image", "images")

_SOUND_FILE = re.compile(r"^[^\n]+\.(wav|flac|mp3|ogg|opus|m4a|aac|wma|aiff?)$", re.IGNORECASE)
_HEARD_FIRST = "Audio 1: "

CHOOSE = "Choose one of these options:"
"""As rows of conversations list them."""


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
                raise BadRow(f"{name}_unsupported", "only sound is asked about")
        if unread is not None:
            raise unread
        _check_choices(choices)
        asked = _asked(question, row, clips, folder, prompt)
        if not asked.clips and asked.description is None and (other := _other_sound(row)):
            raise BadRow("unread_audio", f"{other} names a sound; call the column audio")
        return asked
    except BadRow as fault:
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
                raise BadRow("no_prompt", f"{name} has no turn of the user to answer")
            first = next((part.path for turn in turns for part in turn.parts if isinstance(part, Clip)), None)
            return replace(question, turns=_with_system(row, turns), gt=reference, audio=question.audio or first)
    if isinstance(row.get("query"), str):
        return replace(question, turns=(Turn(USER, _query(row["query"], clips)),))
    own = next((row[name] for name in PROMPTS if isinstance(row.get(name), str) and row[name].strip()), prompt)
    if own is None and not clips:
        raise BadRow("no_prompt", f"neither a sound nor one of {', '.join(PROMPTS)}")
    text = own or ""
    refuse_tokens(text)
    if question.choices:
        text = "\n".join([text, CHOOSE, *(f"- {choice}" for choice in question.choices)])
    return replace(question, turns=_with_system(row, (Turn(USER, _placed(text, clips, folder)),)), is_plain=True)


def _clips(row: Mapping[str, Any], folder: Path) -> tuple[tuple[Clip, ...], BadRow | None]:
    """The clips of a row, or why what stands in their column is none: a question is never asked without its sound."""
    reader = _reader((), folder)
    for name in CLIPS:
        value = row.get(name)
        if value is None or value == []:
            continue
        if isinstance(value, Mapping):
            value = value.get("path")
        paths = [value] if isinstance(value, str) else value
        if not isinstance(paths, Sequence) or not all(isinstance(each, str) and each.strip() for each in paths):
            return (), BadRow("unread_audio", f"column {name}: expected the path of a sound, or a list of paths")
        return tuple(clip for path in paths if isinstance(clip := reader.medium(AUDIO, path), Clip)), None
    return (), None


def _reader(clips: tuple[Clip, ...], folder: Path) -> PartReader:
    return PartReader(kinds=(AUDIO,), folder=folder, waiting={AUDIO: [*clips]})


def _other_sound(row: Mapping[str, Any]) -> str | None:
    """A column whose value looks like the path of a sound."""
    others = (name for name in row if name not in ("id", "source", *PROMPTS, *ANSWERS))
    return next((name for name in others if isinstance(row[name], str) and _SOUND_FILE.search(row[name])), None)


def _check_choices(choices: Any) -> None:
    told = not isinstance(choices, str) and isinstance(choices, Sequence)
    if choices is not None and not (told and all(isinstance(each, str | int | float) for each in choices)):
        raise BadRow("choices", "expected a list of texts")


def _with_system(row: Mapping[str, Any], turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    system = row.get("system")
    if isinstance(system, str) and system.strip() and turns[0].role != SYSTEM:
        return (Turn(SYSTEM, (system,)), *turns)
    return turns


def _placed(text: str, clips: tuple[Clip, ...], folder: Path) -> tuple[Part, ...]:
    """The sound where a tag stands, else before the text."""
    reader = _reader(clips, folder)
    if reader.has_tag(text):
        parts = reader.tagged(text)
        reader.check_all_taken()
        return parts
    return (*clips, text) if text else clips


def _query(query: str, clips: tuple[Clip, ...]) -> tuple[Part, ...]:
    """The text of a chat evaluation, with its sound in place of the tokens."""
    before, sound, after = query.partition(SOUND)
    if len(clips) != 1 or not sound or SOUND in after:
        raise BadRow("sound_tokens", "one sound and its tokens once are expected")
    if before == _HEARD_FIRST and after.startswith("\n"):  # the chat template itself writes this
        before, after = "", after[1:]
    for text in (before, after):
        refuse_tokens(text)
    return tuple(part for part in (before, clips[0], after) if part)


def _conversation(messages: Any, column: str, clips: tuple[Clip, ...], folder: Path) -> tuple[Turn, ...]:
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise BadRow(column, "expected a list of messages")
    reader = _reader(clips, folder)
    turns = []
    for message in messages:
        role = ROLES.get(str(message.get("role") or message.get("from"))) if isinstance(message, Mapping) else None
        if role is None:
            raise BadRow(column, f"a message whose role is none of {', '.join(ROLES)}")
        content = message.get("content") if "content" in message else message.get("value")
        turns.append(Turn(role, reader.content(content, column)))
    users = [number for number, turn in enumerate(turns) if turn.role == USER]
    if clips and users and not any(isinstance(part, Clip) for turn in turns for part in turn.parts):
        turns[users[0]] = Turn(USER, (*clips, *turns[users[0]].parts))
        return tuple(turns)
    reader.check_all_taken()
    return tuple(turns)
