"""`prepared`, the relation that views select from: options, macros, prompts and elements.

`prepared` is part of the statement that makes the rows, and no view of the database: DuckDB would bind its expressions
when the view is created and again wherever it is used. It has what the statement reads and nothing else, and the
options of the request are decided in it: DuckDB binds an expression, with all the macros in it, before it finds that
nobody needs it, which takes longer than making the rows of a thousand samples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any

from ...shards import phones
from ...shards.sample import SCHEMA, SPOKEN_TASKS
from ...shards.store.database import lasting
from ...shards.store.sql import quote
from ...shards.store.tables import duckdb_type
from ...validators.formats.msswift_rows import MODEL_TOKEN
from ..row_options import PROMPT_LANGUAGES
from . import prompts
from .base import ViewOptions
from .elements.macros import Macros
from .sql.fold import entry_of, is_written_list
from .sql.prune import prune, put_constants
from .sql.syntax import SETTINGS, Tree, column_names, name_of, parsed, select_of, written

if TYPE_CHECKING:
    import duckdb

PREPARED = resources.files(__package__).joinpath("elements/prepared.sql").read_text(encoding="utf-8")
SELECTING = ("task_of", "language_of")
"""The macros that statements before `prepared` call to select samples."""
EXPANDING = ("has_turns", "not_blank", "fold_spaces", "prompt_modality", "given_label")
"""Those that they call to make several rows of one sample, and to compose."""
EMPTIABLE = (
    "text", "translation", "target_language", "speaker", "question", "answer", "reasoning", "choices", "captions",
    "labels", "messages", "chosen", "rejected", "words", "phones", "more_media",
)  # fmt: skip
"""Columns of which many datasets have no value: what would be made of them is left out of statements. `extra` is none
of them: DuckDB forgets the type of what it reads from JSON that is null."""
NOT_UPPER = "false AS upper"
"""SQL of `upper` if no corpus is all upper case."""
READ_KEYS = (
    "label", "kto_tag", "dimension", "tools", "objects", "channel", "reference", "evaluation_prompt", "modality",
    "category", "sub-category", "gender", "message_keys",
)  # fmt: skip
"""The keys of `extra` that views read."""
PICTURES = ("image_paths", "video_paths")
"""Columns of paths of which many datasets have none."""
TOOLS = ("tool_turns", "no_tools")
"""Columns of `prepared` that are null if no conversation calls a tool."""
CALLS_TOOLS = "len([1 FOR m IN messages IF m.role IN ('tool_call', 'tool_response')]) > 0"
"""SQL for whether a sample's does."""
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


def loss_macros() -> str:
    """The macros that `WITH_LOSS` calls."""
    return "\n".join(macros_of(ViewOptions()).statements([WITH_LOSS]))


def turn_macro(*, with_loss: bool = False) -> str:
    """The macro `sharegpt_turn`; `with_loss` if the messages of samples have the fields of `WITH_LOSS`."""
    fields = _WITH_LOSS_TURN if with_loss else _SHAREGPT_TURN
    return f"CREATE OR REPLACE TEMP MACRO sharegpt_turn(m) AS {{{fields}}};"


def option_macros(options: ViewOptions) -> dict[str, str]:
    """The request's options as macros without parameters, which `macros.sql` lists: name -> SQL."""
    template = options.user_template
    fields = prompts.check_template(template) if template is not None else []
    leaks = [name for name in fields if name not in prompts.NEVER_AN_ANSWER and not options.allow_answer_in_prompt]
    languages = [f"{quote(code)}: {quote(name)}" for code, name in prompts.evaluation_languages().items()]
    return {
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
        "spoken_tasks": f"[{', '.join(map(quote, SPOKEN_TASKS))}]",
        "model_token": _text(MODEL_TOKEN),
        "leak_fields": f"[{', '.join(map(quote, leaks))}]::VARCHAR[]",
        "could_leak": "true" if leaks else "false",
        **_of_phones(options.own),
    }


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


def macros_of(options: ViewOptions) -> Macros:
    """The macros of a request, and what its options decide: the same for requests whose options are the same in SQL."""
    return _macros(tuple(option_macros(options).items()))


@lru_cache(maxsize=64)
def _macros(options: tuple[tuple[str, str], ...]) -> Macros:
    return Macros(dict(options))


def create_macros(
    connection: duckdb.DuckDBPyConnection, options: ViewOptions, *sql: str, with_loss: bool = False
) -> list[str]:
    """Create the macros that these statements call, or all if none is given; return the statements that did it.

    Args:
        with_loss: Whether the messages of samples have the fields of `WITH_LOSS`.
    """
    statements = macros_called(options, *sql, with_loss=with_loss)
    connection.execute("\n".join(statements))
    return statements


def macros_called(options: ViewOptions, *sql: str, with_loss: bool = False, temporary: bool = False) -> list[str]:
    """The statements of `create_macros`."""
    macros = macros_of(options)
    made = macros.statements(sql, temporary=temporary) if sql else macros.all_statements(temporary=temporary)
    calls_turn = not sql or any("sharegpt_turn(" in each for each in (*sql, *made))
    return [turn_macro(with_loss=with_loss), *made] if calls_turn else made


def create_prompts(connection: duckdb.DuckDBPyConnection, *sql: str) -> None:
    """Create the tables of prompts and answers that these statements read and that are not there; default: all.

    A word counts as a table wherever it stands.
    """
    words = {word for text in sql for word in re.findall(r"\w+", text)}
    for name, table in prompts.tables().items():
        if words and name not in words:
            continue
        connection.register(f"{name}_arrow", table)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM {name}_arrow")
        connection.unregister(f"{name}_arrow")


def connect(options: ViewOptions, *sql: str) -> duckdb.DuckDBPyConnection:
    """A connection to the process's own DuckDB with the tables of prompts, and the macros that these statements call;
    default: all macros.

    Opening DuckDB and creating the tables take longer than making a few rows, so both are done once. What depends on a
    request, such as its macros, is temporary and belongs to the connection.
    """
    connection = lasting("views", SETTINGS, prepare=create_prompts).cursor()
    connection.execute("\n".join(macros_called(options, *sql, temporary=True)))
    return connection


def with_prepared(
    select: str,
    options: ViewOptions,
    *,
    decide: bool = True,
    empty: frozenset[str] = frozenset(),
    samples: str | None = None,
) -> str:
    """A SELECT over `prepared`, with `prepared` in front of it; the macros and the tables of prompts must exist.

    It reads the relation `samples_with_paths`, which has the columns of the sample and `image_paths, video_paths,
    audio_paths` (VARCHAR[]), `effective_task`, `base_language`, `upper`, `sound`, `prompt_of` and `prompt_part`;
    additional columns are passed through.

    Args:
        decide: Whether what the options decide is decided in the SELECT too; that of a user stays as it is.
        empty: Columns without a value in any row: `EMPTIABLE`, `PICTURES` and `TOOLS` have those that may be named;
            entries of `extra` that no row has (`entry_of`); and `upper` if it is false in every row.
        samples: The SELECT of `samples_with_paths`, which is then part of the statement; default: it exists. A view
            would be bound when it is created, and again here.
    """
    sql = _with_prepared(select, macros_of(options), decide, empty)
    return sql if samples is None else f"WITH samples_with_paths AS ({samples}\n), {sql.removeprefix('WITH ')}"


@lru_cache(maxsize=64)
def _with_prepared(select: str, macros: Macros, decide: bool, empty: frozenset[str]) -> str:
    nulls = {name: tree for name, tree in _nulls().items() if name in empty}
    outer = select_of(select)
    if decide:
        outer = macros.fold(outer, nulls)
    query: Tree = json.loads(_prepared())["statements"][0]["node"]
    if not _reads_all(outer):
        prune(query, column_names(outer), partial(macros.fold, columns=nulls))
        constants = put_constants(query, nulls, macros.fold)
        if decide:
            outer = macros.fold(outer, constants | _written_lists(query))
        prune(query, column_names(outer), lambda tree: tree)
    outer["cte_map"]["map"].insert(0, _as_layer("prepared", query))
    return written([outer])[0]


@lru_cache(maxsize=1)
def _prepared() -> str:
    return parsed(PREPARED)


@lru_cache(maxsize=1)
def _nulls() -> Mapping[str, Tree]:
    """False for `upper`, nulls of their types for `EMPTIABLE`, and nulls that fit where they stand for the others."""
    types = {name: duckdb_type(SCHEMA.field(name).type) for name in EMPTIABLE} | dict.fromkeys(TOOLS, "VARCHAR")
    types |= dict.fromkeys((entry_of("extra", key) for key in READ_KEYS), "VARCHAR")
    types |= dict.fromkeys(PICTURES, "VARCHAR[]")
    items = ", ".join(["false", *(f"NULL::{type_}" for type_ in types.values())])
    return dict(zip(("upper", *types), select_of(f"SELECT {items}")["select_list"], strict=True))


def _written_lists(query: Tree) -> dict[str, Tree]:
    """The columns of a query that are lists of structs of constants and columns that have a `_`, which it has, too."""
    items = {name_of(item).lower(): {**item, "alias": ""} for item in query["select_list"] if is_written_list(item)}
    return {name: item for name, item in items.items() if all(each.startswith("_") for each in column_names(item))}


def _as_layer(name: str, query: Tree) -> Tree:
    (entry,) = select_of(f"WITH {name} AS (SELECT 1) FROM {name}")["cte_map"]["map"]
    entry["value"]["query_node"] = query
    return dict(entry)


def _reads_all(select: Any) -> bool:
    """Whether a SELECT, or one within it, has all columns of `prepared`."""
    if isinstance(select, list):
        return any(map(_reads_all, select))
    if not isinstance(select, dict):
        return False
    if select.get("type") == "SELECT_NODE" and select["from_table"].get("table_name", "").lower() == "prepared":
        return any(item["class"] == "STAR" for item in select["select_list"])
    return any(map(_reads_all, select.values()))
