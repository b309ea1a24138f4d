"""Tables of the reader `annotated` other than CSV and lists: lines of columns, single records, tagged segments."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.raws import Stream, read, reasons
from triptych.converters.candidate import RowError
from triptych.converters.readers.annotated.nested_rows import get_layout
from triptych.errors import UsageError

LINES: dict[str, Any] = {
    "tables": [{"file": "trans.txt", "format": "lines", "header": ["id", "text"]}],
    "media": {"audio": "{id}.wav"},
    "id": "id",
    "columns": {"text": {"column": "text", "optional": True}},
}


def test_lines_have_tabs_or_spaces_between_their_columns_and_the_last_takes_the_rest() -> None:
    table = "\ufeffa\thello  there\nb   two words \n\nc\n"
    candidates, rejections = read(
        "annotated", Stream({"trans.txt": table, "a.wav": "", "b.wav": "", "c.wav": ""}), LINES
    )
    assert [(each.source_id, each.fields.get("text")) for each in candidates] == [
        ("a", "hello  there"), ("b", "two words"), ("c", None),
    ]  # fmt: skip
    assert rejections == []


def test_a_line_that_is_no_utf_8_is_rejected_and_the_next_is_read() -> None:
    files = {"trans.txt": b"a \xff\xfe\nb fine\n", "b.wav": b""}
    candidates, rejections = read("annotated", Stream(files), LINES)
    assert [each.fields["text"] for each in candidates] == ["fine"]
    assert reasons(rejections) == [("trans.txt:1", "not_utf8")]


def test_a_json_of_one_record_joins_the_media_beside_it() -> None:
    options = {
        "tables": [{"file": "{id}.json", "single": True, "join": "id"}],
        "media": {"audio": "{id}.flac"},
        "id": "id",
        "columns": {"speaker": "speaker"},
    }
    files = {"x.flac": b"1", "x.json": json.dumps({"speaker": "7", "snr": 3.5}), "y.flac": b"2",
             "y.json": json.dumps({"speaker": "8"})}  # fmt: skip
    candidates, rejections = read("annotated", Stream(files), options)
    assert [(each.source_id, each.fields["speaker"]) for each in candidates] == [("x", "7"), ("y", "8")]
    assert candidates[0].fields["extra"] == {"snr": "3.5"}
    assert rejections == []


def test_tagged_segments_are_a_row_for_each_tag() -> None:
    expand = get_layout({"tagged": {"each": "segments", "tags": "subsets", "as": "subset"}})
    record = {"aid": "A", "segments": [{"sid": 1, "subsets": ["{XL}", "{S}", "{XL}"]}, {"sid": 2, "subsets": []}]}
    assert [(row["sid"], row["subset"], row["aid"], row["index"]) for row in expand(record)] == [
        (1, "xl", "A", 0), (1, "s", "A", 0),
    ]  # fmt: skip
    with pytest.raises(RowError, match="a list of tags"):
        list(expand({"segments": [{"subsets": "XL"}]}))
    with pytest.raises(UsageError, match="takes each, tags and as"):
        get_layout({"tagged": {"each": "segments"}})


def test_the_members_of_an_object_are_rows() -> None:
    expand = get_layout({"members": {"each": "text", "key": "utterance", "value": "text"}})
    assert list(expand({"audio_id": "v", "text": {"v-1": "One", "v-2": "Two"}})) == [
        {"index": 0, "audio_id": "v", "utterance": "v-1", "text": "One"},
        {"index": 1, "audio_id": "v", "utterance": "v-2", "text": "Two"},
    ]
    with pytest.raises(RowError, match="an object"):
        list(expand({"text": ["One"]}))
    with pytest.raises(UsageError, match="takes each, key and value"):
        get_layout({"members": {"each": "text"}})


STM = {"tables": [{"file": "*.stm", "format": "stm"}], "media": {"audio": "{recording}.wav"}, "id": "{row}",
       "columns": {"text": "text", "start_s": "start", "end_s": "end", "extra": {"label": "label"}},
       "aside": ["label", "recording", "channel", "speaker", "row"]}  # fmt: skip


def test_segment_time_marks_with_and_without_a_label() -> None:
    marks = [b";; a comment", b"", b"a 1 s 0 1.5 <o,f0,male> <unk> one", b"a A s 1.5 2 <F0_F> two", b"a 1 s 2 3 <unk>",
             b"a 1 s 3 4", b"a 1 s 4", b"a 1 s x 5 six", b"a 1 s 5 6 \xff", b"a 1 s 6 7 <NA> <unk> because",
             b"a 1 s 7 8 <NA>", b"a 1 s 8 9 < NA, 2"]  # fmt: skip
    candidates, rejections = read("annotated", Stream({"x.stm": b"\n".join(marks), "a.wav": b""}), STM)
    found = [(each.fields.get("text"), each.fields.get("extra")) for each in candidates]
    assert found == [("<unk> one", {"label": "o,f0,male"}), ("two", {"label": "F0_F"}), ("<unk>", None), (None, None),
                     ("<unk> because", None), (None, None), ("< NA, 2", None)]  # fmt: skip
    assert reasons(rejections) == [("x.stm:7", "bad_row"), ("x.stm:8", "bad_row"), ("x.stm:9", "not_utf8")]


def test_words_of_a_table_are_one_text_or_none() -> None:
    table = {"file": "{id}.csv", "gather": {"text": ["before", "word", "after"]}}
    options = {"tables": [table], "media": {"audio": "{id}.wav"}, "id": "id", "columns": {"text": "text"}}
    words = b"word,before,after,who\nhello,(,),A\n,,,B\nall,,.,\n"
    files = {"a.csv": words, "a.wav": b"", "b.csv": words + b"one,two,three,four,five\n", "b.wav": b""}
    candidates, rejections = read("annotated", Stream(files), options)
    assert [(each.source_id, each.fields) for each in candidates] == [
        ("a", {"text": "(hello) all.", "extra": {"who": '["A", "B", null]'}})
    ]
    assert ("b.csv", "bad_row") in reasons(rejections)
    for wrong in ("text", {"text": []}, {}):
        with pytest.raises(UsageError):
            read("annotated", Stream({}), {**options, "tables": [{**table, "gather": wrong}]})
    with pytest.raises(UsageError, match="there is no column before"):
        read("annotated", Stream({"a.csv": b"word,after\nhello,.\n", "a.wav": b""}), options)


def test_values_inside_columns_name_media_and_fields() -> None:
    options = {"tables": [{"file": "cuts.jsonl"}], "media": {"audio": "{recording.id}.wav"}, "id": "id",
               "columns": {"text": "supervisions.0.texts.0"}, "length": "recording.duration"}  # fmt: skip
    cut = {
        "id": "c",
        "recording": {"id": "a", "duration": 2.5, "rate": 8000},
        "supervisions": [{"texts": ["One", "ONE"]}],
    }
    candidates, _ = read("annotated", Stream({"cuts.jsonl": json.dumps(cut), "a.wav": b""}), options)
    assert [(each.fields["text"], each.length_s) for each in candidates] == [("One", 2.5)]
    assert candidates[0].fields["extra"]["supervisions"] == '[{"texts": [null, "ONE"]}]'


def test_a_conversation_is_a_row_for_each_answer() -> None:
    expand = get_layout({"turns": "said"})
    said = [("system", "Be brief."), ("human", "Why?"), ("gpt", "Heat."), ("human", "Where?"), ("gpt", "Here.")]
    record = {"id": 7, "said": [{"from": role, "value": text} for role, text in said]}
    assert list(expand(record)) == [
        {"id": 7, "index": 0, "system": "Be brief.", "asked": "Why?", "answered": "Heat."},
        {"id": 7, "index": 1, "system": "Be brief.", "asked": "Where?", "answered": "Here."},
    ]
    for broken in (record["said"][:2], record["said"][2:], record["said"][:1], []):
        with pytest.raises(RowError, match="column 'said'"):
            list(expand({"said": broken}))
    with pytest.raises(UsageError, match="takes the name of the conversation"):
        get_layout({"turns": ["said"]})


def test_media_of_a_wanted_row_is_read_though_a_row_of_another_split_has_it_too() -> None:
    options = {
        "tables": [{"file": "t.tsv"}],
        "media": {"audio": "{session}.ogg"},
        "id": "id",
        "split": {"column": "split", "only": ["train"]},
        "columns": {},
    }
    files = {"t.tsv": "id\tsession\tsplit\n1\ts\tinvalid\n2\ts\ttrain\n", "s.ogg": b"sound"}
    candidates, rejections = read("annotated", Stream(files), options)
    assert [each.source_id for each in candidates] == ["2"]
    assert rejections == []


def test_a_configuration_keeps_its_case() -> None:
    options = {
        "tables": [{"file": "{source}_{target}.tsv"}],
        "media": {"audio": "{path}"},
        "id": "path",
        "config": "{source}_{target}",
        "columns": {},
    }
    files = {"zh-CN_en.tsv": "path\nx.wav\n", "x.wav": b"sound"}
    [candidate], _ = read("annotated", Stream(files), options)
    assert candidate.config == "zh-CN_en"


def test_media_of_an_unwanted_split_is_not_read_though_its_path_does_not_say_it() -> None:
    options = {"tables": [{"file": "data/{id}.txt", "format": "lines", "set": {"split": "train"}},
                          {"file": "legacy/{split}/{id}.txt", "format": "lines"}],
               "media": {"audio": ["data/{id}.wav", "legacy/{split}/{id}.wav"]},
               "media_splits": {"data/{id}.wav": "train"},
               "id": "id", "columns": {"text": "text"}}  # fmt: skip
    files = Stream({"data/a.wav": b"1", "data/a.txt": b"a one", "legacy/dev/b.wav": b"2", "legacy/dev/b.txt": b"b two"})
    candidates, rejections = read("annotated", files, options, wants=lambda split: split == "dev")
    assert ([each.source_id for each in candidates], rejections) == (["b"], [])
    assert sorted(files.opened) == ["legacy/dev/b.txt", "legacy/dev/b.wav"]
    with pytest.raises(UsageError, match="is not a template of `media`"):
        read("annotated", Stream({}), {**options, "media_splits": {"data/{name}.wav": "train"}})
