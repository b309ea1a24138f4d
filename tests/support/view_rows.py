"""The rows of samples in a view, as `export` and as `convert` make them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa
from triptych.converters.export.expand import expand, expansions_of
from triptych.converters.export.media.plan import DERIVED
from triptych.converters.export.render import empty_columns
from triptych.converters.export.select import CorpusFacts, ExportFilter, choose, place_media
from triptych.converters.views import View, ViewOptions, get_view
from triptych.converters.views.batch import RowMaker
from triptych.converters.views.prepare import (
    EXPANDING,
    SELECTING,
    WITH_LOSS,
    create_macros,
    create_prompts,
    macros_called,
    with_prepared,
)
from triptych.converters.views.statement import row_statement
from triptych.shards.sample import SCHEMA

ROOT = "/root of media"
UPPER = "upper-corpus"


def media(name: str) -> dict[str, Any]:
    return {"path": f"media/{name}", "sha256": name}


def sample(**fields: Any) -> dict[str, Any]:
    """A sample with one sound, unless the fields say otherwise."""
    made = {"id": "d/train/1", "dataset": "d", "split": "train", "modality": "audio", "audio": media("a.flac")}
    return made | fields


def view_named(name: str) -> View:
    """A view, or one of its styles: `conversation/inline`."""
    view, _, style = name.partition("/")
    return get_view(view, style or None)


def rows_of(samples: Sequence[Mapping[str, Any]], view: str, options: ViewOptions) -> dict[str, dict[str, Any] | str]:
    """The row of every sample by id, without null columns, or the reason why it has none: as `export` makes them."""
    connection, created = _database(options)
    placed = place_samples(connection, samples, view, options)
    statement = row_statement(view_named(view), options.task, {"_outcome": "_outcome"})
    query = with_prepared(statement, options, empty=empty_columns(connection, placed), samples=placed)
    for macro in macros_called(options, query, with_loss=WITH_LOSS in placed):
        name = macro.partition("(")[0]
        if created.get(name) != macro:
            connection.execute(macro)
            created[name] = macro
    connection.execute(f"CREATE OR REPLACE TEMP TABLE made AS {query}")
    relation = connection.sql("FROM made")
    as_json = [name for name, type_ in zip(relation.columns, relation.types, strict=True) if str(type_) == "JSON"]
    made = relation.to_arrow_table().to_pylist()
    for each in made:
        each |= {name: json.loads(each[name]) for name in as_json if each[name] is not None}
    found: dict[str, dict[str, Any] | str] = {}
    for each in made:
        reason = each.pop("_outcome") or each["_skip"]
        del each["_skip"]
        found[each["id"]] = reason or {key: value for key, value in each.items() if value is not None}
    return found


def place_samples(
    connection: duckdb.DuckDBPyConnection, samples: Sequence[Mapping[str, Any]], view: str, options: ViewOptions
) -> str:
    """Lay down samples; returns the SELECT of `samples_with_paths`."""
    table = pa.Table.from_pylist([{name: s.get(name) for name in SCHEMA.names} for s in samples], schema=SCHEMA)
    facts = CorpusFacts(upper=sorted({UPPER} & {str(s.get("dataset")) for s in samples}))
    connection.register("held", table)
    connection.execute("CREATE OR REPLACE VIEW samples AS SELECT *, NULL::VARCHAR AS assigned_split FROM held")
    choose(connection, ExportFilter(), facts=facts)
    expand(connection, expansions_of(view_named(view), options))
    keeps = view_named(view).keeps_message_keys
    return place_media(connection, ExportFilter(), facts=facts, media_root=ROOT, keeps_loss=keeps)


@contextmanager
def all_macros(options: ViewOptions) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which samples can be placed, and that has all macros and tables of prompts."""
    with duckdb.connect(":memory:") as connection:
        _create_tables(connection)
        create_macros(connection, options)
        create_prompts(connection)
        yield connection


@lru_cache(maxsize=32)
def _database(options: ViewOptions) -> tuple[duckdb.DuckDBPyConnection, dict[str, str]]:
    """What an export with these options has before it chooses samples: macros, prompts, and tables without rows; and
    the macros that it has."""
    connection = duckdb.connect(":memory:")
    _create_tables(connection)
    macros = create_macros(connection, options, *SELECTING, *EXPANDING)
    created = {macro.partition("(")[0]: macro for macro in macros}
    create_prompts(connection)
    return connection, created


def _create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE TABLE verdicts (dataset VARCHAR, id VARCHAR, verdict VARCHAR, judged_at TIMESTAMPTZ)")
    connection.execute("CREATE TABLE annotations (dataset VARCHAR, id VARCHAR, key VARCHAR, time TIMESTAMPTZ)")
    connection.execute("CREATE TABLE missing (path VARCHAR, sha256 VARCHAR)")
    connection.register("nothing_derived", DERIVED.empty_table())
    connection.execute("CREATE TABLE derived AS FROM nothing_derived")


def converted(samples: Sequence[Mapping[str, Any]], view: str, options: ViewOptions) -> list[dict[str, Any] | str]:
    """The same as `convert` makes them, of samples whose media is named where it lies."""
    made = _maker(view, options).rows([with_paths(each) for each in samples])
    return [each.skip or {key: value for key, value in each.row.items() if value is not None} for each in made]


@lru_cache(maxsize=32)
def _maker(view: str, options: ViewOptions) -> RowMaker:
    return RowMaker(view_named(view), options)


def with_paths(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as files give it: paths instead of stored media."""
    row = {name: value for name, value in sample.items() if value is not None}
    for kind in ("image", "video", "audio"):
        paths = [row[kind]["path"]] if kind in row else []
        paths += [each["path"] for each in row.get("more_media", []) if each["kind"] == kind]
        row.pop(kind, None)
        row[f"{kind}_paths"] = [path if path.startswith("/") else f"{ROOT}/{path}" for path in paths] or None
    return row


def made_of(sample: Mapping[str, Any], view: str, options: Mapping[str, Any]) -> dict[str, Any] | str:
    chosen = ViewOptions(**({"task": "sft"} if view == "msswift" else {}) | dict(options))
    made = rows_of([sample], view, chosen)[sample["id"]]
    if sample["dataset"] != UPPER:
        assert converted([sample], view, chosen) == [made]
    return made


def made_of_each(samples: Iterable[Mapping[str, Any]], view: str = "msswift", **options: Any) -> list[Any]:
    """The same of many samples at once, each under an id of its own: DuckDB binds the statement of a view for 0.1 s."""
    chosen = ViewOptions(**({"task": "sft"} if view == "msswift" else {}) | options)
    own = [{**each, "id": f"d/train/{number}"} for number, each in enumerate(samples)]
    exported = rows_of(own, view, chosen)
    plain = [each for each in own if each["dataset"] != UPPER]
    assert converted(plain, view, chosen) == [exported[each["id"]] for each in plain]
    return [exported[each["id"]] for each in own]


def row(sample: Mapping[str, Any], view: str = "msswift", **options: Any) -> dict[str, Any]:
    """The row of one sample, the same by export and by conversion."""
    made = made_of(sample, view, options)
    assert isinstance(made, dict), made
    return made


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}
