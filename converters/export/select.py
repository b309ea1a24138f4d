"""Select the samples of an export in SQL: by datasets, splits and roles, the user's expression, verdicts.

Creates `chosen`, the samples of the selected datasets and whether each is filtered out, or why it is left out (groups
in two splits, what a composition does not take). `expand.py` makes `parts` of it, and on top of that stands
`samples_with_paths`, from which `prepared` is built (see views/elements). The latter has four columns for the account:
`_outcome` (why a sample has no row regardless of the view), `_held_out`, `_verdict`, and `_changed` (whether the sample
has changed since its verdict).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import UsageError, did_you_mean
from ...shards.budgets import FORMULAS, sample_budget_sql
from ...shards.query import where_errors
from ...shards.split_roles import ROLES, card_roles, effective_role_sql, is_held_out, read_corpora
from ...shards.store.annotations import DECIDING_KEYS, changed_sql
from ...shards.store.sql import first_row, quote
from ..views.prepare import MESSAGE_KEYS, NO_MESSAGES, NOT_UPPER, WITH_LOSS, loss_macros

if TYPE_CHECKING:
    import duckdb

_KINDS = ("audio", "video", "image")
_SOUND = "CASE WHEN audio.path IS NOT NULL THEN 'apart' WHEN video.has_audio THEN 'inside' ELSE 'none' END"
"""Where the sound of a sample's video is."""


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """The selection.

    `splits` are the corpus's names, roles or globs; an assigned split overrides the corpus's. With `no_split`, samples
    without a split are selected too.
    """

    datasets: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    no_split: bool = True
    where: str | None = None
    broken_splits: str = "refuse"
    include_rejected: bool = False


def keeps_no_split(splits: Sequence[str], asked: str | None) -> bool:
    """Whether samples without a split are selected beside `splits`; `asked` is the user's `--no-split`.

    By default they are training data: whoever asks only for validation or test splits gets none of them.
    """
    if asked is not None:
        return asked == "keep"
    return not splits or not all(map(is_held_out, splits))


@dataclass(frozen=True, slots=True)
class SplitAccount:
    """What a selection by split did to samples that have none of the splits.

    Attributes:
        kept, dropped: Samples without a split that are selected, or left out.
        left_out: The datasets of which no sample is selected: their number of samples, and their splits.
    """

    kept: int = 0
    dropped: int = 0
    left_out: Mapping[str, tuple[int, list[str]]] = field(default_factory=dict)


@dataclass(slots=True)
class CorpusFacts:
    """What cards at the last pull, or `import --set case=upper`, say: roles of splits, and the upper-case corpora."""

    roles: dict[str, dict[str, str]] = field(default_factory=dict)
    upper: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection, datasets: Sequence[str] = ()) -> CorpusFacts:
        """Read the facts of the given datasets; default: all."""
        corpora = read_corpora(connection, datasets)
        return cls(card_roles(corpora), [name for name, corpus in corpora.items() if corpus.get("case") == "upper"])


def place_media(
    connection: duckdb.DuckDBPyConnection,
    selection: ExportFilter,
    *,
    facts: CorpusFacts,
    media_root: str,
    changed: bool = False,
    keeps_loss: bool = True,
) -> str:
    """The SELECT of `samples_with_paths` over `parts`; creates the macros that it calls.

    The tables `derived` (of `media/plan.py`) and `missing` (path, sha256) must exist; they may be empty.

    Args:
        changed: Whether sound was changed: rows then say what they sound like now.
        keeps_loss: Whether rows have a place for the loss of messages.
    """
    upper = f"c.dataset IN ({', '.join(map(quote, facts.upper))}) AS upper" if facts.upper else NOT_UPPER
    messages = messages_sql(connection, keeps_loss=keeps_loss)
    if messages == WITH_LOSS:
        connection.execute(loss_macros())
    return f"""
        SELECT c.* EXCLUDE (filtered, left_out, in_split, in_where, held_out, verdict, changed, role, part_outcome)
                   REPLACE ({messages} AS messages{_CHANGED if changed else ""}),
               {upper}, {_SOUND} AS sound, {_facts("frames", "frames")}, {_facts("rate", "sample_rate")},
               {_facts("channels", "channels")},
               {_paths("image", media_root)} AS image_paths,
               {_paths("video", media_root)} AS video_paths,
               {_paths("audio", media_root)} AS audio_paths,
               CASE WHEN verdict = 'reject' AND NOT {selection.include_rejected} THEN 'rejected'
                    WHEN {_missing_sql(connection)} THEN 'missing_media'
                    ELSE coalesce(part_outcome, d.reason) END AS _outcome,
               verdict AS _verdict, changed AS _changed, held_out AS _held_out
        FROM parts c LEFT JOIN derived d ON c.dataset = d.dataset AND c.id = d.id"""


_MOVED = (
    "CASE WHEN d.speed IS NULL THEN c.{0} ELSE [{{'text': w.text, "
    "'start_s': round((w.start_s - d.zero_s) / d.speed, 6), 'end_s': round((w.end_s - d.zero_s) / d.speed, 6)}} "
    "FOR w IN c.{0} IF coalesce({1} AND {2}, true)] END AS {0}"
)
_AFTER, _BEFORE = "{0} {1} coalesce(c.start_s, 0)", "{0} < coalesce(c.end_s, 'inf'::DOUBLE)"
_MIDDLE = "(w.start_s + w.end_s) / 2"
_WHOLE = "CASE WHEN d.speed IS NULL THEN c.{0} END AS {0}"
_CHANGED = ", ".join(
    [
        "",
        """CASE WHEN d.speed IS NULL OR c.audio IS NULL THEN c.audio
                ELSE struct_update(c.audio, path := d.audio_path, sha256 := parse_filename(d.audio_path, true),
                                   bytes := NULL::BIGINT, codec := 'flac', sample_rate := d.rate,
                                   channels := d.channels, frames := d.frames, duration := d.frames / d.rate)
           END AS audio""",
        _MOVED.format("words", _AFTER.format("w.end_s", ">"), _BEFORE.format("w.start_s")),
        _MOVED.format("phones", _AFTER.format(_MIDDLE, ">="), _BEFORE.format(_MIDDLE)),
        *(_WHOLE.format(name) for name in ("start_s", "end_s", "channel")),
    ]
)
"""A changed sound is a file of its own, and so is the cut of a video beside it: no span, and only the words and phones
of the span, with times from its start, at its speed. A phone that the span cuts belongs to it with its middle."""


def unusable_sql(connection: duckdb.DuckDBPyConnection, selection: ExportFilter) -> str:
    """SQL over `chosen c` for the samples that have no row in any view: rejected, or without their media."""
    rejected = "false" if selection.include_rejected else "c.verdict IS NOT DISTINCT FROM 'reject'"
    return f"({rejected} OR {_missing_sql(connection)})"


def messages_sql(connection: duckdb.DuckDBPyConnection, *, keeps_loss: bool) -> str:
    """SQL for `messages`: a constant if no sample has any, with the fields of loss only if one has them."""
    if first_row(connection, "SELECT 1 FROM chosen WHERE len(messages) > 0 LIMIT 1") is None:
        return NO_MESSAGES
    if not keeps_loss:
        return "messages"
    keys = f"SELECT 1 FROM chosen WHERE contains(extra['{MESSAGE_KEYS}'], '\"loss') LIMIT 1"
    return "messages" if first_row(connection, keys) is None else WITH_LOSS


def choose(
    connection: duckdb.DuckDBPyConnection, selection: ExportFilter, *, facts: CorpusFacts, few: bool = False
) -> str:
    """Create the view `chosen`: the samples of the selected datasets, with `filtered` and `held_out` for each.

    `filtered` ones have no row; `left_out` is null unless `leave_out` says why.

    Returns the statement.

    The macros of views must exist.

    Args:
        few: Whether the samples can be held as a table. Every statement over a view binds it anew, with all that is
            under it, which takes longer than reading some thousand samples.
    """
    in_datasets = _datasets_sql(selection.datasets)
    split = _splits_sql(selection.splits)
    if selection.splits and selection.no_split:
        split = f"effective_split IS NULL OR {split}"
    budget = ""
    if selection.where and "budget" in selection.where.lower():  # else it costs time to plan
        connection.execute(FORMULAS)
        budget = f", {sample_budget_sql()} AS budget"
    where = f"({selection.where}\n)" if selection.where else "true"
    sql = f"""
        CREATE OR REPLACE {"TABLE" if few else "VIEW"} candidates AS
        SELECT *, NOT (in_split AND in_where) AS filtered, role IN ('validation', 'test') AS held_out
        FROM (
            SELECT *, coalesce({split}, false) AS in_split, coalesce({where}, false) AS in_where
            FROM (SELECT *, {effective_role_sql(facts.roles)} AS role FROM (
                SELECT s.*, v.verdict, coalesce(s.assigned_split, s.split) AS effective_split,
                       coalesce(v.judged_at < greatest(s.pulled_at, a.changed_at), false) AS changed,
                       task_of(task, question, answer, modality, messages) AS effective_task,
                       language_of(language) AS base_language{budget}
                FROM samples s LEFT JOIN verdicts v ON s.dataset = v.dataset AND s.id = v.id
                LEFT JOIN ({changed_sql(DECIDING_KEYS)}) a ON s.dataset = a.dataset AND s.id = a.id
                WHERE {in_datasets}
            ))
        )
    """
    with where_errors(selection.where):
        connection.execute(sql)
        leave_out(connection)
        if selection.where:
            connection.execute("SELECT count(*) FROM chosen WHERE filtered").fetchall()
    if selection.splits:
        _require_split(connection, selection)
    return sql.strip()


def leave_out(connection: duckdb.DuckDBPyConnection, *tables: str) -> str:
    """Leave the samples of these tables (key: `md5_number(id)`, reason) out of `chosen`, the first reason first.

    Returns the statement.
    """
    filled = [table for table in tables if first_row(connection, f"SELECT 1 FROM {table} LIMIT 1") is not None]
    sql = "CREATE OR REPLACE VIEW chosen AS SELECT *, NULL::VARCHAR AS left_out FROM candidates"
    if filled:
        listed = " UNION ALL ".join(f"SELECT *, {order} AS o FROM {table}" for order, table in enumerate(filled))
        sql = f"""
            CREATE OR REPLACE VIEW chosen AS
            SELECT c.* REPLACE (c.filtered OR reason IS NOT NULL AS filtered),
                   CASE WHEN NOT c.filtered THEN reason END AS left_out
            FROM candidates c LEFT JOIN (
                SELECT key, arg_min(reason, o) AS reason FROM ({listed}) GROUP BY key
            ) o ON o.key = md5_number(c.id)"""
    connection.execute(sql)
    return sql.strip()


def _datasets_sql(datasets: Sequence[str]) -> str:
    return f"s.dataset IN ({', '.join(map(quote, datasets))})" if datasets else "true"


_OF_ANOTHER_ROLE = f"effective_split IN ({', '.join(map(quote, ROLES))}) AND role <> effective_split"
"""A test set whose only split is called `train`, as hubs name it: it is known by its role, never by that name."""

_SHOWN = (
    f"CASE WHEN {_OF_ANOTHER_ROLE} THEN effective_split || ' (which is ' || role || ' data)' ELSE effective_split END"
)


def _splits_sql(splits: Sequence[str]) -> str:
    if not splits:
        return "true"
    tests = []
    for split in splits:
        tests.append(f"(effective_split GLOB {quote(split)} AND NOT coalesce({_OF_ANOTHER_ROLE}, false))")
        if split in ROLES:
            tests.append(f"role = {quote(split)}")
    return " OR ".join(tests)


def read_splits(connection: duckdb.DuckDBPyConnection, selection: ExportFilter) -> SplitAccount:
    """What the selection by split did to the samples of `chosen`; samples that `--where` excludes do not count."""
    if not selection.splits:
        return SplitAccount()
    kept, dropped = first_row(
        connection, "SELECT count(*) FILTER (in_split), count(*) FILTER (NOT in_split) FROM chosen "
        "WHERE in_where AND effective_split IS NULL"
    ) or (0, 0)  # fmt: skip
    rows = connection.execute(
        f"SELECT dataset, count(*), list_sort(list(DISTINCT {_SHOWN}) FILTER (effective_split IS NOT NULL)) "
        "FROM chosen WHERE in_where GROUP BY dataset HAVING NOT bool_or(in_split) ORDER BY dataset"
    ).fetchall()
    return SplitAccount(kept, dropped, {str(dataset): (count, splits or []) for dataset, count, splits in rows})


def _require_split(connection: duckdb.DuckDBPyConnection, selection: ExportFilter) -> None:
    for split in selection.splits:
        # Samples without a split count as training data, but a mistyped name must not select them.
        test = _splits_sql([split])
        if split == "train" and selection.no_split:
            test += " OR effective_split IS NULL"
        row = first_row(connection, f"SELECT 1 FROM chosen WHERE {test} LIMIT 1")
        if row is None:
            rows = connection.execute(f"SELECT DISTINCT {_SHOWN} FROM chosen ORDER BY 1").fetchall()
            known = [str(name) for (name,) in rows if name is not None]
            raise UsageError(
                f"--split {split!r} matches no sample. Splits: {', '.join(known) or 'none'}; "
                f"roles: {', '.join(ROLES)}.",
                hint=did_you_mean(split, [each for each in (*known, *ROLES) if each != split]),
            )


def _facts(made: str, own: str) -> str:
    """SQL for a fact about the first sound of a row: of the one that was made for it, else of the stored one."""
    return f"CASE WHEN d.audio_path IS NOT NULL THEN d.{made} ELSE c.audio.{own} END AS audio_{made}"


def _paths(kind: str, media_root: str) -> str:
    """SQL for the final paths of one kind in tag order, or NULL; a derived file replaces the one it was cut from."""
    own = f"c.{kind}.path"
    if kind != "image":
        own = f"coalesce(d.{kind}_path, {own})"
    first = f"CASE WHEN {own} IS NULL THEN NULL ELSE [{_final(own, media_root)}] END"
    final = _final("m.path", media_root)
    more = f"[{final} for m in c.more_media if m.kind = '{kind}']"
    return f"CASE WHEN c.more_media IS NULL THEN {first} ELSE nullif(list_concat({first}, {more}), []) END"


def _final(path: str, media_root: str) -> str:
    return f"CASE WHEN starts_with({path}, '/') THEN {path} ELSE {quote(media_root.rstrip('/') + '/')} || {path} END"


def _missing_sql(connection: duckdb.DuckDBPyConnection) -> str:
    """SQL for whether a sample names a file that is missing, or that is not its own any more."""
    paths, files = first_row(connection, "SELECT count(*) FILTER (sha256 IS NULL), count(sha256) FROM missing") or (
        0,
        0,
    )
    lost = [("{0}.path", "path", "sha256 IS NULL")] if paths else []
    lost += [("{0}.sha256 || {0}.path", "sha256 || path", "sha256 IS NOT NULL")] if files else []
    tests = []
    for named, key, which in lost:
        found = f"FROM missing WHERE {which}"
        tests += [f"coalesce({named.format(f'c.{kind}')} IN (SELECT {key} {found}), false)" for kind in _KINDS]
        more = f"[{named.format('m')} FOR m IN c.more_media]"
        tests.append(f"coalesce(list_has_any({more}, (SELECT list({key}) {found})), false)")
    return " OR ".join(tests) or "false"


def describe(selection: ExportFilter) -> dict[str, Any]:
    """The selection as recorded in the manifest."""
    return {
        "datasets": list(selection.datasets),
        "splits": list(selection.splits),
        **({"no_split": "keep" if selection.no_split else "drop"} if selection.splits else {}),
        "where": selection.where,
        **({"broken_splits": selection.broken_splits} if selection.broken_splits != "refuse" else {}),
        "include_rejected": selection.include_rejected,
    }
