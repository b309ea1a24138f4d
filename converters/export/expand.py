"""`parts`: the selected samples, once for each row that is made of them.

A sample has one row as a rule. A request may ask for more (`--captions all`: one for each caption,
`--prompts-per-sample`: one for each way to ask), and so may a view (one for each term, one for each window). Every
expansion is a SELECT over the relation before it, and gives each row a `part`: a name that is unique within the sample
and says which part it is, such as `caption2`. The row's id is then `<sample id>#<part>`, and its file has the column
`sample_id`.

An expansion keeps every sample: one of which there is no part has one row whose `part_outcome` says why, so that the
account balances.

A sample's own id may be what the row of another would be called (`talk#window2` beside `talk`). What is made is found
by the id of its row, so such a row is not made (`row_id_taken`), and the sample keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING

from ...shards.store.sql import first_row, quote
from ..composition.compose import create_tables
from ..composition.options import Composition
from ..row_options import PROMPT_LANGUAGES
from ..views import View, ViewOptions
from ..views.left_out import CONVERSATION
from ..views.prepare import create_prompts
from ..views.prompts import SILENT, tasks_answered_by
from ..views.statement import reads

if TYPE_CHECKING:
    import duckdb

_ROW_ID = "CASE WHEN part IS NULL THEN id ELSE id || '#' || part END"

Expansion = Callable[["duckdb.DuckDBPyConnection", str], str]
"""Makes a SELECT from the name of a relation; it has the relation's columns, with `part` extended by `extended`."""


def extended(name: str) -> str:
    """SQL for `part` with one more name at its end; `name` is SQL, null for the sample as it is."""
    return f"nullif(concat_ws('#', part, {name}), '')"


def expansions_of(view: View, options: ViewOptions) -> list[Expansion]:
    """The expansions of a request, in the order in which they apply."""
    found: list[Expansion] = []
    read = reads(view, options.task)
    if options.captions == "all":
        found.append(lambda connection, relation: _each_caption(relation, read, options))
    if options.task == "kto" and "label" in read:
        found.append(_each_side)
    if (own := view.expand) is not None:
        found.append(lambda connection, relation: own(connection, relation, options))
    if options.prompts_per_sample > 1:
        found.append(lambda connection, relation: _each_prompt(connection, relation, options))
    return found


def copies_of(count: int) -> Expansion:
    """Each row that has sound once more for each copy with changed sound."""
    has_sound = "audio IS NOT NULL OR (modality = 'mixed' AND video.has_audio)"
    copies = f"range(0, CASE WHEN {has_sound} THEN {count + 1} ELSE 1 END)"
    part = extended("CASE WHEN _copy > 0 THEN 'copy' || _copy END")
    return lambda connection, relation: (
        f"""
        SELECT * EXCLUDE (_copy) REPLACE ({part} AS part) FROM (SELECT *, unnest({copies}) AS _copy FROM {relation})"""
    )


IS_COPY = "regexp_matches(substr(id, length(sample_id) + 1), '#copy[0-9]+(#[0-9]+)?$')"
"""SQL over `parts`: the row is one of these copies, or a repetition of one."""


def expand(connection: duckdb.DuckDBPyConnection, expansions: list[Expansion]) -> str:
    """Create the view `parts` over `chosen`; return the statement."""
    relation = (
        "(SELECT *, NULL::VARCHAR AS part, NULL::VARCHAR AS part_outcome, NULL::VARCHAR AS prompt_of, 0 AS prompt_part "
        "FROM chosen WHERE NOT filtered)"
    )
    for expansion in expansions:
        relation = f"({expansion(connection, relation)})"
    outcome = ""
    if expansions and first_row(connection, "SELECT 1 FROM samples WHERE contains(id, '#') LIMIT 1") is not None:
        outcome = f", {_not_taken(relation)} AS part_outcome"
    sql = f"""
        CREATE OR REPLACE VIEW parts AS
        SELECT * EXCLUDE (part) REPLACE ({_ROW_ID} AS id, coalesce(prompt_of, {_ROW_ID}) AS prompt_of{outcome}),
               id AS sample_id
        FROM {relation}"""
    connection.execute(sql)
    return sql.strip()


def _not_taken(relation: str) -> str:
    """SQL for the outcome of a part: one whose row would have the id of another has none."""
    return f"""
        CASE WHEN part IS NOT NULL AND {_ROW_ID} IN (
                  SELECT row_id FROM (SELECT {_ROW_ID} AS row_id FROM {relation}) GROUP BY row_id HAVING count(*) > 1)
             THEN 'row_id_taken' ELSE part_outcome END"""


def repeats_of(connection: duckdb.DuckDBPyConnection, composition: Composition) -> list[Expansion]:
    """The expansion of a composition that repeats samples; creates the tables of any composition."""
    if not composition.is_set:
        return []
    create_tables(connection)
    return [_each_copy] if composition.oversample else []


def _each_copy(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """One row for each copy that the table `copies` (key, copies) asks for; the first has the row's own id."""
    return f"""
        SELECT * EXCLUDE (_copy) REPLACE ({extended("CASE WHEN _copy > 1 THEN _copy::VARCHAR END")} AS part)
        FROM (SELECT r.*, unnest(range(1, coalesce(k.copies, 1) + 1)) AS _copy
              FROM {relation} r LEFT JOIN copies k ON k.key = md5_number(r.id))"""


def _is_answered_by_captions(read: Set[str], options: ViewOptions) -> str:
    """SQL: a row that is made of the sample says one of its captions. A conversation has its own answer, and so has a
    pair that states the chosen one: its rows would all be the same."""
    if not read & CONVERSATION:
        return "true"
    if options.task == "pretrain":
        return "NOT coalesce(len(messages) = 1 AND messages[1].role = 'assistant', false)"
    return "NOT has_turns(messages)" + (" AND not_blank(chosen) IS NULL" if options.takes_pairs else "")


def _each_caption(relation: str, read: Set[str], options: ViewOptions) -> str:
    """One row for each description of a sample whose task is to describe: its text, if it is none of the captions, and
    its captions, none of them twice. The first has the sample's own id, so that versions with one caption and with all
    can be compared. A description that is the rejected answer of a pair is as good as any other: there is no pair."""
    tasks = ", ".join(map(quote, tasks_answered_by("captions")))
    described = (
        f"CASE WHEN effective_task IN ({tasks}) AND {_is_answered_by_captions(read, options)} "
        "THEN list_filter(list_concat([text], captions), lambda c: not_blank(c) IS NOT NULL) END"
    )
    said = "[fold_spaces(x) FOR x IN _all]"
    rejected = f"list_contains({said}, fold_spaces(rejected))" if options.takes_pairs else "false"
    return f"""
        SELECT * EXCLUDE (_said, _n, _all)
               REPLACE (CASE WHEN {rejected} THEN 'same_answers' ELSE part_outcome END AS part_outcome,
                        CASE WHEN _said IS NULL THEN text END AS text,
                        CASE WHEN _said IS NULL THEN captions ELSE [_said] END AS captions,
                        {extended("CASE WHEN _n > 1 THEN 'caption' || _n END")} AS part)
        FROM (SELECT *, _all[_n] AS _said FROM (
            SELECT *, unnest(CASE WHEN len(_all) > 0 THEN range(1, len(_all) + 1) ELSE [1] END) AS _n FROM (
                SELECT * REPLACE (list_filter(_all, lambda c, i: list_position({said}, fold_spaces(c)) = i) AS _all)
                FROM (SELECT *, {described} AS _all FROM {relation}))))"""


def _each_prompt(connection: duckdb.DuckDBPyConnection, relation: str, options: ViewOptions) -> str:
    """So many rows of a sample, each with another phrasing of its prompt, or as many as there are phrasings. The first
    has the sample's own id and the phrasing that it has where a sample has one row. A conversation has its own words.

    The bank of a sample is the one that `prepared` takes. The macros of a request's options exist on one connection
    only, and media is cut on another.
    """
    create_prompts(connection, "prompt_banks")
    mixed = SILENT if options.modality == "video" else "audio" if options.av == "sound-only" else "mixed"
    known = ", ".join(map(quote, PROMPT_LANGUAGES))
    own = f"CASE WHEN base_language IN ({known}) THEN base_language ELSE 'en' END"
    language = own if options.prompt_language is None else quote(options.prompt_language)
    return f"""
        SELECT * EXCLUDE (_rows, _n)
               REPLACE (_n AS prompt_part, coalesce(prompt_of, {_ROW_ID}) AS prompt_of,
                        {extended("CASE WHEN _n > 0 THEN 'prompt' || (_n + 1) END")} AS part)
        FROM (SELECT *, unnest(range(_rows)) AS _n FROM (
            SELECT s.*, CASE WHEN has_turns(messages) THEN 1
                             ELSE least({options.prompts_per_sample}, coalesce(bank.phrasings, 1)) END AS _rows
            FROM {relation} s LEFT JOIN prompt_banks bank
              ON bank.task = effective_task AND bank.language = {language}
                 AND bank.modality = CASE WHEN s.modality = 'mixed' THEN {quote(mixed)}
                                          ELSE prompt_modality(s.modality) END))"""


def _each_side(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """Two rows of a pair, with the labels true and false: the chosen answer, and the rejected one. A sample that has
    one answer and a label keeps its row; a pair whose own label says that its answer is bad contradicts itself. Both
    sides are asked in the same words."""
    label = "CASE _side WHEN 'chosen' THEN 'true' ELSE 'false' END"
    return f"""
        SELECT * EXCLUDE (_side)
               REPLACE (CASE WHEN _side IS NULL THEN extra
                             ELSE map_concat(coalesce(extra, MAP {{}}), MAP {{'label': {label}}}) END AS extra,
                        CASE WHEN _side IS NOT NULL AND NOT given_label(extra, labels) THEN 'label_of_pair'
                             ELSE part_outcome END AS part_outcome,
                        coalesce(prompt_of, {_ROW_ID}) AS prompt_of,
                        {extended("_side")} AS part)
        FROM (
            SELECT *, unnest(CASE WHEN not_blank(rejected) IS NULL THEN [NULL] ELSE ['chosen', 'rejected'] END) AS _side
            FROM {relation})"""
