"""The turns of training rows, from the columns of each view of conversations.

    messages                     msswift, messages (openai, hf, trl), cot, calibration; `rejected_response` of a pair
    conversations                conversation, phoneme, llamafactory sharegpt; `chosen` and `rejected` of ranking
    prompt, completion           messages trl, for completion
    prompt, chosen, rejected     preference; messages trl, for dpo
    instruction, output          llamafactory alpaca; `history` and `input`
    audio_feat, question         cot json: `cot` and `answer`

Media stand in `images`, `videos`, `audios` or `audio`, in the order of their tags; in tags (`<audio>PATH</audio>`); or
in typed parts. A row is read whole or refused: what it says of itself and a trainer would pass over (tools, boxes in
images, weights of losses) refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .bad_rows import BadRow
from .training_row import TrainingRow
from .turn_parts import AUDIO, IMAGE, ROLES, VIDEO, PartReader, refuse_tokens
from .turns import ASSISTANT, SYSTEM, USER, Medium, Part, Turn

_MEDIA = {"images": IMAGE, "image": IMAGE, "videos": VIDEO, "video": VIDEO, "audios": AUDIO, "audio": AUDIO,
          "audio_feat": AUDIO}  # fmt: skip
_UNLEARNT = {
    "tools": "tools that a model may call are not trained here",
    "objects": "boxes in images are not trained here",
}
"""Columns that change what a row teaches."""

_MESSAGE_KEYS = frozenset({"role", "from", "content", "value", "loss", "loss_scale"})
_CHAIN = "<think>\n{chain}\n</think>\n\n<RESPONSE>\n{response}\n</RESPONSE>"
"""As the rows of `cot --style messages` have a chain and its response."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a form reads of a row: its turns, and the answer that was rejected."""

    turns: tuple[Turn, ...]
    rejected: Turn | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A form of rows.

    Attributes:
        columns: The columns by which it is known; rows have all of them.
        read: Reads a row.
        also: Further columns that it reads.
    """

    columns: tuple[str, ...]
    read: Callable[[Mapping[str, Any], PartReader], _Read]
    also: tuple[str, ...] = ()


def form_of(columns: Collection[str]) -> Form | None:
    """The form of rows with these columns; None: they are no conversations with answers."""
    return next((form for form in FORMS if set(form.columns) <= set(columns)), None)


def row_of(
    values: Mapping[str, Any],
    form: Form,
    *,
    where: str,
    sound_in_videos: bool = False,
    is_pretraining: bool = False,
) -> TrainingRow:
    """The training row of one row of an export, given without its null columns.

    Args:
        where: Its export, for messages.
        sound_in_videos: Whether the sound of its videos is heard with them (`--av in-video`).
        is_pretraining: Whether it is one text to learn, without a question.

    Raises:
        BadRow: It cannot be trained on.
    """
    for name, why in _UNLEARNT.items():
        if values.get(name):
            raise BadRow(f"{name}_unsupported", f"column {name}: {why}; leave such rows out with --where")
    reader = PartReader(sound_in_videos=sound_in_videos)
    for name, kind in _MEDIA.items():
        if (value := values.get(name)) is not None:
            reader.waiting.setdefault(kind, []).extend(_media(name, kind, value, reader))
    read = form.read(values, reader)
    reader.check_all_taken()
    turns = _with_system(values.get("system"), read.turns)
    _check_turns(turns, is_pretraining=is_pretraining)
    if read.rejected is not None:
        _check_rejected(turns[-1], read.rejected)
        _check_same_media(values)
    used = {"id", "system", *_MEDIA, *form.columns, *form.also}
    dimension = values.get("dimension")
    return TrainingRow(
        id=str(values["id"]),
        where=f"{where} {values['id']}",
        turns=turns,
        rejected=read.rejected,
        dimension=str(dimension) if dimension is not None else None,
        columns={name: value for name, value in values.items() if name not in used},
    )


def _media(column: str, kind: str, value: Any, reader: PartReader) -> list[Medium]:
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, Sequence) or not all(isinstance(path, str) and path for path in paths):
        raise BadRow("unread_media", f"column {column}: expected the path of a file or a list of paths, got {value!r}")
    return [reader.medium(kind, path) for path in paths]


# ---- what a row must be


def _with_system(system: Any, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    if system is None or system == "":
        return turns
    if not isinstance(system, str) or (turns and turns[0].role == SYSTEM):
        raise BadRow("two_systems", "column system: there is a system message in the conversation already")
    refuse_tokens(system)
    return (Turn(SYSTEM, (system,)), *turns)


def _check_turns(turns: tuple[Turn, ...], *, is_pretraining: bool) -> None:
    if not turns or turns[-1].role != ASSISTANT:
        raise BadRow("no_answer", "the conversation ends without an answer; export rows with answers (--task sft)")
    for number, turn in enumerate(turns):
        if turn.role == SYSTEM and number:
            raise BadRow("late_system", f"turn {number + 1} is a system message; it can only be the first")
        if turn.role == SYSTEM and any(not isinstance(part, str) for part in turn.parts):
            raise BadRow("media_in_system", "a sound or picture in the system message; put it into the user's turn")
        if turn.role == ASSISTANT and not turn.text.strip():
            raise BadRow("empty_answer", f"turn {number + 1}: the answer has no text; leave the row out")
        if turn.role == ASSISTANT and not is_pretraining and any(not isinstance(part, str) for part in turn.parts):
            raise BadRow(
                "media_in_answer", f"turn {number + 1}: a sound or picture in an answer; models answer in text"
            )
        if turn.role == USER and not any(not isinstance(part, str) or part.strip() for part in turn.parts):
            raise BadRow("empty_question", f"turn {number + 1}: the user says nothing; leave the row out")
    if not is_pretraining and all(turn.role != USER for turn in turns):
        raise BadRow("no_question", "nothing is asked before the answer; rows of `msswift --task pretrain` may be so")
    if not any(turn.role == ASSISTANT and turn.is_learned for turn in turns):
        raise BadRow("nothing_learned", "loss is false on every answer; leave the row out")


def _check_rejected(chosen: Turn, rejected: Turn) -> None:
    if not rejected.text.strip() or any(not isinstance(part, str) for part in rejected.parts):
        raise BadRow("bad_rejected", "the rejected answer has no text, or media of its own; both see the same media")
    if rejected.text.split() == chosen.text.split():
        raise BadRow(
            "same_answers", "the chosen and the rejected answer are the same but for white space; leave the pair out"
        )


def _check_same_media(values: Mapping[str, Any]) -> None:
    """Both sides of a pair are answers to the same sound and pictures."""
    for name in _MEDIA:
        own = values.get(f"rejected_{name}")
        if own and own != values.get(name):
            raise BadRow("different_media", f"column rejected_{name}: the rejected side has media of its own")


# ---- the forms


def _messages(values: Mapping[str, Any], reader: PartReader) -> _Read:
    turns = _conversation(values["messages"], "messages", reader)
    if (other := values.get("rejected_response")) is None:
        return _Read(turns)
    if not isinstance(other, str):
        raise BadRow("bad_rejected", f"column rejected_response: expected a text, got {other!r}")
    if len(turns) < 2 or turns[-2].role != USER:
        raise BadRow("bad_rejected", "column rejected_response: it replaces one answer after the last question")
    return _Read(turns, Turn(ASSISTANT, reader.content(other, "rejected_response")))


def _conversations(values: Mapping[str, Any], reader: PartReader) -> _Read:
    turns = _conversation(values["conversations"], "conversations", reader)
    if "rejected" not in values:
        return _Read(turns)
    return _pair(turns, [values.get("chosen")], [values["rejected"]], reader)


def _prompted(values: Mapping[str, Any], reader: PartReader) -> _Read:
    asked = _conversation(values["prompt"], "prompt", reader)
    return _Read((*asked, *_conversation(values["completion"], "completion", reader)))


def _preferred(values: Mapping[str, Any], reader: PartReader) -> _Read:
    return _pair(_conversation(values["prompt"], "prompt", reader), values["chosen"], values["rejected"], reader)


def _pair(asked: tuple[Turn, ...], chosen: Any, rejected: Any, reader: PartReader) -> _Read:
    sides = [_conversation(side, name, reader) for name, side in (("chosen", chosen), ("rejected", rejected))]
    for name, side in zip(("chosen", "rejected"), sides, strict=True):
        if len(side) != 1 or side[0].role != ASSISTANT:
            raise BadRow(f"bad_{name}", f"column {name}: expected one answer, got {len(side)} turns")
    return _Read((*asked, sides[0][0]), sides[1][0])


def _instructed(values: Mapping[str, Any], reader: PartReader) -> _Read:
    turns = []
    for pair in values.get("history", ()):
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise BadRow("history", f"column history: expected pairs of question and answer, got {pair!r}")
        turns += [(USER, pair[0], "history"), (ASSISTANT, pair[1], "history")]
    asked = "\n".join(str(values[name]) for name in ("instruction", "input") if values.get(name))
    turns += [(USER, asked, "instruction"), (ASSISTANT, values["output"], "output")]
    return _Read(tuple(Turn(role, reader.content(said, column)) for role, said, column in turns))


def _chain(values: Mapping[str, Any], reader: PartReader) -> _Read:
    for name in ("question", "cot", "answer"):
        if not isinstance(values.get(name), str) or not values[name].strip():
            raise BadRow("no_chain", f"column {name}: expected a text, got {values.get(name)!r}")
        refuse_tokens(values[name])
    heard: list[Part] = [*reader.waiting.pop(AUDIO, [])]
    answer = _CHAIN.format(chain=values["cot"], response=values["answer"])
    return _Read((Turn(USER, (*heard, values["question"])), Turn(ASSISTANT, (answer,))))


FORMS = (
    Form(("messages",), _messages, ("rejected_response",)),
    Form(("conversations",), _conversations, ("chosen", "rejected")),
    Form(("prompt", "chosen", "rejected"), _preferred, ("dimension",)),
    Form(("prompt", "completion"), _prompted),
    Form(("instruction", "output"), _instructed, ("input", "history")),
    Form(("audio_feat", "question", "cot", "answer"), _chain),
)
"""The forms, in the order in which they are looked for."""


def _conversation(messages: Any, column: str, reader: PartReader) -> tuple[Turn, ...]:
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise BadRow(column, f"column {column}: expected a list of messages, got {messages!r}")
    return tuple(_turn(message, column, reader) for message in messages)


def _turn(message: Any, column: str, reader: PartReader) -> Turn:
    if not isinstance(message, Mapping):
        raise BadRow(column, f"column {column}: expected a message with role and content, got {message!r}")
    said = {name: value for name, value in message.items() if value is not None}
    role = ROLES.get(str(said.get("role") or said.get("from")))
    if role is None:
        raise BadRow("unknown_role", f"column {column}: {said.get('role') or said.get('from')!r} is none of "
                                     f"{', '.join(ROLES)}; calls of tools are not trained here")  # fmt: skip
    if further := sorted(set(said) - _MESSAGE_KEYS):
        raise BadRow("message_keys", f"column {column}: a message has {', '.join(further)}, which is not trained here")
    parts = reader.content(said.get("content", said.get("value")), column)
    return Turn(role, parts, is_learned=_is_learned(role, said))


def _is_learned(role: str, message: Mapping[str, Any]) -> bool:
    """Whether an answer is learned: its `loss`, where it has one."""
    loss, scale = message.get("loss"), message.get("loss_scale")
    if scale is not None and (role != ASSISTANT or scale not in (0, 1)):
        raise BadRow("loss_scale_unsupported", f"loss_scale {scale!r}; an answer is learned (1) or not (0)")
    if loss is not None and (not isinstance(loss, bool | int) or (bool(loss) and role != ASSISTANT)):
        raise BadRow("loss_unsupported", f"loss {loss!r} on a message of the role {role}; only answers are learned")
    return bool(loss if loss is not None else 1) and bool(scale if scale is not None else 1)
