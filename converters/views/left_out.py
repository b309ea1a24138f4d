"""Fields of a sample that a view's row does not carry: counted by name, so that none vanishes without a word.

A field is carried if the view reads its column, or an element of `prepared` that was made from it. Of `extra`, a field
is carried if the view reads `extra`, or the element made from that field. Facts about where a sample comes from (its
dataset, split, licence, source, revision) and its media are accounted for elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ...errors import amount
from . import prompts
from .base import View, ViewOptions
from .prepare import MESSAGE_KEYS
from .statement import reads

FIELDS = (
    "text", "translation", "language", "target_language", "speaker", "question", "answer", "reasoning", "choices",
    "captions", "labels", "messages", "chosen", "rejected", "words", "phones",
)  # fmt: skip
"""Columns of the sample with content, in the order of the bits of `_left_out`."""

_TEXTS = ("choices", "captions", "labels")
_LISTS = (*_TEXTS, "messages", "words", "phones")
CONVERSATION = frozenset({"turns", "prompt", "solution"})
"""What a view reads whose rows ask and answer."""
_PROMPT_FIELDS = {"question": "question", "choices": "choices", "target_language": "target", "text": "text"}
_EXTRA_ELEMENTS = {
    "tools": ("tools",), "objects": ("objects",), "loss_channel": ("channel",), "turns": (MESSAGE_KEYS,),
    "reference": ("reference",), "list_prompt": ("evaluation_prompt",), "item_modality": ("modality",),
    "item_category": ("category",), "item_sub_category": ("sub-category",), "label": ("label", "kto_tag"),
    "dimension": ("dimension",),
}  # fmt: skip
_TRAINER_FIELDS = frozenset(
    {"tools", "objects", "channel", "label", "margin", "teacher_prompt", "chat_template_kwargs", "ref_audios",
     "audio_codes", "rejected"}
)  # fmt: skip
_ORIGIN = ("language", "target_language", "speaker", "words", "phones")
"""Those of `FIELDS` that describe a sample; what a model learns of it stays the same without them."""
_SAID_OTHERWISE = {"phoneme": frozenset({"text"})}
"""Fields of `FIELDS` that rows of a view say in another form: a transcript by its phones."""
_TRAINER_PREFIXES = ("messages.", "rejected_", "positive_", "negative_", "teacher_")


def left_out_columns(view: View, options: ViewOptions) -> dict[str, str]:
    """Name -> expression over `prepared`: `_left_out`, a bit for each of `FIELDS`, and `_extra_left_out`."""
    read = reads(view, options.task)
    tests = {field: _lost(field, read, options) for field in FIELDS if field not in read}
    tests |= {field: f"{_has(field)} AND coalesce({test}, false)" for field, test in view.lost.items()}
    bits = [f"CASE WHEN {test} THEN {1 << FIELDS.index(field)} ELSE 0 END" for field, test in tests.items()]
    return {"_left_out": " + ".join(bits) or "0", "_extra_left_out": _extra_sql(view, read)}


def names(bits: int, extra: Sequence[str] | None) -> Iterator[str]:
    """The fields that a row does not carry, from the two columns."""
    yield from (field for place, field in enumerate(FIELDS) if bits >> place & 1)
    # A column of the corpus that is called like a field: AVQA's `answer` is the number of the choice.
    yield from (f"extra.{name}" if name in FIELDS else name for name in extra or ())


def told(left_out: Mapping[str, int], view: str, options: ViewOptions, *, own: Collection[str] = ()) -> Iterator[str]:
    """A line for each field without which a model learns something else, or that the user has set.

    Args:
        left_out: Rows by the name of the field that they do not carry.
        own: The keys that users have annotated.
    """
    where = f"{view} --task {options.task}" if options.task else view
    for name, count in left_out.items():
        dropped = name == "reasoning" and options.reasoning == "drop"
        is_said = name in _SAID_OTHERWISE.get(view, ())
        if (_is_learned(name) and not dropped and not is_said) or name in own:
            rows = amount(count, "row", "do")
            yield f"{rows} not carry the field {name!r} of their sample: {where} has no place for it"


def _is_learned(name: str) -> bool:
    if name in FIELDS:
        return name not in _ORIGIN
    return name in _TRAINER_FIELDS or name.startswith(_TRAINER_PREFIXES)


def _lost(field: str, read: set[str], options: ViewOptions) -> str:
    """SQL: the sample has the field, and nothing that the view reads was made from it."""
    if field == "reasoning" and read & CONVERSATION:
        if options.takes_pairs and options.reasoning == "think":
            last = "turns[len(turns)].content"
            return (
                "(not_blank(reasoning) IS NOT NULL "
                f"AND NOT coalesce(contains(lower({last}), lower(reasoning)), false)) OR "
                f"((thought IS NOT NULL OR has_thought(rejected)) AND NOT coalesce(has_thought({last}), false))"
            )
        if options.task == "pretrain":
            taken_out = "" if options.reasoning == "think" else " OR thought IS NOT NULL"
            return f"not_blank(reasoning) IS NOT NULL{taken_out}"
        kept = options.reasoning == "think" and options.task != "grpo"
        if kept or (options.reasoning == "column" and "thought" in read):
            return "_other_thought"
        return "thought IS NOT NULL"
    if field == "language" and "base_language" in read:
        return "false"
    kept_if = list(_kept_if(field, read, options))
    return " AND ".join([_has(field), *(f"NOT coalesce({test}, false)" for test in kept_if)])


def _has(field: str) -> str:
    """SQL: the sample has the field."""
    if field in _TEXTS:
        return f"len({field}) > 0 AND len([1 FOR x IN {field} IF not_blank(x) IS NOT NULL]) > 0"
    return f"len({field}) > 0" if field in _LISTS else f"not_blank({field}) IS NOT NULL"


def _kept_if(field: str, read: set[str], options: ViewOptions) -> Iterator[str]:
    one = " AND len([1 FOR x IN captions IF not_blank(x) IS NOT NULL]) = 1" if field == "captions" else ""
    if "description" in read:
        yield f"_description_field = '{field}'{one}"
    if not read & CONVERSATION:
        return
    if options.takes_pairs and field == "chosen":
        yield "true"
    if field == "rejected" and read & {"rejected_answer", "label"}:
        yield "true"
    if field == "labels" and "label" in read:
        yield "len(labels) = 1 AND label = label_of(labels[1])"
    if field == "labels" and "dimension" in read:
        yield "len(labels) = 1 AND dimension = dimension_named(labels[1])"
    if field == "messages":
        yield "true" if options.task != "pretrain" else "len(messages) = 1 AND messages[1].role = 'assistant'"
        return
    template = None if options.user_template is None else prompts.check_template(options.user_template)
    if template is not None and field in template:
        yield "NOT has_turns(messages)"
    if field in _PROMPT_FIELDS and (template is None or "prompt" in template):
        yield f"NOT has_turns(messages) AND list_contains(_prompt_fields, '{_PROMPT_FIELDS[field]}')"
    if field == "answer" and options.task == "grpo":
        yield "has_turns(messages)"
    if field in prompts.ANSWER_FIELDS:
        asked = "NOT has_turns(messages) AND " if options.task != "pretrain" else ""
        yield f"{asked}_answer_field = '{field}'{one}"
    if field not in _LISTS:
        yield f"contains(_conversation, {field})"
    elif field != "words" and field != "phones":
        unsaid = f"list_filter({field}, lambda x: not_blank(x) IS NOT NULL AND NOT contains(_conversation, x))"
        yield f"has_turns(messages) AND len({unsaid}) = 0"


def _extra_sql(view: View, read: set[str]) -> str:
    if "extra" in read:
        return "NULL::VARCHAR[]"
    carried = sorted(key for name in read & _EXTRA_ELEMENTS.keys() for key in _EXTRA_ELEMENTS[name])
    listed = ", ".join(f"'{name}'" for name in carried)
    left = f"list_filter(map_keys(extra), lambda k: k NOT IN ({listed}))" if carried else "map_keys(extra)"
    if "channel" not in carried:
        left = f"CASE WHEN loss_channel IS NULL THEN list_filter({left}, lambda k: k <> 'channel') ELSE {left} END"
    more = [left]
    if "objects" in carried:
        more.append("CASE WHEN objects IS NULL AND extra['objects'] IS NOT NULL THEN ['objects'] ELSE [] END")
    if MESSAGE_KEYS in carried:
        messages = "len(messages)" if view.keeps_message_keys else "NULL"
        more.append(f"unread_message_keys(extra['{MESSAGE_KEYS}'], {messages})")
    return f"CASE WHEN extra IS NOT NULL THEN {_concatenated(more)} END"


def _concatenated(lists: Sequence[str]) -> str:
    return lists[0] if len(lists) == 1 else f"list_concat({lists[0]}, {_concatenated(lists[1:])})"
