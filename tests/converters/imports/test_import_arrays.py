"""Tables as `datasets` writes them: sound as its samples, lists of objects as objects of lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import triptych
from support.imported import bring_in
from support.stores import select
from triptych.errors import UsageError


def test_sound_that_a_table_holds_as_its_samples_is_stored_unchanged(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 400).astype(np.float32)
    one = {"array": samples.tolist(), "sampling_rate": 8000, "path": "said.mp3"}
    two = {"array": [samples.tolist(), [0.0] * 400], "sampling_rate": 16000, "path": None}
    words = {"text": ["he", "llo"], "start_s": [0.0, 0.02], "end_s": [0.02, 0.04]}
    rows = [{"audio": one, "text": "a", "words": words}, {"audio": two, "text": "b"}]
    store = bring_in(tmp_path / "store", "mine", rows, tmp_path)
    first, second = select(store, "select audio, audio_file, words from samples order by text")
    assert [row["audio"]["sample_rate"] for row in (first, second)] == [8000, 16000]
    assert np.array_equal(soundfile.read(first["audio_file"], dtype="float32")[0], samples)
    assert np.array_equal(soundfile.read(second["audio_file"], dtype="float32")[0][:, 0], samples)
    assert first["words"] == [
        {"text": "he", "start_s": 0.0, "end_s": 0.02},
        {"text": "llo", "start_s": 0.02, "end_s": 0.04},
    ]


def test_what_are_no_samples_is_refused(tmp_path: Path) -> None:
    odd: list[dict[str, Any]] = [
        {"array": [0.1], "sampling_rate": None},
        {"array": ["a"], "sampling_rate": 8000},
        {"array": [], "sampling_rate": 8000},
        {"array": [[0.1], [0.1, 0.2]], "sampling_rate": 8000},
    ]
    path = tmp_path / "odd.jsonl"
    path.write_text("".join(json.dumps({"audio": audio, "text": "x"}) + "\n" for audio in odd))
    triptych.import_data("jsonl", path, name="mine", store=tmp_path / "store")
    assert [row["reason"] for row in select(tmp_path / "store", "select reason from events")] == ["bad_value"] * 4


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    columns = [pa.array(["/a.wav"]), pa.array(["one"]), pa.array(["two"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["audio", "text", "text"]), tmp_path / "twice.parquet")
    with pytest.raises(UsageError, match="duplicate column name"):
        triptych.import_data("parquet", tmp_path / "twice.parquet", name="mine", store=tmp_path / "store")
