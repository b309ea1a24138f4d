"""Lines of JSON Lines are bounded: a longer one is rejected by its number, and those after it are read."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path

import pytest
import triptych
from support import imported
from support.stores import select
from triptych.errors import UsageError
from triptych.shards.json_lines import MB, read_lines
from triptych.validators.formats import files


def test_a_line_longer_than_the_limit_is_skipped_alone() -> None:
    data = b"\xef\xbb\xbf" + b"a" * 7 + b"\n\n" + b"b" * 11 + b"\n" + b"c" * 10 + b"\r\n" + b"d" * 5000
    assert list(read_lines(io.BytesIO(data), largest=10)) == [(1, b"a" * 7 + b"\n"), (3, None), (4, None), (5, None)]
    assert list(read_lines(io.BytesIO(data), largest=11))[1:3] == [(3, b"b" * 11 + b"\n"), (4, b"c" * 10 + b"\r\n")]


def test_a_long_line_is_not_kept_in_memory() -> None:
    packed = gzip.compress(bytes(64 * MB), compresslevel=1)
    tracemalloc.start()
    with gzip.open(io.BytesIO(packed)) as stream:
        assert list(read_lines(stream, largest=MB)) == [(1, None)]
    assert tracemalloc.get_traced_memory()[1] < 8 * MB
    tracemalloc.stop()


@pytest.mark.parametrize("format", ["jsonl", "unified"])
def test_an_import_names_the_line_that_is_too_long(tmp_path: Path, format: str) -> None:
    rows = [{"id": f"{number}", "text": "x" * size} for number, size in enumerate((10, 2 * MB, 20))]
    path = imported.table(tmp_path / "t.jsonl", rows)
    values = {"modality": "text"}
    done = triptych.import_data(format, path, name="d", store=tmp_path / "store", max_line_mb=1, values=values)
    assert (done.account.kept, dict(done.account.dropped)) == (2, {"line_too_long": 1})
    [event] = select(tmp_path / "store", "select detail from events")
    assert event["detail"].startswith(f"{path}:2: longer than 1 MB")
    again = triptych.import_data(format, path, name="d", store=tmp_path / "store", values=values)
    assert again.account.kept == 1


def test_a_format_without_lines_takes_no_limit(tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    with pytest.raises(
        UsageError, match=r"import csv does not take .*max_line_mb|import csv does not take .*max-line-mb"
    ):
        triptych.import_data("csv", tmp_path / "t.csv", name="d", store=tmp_path / "store", max_line_mb=1)


def test_a_file_to_validate_has_bounded_lines_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_LINE_MB", 1)
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"text": "x" * 2 * MB}) + '\n{"text": "y"}\n')
    (_, found), (number, row) = files.read_rows(path)
    assert (found.code, number, row) == ("line_too_long", 2, {"text": "y"})
