"""Media in Parquet files beside the tables of their corpus: found by name, read once, and only where it is wanted."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.raws import Stream, read, reasons
from triptych.converters.readers.annotated.embedded import Embedded
from triptych.errors import DamagedError, UsageError

OPTIONS: dict[str, Any] = {
    "tables": [{"file": "rows.csv"}],
    "embedded": {"file": "data/*.parquet", "name": "{clip}_{start:d}.wav", "column": "audio"},
    "media": {"audio": "{clip}_{start}.*"},
    "id": "{clip}_{start}",
    "group": ["clip", "start"],
    "columns": {"captions": "caption"},
}
TABLE = "clip,start,caption\n-a,0,one\n-b,10,other\n-a,0,two\n"


def parquet(rows: Sequence[tuple[str | None, float, bytes | None]], *, groups: int = 100) -> bytes:
    out = io.BytesIO()
    cells = [{"clip": clip, "start": start, "caption": "-", "audio": data and {"bytes": data, "path": "x.flac"}}
             for clip, start, data in rows]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(cells), out, row_group_size=groups)
    return out.getvalue()


def test_a_clip_that_stands_in_many_rows_is_one_sample_with_the_captions_of_the_table() -> None:
    files = {"rows.csv": TABLE, "data/0.parquet": parquet([("-a", 0.0, b"A"), ("-a", 0.0, b"A"), ("-b", 10.0, b"B")]),
             "data/1.parquet": parquet([("-a", 0.0, b"A")])}  # fmt: skip
    candidates, rejections = read("annotated", Stream(files), OPTIONS)
    assert rejections == []
    assert [(c.source_id, c.fields["captions"], c.media[0][1].data) for c in candidates] == [
        ("-a_0", ["one", "two"], b"A"), ("-b_10", ["other"], b"B")
    ]  # fmt: skip
    assert candidates[0].uri == "raw:data/0.parquet#row=0"


def test_rows_without_media_and_media_without_a_row_are_told_apart() -> None:
    files = {"rows.csv": TABLE, "data/0.parquet": parquet([("-a", 0.0, None), ("-x", 1.0, b"X"), (None, 0.0, b"N")])}
    candidates, rejections = read("annotated", Stream(files), OPTIONS)
    assert candidates == []
    assert sorted(reasons(rejections)) == [("-a_0", "no_media"), ("-b_10", "no_media"), ("-x_1.wav", "no_row")]


def test_media_of_rows_that_are_not_wanted_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    whole = Embedded._media

    def noted(self: Embedded, parquet: Any, group: int) -> Any:
        groups.append(group)
        return whole(self, parquet, group)

    monkeypatch.setattr(Embedded, "_media", noted)
    data = parquet([("-a", 0.0, b"A"), ("-b", 10.0, b"B"), ("-a", 0.0, b"A")], groups=1)
    files = {"rows.csv": TABLE, "data/0.parquet": data}
    chosen, _ = read("annotated", Stream(files), OPTIONS, chosen=lambda source_id, config, split: source_id == "-b_10")
    assert [c.source_id for c in chosen] == ["-b_10"] and groups == [1]
    groups.clear()
    listed, _ = read("annotated", Stream(files), OPTIONS, index_only=True)
    assert [c.source_id for c in listed] == ["-a_0", "-b_10"] and groups == []


def test_a_corrupt_file_is_named_and_the_others_are_read() -> None:
    files = {"rows.csv": TABLE, "data/0.parquet": b"PAR1 and no more", "data/1.parquet": parquet([("-b", 10.0, b"B")])}
    candidates, rejections = read("annotated", Stream(files), OPTIONS)
    assert [c.source_id for c in candidates] == ["-b_10"]
    # After damage nobody knows which rows were to have media.
    assert reasons(rejections) == [("data/0.parquet", "corrupt_parquet")] and rejections[0].damaged


def test_another_layout_ends_with_the_columns_that_are_there() -> None:
    options = OPTIONS | {"embedded": {"file": "*.parquet", "name": "{youtube_id}.wav", "column": "sound"}}
    with pytest.raises(DamagedError, match=r"sound, youtube_id; there are clip, start, caption, audio"):
        read("annotated", Stream({"rows.csv": TABLE, "data/0.parquet": parquet([("-a", 0.0, b"A")])}), options)
    with pytest.raises(UsageError, match="embedded"):
        read("annotated", Stream({}), OPTIONS | {"embedded": {"file": "*.parquet"}})
