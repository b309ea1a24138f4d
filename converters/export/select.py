"""Select the samples of an export in SQL: by datasets, splits and roles, the user's expression, verdicts.

Creates `chosen`, the samples of the selected datasets and whether each is filtered out, and on top of it
`samples_with_paths`, from which `prepared` is built (see views/elements). The latter has three columns for the account:
`_outcome` (why a sample has no row regardless of the view), `_held_out` and `_verdict`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import UsageError, did_you_mean
from ...shards.query import where_errors
from ...shards.store.sql import first_row, quote
from ..views.prepare import MESSAGE_KEYS, NO_MESSAGES, WITH_LOSS

if TYPE_CHECKING:
    import duckdb

ROLES = ("train", "validation", "test")
HELD_OUT = ("validation", "test")
_SOUND = "CASE WHEN audio.path IS NOT NULL THEN 'apart' WHEN video.has_audio THEN 'inside' ELSE 'none' END"
"""Where the sound of a sample's video is."""
_GUESSED_ROLES = {"train": ("train*",), "validation": ("dev*", "val*"), "test": ("test*", "eval*")}


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """The selection. `splits` are the corpus's names, roles or globs; an assigned split overrides the corpus's."""

    datasets: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    where: str | None = None
    include_rejected: bool = False


@dataclass(slots=True)
class CorpusFacts:
    """What cards at the last pull, or `import --set case=upper`, say: roles of splits, and the upper-case corpora."""

    roles: dict[str, dict[str, str]] = field(default_factory=dict)
    upper: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection, datasets: Sequence[str] = ()) -> CorpusFacts:
        """Read the facts of the given datasets; default: all."""
        condition = f" AND dataset IN ({', '.join(map(quote, datasets))})" if datasets else ""
        rows = connection.execute(
            "SELECT dataset, arg_max(details, finished_at) FROM runs "
            f"WHERE json_exists(details, '$.corpus'){condition} GROUP BY dataset ORDER BY 1"
        ).fetchall()
        facts = cls()
        for dataset, details in rows:
            corpus = json.loads(details)["corpus"]
            facts.roles[dataset] = corpus.get("roles", {})
            if corpus.get("case") == "upper":
                facts.upper.append(dataset)
        return facts

    def role_sql(self) -> str:
        """SQL for the role of `effective_split`: from the card if it is known there, else guessed from the name."""
        known = " ".join(
            f"WHEN dataset = {quote(dataset)} AND effective_split = {quote(split)} THEN {quote(role)}"
            for dataset, roles in self.roles.items()
            for split, role in roles.items()
        )
        guessed = " ".join(
            f"WHEN {' OR '.join(f'lower(effective_split) GLOB {quote(glob)}' for glob in globs)} THEN {quote(role)}"
            for role, globs in _GUESSED_ROLES.items()
        )
        return f"CASE {known} {guessed} END"


def place_media(
    connection: duckdb.DuckDBPyConnection, selection: ExportFilter, *, facts: CorpusFacts, media_root: str
) -> None:
    """Create `samples_with_paths` over `chosen`.

    The tables `derived` (id, audio_path, reason) and `missing` (path) must exist; they may be empty.
    """
    upper = f"c.dataset IN ({', '.join(map(quote, facts.upper))})" if facts.upper else "false"
    messages = _messages_sql(connection)
    connection.execute(f"""
        CREATE OR REPLACE VIEW samples_with_paths AS
        SELECT c.* EXCLUDE (filtered, held_out, verdict, role, effective_split) REPLACE ({messages} AS messages),
               {upper} AS upper, {_SOUND} AS sound,
               {_paths("image", media_root)} AS image_paths,
               {_paths("video", media_root)} AS video_paths,
               {_paths("audio", media_root)} AS audio_paths,
               CASE WHEN verdict = 'reject' AND NOT {selection.include_rejected} THEN 'rejected'
                    WHEN {_missing_sql(connection)} THEN 'missing_media'
                    ELSE d.reason END AS _outcome,
               verdict AS _verdict, held_out AS _held_out
        FROM chosen c LEFT JOIN derived d ON c.dataset = d.dataset AND c.id = d.id
        WHERE NOT filtered""")


def _messages_sql(connection: duckdb.DuckDBPyConnection) -> str:
    """SQL for `messages`: a constant if no sample has any, with the fields of loss only if one has them."""
    if first_row(connection, "SELECT 1 FROM chosen WHERE len(messages) > 0 LIMIT 1") is None:
        return NO_MESSAGES
    keys = f"SELECT 1 FROM chosen WHERE contains(extra['{MESSAGE_KEYS}'], '\"loss') LIMIT 1"
    return "messages" if first_row(connection, keys) is None else WITH_LOSS


def choose(connection: duckdb.DuckDBPyConnection, selection: ExportFilter, *, facts: CorpusFacts) -> None:
    """Create the view `chosen`: the samples of the selected datasets, with `filtered` and `held_out` for each.

    The macros of views must exist.
    """
    in_datasets = _datasets_sql(selection.datasets)
    split = _splits_sql(selection.splits)
    where = f"({selection.where}\n)" if selection.where else "true"
    sql = f"""
        CREATE OR REPLACE VIEW chosen AS
        SELECT *, NOT coalesce(({split}) AND {where}, false) AS filtered,
               role IN ('validation', 'test') AS held_out
        FROM (
            SELECT *, {facts.role_sql()} AS role
            FROM (
                SELECT s.*, v.verdict, coalesce(s.assigned_split, s.split) AS effective_split,
                       task_of(task, question, answer, modality, messages) AS effective_task,
                       language_of(language) AS base_language
                FROM samples s LEFT JOIN verdicts v ON s.dataset = v.dataset AND s.id = v.id
                WHERE {in_datasets}
            )
        )
    """
    with where_errors(selection.where):
        connection.execute(sql)
        if selection.where:
            connection.execute("SELECT count(*) FROM chosen WHERE filtered").fetchall()
    if selection.splits:
        _require_split(connection, selection.splits)


def definitions(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The statements that define `chosen` and `samples_with_paths`, for the manifest."""
    rows = connection.execute(
        "SELECT sql FROM duckdb_views() WHERE view_name IN ('chosen', 'samples_with_paths') ORDER BY view_name"
    ).fetchall()
    return [str(row[0]).strip() for row in rows]


def _datasets_sql(datasets: Sequence[str]) -> str:
    return f"s.dataset IN ({', '.join(map(quote, datasets))})" if datasets else "true"


def _splits_sql(splits: Sequence[str]) -> str:
    if not splits:
        return "true"
    tests = []
    for split in splits:
        tests.append(f"effective_split GLOB {quote(split)}")
        if split in ROLES:
            tests.append(f"role = {quote(split)}")
    return " OR ".join(tests)


def _require_split(connection: duckdb.DuckDBPyConnection, splits: Sequence[str]) -> None:
    for split in splits:
        row = first_row(connection, f"SELECT 1 FROM chosen WHERE {_splits_sql([split])} LIMIT 1")
        if row is None:
            rows = connection.execute("SELECT DISTINCT effective_split FROM chosen ORDER BY 1").fetchall()
            known = [str(name) for (name,) in rows]
            raise UsageError(
                f"--split {split!r} matches no sample. Splits: {', '.join(known) or 'none'}; "
                f"roles: {', '.join(ROLES)}.",
                hint=did_you_mean(split, [*known, *ROLES]),
            )


def _paths(kind: str, media_root: str) -> str:
    """SQL for the final paths of one kind in tag order, or NULL; a derived file replaces the audio it was cut from."""
    own = f"c.{kind}.path"
    if kind == "audio":
        own = f"coalesce(d.audio_path, {own})"
    first = f"CASE WHEN {own} IS NULL THEN NULL ELSE [{_final(own, media_root)}] END"
    final = _final("m.path", media_root)
    more = f"[{final} for m in c.more_media if m.kind = '{kind}']"
    return f"CASE WHEN c.more_media IS NULL THEN {first} ELSE nullif(list_concat({first}, {more}), []) END"


def _final(path: str, media_root: str) -> str:
    return f"CASE WHEN starts_with({path}, '/') THEN {path} ELSE {quote(media_root.rstrip('/') + '/')} || {path} END"


def _missing_sql(connection: duckdb.DuckDBPyConnection) -> str:
    row = first_row(connection, "SELECT count(*) FROM missing")
    if row is None or not row[0]:
        return "false"
    missing = "(SELECT path FROM missing)"
    return (
        f"coalesce(c.audio.path IN {missing}, false) OR coalesce(c.video.path IN {missing}, false) OR "
        f"coalesce(c.image.path IN {missing}, false) OR "
        "coalesce(list_has_any([m.path FOR m IN c.more_media], (SELECT list(path) FROM missing)), false)"
    )


def describe(selection: ExportFilter) -> dict[str, Any]:
    """The selection as recorded in the manifest."""
    return {
        "datasets": list(selection.datasets),
        "splits": list(selection.splits),
        "where": selection.where,
        "include_rejected": selection.include_rejected,
    }
