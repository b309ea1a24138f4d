"""Spans and channels as the columns of a row state them: every spelling, and what cannot be told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection, RowError
from triptych.converters.imports.formats import FORMATS
from triptych.converters.readers import get_reader
from triptych.converters.readers.tables.stated_span import StatedSpans
from triptych.errors import UsageError

RATE = 8000


def stated(row: Mapping[str, Any], given: Mapping[str, str] | None = None, **options: Any) -> dict[str, Any]:
    """The fields that a row states, in a table of this row alone."""
    spans = StatedSpans(given or {}, **options)
    assert spans.look([row], lambda line: None) is None
    fields, _ = spans.read(row, lambda: float(RATE))
    return fields


SPAN = {"start_s": 1.5, "end_s": 3.5}


@pytest.mark.parametrize(
    "row",
    [
        {"start": 1.5, "end": 3.5},
        {"start": "1.5", "duration": "2"},
        {"offset": 1.5, "duration": 2.0},
        {"offset": 1.5, "dur": 2},
        {"onset": 1.5, "offset": 3.5},
        {"onset": 1.5, "duration": 2.0, "end": None},
        {"begin": 1.5, "end": 3.5, "duration": 9.9},
        {"begin_time": 1.5, "end_time": 3.5},
        {"start_time": "00:00:01.5", "end_time": "00:00:03,500"},
        {"startTime": 1.5, "endTime": 3.5},
        {"Start (s)": 1.5, "End (s)": 3.5},
        {"start_seconds": 1.5, "stop_seconds": 3.5},
        {"start_ms": 1500, "end_ms": "3500"},
        {"start_ms": 1500, "duration_ms": 2000},
        {"Begin Time - ms": 1500, "End Time - ms": 3500},
        {"from": 1.5, "to": 3.5},
        {"tmin": 1.5, "tmax": 3.5},
        {"xmin": 1.5, "xmax": 3.5},
        {"t_start": 1.5, "t_end": 3.5},
        {"segment_start": 1.5, "segment_end": 3.5},
        {"clip_start": 1.5, "clip_duration": 2.0, "audio_duration": 60.0},
        {"audio_start": 1.5, "audio_duration": 2.0},
        {"start_sample": 12000, "end_sample": 28000},
        {"start": 1.5, "length": 2.0},
        {"start_sample": 12000, "num_samples": 16000, "duration": 60.0},
        {"frame_offset": 12000, "num_frames": 16000},
        {"start_s": 1.5, "end_s": 3.5, "start": 0, "end": 60},
        {"start": timedelta(seconds=1.5), "end": timedelta(seconds=3.5)},
        {"starttime": 1.5, "endtime": 3.5},
        {"STARTTIME": 1.5, "ENDTIME": 3.5},
        {"tstart": 1.5, "tend": 3.5},
        {"startms": 1500, "endms": 3500},
        {"start_at": 1.5, "end_at": 3.5},
        {"in_point": 1.5, "out_point": 3.5},
        {"Begin Time - hh:mm:ss.ms": "00:00:01.500", "End Time - hh:mm:ss.ms": "00:00:03.500"},
        {"Begin Time - ss.msec": "1.500", "End Time - ss.msec": "3.500"},
        {"segment": [1.5, 3.5]},
        {"timestamp": "[1.5, 3.5]"},
        {"time_range_ms": [1500, 3500], "segment": "a"},
        {"interval": {"start": 1.5, "end": 3.5}},
        {"start_ns": 1_500_000_000, "duration_us": 2_000_000},
    ],
    ids=lambda row: ",".join(row),
)
def test_every_spelling_of_a_span(row: dict[str, Any]) -> None:
    assert stated(row) == pytest.approx(SPAN)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"start": 1.5}, {"start_s": 1.5}),
        ({"end": 3.5}, {"end_s": 3.5}),
        ({"frame_offset": 12000, "num_frames": -1}, {"start_s": 1.5}),
        ({"start": 1.5, "num_samples": 480000}, {"start_s": 1.5}),
        ({"duration": 3.5}, {}),
        ({"start": None, "end": None, "duration": 3.5}, {}),
        ({"num_frames": 81}, {}),
        ({"from": "alice", "to": "bob"}, {}),
        ({"to": 3}, {}),
        ({"in": 3, "segment": 7, "timestamp": 1620000000.5, "timestamps": [[0, 1], [1, 2]], "span": [3, 9]}, {}),
        ({"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}, {}),
        ({"start_id": 3, "end_char": 5, "starting": 1, "recommend": 2, "start_date": "2021", "channels": 2}, {}),
    ],
    ids=lambda item: ",".join(item),
)
def test_what_is_open_and_what_is_no_span(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert stated(row) == expected


@pytest.mark.parametrize(
    "row",
    [
        {"offset": 1.5},
        {"start": 1.5, "begin": 1.6, "end": 3.5},
        {"start": 1, "end": 2, "offset": 3},
        {"start": 1, "duration": 2, "dur": 3},
        {"start_frame": 30, "end_frame": 60},
    ],
    ids=lambda row: ",".join(row),
)
def test_what_cannot_be_told_apart_is_refused_with_the_way_out(row: dict[str, Any]) -> None:
    fault = StatedSpans({}).look([row], lambda line: None)
    assert fault is not None and "--map" in fault and "=extra" in fault


@pytest.mark.parametrize(
    ("row", "given", "expected"),
    [
        ({"offset": 1.5}, {"offset": "start_s"}, {"start_s": 1.5}),
        ({"start": 7, "end": 9}, {"start": "extra", "end": "extra"}, {}),
        ({"t": 1500, "n": 2000}, {"t": "start_ms", "n": "duration_ms"}, SPAN),
        ({"a": 12000, "b": 28000}, {"a": "start_sample", "b": "end_sample"}, SPAN),
        ({"begin": 1.5, "len": 2}, {"len": "duration_s"}, SPAN),
        ({"start_frame": 30, "start": 1.5, "end": 3.5}, {"start_frame": "extra"}, SPAN),
        ({"side": 2}, {"side": "channel_from_1"}, {"channel": 1}),
        ({"channel": 2}, {"channel": "extra"}, {}),
    ],
    ids=str,
)
def test_a_map_decides(row: dict[str, Any], given: dict[str, str], expected: dict[str, Any]) -> None:
    assert stated(row, given) == pytest.approx(expected)


@pytest.mark.parametrize(
    "row",
    [
        {"start": "soon", "end": 3},
        {"start": 1, "duration": 0},
        {"start": 1, "duration": -1},
        {"start_ms": "00:01", "end_ms": 3},
        {"channel": -1},
    ],
    ids=str,
)
def test_a_value_that_is_no_time_or_channel_is_refused(row: dict[str, Any]) -> None:
    spans = StatedSpans({})
    spans.learn(row)
    with pytest.raises(RowError) as caught:
        spans.read(row, lambda: float(RATE))
    assert caught.value.reason == "bad_value"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1), ("1", 1), (1.0, 1), ("B", 1), ("right", 1), ("A", 0), ([1], 1), ([0, 1], (0, 1)), ("average", None),
    ],
    ids=str,
)  # fmt: skip
def test_every_spelling_of_a_channel(value: Any, expected: Any) -> None:
    for column in ("channel", "channel_selector", "audio_channel", "channelIndex"):
        assert stated({column: value}).get("channel") == expected


def test_a_channel_that_is_no_number_is_text_and_one_counted_from_1_is_asked_for() -> None:
    notes: list[str] = []
    spans = StatedSpans({})
    assert spans.look([{"channel": "iOS"}, {"channel": "Mic"}], notes.append) is None
    assert spans.read({"channel": "iOS"}, lambda: None)[0] == {} and "'iOS' is no channel" in notes[0]
    fault = StatedSpans({}).look([{"channel": 1}, {"channel": 2}], notes.append)
    assert fault is not None and "channel_from_1" in fault
    assert stated({"channel": "b"}, {"channel": "channel_from_1"}) == {"channel": 1}


def test_a_pair_of_columns_that_is_not_read_is_told() -> None:
    notes: list[str] = []
    assert StatedSpans({}).look([{"start_idx": 1, "end_idx": 2, "text": "x"}], notes.append) is None
    assert "--map start_idx=start_s --map end_idx=end_s" in notes[0]
    StatedSpans({}).look([{"start_idx": 1, "end_idx": 2, "start": 0.5, "end": 1.0}], notes.append)
    assert len(notes) == 1


# ---- readers


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`a.wav`: 4 s, two channels."""
    path = tmp_path_factory.mktemp("spans") / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, (4 * RATE, 2)), RATE)
    return path


def raw(path: Path) -> RawFile:
    return RawFile(path.name, path.as_uri(), "", None, lambda: path.open("rb"), path=path)


def read(format: str, path: Path, **given: str) -> list[Candidate | Rejection]:
    """What the reader of a format makes of a file; `given` is the mapping of its columns."""
    context = ReadContext("mine", path=path, format=format, columns=given)
    return list(get_reader(FORMATS[format].reader).read(iter([raw(path)]), context))


def one(format: str, sound: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the only row of a JSON file."""
    path = sound.parent / f"{format}.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    [found] = read(format, path)
    assert isinstance(found, Candidate), found
    return found.fields


TURNS = [{"role": "user", "content": "<audio>What?"}, {"role": "assistant", "content": "That."}]
ROWS: dict[str, dict[str, Any]] = {
    "jsonl": {"audio": "a.wav", "text": "x"},
    "unified": {"audio": "a.wav", "text": "x"},
    "msswift": {"audios": ["a.wav"], "messages": TURNS},
    "conversation": {"audio": "a.wav", "conversations": TURNS},
    "alpaca": {"audio": "a.wav", "instruction": "What?", "output": "That."},
    "qa": {"audio": "a.wav", "question": "What?", "answer": "That."},
    "nemo": {"audio_filepath": "a.wav", "text": "x"},
}


@pytest.mark.parametrize("format", ROWS)
def test_every_reader_of_rows_takes_a_span_by_its_length(format: str, sound: Path) -> None:
    sample = one(format, sound, ROWS[format] | {"offset": 1.5, "duration": 2.0, "note": "kept"})
    assert (sample["start_s"], sample["end_s"]) == (1.5, 3.5)
    assert sample["extra"]["note"] == "kept" and "offset" not in sample["extra"]


@pytest.mark.parametrize("format", ["jsonl", "unified", "nemo", "msswift", "qa"])
def test_every_reader_of_rows_takes_a_channel(format: str, sound: Path) -> None:
    sample = one(format, sound, ROWS[format] | {"channel_selector": 1})
    assert sample["channel"] == 1


def test_the_channel_of_a_training_row_is_one_of_the_loss(sound: Path) -> None:
    sample = one("msswift", sound, ROWS["msswift"] | {"channel": "chat"})
    assert "channel" not in sample and sample["extra"]["channel"] == "chat"


def test_made_ids_differ_by_span_and_channel(sound: Path) -> None:
    path = sound.parent / "ids.csv"
    path.write_text(
        "audio,start,duration,channel\na.wav,0,1,0\na.wav,0,1,1\na.wav,0.25,1.75,\na.wav,,,\na.wav,3,,\na.wav,3,,\n"
    )
    found = [item.source_id for item in read("csv", path) if isinstance(item, Candidate)]
    assert found == ["a@0-1@ch0", "a@0-1@ch1", "a@0.25-2", "a", "a@3-", "a@3-#2"]


def test_samples_are_counted_at_the_rate_of_the_file(sound: Path) -> None:
    sample = one("jsonl", sound, {"audio": "a.wav", "frame_offset": RATE, "num_frames": RATE // 2, "text": "x"})
    assert (sample["start_s"], sample["end_s"]) == (1.0, 1.5)


def test_columns_that_cannot_be_told_apart_stop_the_table_and_a_late_row_only_itself(sound: Path) -> None:
    path = sound.parent / "two.csv"
    path.write_text("audio,text,offset\na.wav,x,1\n")
    with pytest.raises(UsageError, match="--map offset=start_s"):
        read("csv", path)
    [found] = read("csv", path, offset="extra")
    assert isinstance(found, Candidate) and found.fields["extra"] == {"offset": "1"} and "start_s" not in found.fields
    late = [{"audio": "a.wav", "text": str(n)} for n in range(200)] + [{"audio": "a.wav", "offset": 1.0}]
    path = sound.parent / "late.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in late))
    refused = [item for item in read("jsonl", path) if isinstance(item, Rejection)]
    assert [item.reason for item in refused] == ["ambiguous_span"]


@pytest.mark.parametrize(
    ("format", "row"),
    [
        ("jsonl", {"audio": {"path": "a.wav", "start": 1.0, "end": 2.0}, "text": "x"}),
        ("qa", {"audio": {"path": "a.wav", "offset": 1.0, "duration": 2.0}, "question": "?", "answer": "!"}),
        ("msswift", {"messages": [
            {"role": "user", "content": [{"type": "video", "video": "v.mp4", "video_start": 0.0, "video_end": 5.0}]},
            {"role": "assistant", "content": "That."},
        ]}),
    ],
)  # fmt: skip
def test_a_span_inside_a_medium_is_refused(format: str, row: dict[str, Any], sound: Path) -> None:
    path = sound.parent / "inside.jsonl"
    path.write_text(json.dumps(row) + "\n")
    [refused] = read(format, path)
    assert isinstance(refused, Rejection) and refused.reason == "span_unsupported"


def test_keys_of_a_sidecar_state_a_span_together(sound: Path) -> None:
    beside = sound.with_suffix(".json")
    beside.write_text(json.dumps({"text": "x", "start": 1.5, "duration": 2.0, "channel": "B"}), encoding="utf-8")
    [found] = get_reader("sidecar").read(map(raw, (sound, beside)), ReadContext("mine"))
    assert isinstance(found, Candidate)
    assert {name: found.fields[name] for name in (*SPAN, "channel")} == SPAN | {"channel": 1}
    assert found.fields["extra"] == {"channel": "B", "duration": "2.0"}


def test_times_of_a_chunk_are_those_of_its_utterance(sound: Path) -> None:
    row = {"audio": "a.wav", "text": "x", "begin_time": 9.0, "end_time": 12.0}
    assert "start_s" not in one("termchunks", sound, row)
    fields = one("termchunks", sound, row | {"offset": 1.5, "duration": 2.0})
    assert (fields["start_s"], fields["end_s"]) == (1.5, 3.5)
