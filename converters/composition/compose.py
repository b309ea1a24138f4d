"""Choose the samples of a composition, in SQL over `chosen`.

Samples are taken whole, in the hash order of `seed:id`, so the choice depends neither on the order of samples nor on
the machine, and a larger one of the same shares goes on where the smaller one stopped. What a sample counts is its rows
(one, unless samples are expanded), its milliseconds or the tokens of its rows: whole numbers, whose sums are the same
in any order. A part takes samples until its amount is reached.

    usable         the samples to choose from, with what they count and the values of fields; shrinks step by step
    not_composed   those that are not taken, and why
    copies         how often a sample that is repeated stands in the export
    without_row    samples that turned out to have no row: they are no candidates
    part_counts    the rows that are made of a sample, where that may be several
    sample_tokens  the tokens of a sample's rows, if shares are of tokens

Tables name samples by the 128-bit hash of their id (`key`): a million of them take 16 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import ProblemsFound
from ...shards.store.sql import first_row, quote
from .classes import LENGTH, value_sql
from .options import Composition
from .quota import Level, Node, Values, leaves, tree

if TYPE_CHECKING:
    import duckdb

_MILLISECONDS = f"round(greatest({LENGTH}, 0) * 1000)::BIGINT"
KEY = "md5_number(id)"
"""SQL for the key of a sample."""
_UP_TO = "OVER ({} ORDER BY place, key ROWS UNBOUNDED PRECEDING)"
"""A window of a sample and those before it in hash order."""
_SHOWN = 5
_LISTED = 100
"""A manifest lists up to this many parts."""


@dataclass(slots=True)
class Composed:
    """What a composition took.

    Attributes:
        measure: What its parts are counted in: `rows`, `hours` or `tokens`.
        parts: By their values: what was asked for, was there and was taken.
        short: The parts that had less than was asked for, in words.
        without_value: Samples without a value of a limited field, which are not limited, by field.
        sql: The statements that chose.
    """

    measure: str
    parts: list[dict[str, Any]] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    without_value: dict[str, int] = field(default_factory=dict)
    sql: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The facts for the manifest."""
        more = len(self.parts) - _LISTED
        facts: dict[str, Any] = {"measure": self.measure, "parts": self.parts[:_LISTED]}
        if more > 0:
            facts["more_parts"] = more
        return facts | {"short": self.short, "without_value": self.without_value}


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the empty tables of a composition."""
    for table, columns in (
        ("not_composed", "reason VARCHAR"), ("copies", "copies BIGINT"), ("part_counts", "parts BIGINT"),
        ("sample_tokens", "tokens BIGINT"),
        ("without_row", "reason VARCHAR"),
    ):  # fmt: skip
        connection.execute(f"CREATE OR REPLACE TABLE {table} (key UHUGEINT, {columns})")


def count_parts(connection: duckdb.DuckDBPyConnection) -> None:
    """Count the rows that are to be made of each sample; `parts` must exist."""
    connection.execute("INSERT INTO part_counts SELECT md5_number(sample_id), count(*) FROM parts GROUP BY ALL")


def compose(connection: duckdb.DuckDBPyConnection, composition: Composition, *, seed: int, unusable: str) -> Composed:
    """Fill `not_composed` and `copies`; `chosen` must have all samples to choose from, and the tables must exist.

    Args:
        unusable: SQL over `chosen c` for samples that have no row, whatever is chosen.

    Raises:
        ProblemsFound: A part that must have a share has nothing to give.
    """
    found = _Choice(connection, composition).make(seed=seed, unusable=unusable)
    for table in ("usable", "taken", "quotas"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    return found


class _Choice:
    """One composition while it is made."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, composition: Composition) -> None:
        self.connection = connection
        self.composition = composition
        self.levels = levels_of(composition)
        self.fields = list(dict.fromkeys([*composition.limit, *(level.field for level in self.levels)]))
        self.found = Composed(composition.measure)

    def make(self, *, seed: int, unusable: str) -> Composed:
        self._create_usable(seed=seed, unusable=unusable)
        for name, most in self.composition.limit.items():
            self._limit(name, most)
        if self.levels:
            self._divide()
            return self.found
        for measure, total in (("rows", self.composition.samples), ("hours", _milliseconds(self.composition.hours))):
            if total is not None:
                self._cap(measure, total)
        return self.found

    def _create_usable(self, *, seed: int, unusable: str) -> None:
        values = "".join(
            f", {value_sql(name, bucket=self.composition.bucket)} AS {self._column(name)}" for name in self.fields
        )
        place = f"('0x' || sha256({quote(f'{seed}:')} || id)[1:16])::UBIGINT"
        self._run("DELETE FROM not_composed")
        self._run("DELETE FROM copies")
        self._run(f"""
            CREATE OR REPLACE TABLE usable AS
            SELECT u.*, coalesce(parts, 1) AS rows, tokens FROM (
                SELECT {KEY} AS key, {_MILLISECONDS} AS hours, {place} AS place{values}
                FROM chosen c WHERE NOT filtered AND NOT coalesce({unusable}, false)
            ) u LEFT JOIN part_counts USING (key) LEFT JOIN sample_tokens USING (key)
            ANTI JOIN without_row USING (key)""")
        if "hours" in (self.composition.measure, "hours" if self.composition.hours is not None else ""):
            self._leave("unknown_length", "usable WHERE hours IS NULL")
        if self.composition.measure == "tokens":
            self._leave("unknown_tokens", "usable WHERE tokens IS NULL")

    def _column(self, name: str) -> str:
        return f"v{self.fields.index(name)}"

    def _run(self, sql: str) -> None:
        self.connection.execute(sql)
        self.found.sql.append(sql.strip())

    def _leave(self, reason: str, select: str) -> None:
        """Leave samples out, and take them from `usable`."""
        self._run(f"INSERT INTO not_composed SELECT key, {quote(reason)} FROM {select}")
        self._run("DELETE FROM usable u USING not_composed n WHERE u.key = n.key")

    def _limit(self, name: str, most: int) -> None:
        column = self._column(name)
        up_to = f"sum(rows) {_UP_TO.format(f'PARTITION BY {column}')}"
        self._leave("over_limit", f"(SELECT *, {up_to} AS n FROM usable WHERE {column} IS NOT NULL) WHERE n > {most}")
        (unlimited,) = first_row(self.connection, f"SELECT count(*) FROM usable WHERE {column} IS NULL") or (0,)
        if unlimited:
            self.found.without_value[name] = int(unlimited)

    def _cap(self, measure: str, most: int) -> None:
        before = f"sum({measure}) {_UP_TO.format('')} - {measure}"
        reason = "over_samples" if measure == "rows" else "over_hours"
        have = self._total(measure)
        self._leave(reason, f"(SELECT *, {before} AS n FROM usable) WHERE n >= {most}")
        self._tell((), most, have, self._total(measure), measure)

    def _total(self, measure: str) -> int:
        (total,) = first_row(self.connection, f"SELECT coalesce(sum({measure}), 0)::BIGINT FROM usable") or (0,)
        return int(total)

    def _divide(self) -> None:
        """Take of each part what the shares give it."""
        composition, measure = self.composition, self.composition.measure
        for level in self.levels:
            column = self._column(level.field)
            reason = "not_in_mix" if level.field == "dataset" and level.shares is not None else f"no_{level.field}"
            known = "" if level.shares is None else f" OR {column} NOT IN ({', '.join(map(quote, level.shares))})"
            if level.shares is not None and reason != "not_in_mix":
                reason = "not_in_shares"
            self._leave(_word(reason), f"usable WHERE {column} IS NULL{known}")
        columns = [self._column(level.field) for level in self.levels]
        has: dict[Values, int] = {
            tuple(map(str, values)): int(amount)
            for *values, amount in self.connection.execute(
                f"SELECT {', '.join(columns)}, sum({measure})::BIGINT FROM usable GROUP BY ALL ORDER BY ALL"
            ).fetchall()
        }
        root = tree(self.levels, has, may_repeat=composition.oversample)
        asked = composition.samples if measure != "hours" else _milliseconds(composition.hours)
        self._require(root, is_open=asked is None)
        root.divide(root.capacity if asked is None else asked)
        self._take(columns, leaves(root), measure)

    def _require(self, root: Node, *, is_open: bool) -> None:
        """Raise ProblemsFound if a part with a share has nothing: without a total, nothing could be taken of any."""
        empty = [" ".join(values) for values, node in leaves(root) if not node.has]
        if not root.has or (empty and (is_open or self.composition.oversample)):
            raise ProblemsFound(
                f"No sample that could have a row is of {', '.join(empty[:5]) or 'these parts'}: its share cannot be "
                "reached.",
                hint="leave it out of the shares, or give --samples or --hours to take what the others have",
            )

    def _take(self, columns: list[str], parts: list[tuple[Values, Node]], measure: str) -> None:
        import pyarrow as pa

        repeats = self.composition.oversample
        rows = [
            (*values, node.asked % node.has if repeats and node.asked > node.has else node.asked,
             node.asked // node.has if repeats and node.asked > node.has else 0)
            for values, node in parts if node.has
        ]  # fmt: skip
        names = [*columns, "quota", "whole"]
        types = [*[pa.string()] * len(columns), pa.int64(), pa.int64()]
        self.connection.register("quotas_arrow", pa.table(
            [pa.array([row[n] for row in rows], type_) for n, type_ in enumerate(types)], names=names))  # fmt: skip
        self._run("CREATE OR REPLACE TABLE quotas AS SELECT * FROM quotas_arrow")
        self.connection.unregister("quotas_arrow")
        listed = ", ".join(columns)
        before = f"sum({measure}) {_UP_TO.format(f'PARTITION BY {listed}')} - {measure}"
        self._run(f"""
            CREATE OR REPLACE TABLE taken AS
            SELECT key, {listed}, {measure}, whole + (n < quota)::INT AS copies
            FROM (SELECT *, {before} AS n FROM usable) JOIN quotas USING ({listed})""")
        self._run("INSERT INTO copies SELECT key, copies FROM taken WHERE copies > 1")
        reason = "over_mix" if self.composition.mix is not None else "over_share" if self.composition.shares else ""
        self._leave(reason or "balanced_out", "taken WHERE copies = 0")
        got = {
            tuple(values): int(amount)
            for *values, amount in self.connection.execute(
                f"SELECT {listed}, sum({measure} * copies)::BIGINT FROM taken GROUP BY ALL"
            ).fetchall()
        }
        for values, node in parts:
            self._tell(values, node.asked, node.has, got.get(values, 0), measure)

    def _tell(self, values: Values, asked: int, has: int, taken: int, measure: str) -> None:
        """Note one part; whole numbers of rows, and hours."""
        named = dict(zip((level.field for level in self.levels), values, strict=False))
        amounts = {"asked": asked, "has": has, "taken": taken}
        shown = amounts if measure != "hours" else {name: round(ms / 3_600_000, 4) for name, ms in amounts.items()}
        self.found.parts.append({**named, **shown})
        if taken < asked:
            name = " ".join(values) or "the selection"
            self.found.short.append(f"{name}: {shown['asked']:,} {measure} asked for, {shown['taken']:,} there")


def told(composed: Mapping[str, Any] | None) -> Iterator[str]:
    """What to read before training on a composition, from the `composed` of a manifest."""
    short = (composed or {}).get("short", ())
    if short:
        more = f"; and {len(short) - _SHOWN:,} more" if len(short) > _SHOWN else ""
        yield f"the composition is short of samples: {'; '.join(short[:_SHOWN])}{more}"
    for name, count in (composed or {}).get("without_value", {}).items():
        yield f"{count:,} samples have no value of --limit {name} and are not limited"


def levels_of(composition: Composition) -> list[Level]:
    """The levels of its shares, from the top down."""
    mix = [Level("dataset", composition.mix)] if composition.mix is not None else []
    balance = [Level(name) for name in composition.balance]
    return [*mix, *balance, *(Level(each.field, each.shares) for each in composition.shares)]


def _milliseconds(hours: float | None) -> int | None:
    return None if hours is None else round(hours * 3_600_000)


def _word(name: str) -> str:
    """A reason code: `no_extra_room`."""
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())
