"""Rows become the table that pyarrow makes of them, and pandas is not loaded for it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triptych.shards.sample import SCHEMA
from triptych.shards.store.rows_to_arrow import rows_to_table, values_to_array
from triptych.shards.store.tables import RUNS
from triptych.validators.checks.schema import CHECKS_SCHEMA

_UNICODE = st.text(st.characters(exclude_categories=["Cs"]))


def values_of(type_: pa.DataType) -> st.SearchStrategy[Any]:
    """Values that fit a type, with nulls."""
    if pa.types.is_struct(type_):
        fields = {field.name: values_of(field.type) for field in type_}
        return st.none() | st.fixed_dictionaries({}, optional=fields)
    if pa.types.is_map(type_):
        items = values_of(type_.item_type)
        keys = _UNICODE
        return st.none() | st.lists(st.tuples(keys, items), max_size=3)
    if pa.types.is_list(type_):
        return st.none() | st.lists(values_of(type_.value_type), max_size=3)
    times = st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC))
    plain: dict[pa.DataType, st.SearchStrategy[Any]] = {
        pa.string(): _UNICODE,
        pa.int32(): st.integers(-(2**31), 2**31 - 1),
        pa.int64(): st.integers(-(2**63), 2**63 - 1),
        pa.float64(): st.floats() | st.integers(-(2**53), 2**53),
        pa.bool_(): st.booleans(),
        pa.timestamp("us", tz="UTC"): times,
    }
    return st.none() | plain[type_]


@pytest.mark.parametrize("schema", [SCHEMA, RUNS, CHECKS_SCHEMA], ids=["samples", "runs", "checks"])
def test_a_table_is_the_one_that_pyarrow_makes(schema: pa.Schema) -> None:
    rows = st.lists(st.fixed_dictionaries({}, optional={f.name: values_of(f.type) for f in schema}), max_size=4)

    @settings(max_examples=40, deadline=None)
    @given(rows)
    def check(given_rows: list[dict[str, Any]]) -> None:
        made = rows_to_table(given_rows, schema)
        made.validate(full=True)
        expected = pa.Table.from_pylist(given_rows, schema=schema)
        assert made.schema == expected.schema
        for name in schema.names:  # NaN is not equal to itself
            assert str(made[name].to_pylist()) == str(expected[name].to_pylist())

    check()


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([1, None, "2"], pa.string()),
        (["\ud800"], pa.string()),
        ([2**31], pa.int32()),
        ([2**63], pa.int64()),
        ([2**60 + 1], pa.float64()),
        ([1.5], pa.int64()),
        ([-0.0, None], pa.float64()),
        ([True], pa.int64()),
        ([1], pa.bool_()),
        ([datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))], pa.timestamp("us", tz="UTC")),
        ([{"a": 1}], pa.map_(pa.string(), pa.string())),
        ([[("a", "1"), (None, "2")]], pa.map_(pa.string(), pa.string())),
        ([("a", "b"), None], pa.list_(pa.string())),
        (["ab"], pa.list_(pa.string())),
        ([{"unknown": 1}, 5], pa.struct([("a", pa.int64())])),
    ],
    ids=str,
)
def test_what_is_unusual_is_converted_or_refused_as_pyarrow_does(values: list[Any], type_: pa.DataType) -> None:
    try:
        expected = pa.array(values, type_)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        with pytest.raises(type(error)):
            values_to_array(values, type_)
    else:
        assert str(values_to_array(values, type_).to_pylist()) == str(expected.to_pylist())


def test_pandas_is_not_loaded() -> None:
    script = (
        "import sys; from triptych.shards.sample import SCHEMA;"
        "from triptych.shards.store.rows_to_arrow import rows_to_table;"
        "rows_to_table([{'id': 'a', 'audio': {'path': 'x', 'duration': 1.5}, 'extra': [('k', 'v')]}], SCHEMA);"
        "print('pandas' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"
