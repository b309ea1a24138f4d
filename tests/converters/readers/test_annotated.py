"""The reader of tables beside media: how rows meet their media, and what is wrong with a card or a source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.natives import unpacked
from support.raws import BASIC, Stream, read, reasons, tree
from triptych.errors import DamagedError, UsageError

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
    assert notes == ["2 media files without a row were skipped", "1 row without media was skipped"]


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
