"""Prompts and answers by task, modality and language, from `templates/prompts.yaml`, as tables; user templates.

prompts                (task, modality, language, fixed, pieces): `fixed` if the prompt has no field, else `pieces`
answers                (task, first_field, second_field)
target_names           (language, code, name): the name of a language in another language
choice_introductions   (language, introduction)
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.strict_yaml import parse_yaml

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

PROMPT_FIELDS = ("question", "choices", "target")
ANSWER_FIELDS = ("text", "translation", "answer", "captions", "labels")
_MODALITIES = ("audio", "video", "mixed", "image")


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    file = resources.files("triptych.converters.templates").joinpath("prompts.yaml")
    document: dict[str, Any] = parse_yaml(file.read_bytes(), name="prompts.yaml").value
    return document


def tasks() -> list[str]:
    """Every task that has a prompt."""
    return [name for name in _document() if name not in ("targets", "choices")]


def tasks_answered_by(field: str) -> list[str]:
    """The tasks whose answer may be this field."""
    return [name for name in tasks() if field in _document()[name]["answer"]]


def choice_introductions() -> tuple[str, ...]:
    """The introductions that our prompts put before the options of a question, in all languages."""
    return tuple(_document()["choices"].values())


# ---- tables


@lru_cache(maxsize=1)
def tables() -> dict[str, pa.Table]:
    """The tables listed in the module docstring, by name."""
    import pyarrow as pa

    pieces = pa.list_(pa.struct([("literal", pa.string()), ("field", pa.string())]))
    prompts = pa.schema(
        [("task", pa.string()), ("modality", pa.string()), ("language", pa.string()), ("fixed", pa.string()),
         ("pieces", pieces)]
    )  # fmt: skip
    targets = [
        {"language": language, "code": code, "name": name}
        for language, names in _document()["targets"].items()
        for code, name in names.items()
    ]
    choices = [{"language": language, "introduction": text} for language, text in _document()["choices"].items()]
    return {
        "prompts": pa.Table.from_pylist(list(_prompt_rows()), schema=prompts),
        "answers": pa.Table.from_pylist(list(_answer_rows())),
        "target_names": pa.Table.from_pylist(targets),
        "choice_introductions": pa.Table.from_pylist(choices),
    }


def _prompt_rows() -> Iterator[dict[str, Any]]:
    for task in tasks():
        prompt = _document()[task]["prompt"]
        by_modality = all(isinstance(value, dict) for value in prompt.values())
        for modality, by_language in (
            prompt if by_modality else dict.fromkeys((*_MODALITIES, "other"), prompt)
        ).items():
            for language, text in by_language.items():
                pieces = split(text)
                unknown = [name for _, name in pieces if name is not None and name not in PROMPT_FIELDS]
                if unknown:
                    raise ValueError(
                        f"prompts.yaml: {task} has {{{unknown[0]}}}: fields are {', '.join(PROMPT_FIELDS)}"
                    )
                fixed = all(name is None for _, name in pieces)
                yield {
                    "task": task, "modality": modality, "language": language,
                    "fixed": "".join(literal for literal, _ in pieces) if fixed else None,
                    "pieces": None if fixed else as_pieces(text),
                }  # fmt: skip


def _answer_rows() -> Iterator[dict[str, Any]]:
    for task in tasks():
        fields = _document()[task]["answer"]
        if not set(fields) <= set(ANSWER_FIELDS) or not 1 <= len(fields) <= 2:
            raise ValueError(f"prompts.yaml: {task}: `answer` must list one or two of {', '.join(ANSWER_FIELDS)}")
        yield {"task": task, "first_field": fields[0], "second_field": fields[1] if fields[1:] else None}


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
