"""All rows of a table as one: `gather: {text: [prepunctuation, token, punctuation]}`, for tables of words.

The columns of each row are put together without a space, the rows with one: `Good morning, all.` of the tokens `Good`,
`morning` with `,`, and `all` with `.`. Any other column becomes the list of its cells, without a column that is empty
throughout. If one row is bad, the whole is rejected: a text without one of its words is another text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....errors import UsageError
from ...candidate import Rejection
from ..mapping.option_types import entries, texts
from ..tables.cells import Place, Row, Rows, as_text


def check_gather(spec: Any, *, what: str) -> None:
    """Raise UsageError unless it is null or an object of columns, each made of a list of columns."""
    if spec is not None and not entries(spec, what):
        raise UsageError(f"{what}: expected {{column: [columns]}}, got {spec!r}.")
    for name, columns in entries(spec, what).items():
        texts(columns, f"{what}.{name}")


def gathered(rows: Rows, place: Place, spec: Mapping[str, Any]) -> Rows:
    """The one row that these make; none if there are none."""
    made = {name: texts(columns, name) for name, columns in spec.items()}
    used = {column for columns in made.values() for column in columns}
    pieces: dict[str, list[str]] = {name: [] for name in made}
    cells: dict[str, list[Any]] = {}
    items = list(rows)
    for row in items:
        if isinstance(row, Rejection):
            yield row
            detail = f"{place.uri}: one of its rows is bad, so that the whole of it is not known"
            yield Rejection(place.name, "bad_row", detail, place.uri)
            return
        missing = sorted(used - row.values.keys())
        if missing:
            known = ", ".join(row.values)
            raise UsageError(f"{row.where}: there is no column {', '.join(missing)}; there are {known}.")
        for name, columns in made.items():
            if piece := "".join(as_text(row.values[column]) or "" for column in columns):
                pieces[name].append(piece)
        for column, cell in row.values.items():
            if column not in used:
                cells.setdefault(column, []).append(cell)
    if items:
        lists = {column: values for column, values in cells.items() if any(value is not None for value in values)}
        yield Row({**lists, **{name: " ".join(words) or None for name, words in pieces.items()}}, place.uri)
