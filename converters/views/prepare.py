"""`prepared`, the relation that views select from: options, macros, prompts and elements.

`prepared` is part of the statement that makes the rows, and no view of the database: DuckDB would bind its expressions
when the view is created and again wherever it is used, which takes longer than making the rows of a thousand samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from ...shards import phones
from ...shards.store.sql import quote
from ...validators.formats.msswift_rows import MODEL_TOKEN
from ..row_options import PROMPT_LANGUAGES
from . import prompts
from .base import ViewOptions

if TYPE_CHECKING:
    import duckdb

MACROS = resources.files(__package__).joinpath("elements/macros.sql").read_text(encoding="utf-8")
PREPARED = resources.files(__package__).joinpath("elements/prepared.sql").read_text(encoding="utf-8")
NO_MESSAGES = "NULL::STRUCT(role VARCHAR, content VARCHAR)[]"
"""Replaces `messages` if no sample has any: expressions over this constant cost nothing."""

MESSAGE_KEYS = "message_keys"
"""The entry of `extra` with the further keys of messages: a JSON list, one object per message."""
WITH_LOSS = f"with_loss_keys(messages, extra['{MESSAGE_KEYS}'])"
"""Replaces `messages` if a message of any sample has `loss` or `loss_scale`."""


_SHAREGPT_ROLE = """CASE m.role WHEN 'user' THEN 'human' WHEN 'assistant' THEN 'gpt' WHEN 'tool_call'
                   THEN 'function_call' WHEN 'tool_response' THEN 'observation' ELSE m.role END"""
_SHAREGPT_TURN = f"'from': {_SHAREGPT_ROLE}, 'value': m.content"
_WITH_LOSS_TURN = f"{_SHAREGPT_TURN}, 'loss': m.loss, 'loss_scale': m.loss_scale"


def turn_macro(*, with_loss: bool) -> str:
    """The macro `sharegpt_turn`; `with_loss` if the messages of samples have the fields of `WITH_LOSS`."""
    fields = _WITH_LOSS_TURN if with_loss else _SHAREGPT_TURN
    return f"CREATE OR REPLACE TEMP MACRO sharegpt_turn(m) AS {{{fields}}};"


def option_macros(options: ViewOptions) -> str:
    """The request's options as constant macros, which `macros.sql` lists; they belong to one connection."""
    template = options.user_template
    fields = prompts.check_template(template) if template is not None else []
    leaks = [name for name in fields if name not in prompts.NEVER_AN_ANSWER and not options.allow_answer_in_prompt]
    languages = [f"{quote(code)}: {quote(name)}" for code, name in prompts.evaluation_languages().items()]
    values = {
        "chosen_task": _text(options.task),
        "takes_pairs": "true" if options.takes_pairs else "false",
        "chosen_dimension": _text(options.own.get("dimension")),
        "chosen_text": _text(options.text),
        "chosen_system": _text(options.system),
        "user_template": _pieces(template),
        "template_has_tags": "true" if prompts.TAG_FIELD in fields else "false",
        "chosen_reasoning": _text(options.reasoning),
        "chosen_av": _text(options.av),
        "chosen_modality": _text(options.modality),
        "asked_in": _text(options.prompt_language),
        "asked_languages": f"[{', '.join(map(quote, PROMPT_LANGUAGES))}]",
        "has_varied_prompts": "true" if options.prompts == "varied" else "false",
        "prompt_seed": _text(str(options.seed if options.prompts == "varied" else 0)),
        "evaluation_pieces": _by_task(prompts.evaluation_prompts()),
        "evaluation_languages": f"MAP {{{', '.join(languages)}}}",
        "switches": f"[{', '.join(quote(name) for name, value in options.own.items() if value is True)}]::VARCHAR[]",
        "chosen_mode": _text(options.mode),
        "model_token": _text(MODEL_TOKEN),
        "leak_fields": f"[{', '.join(map(quote, leaks))}]::VARCHAR[]",
        **_of_phones(options.own),
    }
    return "\n".join(f"CREATE OR REPLACE TEMP MACRO {name}() AS {value};" for name, value in values.items())


def _of_phones(own: Mapping[str, Any]) -> dict[str, str]:
    chosen = own.get("phones", "39")
    drops = bool(own.get("drop_silence"))
    known = {} if chosen == phones.OWN else phones.labels(chosen, drop_silence=drops)
    pairs = ", ".join(f"{quote(label)}: {quote(phone)}" for label, phone in known.items())
    return {
        "chosen_phones": quote(chosen),
        "phone_of_label": f"MAP {{{pairs}}}" if known else "NULL::MAP(VARCHAR, VARCHAR)",
        "chosen_boundary": quote(phones.BOUNDARY) if own.get("word_boundaries") else "NULL::VARCHAR",
        "drops_silence": "true" if drops else "false",
        "chosen_phone_prompt": _text(own.get("phone_prompt")),
    }


def _text(value: str | None) -> str:
    return "NULL::VARCHAR" if value is None else quote(value)


def _pieces(template: str | None) -> str:
    type_ = "STRUCT(literal VARCHAR, field VARCHAR)[]"
    if template is None:
        return f"NULL::{type_}"
    pieces = (
        f"{{'literal': {_text(p['literal'])}, 'field': {_text(p['field'])}}}" for p in prompts.as_pieces(template)
    )
    return f"[{', '.join(pieces)}]::{type_}"


def _by_task(templates: Mapping[str, str]) -> str:
    return f"MAP {{{', '.join(f'{quote(task)}: {_pieces(text)}' for task, text in templates.items())}}}"


def create_macros(connection: duckdb.DuckDBPyConnection, options: ViewOptions) -> None:
    """Create the option macros and the macros of `elements/macros.sql`."""
    connection.execute(option_macros(options))
    connection.execute(turn_macro(with_loss=False))
    connection.execute(MACROS)


def create_prompts(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables of prompts and answers that `prepared` is joined with."""
    for name, table in prompts.tables().items():
        connection.register(f"{name}_arrow", table)
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {name}_arrow")
        connection.unregister(f"{name}_arrow")


def with_prepared(select: str) -> str:
    """A SELECT over `prepared`, with `prepared` in front of it; the macros and the tables of prompts must exist.

    It reads the relation `samples_with_paths`, which has the columns of the sample and `image_paths, video_paths,
    audio_paths` (VARCHAR[]), `effective_task`, `base_language`, `upper`, `sound`, `prompt_of` and `prompt_part`;
    additional columns are passed through.
    """
    return f"WITH prepared AS (\n{PREPARED})\n{select}"


def statements(options: ViewOptions) -> list[str]:
    """The SQL that creates the macros and `prepared`, for the manifest."""
    return [option_macros(options), MACROS, f"CREATE OR REPLACE VIEW prepared AS\n{PREPARED}"]


__all__: list[Any] = [
    "MACROS",
    "MESSAGE_KEYS",
    "NO_MESSAGES",
    "PREPARED",
    "WITH_LOSS",
    "create_macros",
    "create_prompts",
    "option_macros",
    "statements",
    "turn_macro",
    "with_prepared",
]
