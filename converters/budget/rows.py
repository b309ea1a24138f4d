"""The budget of rows: what each is in a model, and the rows that are too long for it.

The media of a row are those that its paths name, so that cuts and the sound that was taken out of a video count as they
are; its text is the conversation as the model's template writes it. The table `budget` has one row for each of `rows`
that has no outcome; a version holds it as budget.parquet, in the order of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError, amount
from ...shards.budgets import COUNTS, FORMULAS, MODELS, Model
from ...shards.budgets.measure import PADDED_CODECS, Extent, measure
from ...shards.budgets.text import EXTRA, Tokenizer, open_tokenizer, text_counts
from ...shards.exports.media_places import media_places
from ...shards.exports.versions import BUDGET, PARQUET
from ...shards.media.fence import fenced
from ...shards.media.media import MediaError
from ...shards.store.sql import first_row, identifier, quote
from ...shards.store.store import Store
from .limits import Limits
from .turns import conversation_columns, conversations_in, has_tools

if TYPE_CHECKING:
    import duckdb

_BATCH = 4_096
_FACTS = "path VARCHAR, kind VARCHAR, length BIGINT, frames BIGINT, fps DOUBLE, width INT, height INT, seconds DOUBLE"


@dataclass(frozen=True, slots=True)
class BudgetTotals:
    """Sums over the written rows.

    Attributes:
        seconds, tokens: None if nobody asked for them; tokens too if the text of a row could not be counted.
        cut_rows, cut_s: Rows with a clip that the model's extractor cuts, and the seconds that are lost.
    """

    model: str
    cut_rows: int
    cut_s: float
    seconds: float | None = None
    tokens: int | None = None

    def describe(self) -> dict[str, Any]:
        """As recorded in the manifest."""
        counted = {} if self.seconds is None else {"seconds": self.seconds, "tokens": self.tokens}
        return {"model": self.model, **counted, "cut_rows": self.cut_rows, "cut_seconds": self.cut_s}


@dataclass(frozen=True, slots=True)
class Relation:
    """The relation `rows` of an export.

    Attributes:
        types: Its columns and their types.
        media_columns: Those that hold paths.
        source: What the view `rows` selects from.
        heard: The column of the sounds that a row is made of though it does not name them.
    """

    types: Mapping[str, str]
    media_columns: Sequence[str]
    source: str
    heard: str | None = None


def count_rows(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    limits: Limits,
    rows: Relation,
    media_root: str,
    *,
    counts: Sequence[str] = (),
) -> None:
    """Create `budget`, and give the rows of `rows` that are over a limit their outcome.

    Args:
        counts: Columns of `budget` to add to `rows`.

    Raises:
        UsageError: The tokens of texts are needed and cannot be counted.
    """
    connection.execute(FORMULAS)
    _find_media(connection, rows)
    _find_facts(connection, store, media_root)
    model = limits.counted
    connection.execute(f"CREATE OR REPLACE TABLE budget AS {_budget_sql(model)}")
    if model is not None:
        _count_texts(connection, limits, model, rows)
    connection.execute(f"""
        CREATE OR REPLACE TABLE over AS
        SELECT id, reason FROM (SELECT id, {limits.outcome_sql()} AS reason FROM budget) WHERE reason IS NOT NULL
        """)
    added = "".join(f", b.{name}" for name in counts)
    joined = "LEFT JOIN budget b ON b.id = r.id" if counts else ""
    connection.execute(f"""
        CREATE OR REPLACE VIEW rows AS
        SELECT r.* REPLACE (coalesce(r._outcome, o.reason) AS _outcome){added}
        FROM {rows.source} r LEFT JOIN over o ON o.id = r.id {joined}""")


def told(budget: Mapping[str, Any] | None) -> Iterator[str]:
    """What to read before training on rows, from the `budget` of a manifest."""
    if budget is None:
        return
    model = MODELS[budget["model"]]
    if rows := budget["cut_rows"]:
        yield (
            f"{amount(rows, 'row', 'have')} a clip of more than {model.heard_s} s, of which {model.name} hears only "
            f"the first {model.heard_s} s: {budget['cut_seconds']:,} s are lost; leave them out with "
            f"--model {model.name} --long reject"
        )
    if "tokens" in budget and budget["tokens"] is None:
        yield f"the tokens of some texts are not counted; to count them: {EXTRA}"


def read_cut(connection: duckdb.DuckDBPyConnection, model: Model) -> BudgetTotals | None:
    """Of rows whose budget nobody asked for, only what the model's extractor cuts, from the headers in the store."""
    long = f"audio.duration > {model.heard_s} OR video.duration > {model.heard_s} OR more_media IS NOT NULL"
    if model.heard_s is None or first_row(connection, f"SELECT 1 FROM samples WHERE {long} LIMIT 1") is None:
        return None
    row = first_row(
        connection,
        f"""
        SELECT count(*), coalesce(sum((lost * 1e6)::BIGINT), 0)::DOUBLE / 1e6
        FROM (SELECT id, greatest(coalesce(least(end_s, whole), whole) - coalesce(start_s, 0) - {model.heard_s}, 0)
                         + coalesce(list_sum([greatest(m.duration - {model.heard_s}, 0) FOR m IN more_media
                                              IF m.kind = 'audio']), 0) AS lost
              FROM (SELECT id, start_s, end_s, more_media, coalesce(audio.duration, video.duration, 0) AS whole
                    FROM parts))
        SEMI JOIN (SELECT id FROM rows WHERE _outcome IS NULL) USING (id) WHERE lost > 0""",
    )
    return BudgetTotals(model.name, row[0], round(row[1], 3)) if row and row[0] else None


def read_totals(connection: duckdb.DuckDBPyConnection, model: Model) -> BudgetTotals:
    """The sums of `budget` over the written rows."""
    row = first_row(connection, """
        SELECT coalesce(sum((seconds * 1e6)::BIGINT), 0)::DOUBLE / 1e6,
               CASE WHEN count(*) = count(tokens) THEN coalesce(sum(tokens), 0) END,
               count(*) FILTER (cut_s > 0), coalesce(sum((cut_s * 1e6)::BIGINT), 0)::DOUBLE / 1e6
        FROM budget SEMI JOIN (SELECT id FROM rows WHERE _outcome IS NULL) USING (id)""")  # fmt: skip
    assert row is not None
    seconds, tokens, cut_rows, cut_s = row
    return BudgetTotals(
        model.name, cut_rows, round(cut_s, 3), round(seconds, 3), None if tokens is None else int(tokens)
    )


def write_budget(connection: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """Write budget.parquet beside data.parquet, in its order; return the SQL."""
    data = quote(str(folder / "data.parquet"))
    sql = f"""
        SELECT b.* EXCLUDE (has_pictures)
        FROM (SELECT id, file_row_number AS place FROM read_parquet({data}, file_row_number = true)) d
        JOIN budget b USING (id) ORDER BY place"""
    connection.execute(f"COPY ({sql}) TO {quote(str(folder / BUDGET))} ({PARQUET})")
    return sql.strip()


# ---- the media of rows


def _find_media(connection: duckdb.DuckDBPyConnection, rows: Relation) -> None:
    """Create `row_media` (id, kind, path): a line for each medium of a row; `sound` is what is heard inside a video."""
    selects = []
    if rows.heard is not None:
        written = f"FROM rows WHERE _outcome IS NULL AND {rows.heard} IS NOT NULL"
        selects.append(f"SELECT id, 'audio' AS kind, unnest({rows.heard}) AS path {written}")
    for place in media_places(rows.types):
        written = f"FROM rows WHERE _outcome IS NULL AND {identifier(place.column)} IS NOT NULL"
        for kind, listed in place.paths_by_kind().items():
            selects.append(f"SELECT id, '{kind}' AS kind, unnest({listed}) AS path {written}")
            if kind == "video":
                selects.append(f"SELECT id, 'sound', unnest({listed}) {written} AND _sound = 'in-video'")
    select = " UNION ALL ".join(selects) or "SELECT NULL::VARCHAR AS id, '' AS kind, NULL::VARCHAR AS path WHERE false"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE row_media AS {select}")


def _find_facts(connection: duckdb.DuckDBPyConnection, store: Store, media_root: str) -> None:
    """Create `facts` of all of them: from the headers in the store, else from the files."""
    import pyarrow as pa

    connection.execute(f"CREATE OR REPLACE TEMP TABLE facts ({_FACTS})")
    root, padded = quote(media_root.rstrip("/") + "/"), ", ".join(map(quote, PADDED_CODECS))

    def final(path: str) -> str:
        return f"CASE WHEN starts_with({path}, '/') THEN {path} ELSE {root} || {path} END"

    connection.execute(f"""
        INSERT INTO facts SELECT DISTINCT ON (kind, path) * FROM (
            SELECT {final("audio.path")} AS path, 'audio' AS kind,
                   resampled_length(audio.frames, audio.sample_rate) AS length, NULL, NULL, NULL, NULL, audio.duration
            FROM chosen WHERE NOT filtered AND audio.frames > 0 AND audio.codec NOT IN ({padded})
            UNION ALL SELECT {final("video.path")}, 'video', NULL, video.frames, video.fps, video.width, video.height,
                   coalesce(video.duration, video.frames / video.fps)
            FROM chosen WHERE NOT filtered AND video.frames > 0
            UNION ALL SELECT {final("image.path")}, 'image', NULL, NULL, NULL, image.width, image.height, NULL
            FROM chosen WHERE NOT filtered AND image.path IS NOT NULL)""")
    unknown = connection.execute(f"""
        WITH files AS (
            SELECT audio.path AS file FROM chosen WHERE audio IS NOT NULL
            UNION SELECT video.path FROM chosen WHERE video IS NOT NULL
            UNION SELECT unnest([m.path FOR m IN more_media]) FROM chosen WHERE more_media IS NOT NULL
            UNION SELECT audio_path FROM derived UNION SELECT video_path FROM derived)
        SELECT DISTINCT m.path, m.kind, f.file
        FROM row_media m ANTI JOIN facts k ON k.path = m.path AND k.kind = m.kind
        JOIN files f ON {final("f.file")} = m.path ORDER BY ALL""").fetchall()
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(unknown), _BATCH):
            found = list(pool.map(lambda each: _measured(store, *each), unknown[start : start + _BATCH]))
            connection.register("measured", pa.Table.from_pylist(found))
            connection.execute("INSERT INTO facts BY NAME SELECT * FROM measured")
            connection.unregister("measured")


def _measured(store: Store, path: str, kind: str, file: str) -> dict[str, Any]:
    try:
        with fenced(file, reason="undecodable", store=store.root):
            found = measure(store.media.absolute(file), kind=kind)
    except MediaError:  # it stays unknown, and so does the budget of its rows
        found = Extent()
    return {"path": path, "kind": kind, **asdict(found)}


def _budget_sql(model: Model | None) -> str:
    """The media of each row: seconds, and the model's counts; null where a file says too little.

    A video and a sound beside it are heard at once: the seconds of a row are those of the longer of the two.
    """
    name = "NULL::VARCHAR" if model is None else quote(model.name)
    heard = "NULL" if model is None or model.heard_s is None else str(model.heard_s)
    counts = {} if model is None else {
        "audio_tokens": ("'audio', 'sound'", model.audio_sql("length")),
        "image_tokens": ("'image'", model.image_sql("width", "height")),
        "video_frames": ("'video'", model.frames_sql("seen")),
        "video_tokens": ("'video'", model.video_sql("seen", "width", "height")),
    }  # fmt: skip
    one = "".join(
        f", CASE WHEN kind IN ({kinds}) THEN {sql} ELSE 0 END AS {name}" for name, (kinds, sql) in counts.items()
    )
    every = "".join(f", {_sum(name)}::BIGINT AS {name}" for name in counts)
    or_none = "".join(f", CASE WHEN m.id IS NULL THEN 0 ELSE m.{name} END AS {name}" for name in counts)
    return f"""
        WITH media AS (
            SELECT id, greatest({_sum("heard")}, {_sum("shown")}) AS seconds, sum(cut) AS cut_s,
                   bool_or(kind IN ('image', 'video')) AS has_pictures{every}
            FROM (SELECT id, kind, CASE WHEN kind = 'audio' THEN seconds ELSE 0 END AS heard,
                         CASE WHEN kind = 'video' THEN seconds ELSE 0 END AS shown,
                         greatest(length / 16000.0 - {heard}, 0) AS cut{one}
                  FROM row_media
                  LEFT JOIN (SELECT *, sampled_frames(frames, fps) AS seen FROM facts) USING (kind, path))
            GROUP BY id)
        SELECT r.id, {name} AS model, round(CASE WHEN m.id IS NULL THEN 0 ELSE m.seconds END, 6) AS seconds,
               round(coalesce(m.cut_s, 0), 6) AS cut_s,
               coalesce(m.has_pictures, false) AS has_pictures{or_none}
        FROM (SELECT id FROM rows WHERE _outcome IS NULL) r LEFT JOIN media m ON m.id = r.id"""


def _sum(name: str) -> str:
    """SQL: the sum, or null if one of them is unknown."""
    return f"CASE WHEN count(*) = count({name}) THEN sum({name}) END"


# ---- the texts of rows


def _count_texts(connection: duckdb.DuckDBPyConnection, limits: Limits, model: Model, rows: Relation) -> None:
    """Add `text_tokens` and `tokens` to `budget`; null where a row has no conversation, or tools beside it."""
    import pyarrow as pa

    connection.execute("CREATE OR REPLACE TEMP TABLE texts (id VARCHAR, text_tokens BIGINT)")
    columns = conversation_columns(rows.types)
    if columns and (tokenizer := _tokenizer(limits)) is not None:
        names = ["id", "_sound", *columns, *(name for name in ("tools",) if name in rows.types)]
        reader = connection.cursor().execute(f"SELECT {', '.join(names)} FROM rows WHERE _outcome IS NULL")
        while batch := reader.fetchmany(_BATCH):
            counts = _texts_of(model, tokenizer, [dict(zip(names, row, strict=True)) for row in batch])
            connection.register(
                "counted_texts", pa.table({"id": [row[0] for row in batch], "n": pa.array(counts, pa.int64())})
            )
            connection.execute("INSERT INTO texts SELECT * FROM counted_texts")
    media = " + ".join(name for name in COUNTS if name.endswith("_tokens") and (model.side or name == "audio_tokens"))
    connection.execute(f"""
        CREATE OR REPLACE TABLE budget AS
        SELECT b.*, t.text_tokens, {media} + t.text_tokens AS tokens FROM budget b LEFT JOIN texts t ON t.id = b.id""")


def _tokenizer(limits: Limits) -> Tokenizer | None:
    """None without the extra, unless the limits need it."""
    assert limits.model is not None
    path = None if limits.tokenizer is None else Path(limits.tokenizer)
    try:
        return open_tokenizer(limits.model, path)
    except UsageError:
        if limits.needs_tokens or path is not None:
            raise
        return None


def _texts_of(model: Model, tokenizer: Tokenizer, rows: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """The text tokens of rows; of a pair of answers, those of the longer."""
    conversations, owners = [], []
    for place, row in enumerate(rows):
        if row.get("tools") is not None:
            continue
        held = conversations_in(row)
        if any(map(has_tools, held)):
            continue
        for turns in held:
            conversations.append((turns, row["_sound"] == "in-video"))
            owners.append(place)
    found: list[int | None] = [None] * len(rows)
    for place, count in zip(owners, text_counts(model.name, tokenizer, conversations), strict=True):
        if count is not None:
            found[place] = max(found[place] or 0, count)
    return found
