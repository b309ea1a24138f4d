"""MS-SWIFT rows: `--task sft` and `--task grpo`.

Rows have `id, messages, images, videos, audios`; GRPO rows end in the user turn and carry `solution, task, language`
for the reward functions. Tags and media are matched by order, kind by kind, so every row has as many tags as media:
a text with no tag of its own gets them in front, one that has just as many keeps them, any other is a `tag_mismatch`.
No key is a second name of another (ms-swift renames neither of two that collide). Rules: MS-SWIFT's dataset loader,
row preprocessor and template, as read at version 4.6.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ...shards.store import quote
from ...shards.text import is_blank
from .base import MEDIA_PATHS, Skip, ViewOptions, ViewSql, text_sql
from .prompts import (
    NEVER_AN_ANSWER,
    TAG_FIELD,
    answer_of,
    answer_sql,
    check_template,
    field_of,
    field_sql,
    fill,
    fill_sql,
    prompt_of,
    prompt_sql,
)

TAG_OF = {"image_paths": "<image>", "video_paths": "<video>", "audio_paths": "<audio>"}
ANY_TAG = "<(image|video|audio)>"
_AUDIO_MODEL = "Qwen/Qwen2-Audio-7B-Instruct"
_OMNI_MODEL = "Qwen/Qwen3-Omni-30B-A3B-Instruct"

_TAGS_SQL = " || ".join(f"repeat('{tag}', coalesce(len({paths}), 0))" for paths, tag in TAG_OF.items())
_HAS_CONVERSATION = "coalesce(len(messages), 0) > 0"


class MsSwift:
    """The view `msswift`."""

    name = "msswift"
    revision = "1"
    order = "hash"
    text = "clean"
    tasks: tuple[str, ...] = ("sft", "grpo")
    format = "msswift"
    media_columns: tuple[str, ...] = ("images", "videos", "audios")
    keeps_empty_columns = False

    def sql(self, options: ViewOptions, *, conversations: bool) -> ViewSql:
        """Adds `tags`, `prompt` (the user turn without them), `solution`; `asked` and `said` of a conversation."""
        answer = f"not_blank({text_sql('answered', options)})"
        layers = [
            {"tags": _TAGS_SQL, "prompt": _prompt_sql(options), "answered": answer_sql()},
            {"solution": answer, "asked": "prompt", "said": "NULL"},
        ]
        if conversations:
            turns = "array_to_string([coalesce(m.content, '') FOR m IN messages IF m.role {} 'assistant'], chr(10))"
            layers[1] = {
                "solution": f"CASE WHEN {_HAS_CONVERSATION} THEN not_blank(messages[len(messages)].content) "
                f"ELSE {answer} END",
                "asked": f"CASE WHEN {_HAS_CONVERSATION} THEN {turns.format('<>')} ELSE prompt END",
                "said": f"CASE WHEN {_HAS_CONVERSATION} THEN {turns.format('=')} END",
            }
        return ViewSql(
            layers,
            _skip_sql(options, conversations=conversations),
            self._select_sql(options, conversations=conversations),
            _leak_sql(options),
        )

    def _select_sql(self, options: ViewOptions, *, conversations: bool) -> str:
        messages = _made_sql(options)
        if conversations:
            messages = f"CASE WHEN {_HAS_CONVERSATION} THEN {_held_sql(options)} ELSE {messages} END"
        columns = ["id", f"{messages} AS messages"]
        columns += [f"{path} AS {column}" for path, column in zip(MEDIA_PATHS, self.media_columns, strict=True)]
        if options.task == "grpo":
            columns += ["solution", "effective_task AS task", "nullif(language, '') AS language"]
        return ", ".join(columns)

    def row(self, sample: Mapping[str, Any], options: ViewOptions) -> dict[str, Any] | Skip:
        if sample.get("modality") != "text" and not _tags(sample):
            return Skip("no_media")
        made = _held(sample, options) if sample.get("messages") else _made(sample, options)
        if isinstance(made, Skip):
            return made
        messages, answer = made
        if options.task == "grpo":
            messages = messages[:-1]
        row: dict[str, Any] = {"id": sample["id"], "messages": messages}
        for path, column in zip(MEDIA_PATHS, self.media_columns, strict=True):
            if sample.get(path):
                row[column] = list(sample[path])
        if options.task == "grpo":
            row |= {"solution": answer, "task": sample["effective_task"]}
            row |= {"language": sample["language"]} if sample.get("language") else {}
        return row

    def train_command(self, data: Path, options: ViewOptions, columns: Collection[str]) -> str | None:
        """`columns` are those of the data file: Qwen2-Audio refuses rows with images or videos."""
        sees = "videos" in columns or "images" in columns
        common = f"--model {_OMNI_MODEL if sees else _AUDIO_MODEL} --dataset {shlex.quote(str(data))} --tuner_type lora"
        if options.task == "sft":
            return f"swift sft {common} --strict true"
        return f"swift rlhf --rlhf_type grpo {common} --external_plugins REWARD.py --reward_funcs REWARD"


# ---- SQL


def _prompt_sql(options: ViewOptions) -> str:
    """The user turn without tags; NULL where the task has no prompt."""
    if options.user_template is None:
        return prompt_sql(options)
    return _filled_sql(options.user_template, options, tags="''")


def _filled_sql(template: str, options: ViewOptions, *, tags: str) -> str:
    def field(name: str) -> str:
        if name == TAG_FIELD:
            return tags
        return f"({prompt_sql(options)})" if name == "prompt" else field_sql(name, options)

    return fill_sql(template, field)


def _skip_sql(options: ViewOptions, *, conversations: bool) -> str:
    """No conversation: no media, no prompt for the task, nothing to answer, or tags that fit no media."""
    cases = ["WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'"]
    if conversations:
        roles = "[m.role FOR m IN messages]"
        cases += [
            f"WHEN {_HAS_CONVERSATION} AND NOT list_contains({roles}, 'user') THEN 'no_prompt'",
            f"WHEN {_HAS_CONVERSATION} AND messages[len(messages)].role <> 'assistant' THEN 'no_answer'",
        ]
    no_prompt = "prompt IS NULL OR (tags = '' AND not_blank(prompt) IS NULL)"
    if conversations:
        no_prompt = f"NOT {_HAS_CONVERSATION} AND ({no_prompt})"
    cases += [
        f"WHEN {no_prompt} THEN 'no_prompt'",
        "WHEN solution IS NULL THEN 'no_answer'",
        f"WHEN {_mismatch_sql(options, conversations=conversations)} THEN 'tag_mismatch'",
    ]
    return f"CASE {' '.join(cases)} END"


def _mismatch_sql(options: ViewOptions, *, conversations: bool) -> str:
    wrong = " OR ".join(
        f"(len(asked) - len(replace(asked, '{tag}', ''))) // {len(tag)} <> coalesce(len({paths}), 0)"
        for paths, tag in TAG_OF.items()
    )
    if _places_tags(options):
        wrong = f"NOT {_HAS_CONVERSATION} OR {wrong}" if conversations else "true"
    return (
        f"regexp_matches(coalesce(said, solution), '{ANY_TAG}') OR (regexp_matches(asked, '{ANY_TAG}') AND ({wrong}))"
    )


def _made_sql(options: ViewOptions) -> str:
    """The conversation made of a sample's fields."""
    if options.user_template is not None and _places_tags(options):
        user = _filled_sql(options.user_template, options, tags="tags")
    else:
        user = f"CASE WHEN regexp_matches(prompt, '{ANY_TAG}') THEN prompt ELSE tags || prompt END"
    turns = [_turn_sql("system", quote(options.system))] if options.system else []
    turns.append(_turn_sql("user", user))
    if options.task != "grpo":
        turns.append(_turn_sql("assistant", "solution"))
    return f"[{', '.join(turns)}]"


def _held_sql(options: ViewOptions) -> str:
    """An existing conversation, with tags before its first user turn where it has none, and the system turn."""
    first = "list_position([m.role FOR m IN messages], 'user')"
    held = (
        "list_transform(messages, lambda m, i: {'role': m.role, 'content': "
        f"CASE WHEN i = {first} AND NOT regexp_matches(asked, '{ANY_TAG}') THEN tags || m.content ELSE m.content END}})"
    )
    if options.task == "grpo":
        held = f"list_slice({held}, 1, len(messages) - 1)"
    if not options.system:
        return held
    system = _turn_sql("system", quote(options.system))
    return f"CASE WHEN messages[1].role = 'system' THEN {held} ELSE list_concat([{system}], {held}) END"


def _turn_sql(role: str, content: str) -> str:
    return f"{{'role': '{role}', 'content': {content}}}"


def _leak_sql(options: ViewOptions) -> str | None:
    """The answer stands in the user turn, put there by a field of the user template."""
    if options.user_template is None or options.allow_answer_in_prompt:
        return None
    fields = [name for name in check_template(options.user_template) if name not in NEVER_AN_ANSWER]
    if not fields:
        return None
    shown = " OR ".join(f"contains({field_sql(name, options)}, solution)" for name in fields)
    return f"NOT {_HAS_CONVERSATION} AND ({shown})"


# ---- one sample


def _made(sample: Mapping[str, Any], options: ViewOptions) -> tuple[list[dict[str, str]], str] | Skip:
    tags = _tags(sample)
    prompt = user = _user(sample, options, tags="")
    if prompt is None or user is None or (not tags and is_blank(prompt)):
        return Skip("no_prompt")
    answer = answer_of(sample, options)
    if answer is None:
        return Skip("no_answer")
    tagged = re.search(ANY_TAG, prompt) is not None
    if re.search(ANY_TAG, answer) or (tagged and (_places_tags(options) or not _fits(prompt, sample))):
        return Skip("tag_mismatch")
    if _places_tags(options):
        user = _user(sample, options, tags=tags) or ""
    elif not tagged:
        user = tags + prompt
    messages = [_turn("system", options.system)] if options.system else []
    return [*messages, _turn("user", user), _turn("assistant", answer)], answer


def _user(sample: Mapping[str, Any], options: ViewOptions, *, tags: str) -> str | None:
    prompt = prompt_of(sample, options)
    if options.user_template is None:
        return prompt

    def field(name: str) -> str | None:
        if name == TAG_FIELD:
            return tags
        return prompt if name == "prompt" else field_of(name, sample, options)

    return fill(options.user_template, field)


def _held(sample: Mapping[str, Any], options: ViewOptions) -> tuple[list[dict[str, str]], str] | Skip:
    messages = [dict(message) for message in sample["messages"]]
    if all(message["role"] != "user" for message in messages):
        return Skip("no_prompt")
    answer = messages[-1]["content"]
    if messages[-1]["role"] != "assistant" or answer is None or is_blank(answer):
        return Skip("no_answer")
    asked, said = (
        "\n".join(m["content"] or "" for m in messages if (m["role"] == "assistant") == is_answer)
        for is_answer in (False, True)
    )
    tagged = re.search(ANY_TAG, asked) is not None
    if re.search(ANY_TAG, said) or (tagged and not _fits(asked, sample)):
        return Skip("tag_mismatch")
    if not tagged:
        first = next(message for message in messages if message["role"] == "user")
        first["content"] = None if first["content"] is None else _tags(sample) + first["content"]
    if options.system and messages[0]["role"] != "system":
        messages.insert(0, _turn("system", options.system))
    return messages, answer


def _places_tags(options: ViewOptions) -> bool:
    """Whether the user template says itself where the tags go."""
    return options.user_template is not None and TAG_FIELD in check_template(options.user_template)


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _tags(sample: Mapping[str, Any]) -> str:
    return "".join(tag * len(sample.get(paths) or []) for paths, tag in TAG_OF.items())


def _fits(text: str, sample: Mapping[str, Any]) -> bool:
    return all(text.count(tag) == len(sample.get(paths) or []) for paths, tag in TAG_OF.items())
