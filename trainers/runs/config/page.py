"""`docs/reference/training-configuration.md`: every key, made from the sections."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from .old_names import ELSEWHERE, MOVED, REPLACED
from .read import section_of
from .sections import LAUNCHER, NOTES, OURS, PHONEME, TEMPLATE, TORCH, TRANSFORMERS, RunConfig, Section

_SOURCES = {
    TEMPLATE: "the YAML template of scripts that fine-tune Qwen3-Omni on chains of thought; its keys are read",
    NOTES: "notes on how Qwen2-Audio is trained: 2e-5 with a cosine for full fine-tuning; 1e-4 for the projector and "
    "1e-5 for pre-trained parts while it is thawed in stages; texts of 8,192 tokens",
    PHONEME: "scripts that train Qwen3 with LoRA to write phones",
    LAUNCHER: "the launcher of InfiniSST's term retrieval, and the script that it calls",
    TORCH: "torch's own default",
    TRANSFORMERS: "the default of transformers, or what it takes where it can",
    OURS: "chosen here",
}

_HEAD = """# Configuration of training

A run is configured by a YAML file, `triptych train sft --config FILE`; `triptych train config` prints files to begin
with. `--set section.key=value` replaces a key of the file; `--model`, `--output-dir` and the name of an export stand
for three of them. An unknown key is an error with its line. Paths are from the folder in which the command is typed.
Numbers may be written as `2e-5`. A section without keys is refused: write `lora: {}` for its defaults, `lora: none` for
none.

The run's folder keeps the configuration with every key in `config.yaml`; `--resume` reads it.

This page is made from `trainers/runs/config/sections.py` and the sections that a trainer has beside these:
`python -m triptych.commands.reference`.
"""

_RATES = """
## Which learning rate applies

| what is trained | its rate |
| --- | --- |
| adapters of LoRA | `training.lr` |
| the projector's own weights (`lora.whole`, or in a stage) | `training.lr_projector` |
| any other part's own weights, in a stage | `training.lr_pretrained` |
| everything, without `lora` and `stages` | `training.lr`, unless the other two are given |
| everything in a stage with an `lr` | that one |

All of them rise and fall with the one schedule. 2e-5 is the rate of full fine-tuning; adapters mostly want more (the
shipped LoRA configurations say 1e-4).
"""

Row = tuple[str, str, str, str, str]


def configuration_page(*others: type[RunConfig]) -> str:
    """The text of the page.

    Args:
        others: Configurations of trainers that have sections of their own.
    """
    parts = [_HEAD]
    own: list[Row] = []
    models: tuple[type[RunConfig], ...] = (RunConfig, *others)
    fields: dict[str, FieldInfo] = {}
    for each in models:
        for name, field in each.model_fields.items():
            fields.setdefault(name, field)
    for name, field in fields.items():
        section = section_of(field.annotation)
        if section is None:
            own.append(_row(name, field))
            continue
        parts.append(
            f"## `{name}`\n\n{_about(name, field, section)}\n\n{_table(_row(*each) for each in _fields(section))}"
        )
    parts += [text for each in others if (text := _other_defaults(each))]
    parts.append(f"## At the top\n\n{_table(own)}")
    parts.append(_RATES.strip() + "\n")
    parts.append(_sources())
    parts.append(_elsewhere())
    return "\n".join(parts)


def _other_defaults(config: type[RunConfig]) -> str:
    """The keys of shared sections whose defaults a trainer has of its own."""
    rows = []
    for name, base in RunConfig.model_fields.items():
        shared, own = section_of(base.annotation), section_of(config.model_fields[name].annotation)
        if shared is None or own is None:
            continue
        for key, field in own.model_fields.items():
            if _default(field) != _default(shared.model_fields[key]):
                rows.append(_row(f"{name}.{key}", field))
        if config.model_fields[name].default_factory is not None and base.default_factory is None:
            rows.append((name, "section", "`{}`", f"{name}: none turns it off.", ""))
    if not rows:
        return ""
    trainer = config.__name__.removesuffix("Config").lower()
    about = (config.__doc__ or "").strip()
    return f"## Defaults of `train {trainer}`\n\n{about} Its defaults are these:\n\n{_table(rows)}"


def _fields(section: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    yield from section.model_fields.items()


def _about(name: str, field: FieldInfo, section: type[Section]) -> str:
    text = (section.__doc__ or "").strip()
    if name == "stages":
        return f"A list. {text} Default: one stage that trains everything. Not together with `lora`."
    if type(None) in get_args(field.annotation):
        return f"{text} Default: `none`."
    return text


def _row(name: str, field: FieldInfo) -> Row:
    extra = field.json_schema_extra
    source = str(extra.get("source", "")) if isinstance(extra, dict) else ""
    return name, kind_of(field), _default(field), field.description or "", source


def _table(rows: Any) -> str:
    lines = ["| key | type | default | | from |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| `{name}` | {kind} | {default} | {_cell(text)} | {source} |"
              for name, kind, default, text, source in rows]  # fmt: skip
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def kind_of(field: FieldInfo) -> str:
    """The type of a key in words, with its limits."""
    limits = [_limit(each) for each in field.metadata]
    return " ".join(dict.fromkeys([_kind(field.annotation), *filter(None, limits)]))


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    if origin in (Union, types.UnionType):
        return ", ".join(_kind(each) for each in get_args(annotation) if each is not type(None))
    if origin is tuple:
        items = get_args(annotation)
        return "two numbers" if len(items) == 2 and items[1] is float else f"list of {_PLURAL.get(items[0], 'names')}"
    return _WORDS.get(annotation, "name")


_WORDS = {str: "name", int: "whole number", float: "number", bool: "`true`, `false`", Path: "path"}
_PLURAL: dict[Any, str] = {str: "names"}


def _limit(constraint: Any) -> str:
    for name, text in (("ge", "from {}"), ("gt", "above {}"), ("lt", "below {}"), ("le", "to {}")):
        value = getattr(constraint, name, None)
        if value is not None:
            return text.format(f"{value:,}" if isinstance(value, int) else value)
    return ""


def _sources() -> str:
    rows = "\n".join(f"| {name} | {text} |" for name, text in _SOURCES.items())
    return f"## Where the defaults come from\n\n| from | |\n| --- | --- |\n{rows}\n"


def _elsewhere() -> str:
    lines = ["## Keys of other configurations", "", "Read under a new name, or refused with what to do first:", ""]
    lines += ["| before | here |", "| --- | --- |"]
    lines += [f"| `{'.'.join(old)}` | `{'.'.join(new)}` |" for old, new in MOVED.items()]
    lines += [f"| `{'.'.join(old)}` | `{'.'.join(new)}`, an export; the message has the commands that make one |"
              for old, (new, _) in REPLACED.items()]  # fmt: skip
    lines += ["", "Unknown here, with the key that the message names:", "", "| elsewhere | here |", "| --- | --- |"]
    lines += [
        f"| {', '.join(f'`{each}`' for each in names.split())} | {_code(new)} |" for new, names in ELSEWHERE.items()
    ]
    return "\n".join(lines) + "\n"


def _codes(names: str) -> str:
    return ", ".join(f"`{each}`" for each in names.split())


def _code(key: str) -> str:
    return key if key.startswith("a ") else f"`{key}`"
