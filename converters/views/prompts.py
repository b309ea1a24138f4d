"""What is asked and answered, by task, modality and language, from `templates/prompts.yaml`, as tables; user templates.

prompt_banks           (task, modality, language, first, phrasings): the number of the first phrasing, and how many
prompts                (number, fixed, pieces): one phrasing; `fixed` if it has no field, else `pieces`
answers                (task, first_field, second_field)
target_names           (language, code, name): the name of a language in another language
choice_introductions   (language, introduction)
"""

from __future__ import annotations

import string
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.strict_yaml import parse_yaml
from ..row_options import PROMPT_LANGUAGES

if TYPE_CHECKING:
    import pyarrow as pa

TAG_FIELD = "modality_tag"
ANY_TAG = "<(image|video|audio)>"
TEMPLATE_FIELDS = (
    TAG_FIELD, "prompt", "text", "translation", "question", "answer", "reasoning", "choices", "captions", "labels",
    "id", "dataset", "config", "split", "panel", "modality", "task", "language", "target_language", "speaker",
)  # fmt: skip
"""Placeholders of a user template: tags, prompt and the keys of `fields` in `elements/prepared.sql`."""

NEVER_AN_ANSWER = frozenset({TAG_FIELD, "prompt", "question", "choices"})
"""Fields that may legitimately contain the answer: the wording of a question, the options to choose from."""

PROMPT_FIELDS = ("question", "choices", "target", "text")
ANSWER_FIELDS = ("text", "translation", "answer", "captions", "labels", "speaker", "phones")
MODALITIES = ("audio", "video", "mixed", "image", "other")
SILENT = "silent"
"""The modality of a video whose sound is not shown, as prompts know it."""

Phrasings = dict[str, dict[str, tuple[str, ...]]]
"""Modality -> language -> phrasings of one task's prompt."""


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    file = resources.files("triptych.converters.views.templates").joinpath("prompts.yaml")
    document: dict[str, Any] = parse_yaml(file.read_bytes(), name="prompts.yaml").value
    return document


def tasks() -> list[str]:
    """Every task that has a prompt."""
    return [name for name in _document() if name not in ("evaluation", "targets", "choices")]


def answers_of(task: str) -> list[str]:
    """The fields that may be the answer of a task, in order of preference."""
    fields: list[str] = _document()[task]["answer"]
    if not set(fields) <= set(ANSWER_FIELDS) or not 1 <= len(fields) <= 2:
        raise ValueError(f"prompts.yaml: {task}: `answer` must list one or two of {', '.join(ANSWER_FIELDS)}")
    return fields


def tasks_answered_by(field: str) -> list[str]:
    """The tasks whose answer may be this field."""
    return [name for name in tasks() if field in answers_of(name)]


def evaluation_prompts() -> dict[str, str]:
    """The prompts of Qwen2-Audio's evaluation lists by task, with the fields `language` and `target`."""
    return dict(_document()["evaluation"])


def evaluation_languages() -> dict[str, str]:
    """The names that these lists give to target languages."""
    return {**_document()["targets"]["en"], "zh": "Mandarin"}


def choice_introductions() -> tuple[str, ...]:
    """The introductions that our prompts put before the options of a question, in all languages."""
    return tuple(_document()["choices"].values())


def phrasings_of(task: str) -> Phrasings:
    """The phrasings of a task's prompt; only modalities that have a prompt.

    Raises:
        ValueError: A language is missing, or a phrasing has an unknown field.
    """
    prompt, silent = _document()[task]["prompt"], _document()[task].get(SILENT)
    if isinstance(prompt, str):
        prompt = dict.fromkeys(PROMPT_LANGUAGES, prompt)
    if not all(isinstance(value, dict) for value in prompt.values()):
        prompt = dict.fromkeys(MODALITIES, prompt)
    if silent is not False and "video" in prompt:
        prompt = prompt | {SILENT: silent or prompt["video"]}
    found: Phrasings = {}
    for modality, by_language in prompt.items():
        if sorted(by_language) != sorted(PROMPT_LANGUAGES):
            raise ValueError(f"prompts.yaml: {task} must have the languages {', '.join(PROMPT_LANGUAGES)}")
        texts = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in by_language.items()}
        for name in (name for listed in texts.values() for text in listed for _, name in split(text)):
            if name is not None and name not in PROMPT_FIELDS:
                raise ValueError(f"prompts.yaml: {task} has {{{name}}}: fields are {', '.join(PROMPT_FIELDS)}")
        found[modality] = texts
    return found


# ---- tables


@lru_cache(maxsize=1)
def tables() -> dict[str, pa.Table]:
    """The tables listed in the module docstring, by name."""
    import pyarrow as pa

    from ...shards.store.rows_to_arrow import rows_to_table

    def strings(*names: str) -> pa.Schema:
        return pa.schema([(name, pa.string()) for name in names])

    banks: list[dict[str, Any]] = []
    numbers: dict[tuple[str, ...], int] = {}
    phrasings: list[dict[str, Any]] = []
    for task in tasks():
        for modality, by_language in phrasings_of(task).items():
            for language, texts in by_language.items():
                if texts not in numbers:
                    numbers[texts] = len(phrasings)
                    phrasings += [_phrasing(len(phrasings) + place, text) for place, text in enumerate(texts)]
                banks.append({"task": task, "modality": modality, "language": language,
                              "first": numbers[texts], "phrasings": len(texts)})  # fmt: skip
    pieces = pa.list_(pa.struct([("literal", pa.string()), ("field", pa.string())]))
    schema = pa.schema([("number", pa.int64()), ("fixed", pa.string()), ("pieces", pieces)])
    answers = [
        {"task": task, "first_field": fields[0], "second_field": fields[1] if fields[1:] else None}
        for task in tasks()
        for fields in [answers_of(task)]
    ]
    targets = [
        {"language": language, "code": code, "name": name}
        for language, names in _document()["targets"].items()
        for code, name in names.items()
    ]
    choices = [{"language": language, "introduction": text} for language, text in _document()["choices"].items()]
    bank = [*strings("task", "modality", "language"), ("first", pa.int64()), ("phrasings", pa.int64())]
    return {
        "prompt_banks": rows_to_table(banks, pa.schema(bank)),
        "prompts": rows_to_table(phrasings, schema),
        "answers": rows_to_table(answers, strings("task", "first_field", "second_field")),
        "target_names": rows_to_table(targets, strings("language", "code", "name")),
        "choice_introductions": rows_to_table(choices, strings("language", "introduction")),
    }


def _phrasing(number: int, text: str) -> dict[str, Any]:
    pieces = split(text)
    if all(name is None for _, name in pieces):
        return {"number": number, "fixed": "".join(literal for literal, _ in pieces), "pieces": None}
    return {"number": number, "fixed": None, "pieces": as_pieces(text)}


# ---- templates


def split(template: str) -> list[tuple[str, str | None]]:
    """The pieces of a template in order: (literal, None) or ("", field name)."""
    pieces: list[tuple[str, str | None]] = []
    for literal, name, spec, conversion in string.Formatter().parse(template):
        if literal:
            pieces.append((literal, None))
        if name is not None:
            if spec or conversion:
                raise ValueError(f"{{{name}}} must not have a format")
            pieces.append(("", name))
    return pieces


def as_pieces(template: str) -> list[dict[str, str | None]]:
    """A template in the form that the macro `fill_template` takes."""
    return [{"literal": None if name else literal, "field": name} for literal, name in split(template)]


def check_template(template: str) -> list[str]:
    """Return the fields of a user template.

    Raises:
        UsageError: A brace is unbalanced, a field does not exist, or the tags stand twice.
    """
    try:
        fields = [name for _, name in split(template) if name is not None]
    except ValueError as error:
        raise UsageError(f"--user-template {template!r}: {error}; escape a literal brace as {{{{.") from error
    unknown = [name for name in fields if name not in TEMPLATE_FIELDS]
    if unknown:
        raise UsageError(
            f"--user-template: {{{unknown[0]}}} is not a field. Fields: {', '.join(TEMPLATE_FIELDS)}.",
            hint="""for example --user-template "{modality_tag}Answer in one sentence: {question}" """.strip(),
        )
    if fields.count(TAG_FIELD) > 1:
        raise UsageError(
            f"--user-template: {{{TAG_FIELD}}} may stand once: a row has as many tags as media, and it stands for all."
        )
    return fields
