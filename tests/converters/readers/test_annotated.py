"""The reader of tables beside media: every option on small made corpora, and every oddity met in real ones."""

from __future__ import annotations

import bz2
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.natives import unpacked
from support.raws import Stream, read, reasons, tree
from triptych.converters.candidate import RawFile, Remote
from triptych.errors import DamagedError, UsageError

BASIC: dict[str, Any] = {
    "tables": [{"file": "rows.csv"}],
    "media": {"audio": "clips/{path}"},
    "id": "{path|stem}",
    "columns": {"text": "sentence"},
}


def table_rows(table: bytes | str, entry: dict[str, Any], columns: dict[str, Any], name: str = "rows.csv") -> Any:
    """The candidates of one table whose column `path` names a media file."""
    names = [f"clips/{n}.wav" for n in range(9)]
    options = {**BASIC, "tables": [{"file": name, **entry}], "columns": columns}
    return read(
        "annotated", Stream({name: table, **dict.fromkeys(names, b"sound")}), {**options, "extra_media": "ignore"}
    )


# ---- media and their rows


def test_rows_meet_their_media_in_the_order_of_the_media() -> None:
    files = Stream(
        {"rows.csv": "path,sentence,age\na.wav,first,30\nb.wav,second,\n", "clips/b.wav": b"B", "clips/a.wav": b"A"}
    )
    candidates, rejections = read("annotated", files, BASIC)
    assert rejections == []
    assert [(c.source_id, c.fields["text"], c.media[0][1].data) for c in candidates] == [
        ("b", "second", b"B"),
        ("a", "first", b"A"),
    ]
    assert candidates[1].fields["extra"] == {"path": "a.wav", "age": "30"}
    assert (candidates[0].uri, candidates[0].where, candidates[0].revision) == (
        "raw:clips/b.wav",
        "raw:rows.csv:3",
        "r1",
    )


def test_media_before_its_table_waits_for_it(tmp_path: Path) -> None:
    files = Stream(
        {
            "clips/a.wav": b"A",
            "clips/c.wav": b"C",
            "rows.csv": "path,sentence\na.wav,one\nb.wav,two\n",
            "clips/b.wav": b"B",
        }
    )
    candidates, rejections = read("annotated", files, BASIC, spool=tmp_path)
    assert [(c.source_id, c.media[0][1].data) for c in candidates] == [("a", b"A"), ("b", b"B")]
    assert reasons(rejections) == [("clips/c.wav", "no_row")]
    assert list(tmp_path.iterdir()) == []


def test_media_of_the_users_own_is_kept_for_a_table_that_comes_later(tmp_path: Path) -> None:
    options = {"tables": [{"file": "{set}.csv"}], "media": {"audio": "{file}"}, "id": "{set}_{id}", "columns": {}}
    files = {"M/1.wav": b"1", "a.csv": b"id,file\n0,M/1.wav\n1,m/2.wav\n", "m/2.wav": b"2", "m/3.wav": b"3",
             "z.csv": b"id,file\n0,m/2.wav\n1,M/1.wav\n"}  # fmt: skip
    candidates, rejections = read("annotated", tree(unpacked(tmp_path, files)), options)
    assert sorted((each.source_id, each.media[0][1].path.name) for each in candidates if each.media[0][1].path) == [
        ("a_0", "1.wav"), ("a_1", "2.wav"), ("z_0", "2.wav"), ("z_1", "1.wav"),
    ]  # fmt: skip
    assert [(each.reason, each.candidate) for each in rejections] == [("no_row", "m/3.wav")]


def test_rows_without_media_and_media_without_a_row_are_rejected_by_name() -> None:
    files = Stream({"rows.csv": "path,sentence\na.wav,one\nb.wav,two\n", "clips/a.wav": b"A", "clips/x.wav": b"X"})
    candidates, rejections = read("annotated", files, BASIC)
    assert [c.source_id for c in candidates] == ["a"]
    assert reasons(rejections) == [("clips/x.wav", "no_row"), ("b", "no_media")]


def test_the_card_may_pass_over_extra_and_missing_media_with_a_count() -> None:
    notes: list[str] = []
    options = {**BASIC, "extra_media": "ignore", "missing_media": "ignore"}
    files = Stream({"rows.csv": "path,sentence\nb.wav,two\n", "clips/x.wav": b"X", "clips/y.wav": b"Y"})
    assert read("annotated", files, options, note=notes.append) == ([], [])
    assert notes == ["2 media files without a row were skipped", "1 rows without media were skipped"]


def test_files_that_are_neither_table_nor_media_are_never_opened() -> None:
    files = Stream(
        {"README.md": "x", "clips/._a.wav": b"", "rows.csv": "path,sentence\na.wav,one\n", "clips/a.wav": b"A"}
    )
    read("annotated", files, BASIC)
    assert files.opened == ["rows.csv", "clips/a.wav"]


def test_several_questions_share_one_file() -> None:
    table = "video_name,question_id,question\nv_x,v_x_1,who\nv_x,v_x_2,where\n"
    options = {
        "tables": [{"file": "q.csv"}],
        "media": {"video": "v_{video_name}.*"},
        "id": "question_id",
        "columns": {"question": "question"},
    }
    files = Stream({"q.csv": table, "all_test/v_v_x.MKV": b"V"})
    candidates, rejections = read("annotated", files, options)
    assert (rejections, files.opened) == ([], ["q.csv", "all_test/v_v_x.MKV"])
    assert [(c.source_id, c.fields["question"]) for c in candidates] == [("v_x_1", "who"), ("v_x_2", "where")]
    first, second = (c.media[0][1] for c in candidates)
    assert first.data == second.data == b"V"
    assert first.shared is second.shared is not None


def test_captions_of_one_clip_become_one_sample_by_group() -> None:
    table = "audiocap_id,youtube_id,start_time,caption\n1,-a,10,one\n2,-b,0,other\n3,-a,10,two\n"
    options = {
        "tables": [{"file": "test.csv"}],
        "media": {"audio": "{youtube_id}_{start_time}.wav"},
        "id": "{youtube_id}_{start_time}",
        "group": ["youtube_id", "start_time"],
        "columns": {"captions": "caption"},
    }
    candidates, rejections = read(
        "annotated", Stream({"test.csv": table, "-a_10.wav": b"A", "-b_0.wav": b"B"}), options
    )
    assert rejections == []
    assert [(c.source_id, c.fields["captions"]) for c in candidates] == [("-a_10", ["one", "two"]), ("-b_0", ["other"])]
    assert candidates[0].fields["extra"] == {"audiocap_id": '["1", "3"]', "youtube_id": "-a", "start_time": "10"}


def test_audio_and_video_of_one_row_make_a_pair() -> None:
    options = {
        "tables": [{"file": "meta.csv", "join": {"on": "id", "with": "speaker"}, "skip_initial_space": True}],
        "media": {"video": "{split}/mp4/{speaker}/{talk}/{utt}.mp4", "audio": "{split}/aac/{speaker}/{talk}/{utt}.m4a"},
        "optional_media": ["audio"],
        "id": "{speaker}/{talk}/{utt}",
        "columns": {"speaker": "speaker", "labels": {"column": "gender", "strip": True}},
    }
    files = Stream(
        {
            "dev/aac/id01/-yt/00001.m4a": b"A1",
            "dev/aac/id01/-yt/00002.m4a": b"A2",
            "meta.csv": "id, gender\nid01, f \nid02, m\n",
            "dev/mp4/id01/-yt/00001.mp4": b"V1",
            "test/mp4/id02/yy/00001.mp4": b"V2",
        }
    )
    candidates, rejections = read("annotated", files, options)
    found = [
        (c.source_id, c.split, [(kind, blob.data) for kind, blob in c.media], c.fields["labels"]) for c in candidates
    ]
    assert found == [
        ("id01/-yt/00001", "dev", [("video", b"V1"), ("audio", b"A1")], ["f"]),
        ("id02/yy/00001", "test", [("video", b"V2")], ["m"]),
    ]
    assert reasons(rejections) == [("id01/-yt/00002", "no_media")]


def test_without_tables_the_parts_of_a_path_are_the_row() -> None:
    options = {"media": {"video": "{split}/{label}/v_{name}.avi"}, "id": "{name}", "columns": {"labels": "label"}}
    [candidate], _ = read("annotated", Stream({"UCF/train/YoYo/v_YoYo_g01_c02.avi": b"V"}), options)
    assert (candidate.source_id, candidate.split, candidate.fields["labels"]) == ("YoYo_g01_c02", "train", ["YoYo"])
    assert candidate.fields["extra"] == {"name": "YoYo_g01_c02"}


def test_a_template_takes_paths_with_folders_base_names_and_any_case() -> None:
    table = "wav,sentence\n/home/lab/data/F0003_0_cough.wav,x\nsub/dir/b.wav,y\n"
    options = {
        **BASIC,
        "tables": [{"file": "rows.csv"}],
        "media": {"audio": ["{wav}", "{wav|base}"]},
        "id": "{wav|stem}",
        "ignore_case": True,
    }
    files = Stream({"rows.csv": table, "audio/f0003_0_cough.wav": b"1", "sub/dir/b.wav": b"2", "other/b.wav": b"3"})
    candidates, rejections = read("annotated", files, options)
    assert reasons(rejections) == [("other/b.wav", "duplicate_media")]
    assert [(c.source_id, c.media[0][1].data) for c in candidates] == [("F0003_0_cough", b"1"), ("b", b"2")]


def test_the_same_id_twice_in_a_split_is_rejected_but_not_in_two_splits() -> None:
    options = {**BASIC, "tables": [{"file": "{split}.csv"}], "media": {"audio": "{split}/{path}"}, "id": "n"}
    files = Stream(
        {
            "train.csv": "n,path,sentence\n1,a.wav,one\n1,b.wav,two\n",
            "test.csv": "n,path,sentence\n1,a.wav,three\n",
            "train/a.wav": b"A",
            "train/b.wav": b"B",
            "test/a.wav": b"C",
        }
    )
    candidates, rejections = read("annotated", files, options)
    assert [(c.split, c.fields["text"]) for c in candidates] == [("train", "one"), ("test", "three")]
    assert reasons(rejections) == [("1", "duplicate_source_id")]
    assert "train/b.wav" not in files.opened


# ---- splits, configurations, draws


def test_rows_and_tables_of_unwanted_splits_are_passed_over_unread() -> None:
    files = Stream(
        {
            "dev_train.csv": "path,sentence\na.wav,one\n",
            "dev_val.csv": "path,sentence\nb.wav,two\n",
            "train/a.wav": b"A",
            "val/b.wav": b"B",
            "clips/c.wav": b"C",
        }
    )
    options = {**BASIC, "tables": [{"file": "dev_{split}.csv"}], "media": {"audio": "{split}/{path}"}}
    candidates, rejections = read("annotated", files, options, wants=lambda split: split == "val")
    assert [(c.source_id, c.split) for c in candidates] == [("b", "val")]
    assert (rejections, files.opened) == ([], ["dev_val.csv", "val/b.wav"])


def test_the_split_is_a_column_with_a_map_and_unlisted_ones_are_passed_over() -> None:
    table = "path,split,sentence\na.wav,validate,one\nb.wav,test,two\nc.wav,other,three\n"
    options = {**BASIC, "split": {"column": "split", "map": {"validate": "val"}, "only": ["val", "test"]}}
    files = Stream({"rows.csv": table, "clips/a.wav": b"A", "clips/b.wav": b"B", "clips/c.wav": b"C"})
    candidates, rejections = read("annotated", files, options)
    assert [(c.source_id, c.split) for c in candidates] == [("a", "val"), ("b", "test")]
    assert (rejections, files.opened) == ([], ["rows.csv", "clips/a.wav", "clips/b.wav"])


def test_the_configuration_comes_from_the_path_unless_the_user_names_it() -> None:
    options = {**BASIC, "tables": [{"file": "{config}/rows.csv"}], "media": {"audio": "{config}/{path}"}}
    files = {"zh-CN/rows.csv": "path,sentence\na.wav,one\n", "zh-CN/a.wav": b"A"}
    assert read("annotated", Stream(files), options)[0][0].config == "zh-CN"
    assert read("annotated", Stream(files), options, config="v4")[0][0].config == "v4"


def test_media_is_read_only_for_what_was_chosen_and_never_for_a_listing() -> None:
    table = {"rows.csv": "path,sentence\na.wav,one\nb.wav,two\n", "clips/a.wav": b"A", "clips/b.wav": b"B"}
    drawn = Stream(table)
    candidates, rejections = read("annotated", drawn, BASIC, chosen=lambda identity, config, split: identity == "b")
    assert ([c.source_id for c in candidates], rejections, drawn.opened) == (["b"], [], ["rows.csv", "clips/b.wav"])
    listed = Stream(table)
    candidates, _ = read("annotated", listed, BASIC, index_only=True)
    assert ([c.source_id for c in candidates], listed.opened) == (["a", "b"], ["rows.csv"])
    assert [c.media[0][1].data for c in candidates] == [None, None]


def test_rows_that_the_card_rejects_keep_their_reason_and_their_media_unread() -> None:
    options = {
        **BASIC,
        "reject": [
            {"column": "sentence", "values": ["<SIL>", "<MUSIC>"], "reason": "no_speech"},
            {"column": "sentence", "values": [None], "reason": "no_text"},
        ],
    }
    files = Stream(
        {
            "rows.csv": "path,sentence\na.wav,<SIL>\nb.wav,FOUR <COMMA> FIVE\nc.wav,\n",
            "clips/a.wav": b"A",
            "clips/b.wav": b"B",
            "clips/c.wav": b"C",
        }
    )
    candidates, rejections = read("annotated", files, options)
    assert [c.fields["text"] for c in candidates] == ["FOUR <COMMA> FIVE"]
    assert reasons(rejections) == [("a", "no_speech"), ("c", "no_text")]
    assert files.opened == ["rows.csv", "clips/b.wav"]


# ---- formats of tables


def test_quotes_mean_nothing_where_quoting_is_off() -> None:
    table = 'path\tsentence\n0.wav\t"He said\n1.wav\ta "b" c\n'
    candidates, rejections = table_rows(table, {"quoting": "none"}, {"text": "sentence"}, "rows.tsv")
    assert [c.fields["text"] for c in candidates] == ['"He said', 'a "b" c']
    assert rejections == []


def test_an_escape_character_of_a_table_without_quotes() -> None:
    table = "path\tsentence\n0.wav\ta\\\tb\n"
    [candidate], _ = table_rows(table, {"quoting": "none", "escape": "\\"}, {"text": "sentence"}, "rows.tsv")
    assert candidate.fields["text"] == "a\tb"


def test_tables_of_another_encoding_and_delimiter() -> None:
    table = "path;sentence\n0.wav;Café à côté\n".encode("iso-8859-1")
    [candidate], _ = table_rows(table, {"encoding": "iso-8859-1", "delimiter": ";"}, {"text": "sentence"})
    assert candidate.fields["text"] == "Café à côté"


def test_a_table_without_a_header_line_keeps_its_first_row() -> None:
    options = {
        "tables": [{"file": "vggsound.csv", "header": ["youtube_id", "start", "label", "split"]}],
        "media": {"video": "{youtube_id}_{start:06d}.mp4"},
        "id": "{youtube_id}_{start:06d}",
        "columns": {"labels": "label"},
    }
    table = '---g-f_I2yQ,1,people marching,test\n--9O4XZOge4,30,"female speech, woman speaking",train\n'
    files = Stream({"vggsound.csv": table, "video/---g-f_I2yQ_000001.mp4": b"V", "video/--9O4XZOge4_000030.mp4": b"W"})
    candidates, rejections = read("annotated", files, options)
    assert rejections == []
    assert [(c.source_id, c.split, c.fields["labels"]) for c in candidates] == [
        ("---g-f_I2yQ_000001", "test", ["people marching"]),
        ("--9O4XZOge4_000030", "train", ["female speech, woman speaking"]),
    ]


AUDIOSET: dict[str, Any] = {
    "tables": [
        {
            "file": "{part}_segments.csv",
            "comment": "#",
            "skip_initial_space": True,
            "header": ["ytid", "start_seconds", "end_seconds", "positive_labels"],
        },
        {"file": "class_labels_indices.csv", "names": "classes", "key": "mid", "value": "display_name"},
    ],
    "media": {"audio": "Y{ytid}.*"},
    "id": "{ytid}_{start_seconds:06d}",
    "columns": {"labels": {"column": "positive_labels", "split": ",", "names": "classes"}},
    "split": {"column": "part", "map": {"balanced_train": "train"}},
    "remote": {
        "site": "youtube",
        "url": "https://www.youtube.com/watch?v={ytid}",
        "start": "start_seconds",
        "end": "end_seconds",
        "kind": "audio",
    },
}
SEGMENTS = """# Segments csv
# num_ytids=1
# YTID, start_seconds, end_seconds, positive_labels
-0RWZT-miFs, 420.000, 430.000, "/m/03v3yw,/m/0k4j"
"""
CLASSES = 'index,mid,display_name\n0,/m/03v3yw,"Keys jangling"\n1,/m/0k4j,"Car, automobile"\n'


def test_audioset_lists_have_three_comment_lines_spaces_and_class_ids() -> None:
    files = Stream(
        {"balanced_train_segments.csv": SEGMENTS, "wav/Y-0RWZT-miFs.wav": b"A", "class_labels_indices.csv": CLASSES}
    )
    [candidate], rejections = read("annotated", files, AUDIOSET)
    assert rejections == []
    assert (candidate.source_id, candidate.split) == ("-0RWZT-miFs_000420", "train")
    assert candidate.fields["labels"] == ["Keys jangling", "Car, automobile"]


def test_where_only_tables_lie_candidates_are_clips_to_be_fetched() -> None:
    files = Stream({"balanced_train_segments.csv": SEGMENTS, "class_labels_indices.csv": CLASSES})
    [candidate], rejections = read("annotated", files, AUDIOSET, remote=True)
    assert rejections == []
    [(kind, blob)] = candidate.media
    assert (kind, blob.remote) == (
        "audio",
        Remote("https://www.youtube.com/watch?v=-0RWZT-miFs", 420.0, 430.0, "youtube"),
    )
    assert "start_s" not in candidate.fields
    extra = candidate.fields["extra"]
    assert (extra["clip_start_s"], extra["clip_end_s"]) == ("420.0", "430.0")


def test_a_remote_link_is_one_column_and_groups_hold() -> None:
    table = "id,link,caption\n1,https://example.org/a%20b.wav,one\n2,https://example.org/c.wav,two\n1,https://example.org/a%20b.wav,three\n3,file:///etc/passwd,no\n"
    options = {
        "tables": [{"file": "t.csv"}],
        "remote": {"url": "{link}"},
        "id": "id",
        "group": ["id"],
        "columns": {"captions": "caption"},
    }
    candidates, rejections = read("annotated", Stream({"t.csv": table}), options, remote=True)
    assert [(c.source_id, c.fields["captions"], c.uri) for c in candidates] == [
        ("1", ["one", "three"], "https://example.org/a%20b.wav"),
        ("2", ["two"], "https://example.org/c.wav"),
    ]
    assert reasons(rejections) == [("3", "bad_value")]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_packed_tables_are_unpacked(suffix: str, pack: Any) -> None:
    [candidate], _ = table_rows(pack(b"path,sentence\n0.wav,one\n"), {}, {"text": "sentence"}, f"rows.csv{suffix}")
    assert candidate.fields["text"] == "one"


def test_a_packed_table_that_breaks_off_says_so_and_keeps_what_came() -> None:
    table = "path,sentence\n0.wav,one\n" + "".join(f"{n}.x,{n * 7919 % 10007}\n" for n in range(20000))
    packed = gzip.compress(table.encode())
    candidates, rejections = table_rows(packed[: len(packed) // 2], {}, {"text": "sentence"}, "rows.csv.gz")
    assert [c.fields["text"] for c in candidates] == ["one"]
    assert [(r.reason, r.damaged) for r in rejections] == [("damaged_table", True)]


def test_bad_rows_never_stop_a_table() -> None:
    table = b"path,sentence,start\n0.wav,one\n1.wav,caf\xe9,1\n2.wav,two,soon\n3.wav,three,1\n"
    candidates, rejections = table_rows(table, {}, {"text": "sentence", "start_s": "start"})
    assert [c.fields["text"] for c in candidates] == ["three"]
    assert [r.reason for r in rejections] == ["bad_row", "not_utf8", "bad_value"]
    assert rejections[0].detail.startswith("raw:rows.csv:2: 2 cells")
    assert rejections[1].detail.startswith("raw:rows.csv:3: ") and "'sentence'" in rejections[1].detail
    assert "raw:rows.csv:4" in rejections[2].detail and "'soon'" in rejections[2].detail


def test_json_lists_and_json_lines_and_parquet_are_tables_too() -> None:
    rows = [{"path": "0.wav", "sentence": "one"}, {"path": "1.wav", "sentence": None}]
    document = json.dumps({"num": 1, "data": {"items": rows}})
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    lines = "\n".join(json.dumps(row) for row in rows) + "\nnot json\n"
    for name, data, entry, bad in (
        ("rows.json", document, {"records": "data.items"}, []),
        ("rows.jsonl", lines, {}, ["bad_row"]),
        ("rows.parquet", parquet.getvalue(), {}, []),
    ):
        candidates, rejections = table_rows(data, entry, {"text": "sentence"}, name)
        assert [c.fields.get("text") for c in candidates] == ["one", None], name
        assert [r.reason for r in rejections] == bad


def test_json_that_breaks_off_keeps_the_records_before() -> None:
    candidates, rejections = table_rows(
        '[{"path": "0.wav", "sentence": "one"}, {"pa', {}, {"text": "sentence"}, "rows.json"
    )
    assert [c.fields["text"] for c in candidates] == ["one"]
    assert [(r.reason, r.damaged) for r in rejections] == [("bad_json", True)]


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


# ---- what is wrong with a card or a source


def test_a_damaged_source_lacks_nothing_that_might_have_come() -> None:
    from triptych.converters.candidate import Rejection

    damaged = [*Stream({"rows.csv": "path,sentence\na.wav,one\n"}), Rejection("x.tar", "truncated", "", damaged=True)]
    candidates, rejections = read("annotated", damaged, BASIC)
    assert (candidates, [r.reason for r in rejections]) == ([], ["truncated"])


def test_a_column_that_the_table_lacks_is_told_with_those_it_has() -> None:
    files = Stream({"rows.csv": "path,sentance\na.wav,one\n", "clips/a.wav": b"A"})
    with pytest.raises(DamagedError, match=r"expects column.*sentence.*sentance"):
        read("annotated", files, BASIC)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colums": {}}, "unknown option colums"),
        ({"tables": [{"file": "x.csv", "seperator": ";"}]}, "unknown option seperator"),
        ({"columns": {"txt": "a"}}, "txt is not a field"),
        ({"columns": {"text": {"column": "a", "shout": True}}}, "no column operation `shout`"),
        ({"id": "{path|shout}"}, "no .shout"),
        ({"media": {"smell": "{path}"}}, "smell is not a kind"),
        ({"extra_media": "drop"}, "reject or ignore"),
    ],
)
def test_a_card_that_is_wrong_says_where(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read("annotated", Stream({}), {**BASIC, **change})


def test_a_large_member_shared_by_rows_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triptych.converters.candidate.IN_MEMORY_BYTES", 2)
    table = "path,n,sentence\na.wav,1,one\na.wav,2,two\n"
    files = Stream({"rows.csv": table, "clips/a.wav": b"long sound"}, spool=tmp_path)
    candidates, _ = read("annotated", files, {**BASIC, "id": "n"})
    paths = [c.media[0][1].path for c in candidates]
    assert sorted(tmp_path.iterdir()) == sorted(filter(None, paths))
    assert [path.read_bytes() for path in paths if path] == [b"long sound", b"long sound"]


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


def test_media_without_a_row_is_not_kept_once_every_table_it_could_be_in_has_come() -> None:
    tables = [{"file": ["{config}/train.csv", "{config}/dev.csv"]}]
    options = {**BASIC, "tables": tables, "media": {"audio": "{config}/clips/{path}"}, "extra_media": "ignore"}
    rows = "path,sentence\n"
    files = Stream(
        {
            "en/train.csv": rows,
            "en/clips/early.wav": b"E",
            "en/dev.csv": f"{rows}early.wav,one\n",
            "en/clips/x.wav": b"X",
            "de/clips/x.wav": b"Y",
        }
    )
    candidates, rejections = read("annotated", files, options)
    assert ([c.media[0][1].data for c in candidates], rejections) == ([b"E"], [])
    assert [name for name in files.opened if "clips" in name] == ["en/clips/early.wav", "de/clips/x.wav"]
