"""MS-SWIFT rows: `--task sft` and `--task grpo`.

Rows have `id, messages, images, videos, audios`; GRPO rows end in the user turn and carry `solution, task, language`
for the reward functions. Tags and media are matched by order, kind by kind, so every row has as many tags as media.
No key is a second name of another (ms-swift renames neither of two that collide). Rules: MS-SWIFT's dataset loader,
row preprocessor and template, as read at version 4.6.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...shards.store import quote
from .base import MEDIA_PATHS, Skip, ViewOptions
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
_MODEL = {"audio": "Qwen/Qwen2-Audio-7B-Instruct", "video": "Qwen/Qwen3-Omni-30B-A3B-Instruct"}


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

    def skip_sql(self, options: ViewOptions) -> str:
        """No conversation: no media, no prompt for the task, or nothing to answer."""
        no_media = " AND ".join(f"{name} IS NULL" for name in MEDIA_PATHS)
        ready = "coalesce(len(messages), 0) > 0"
        no_prompt = "false" if options.user_template else f"({prompt_sql(options)}) IS NULL"
        return (
            f"CASE WHEN modality <> 'text' AND {no_media} THEN 'no_media' "
            f"WHEN {ready} AND NOT list_contains(list_transform(messages, lambda m: m.role), 'user') THEN 'no_prompt' "
            f"WHEN {ready} AND {_last_role_sql()} <> 'assistant' THEN 'no_answer' "
            f"WHEN {ready} AND {_tag_mismatch_sql()} THEN 'tag_mismatch' "
            f"WHEN {ready} THEN NULL "
            f"WHEN {no_prompt} THEN 'no_prompt' "
            f"WHEN coalesce({answer_sql(options)}, '') = '' THEN 'no_answer' END"
        )

    def select_sql(self, options: ViewOptions) -> str:
        turn = "{{'role': {role}, 'content': {content}}}".format
        user = turn(role="'user'", content=self._user_sql(options))
        assistant = turn(role="'assistant'", content=answer_sql(options))
        system = [turn(role="'system'", content=quote(options.system))] if options.system else []
        grpo = options.task == "grpo"
        made = f"[{', '.join([*system, user, *([] if grpo else [assistant])])}]"
        held = _held_sql(system=options.system, drop_last=grpo)
        columns = [
            "id",
            f"CASE WHEN coalesce(len(messages), 0) > 0 THEN {held} ELSE {made} END AS messages",
            *(f"{path} AS {column}" for path, column in zip(MEDIA_PATHS, self.media_columns, strict=True)),
        ]
        if grpo:
            last = f"messages[len(messages)].content"  # noqa: F541
            columns.append(
                f"CASE WHEN coalesce(len(messages), 0) > 0 THEN {last} ELSE {answer_sql(options)} END AS solution"
            )
            columns += ["effective_task AS task", "language"]
        return ", ".join(columns)

    def leak_sql(self, options: ViewOptions) -> str | None:
        """The answer stands in the user turn, put there by a field of the user template."""
        if options.user_template is None or options.allow_answer_in_prompt:
            return None
        fields = [name for name in check_template(options.user_template) if name not in NEVER_AN_ANSWER]
        if not fields:
            return None
        answer = answer_sql(options)
        return "(" + " OR ".join(f"contains({field_sql(name, options)}, {answer})" for name in fields) + ")"

    def _user_sql(self, options: ViewOptions) -> str:
        tags = " || ".join(f"repeat('{TAG_OF[name]}', coalesce(len({name}), 0))" for name in MEDIA_PATHS)
        if options.user_template is None:
            return f"{tags} || {prompt_sql(options)}"
        has_tag = TAG_FIELD in check_template(options.user_template)

        def field(name: str) -> str:
            if name == TAG_FIELD:
                return f"({tags})"
            return f"({prompt_sql(options)})" if name == "prompt" else field_sql(name, options)

        filled = fill_sql(options.user_template, field)
        return filled if has_tag else f"{tags} || {filled}"

    def row(self, sample: Mapping[str, Any], options: ViewOptions) -> dict[str, Any] | Skip:
        if sample.get("modality") != "text" and not any(sample.get(name) for name in MEDIA_PATHS):
            return Skip("no_media")
        made = self._held(sample, options) if sample.get("messages") else self._made(sample, options)
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

    def _made(self, sample: Mapping[str, Any], options: ViewOptions) -> tuple[list[dict[str, str]], str] | Skip:
        prompt = prompt_of(sample, options)
        if prompt is None and options.user_template is None:
            return Skip("no_prompt")
        answer = answer_of(sample, options)
        if not answer:
            return Skip("no_answer")
        tags = _tags(sample)
        user = f"{tags}{prompt}"
        if options.user_template is not None:
            values = {TAG_FIELD: tags, "prompt": prompt}

            def field(name: str) -> str | None:
                return values[name] if name in values else field_of(name, sample, options)

            user = fill(options.user_template, field)
            if TAG_FIELD not in check_template(options.user_template):
                user = tags + user
        messages = [{"role": "system", "content": options.system}] if options.system else []
        return [*messages, _turn("user", user), _turn("assistant", answer)], answer

    def _held(self, sample: Mapping[str, Any], options: ViewOptions) -> tuple[list[dict[str, str]], str] | Skip:
        messages = [dict(message) for message in sample["messages"]]
        if all(message["role"] != "user" for message in messages):
            return Skip("no_prompt")
        if messages[-1]["role"] != "assistant":
            return Skip("no_answer")
        text = "".join(message["content"] for message in messages)
        counts = {name: text.count(TAG_OF[name]) for name in MEDIA_PATHS}
        wanted = {name: len(sample.get(name) or []) for name in MEDIA_PATHS}
        if any(counts.values()) and counts != wanted:
            return Skip("tag_mismatch")
        if not any(counts.values()):
            first = next(index for index, message in enumerate(messages) if message["role"] == "user")
            messages[first]["content"] = _tags(sample) + messages[first]["content"]
        if options.system and messages[0]["role"] != "system":
            messages.insert(0, _turn("system", options.system))
        return messages, messages[-1]["content"]

    def train_command(self, data: Path, options: ViewOptions) -> str | None:
        dataset = shlex.quote(str(data))
        if options.task == "sft":
            return f"swift sft --model {_MODEL['audio']} --dataset {dataset} --tuner_type lora --strict true"
        return (
            f"swift rlhf --rlhf_type grpo --model {_MODEL['audio']} --dataset {dataset} --tuner_type lora "
            "--external_plugins REWARD.py --reward_funcs REWARD"
        )


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _tags(sample: Mapping[str, Any]) -> str:
    return "".join(TAG_OF[name] * len(sample.get(name) or []) for name in MEDIA_PATHS)


def _last_role_sql() -> str:
    return "messages[len(messages)].role"


def _all_content_sql() -> str:
    return "array_to_string(list_transform(messages, lambda m: m.content), '')"


def _tag_counts_sql() -> dict[str, str]:
    text = _all_content_sql()
    return {name: f"((len({text}) - len(replace({text}, '{tag}', ''))) // {len(tag)})" for name, tag in TAG_OF.items()}


def _tag_mismatch_sql() -> str:
    """Some tags are there, but not as many as media; a conversation without any tag gets them."""
    counts = _tag_counts_sql()
    some = " OR ".join(f"{count} > 0" for count in counts.values())
    wrong = " OR ".join(f"{count} <> coalesce(len({name}), 0)" for name, count in counts.items())
    return f"(({some}) AND ({wrong}))"


def _held_sql(*, system: str | None, drop_last: bool) -> str:
    """An existing conversation, with tags before its first user turn where it has none, and the system turn."""
    counts = _tag_counts_sql()
    none = " AND ".join(f"{count} = 0" for count in counts.values())
    tags = " || ".join(f"repeat('{TAG_OF[name]}', coalesce(len({name}), 0))" for name in MEDIA_PATHS)
    first = "list_position(list_transform(messages, lambda m: m.role), 'user')"
    tagged = (
        f"list_transform(messages, lambda m, i: {{'role': m.role, 'content': "
        f"CASE WHEN i = {first} AND {none} THEN {tags} || m.content ELSE m.content END}})"
    )
    if drop_last:
        tagged = f"list_slice({tagged}, 1, len(messages) - 1)"
    if system is None:
        return tagged
    turn = f"[{{'role': 'system', 'content': {quote(system)}}}]"
    return f"CASE WHEN messages[1].role = 'system' THEN {tagged} ELSE list_concat({turn}, {tagged}) END"
