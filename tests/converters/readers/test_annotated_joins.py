"""Tables that are joined to others, records inside records, and spans of long recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.raws import BASIC, Stream, read, reasons, tree
from triptych.converters.candidate import RawFile

# ---- joined tables and nested records


def test_a_table_is_joined_per_split_and_its_media_waits_for_it() -> None:
    options = {
        "tables": [
            {"file": "clotho_captions_{split}.csv"},
            {"file": "clotho_metadata_{split}.csv", "join": "file_name", "encoding": "iso-8859-1"},
        ],
        "media": {"audio": "{split}/{file_name}"},
        "id": "{file_name|stem}",
        "columns": {"captions": ["caption_1", "caption_2"], "labels": {"column": "keywords", "split": ";"}},
    }
    files = Stream(
        {
            "development/a.wav": b"A",
            "clotho_captions_development.csv": "file_name,caption_1,caption_2\na.wav,x,y\n",
            "clotho_captions_evaluation.csv": "file_name,caption_1,caption_2\na.wav,z,\n",
            "clotho_metadata_development.csv": b"file_name,keywords,manufacturer\na.wav,rain;wind,Jos\xe9\n",
            "evaluation/a.wav": b"B",
            "clotho_metadata_evaluation.csv": "file_name,keywords,manufacturer\na.wav,bell,M\n",
        }
    )
    candidates, rejections = read("annotated", files, options)
    assert rejections == []
    assert [(c.split, c.fields["captions"], c.fields["labels"], c.media[0][1].data) for c in candidates] == [
        ("development", ["x", "y"], ["rain", "wind"], b"A"),
        ("evaluation", ["z"], ["bell"], b"B"),
    ]
    assert candidates[0].fields["extra"] == {"file_name": "a.wav", "manufacturer": "José"}


def test_a_table_that_never_comes_is_one_rejection_not_one_a_row() -> None:
    options = {**BASIC, "tables": [{"file": "rows.csv"}, {"file": "meta.csv", "join": "path"}]}
    media = {f"clips/{n}.wav": b"A" for n in range(5)}
    table = "path,sentence\n" + "".join(f"{n}.wav,x\n" for n in range(5))
    for files in ({"rows.csv": table, **media}, {"meta.csv": "path\n", **media}):
        candidates, rejections = read("annotated", Stream(files), options)
        assert candidates == []
        assert [(r.reason, r.damaged) for r in rejections] == [("no_table", True)]
    optional = {**options, "tables": [{"file": "rows.csv"}, {"file": "meta.csv", "join": "path", "optional": True}]}
    assert len(read("annotated", Stream({"rows.csv": table, **media}), optional)[0]) == 5


def test_msrvtt_sentences_are_joined_to_their_videos_out_of_one_file() -> None:
    document = {
        "videos": [
            {"video_id": "video0", "category": 9, "start time": 1.5, "end time": 5.0, "split": "validate", "url": "u"}
        ],
        "sentences": [
            {"sen_id": 1, "video_id": "video0", "caption": "a"},
            {"sen_id": 7, "video_id": "video9", "caption": "lost"},
            {"sen_id": 2, "video_id": "video0", "caption": "b"},
        ],
    }
    options = {
        "tables": [
            {"file": "MSRVTT_data.json", "records": "sentences"},
            {"file": "MSRVTT_data.json", "records": "videos", "join": "video_id"},
        ],
        "media": {"video": "{video_id}.mp4"},
        "id": "video_id",
        "group": ["video_id"],
        "split": {"column": "split", "map": {"validate": "val"}},
        "columns": {
            "captions": "caption",
            "labels": {"column": "category", "names": [*"abcdefghi", "vehicles"]},
            "extra": {"clip_start_s": "start time"},
        },
    }
    files = Stream({"MSRVTT_data.json": json.dumps(document), "all/video0.mp4": b"V"})
    [candidate], rejections = read("annotated", files, options)
    assert (candidate.source_id, candidate.split) == ("video0", "val")
    assert (candidate.fields["captions"], candidate.fields["labels"]) == (["a", "b"], ["vehicles"])
    assert candidate.fields["extra"]["clip_start_s"] == "1.5"
    assert reasons(rejections) == [("video9", "no_media")]


def test_segments_inside_a_long_recording_keep_their_spans() -> None:
    document = {
        "audios": [
            {
                "aid": "POD1",
                "path": "audio/podcast/P0001/POD1.opus",
                "segments": [
                    {
                        "sid": "POD1_S1",
                        "begin_time": 0.5,
                        "end_time": 2.0,
                        "text_tn": "YES <COMMA> NO",
                        "speaker": "N/A",
                    },
                    {"sid": "POD1_S2", "begin_time": 3, "end_time": 2, "text_tn": "BACKWARDS"},
                ],
            }
        ]
    }
    options = {
        "tables": [{"file": "GigaSpeech.json", "records": "audios", "rows": {"each": "segments"}}],
        "media": {"audio": "{path}"},
        "id": "sid",
        "columns": {
            "text": "text_tn",
            "start_s": "begin_time",
            "end_s": "end_time",
            "speaker": {"column": "speaker", "drop": "N/A"},
        },
    }
    files = Stream({"GigaSpeech.json": json.dumps(document), "audio/podcast/P0001/POD1.opus": b"O"})
    [candidate], rejections = read("annotated", files, options)
    fields = {name: value for name, value in candidate.fields.items() if name != "extra"}
    assert fields == {"text": "YES <COMMA> NO", "start_s": 0.5, "end_s": 2.0}
    assert [r.reason for r in rejections] == ["bad_value"]


@pytest.mark.parametrize(
    ("document", "entry", "identity", "expected"),
    [
        (
            {"v": {"start": [0, 2.5], "end": [1, 3], "text": ["a", "b"]}},
            {"rows": {"parallel": ["start", "end", "text"]}},
            "{key}_{index}",
            [("v_0", "a"), ("v_1", "b")],
        ),
        (
            {"v": {"domain": "d", "task0": {"text": "a"}, "task1": {"text": "b"}}},
            {"rows": {"siblings": "task"}},
            "{key}",
            [("task0", "a"), ("task1", "b")],
        ),
        (
            {"v": {"en": ["a"], "zh": ["b"]}},
            {"rows": {"languages": {"en": "en", "zh": "zh"}}},
            "{key}_{language}",
            [("v_en", "a"), ("v_zh", "b")],
        ),
    ],
)
def test_nested_records_become_rows(document: Any, entry: Any, identity: str, expected: list[tuple[str, str]]) -> None:
    options = {
        "tables": [{"file": "t.json", "keyed": "key", **entry}],
        "media": {"video": "{key}.*"},
        "id": identity,
        "columns": {"text": {"try": ["text", {"column": "captions", "item": 0}]}},
    }
    candidates, rejections = read("annotated", Stream({"t.json": json.dumps(document), "v.webm": b"V"}), options)
    assert rejections == []
    assert [(c.source_id, c.fields["text"]) for c in candidates] == expected


# ---- corpora as they are unpacked


@pytest.mark.shared
def test_clotho_as_it_is_unpacked(shared: Path) -> None:
    options = {
        "tables": [{"file": "clotho_captions_{split}.csv"}],
        "media": {"audio": "{split}/{file_name}"},
        "id": "{file_name|stem}",
        "columns": {"captions": [f"caption_{n}" for n in range(1, 6)]},
        "missing_media": "ignore",
    }
    candidates, rejections = read("annotated", tree(shared / "media/clotho"), options)
    assert rejections == []
    assert [(c.source_id, c.split, len(c.fields["captions"])) for c in candidates] == [
        ("01 barreau bunker original", "evaluation", 5),
        ("02-Bakken_Rollercoaster", "evaluation", 5),
        ("Flipping Pages", "evaluation", 5),
        ("Tenerife_bazaar_2", "evaluation", 5),
    ]
    assert candidates[0].fields["captions"][4] == "Five different sounding bells are ringing between short pauses."


@pytest.mark.shared
def test_meld_rows_have_curly_quotes_straightened_and_clock_times_in_seconds(shared: Path) -> None:
    folder = shared / "media/annotations_only/MELD/data/MELD"
    table = folder / "train_sent_emo.csv"
    raw = RawFile(table.name, table.as_uri(), "r", table.stat().st_size, lambda: table.open("rb"), path=table)
    options = {
        "tables": [{"file": "{split}_sent_emo.csv"}],
        "media": {"video": "dia{Dialogue_ID}_utt{Utterance_ID}.mp4"},
        "id": "dia{Dialogue_ID}_utt{Utterance_ID}",
        "columns": {
            "text": {"column": "Utterance", "as": "straight_quotes"},
            "labels": ["Emotion", "Sentiment"],
            "extra": {"clip_start_s": {"column": "StartTime", "as": "time"}},
        },
    }
    media = Stream({"train_splits/dia0_utt1.mp4": b"V"})
    candidates, _ = read("annotated", [raw, *media], {**options, "missing_media": "ignore"})
    [candidate] = candidates
    assert (candidate.source_id, candidate.split) == ("dia0_utt1", "train")
    assert candidate.fields["text"] == "You must've had your hands full."
    extra = candidate.fields["extra"]
    assert extra["Utterance"] == "You must’ve had your hands full."
    assert extra["clip_start_s"] == "981.94"
