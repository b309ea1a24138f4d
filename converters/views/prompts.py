"""Prompts and answers by task, modality and language, from `templates/prompts.yaml`; as SQL and for one sample."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from ...errors import UsageError
from ...shards.store import quote
from ...shards.strict_yaml import parse_yaml
from .base import (
    LANGUAGE_SQL,
    ViewOptions,
    first_text_of,
    first_text_sql,
    joined,
    language_of,
    text_of,
    text_sql,
)

TAG_FIELD = "modality_tag"
TEXT_FIELDS = ("text", "translation", "question", "answer", "reasoning")
PLAIN_FIELDS = (
    "id",
    "dataset",
    "config",
    "split",
    "panel",
    "modality",
    "task",
    "language",
    "target_language",
    "speaker",
)
LIST_FIELDS = ("choices", "captions", "labels")
TEMPLATE_FIELDS = (TAG_FIELD, "prompt", *TEXT_FIELDS, *LIST_FIELDS, *PLAIN_FIELDS)

NEVER_AN_ANSWER = frozenset({TAG_FIELD, "prompt", "question", "choices"})
"""Fields that may show the answer by right: a question's own words, the options to choose from."""


@dataclass(frozen=True, slots=True)
class TaskPrompt:
    """One task: the fields that answer, and the prompt by modality (`""` for any) and language."""

    answer: tuple[str, ...]
    prompts: dict[str, dict[str, str]]


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    file = resources.files("triptych.converters.templates").joinpath("prompts.yaml")
    document: dict[str, Any] = parse_yaml(file.read_bytes(), name="prompts.yaml").value
    return document


@lru_cache(maxsize=1)
def task_prompts() -> dict[str, TaskPrompt]:
    """Every task that has a prompt."""
    tasks = {}
    for name, entry in _document().items():
        if name in ("targets", "choices"):
            continue
        prompt = entry["prompt"]
        by_modality = prompt if all(isinstance(value, dict) for value in prompt.values()) else {"": prompt}
        tasks[name] = TaskPrompt(tuple(entry["answer"]), by_modality)
    return tasks


def choice_introductions() -> tuple[str, ...]:
    """What our prompts write before the options of a question, in every language they know."""
    return tuple(_document()["choices"].values())


# ---- SQL


def prompt_sql(options: ViewOptions) -> str:
    """What the user is asked, without tags; NULL where the task or modality has no prompt."""
    cases = []
    for task, entry in task_prompts().items():
        whens = []
        for modality, by_language in entry.prompts.items():
            condition = f"modality = {quote(modality)}" if modality else "true"
            whens.append(f"WHEN {condition} THEN {_by_language_sql(by_language, options)}")
        cases.append(f"WHEN {quote(task)} THEN CASE {' '.join(whens)} END")
    return f"CASE effective_task {' '.join(cases)} END"


def _by_language_sql(by_language: Mapping[str, str], options: ViewOptions) -> str:
    def fill(text: str) -> str:
        return fill_sql(text, lambda name: _prompt_field_sql(name, options))

    others = " ".join(
        f"WHEN {quote(language)} THEN {fill(text)}" for language, text in by_language.items() if language != "en"
    )
    default = fill(by_language["en"])
    return f"CASE base_language {others} ELSE {default} END" if others else default


def _prompt_field_sql(name: str, options: ViewOptions) -> str:
    if name == "target":
        return _target_sql()
    if name == "choices":
        listed = "array_to_string([chr(10) || '- ' || c FOR c IN choices], '')"
        intro = _document()["choices"]
        head = f"CASE base_language WHEN 'zh' THEN {quote(intro['zh'])} ELSE {quote(intro['en'])} END"
        return f"CASE WHEN {listed} = '' THEN '' ELSE {head} || {listed} END"
    return f"coalesce({field_sql(name, options)}, '')"


def _target_sql() -> str:
    base = LANGUAGE_SQL.format(column="target_language")
    tables = {}
    for language, names in _document()["targets"].items():
        whens = " ".join(f"WHEN {quote(code)} THEN {quote(name)}" for code, name in names.items())
        tables[language] = f"CASE {base} {whens} ELSE coalesce(target_language, '') END"
    return f"CASE base_language WHEN 'zh' THEN {tables['zh']} ELSE {tables['en']} END"


def field_sql(name: str, options: ViewOptions) -> str:
    """A template field as SQL text."""
    if name in TEXT_FIELDS:
        return text_sql(name, options)
    if name in LIST_FIELDS:
        return text_sql(f"array_to_string({name}, ', ')", options)
    return "effective_task" if name == "task" else f'"{name}"'


def answer_sql() -> str:
    """What the assistant says, as the corpus has it; NULL or blank where the sample has no answer for its task."""
    cases = (
        f"WHEN {quote(task)} THEN {first_text_sql([_ANSWER_SQL.get(name, name) for name in entry.answer])}"
        for task, entry in task_prompts().items()
    )
    return f"CASE effective_task {' '.join(cases)} END"


_ANSWER_SQL = {"captions": "captions[1]", "labels": "array_to_string(labels, ', ')"}


def fill_sql(template: str, field: Callable[[str], str]) -> str:
    """A template as a SQL concatenation."""
    parts = [quote(piece) if name is None else f"coalesce({field(name)}, '')" for piece, name in split(template)]
    return "(" + (" || ".join(parts) or "''") + ")"


# ---- one sample


def prompt_of(sample: Mapping[str, Any], options: ViewOptions) -> str | None:
    """The same as `prompt_sql` for one sample."""
    entry = task_prompts().get(sample["effective_task"])
    if entry is None:
        return None
    by_language = entry.prompts.get("") or entry.prompts.get(sample.get("modality") or "")
    if by_language is None:
        return None
    language = language_of(sample.get("language"))
    text = by_language.get(language, by_language["en"])
    return fill(text, lambda name: _prompt_field_of(name, sample, options))


def _prompt_field_of(name: str, sample: Mapping[str, Any], options: ViewOptions) -> str:
    language = "zh" if language_of(sample.get("language")) == "zh" else "en"
    if name == "target":
        names = _document()["targets"][language]
        target = sample.get("target_language")
        return str(names.get(language_of(target), target or ""))
    if name == "choices":
        listed = "".join(f"\n- {choice}" for choice in sample.get("choices") or [] if choice is not None)
        return _document()["choices"][language] + listed if listed else ""
    return field_of(name, sample, options) or ""


def field_of(name: str, sample: Mapping[str, Any], options: ViewOptions) -> str | None:
    """A template field of one sample."""
    if name in TEXT_FIELDS:
        return text_of(sample.get(name), sample, options)
    if name in LIST_FIELDS:
        return text_of(joined(sample.get(name)), sample, options)
    value = sample["effective_task"] if name == "task" else sample.get(name)
    return None if value is None else str(value)


def answer_of(sample: Mapping[str, Any], options: ViewOptions) -> str | None:
    """The same as `answer_sql` for one sample."""
    entry = task_prompts().get(sample["effective_task"])
    return first_text_of((_answer_field_of(name, sample) for name in entry.answer), sample, options) if entry else None


def _answer_field_of(name: str, sample: Mapping[str, Any]) -> str | None:
    value = sample.get(name)
    if name == "captions":
        return value[0] if value else None
    return joined(value) if name == "labels" else value


def fill(template: str, field: Callable[[str], str | None]) -> str:
    """A template filled for one sample."""
    return "".join(piece if name is None else field(name) or "" for piece, name in split(template))


# ---- templates


def split(template: str) -> list[tuple[str, str | None]]:
    """The pieces of a template in order: (literal, None) or ("", field name)."""
    pieces: list[tuple[str, str | None]] = []
    for literal, name, spec, conversion in string.Formatter().parse(template):
        if literal:
            pieces.append((literal, None))
        if name is not None:
            if spec or conversion:
                raise ValueError(f"{{{name}}} takes no format")
            pieces.append(("", name))
    return pieces


def check_template(template: str) -> list[str]:
    """The fields of a user template.

    Raises:
        UsageError: A brace is open, or a field is none of a sample.
    """
    try:
        fields = [name for _, name in split(template) if name is not None]
    except ValueError as error:
        raise UsageError(f"--user-template {template!r}: {error}; write {{{{ for a brace.") from error
    unknown = [name for name in fields if name not in TEMPLATE_FIELDS]
    if unknown:
        raise UsageError(
            f"--user-template: {{{unknown[0]}}} is no field. Fields: {', '.join(TEMPLATE_FIELDS)}.",
            hint="""for example --user-template "{modality_tag}Answer in one sentence: {question}" """.strip(),
        )
    return fields
