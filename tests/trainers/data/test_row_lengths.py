"""The lengths of all rows: what is bad is named before anything is decoded, and nothing is measured twice."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from triptych.trainers.data.bad_rows import LeftOut
from triptych.trainers.data.row_lengths import check_rows
from triptych.trainers.data.training_rows import TrainingRows


def test_bad_rows_are_named_and_every_other_has_its_length(rows: TrainingRows, letters: Any) -> None:
    found = check_rows(rows, letters(bad="Who is xxx?"))
    assert found.left_out == (LeftOut("texts/train/03", "too_long", "20 s; 10 s are heard"),)
    place = [row.id for row in rows].index("texts/train/03")
    assert [number for number, tokens in enumerate(found.tokens) if not tokens] == [place]
    sounding = [bool(row.media) for row in rows]
    assert (found.modalities == sounding).all() and ((found.seconds > 0) == sounding).all() and 1 < sum(sounding) < 12
    assert found.of(place) is None
    heard = found.of(sounding.index(True))
    assert heard is not None and heard.modalities == ("audio",) and heard.tokens == found.tokens[sounding.index(True)]


def test_lengths_are_kept_for_the_same_rows_and_encoder(rows: TrainingRows, letters: Any, tmp_path: Path) -> None:
    cache = tmp_path / "run" / "lengths.npz"
    first, again, other = letters(bad="Who is xxx?"), letters(bad="Who is xxx?"), letters(signature="others")
    found = check_rows(rows, first, cache=cache)
    kept = check_rows(rows, again, cache=cache)
    assert len(first.measured) == len(rows) and again.measured == ["texts/train/03"]
    assert (kept.tokens == found.tokens).all() and kept.left_out == found.left_out != ()
    check_rows(rows, other, cache=cache)
    assert len(other.measured) == len(rows)
    cache.write_bytes(cache.read_bytes()[:200])
    again.measured.clear()
    check_rows(rows, again, cache=cache)
    assert len(again.measured) == len(rows)


def test_a_row_that_was_left_out_is_looked_at_again(rows: TrainingRows, letters: Any, tmp_path: Path) -> None:
    cache = tmp_path / "lengths.npz"
    check_rows(rows, letters(bad="Who is xxx?"), cache=cache)
    for measured in (1, 0):  # what was wrong with it has been mended
        mended = letters()
        found = check_rows(rows, mended, cache=cache)
        assert (len(mended.measured), found.left_out) == (measured, ())
    assert (found.tokens == check_rows(rows, letters()).tokens).all()


@pytest.fixture
def counted(published: Path, tmp_path: Path) -> TrainingRows:
    """The version with a budget: the first row is of 50 tokens, the others in ways that an encoder must decide."""
    store = shutil.copytree(published, tmp_path / "store")
    rows = TrainingRows.open("msswift-sft", store=store, allow_held_out=True)
    told = [
        {"id": row.id, "model": "qwen2-audio", "seconds": 0.05, "cut_s": 0.0, "audio_tokens": 2, "image_tokens": 0,
         "video_tokens": 0, "tokens": 50}
        for row in rows
    ]  # fmt: skip
    for row, change in zip(told[1:], ({"tokens": None}, {"tokens": 99}, {"cut_s": 2.0}, {"seconds": 30.0},
                                      {"audio_tokens": None}), strict=False):  # fmt: skip
        row |= change
    pq.write_table(pa.Table.from_pylist(told), rows.reader.version.path / "budget.parquet")
    return rows


def test_what_the_export_counted_for_the_model_is_not_counted_again(counted: TrainingRows, letters: Any) -> None:
    encoder = letters(budget_model="qwen2-audio", max_audio_seconds=10.0)
    found = check_rows(counted, encoder)
    assert encoder.measured == [counted.id_of(number) for number in range(1, 6)]
    assert found.tokens[0] == 50 and found.modalities[0] == 1 and found.tokens[1] != 50
    for other in (letters(), letters(budget_model="qwen3-omni")):
        check_rows(counted, other)
        assert len(other.measured) == len(counted)


@pytest.mark.thorough
def test_worker_processes_measure_the_same(
    rows: TrainingRows, qwen2_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triptych.trainers.data import row_lengths
    from triptych.trainers.sft.encoders import encoder_of

    encoder = encoder_of("qwen2-audio", qwen2_audio)
    here = check_rows(rows, encoder, workers=1)
    monkeypatch.setattr(row_lengths, "_PART", 2)
    there = check_rows(rows, encoder, workers=2)
    assert (here.tokens == there.tokens).all() and (here.modalities == there.modalities).all() and not here.left_out
