"""Rows of Parquet files, read in small batches because rows may contain media.

Class labels of Hugging Face `datasets` are replaced by their names from the schema metadata; a number without a name
is rejected, so that a class is never left as a bare number.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import Any

from ....errors import UsageError
from ...candidate import RowError
from ..mapping.class_labels import Features
from .arrow_rows import python_rows
from .cells import Place, Row, Rows, as_cell


def read_parquet(source: Any, place: Place, *, batch: int = 100) -> Rows:
    """Rows of a Parquet file (a path, or a seekable stream); raises pyarrow's errors if it is not Parquet.

    Raises:
        UsageError: Two columns have one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    with closing(pq.ParquetFile(source)) as parquet:
        if twice := [name for name, count in Counter(parquet.schema_arrow.names).items() if count > 1]:
            raise UsageError(f"{place.uri}: duplicate column name(s): {', '.join(twice)}.")
        features = Features.of_schema(parquet.schema_arrow)
        try:
            for part in parquet.iter_batches(batch_size=batch):
                for values in python_rows(part):
                    where = f"{place.uri}#row={number}"
                    number += 1
                    try:
                        named = features.named(values)
                    except RowError as error:
                        yield error.rejection(where)
                    else:
                        yield Row({name: as_cell(value) for name, value in named.items()}, where)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            where = f"{place.uri}#row={number}"
            message = (str(error).splitlines() or [type(error).__name__])[0]
            yield RowError("corrupt_parquet", message).rejection(where, damaged=True)
