"""LRS2 and LRS3: text beside each face, a table of words wherever it stands, lists that tell splits apart."""

from __future__ import annotations

from typing import Any

from support.raws import Stream, read, reasons

PLAIN = "Text:  IT MAY TAKE SOME TIME\nConf:  6\n"
TABLE = """Text:  YOU SEE
Conf:  4
Ref:  -abc

FRAME X Y
1 0.1 0.2

WORD START END ASDSCORE
YOU 0.10 0.25 5.6
SEE 0.25 0.5 4.1
"""
LRS2: dict[str, Any] = {"folders": {"pretrain": "pretrain"}, "lists": {"main": ["train", "val", "test"]}}


def test_text_and_confidence_come_from_the_file_beside_the_video() -> None:
    files = Stream({"lrs3/test/-yt_id/00001.mp4": b"V", "lrs3/test/-yt_id/00001.txt": PLAIN})
    [candidate], rejections = read("lipreading", files, {"speaker": True})
    assert rejections == []
    assert (candidate.source_id, candidate.split) == ("-yt_id/00001", "test")
    assert [(kind, blob.data) for kind, blob in candidate.media] == [("video", b"V")]
    assert candidate.fields == {"text": "IT MAY TAKE SOME TIME", "speaker": "-yt_id", "extra": {"conf": "6"}}


def test_words_are_found_by_their_header_line_and_not_by_its_place() -> None:
    files = Stream({"pretrain/p/00002.txt": TABLE, "pretrain/p/00002.mp4": b"V"})
    [candidate], _ = read("lipreading", files)
    assert candidate.fields["text"] == "YOU SEE"
    assert candidate.fields["words"] == [
        {"text": "YOU", "start_s": 0.1, "end_s": 0.25},
        {"text": "SEE", "start_s": 0.25, "end_s": 0.5},
    ]


def test_a_list_in_contradiction_to_another_and_texts_of_another_corpus() -> None:
    """LRS3 has folders of the same names; a list that comes last can still contradict the others."""
    files = Stream(
        {
            "lrs3/pretrain/2/00001.txt": TABLE,
            "mvlrs_v1/main/1/00001.mp4": b"A",
            "mvlrs_v1/main/1/00001.txt": PLAIN,
            "mvlrs_v1/main/1/00002.mp4": b"B",
            "mvlrs_v1/main/1/00002.txt": PLAIN,
            "mvlrs_v1/pretrain/2/00001.mp4": b"D",
            "mvlrs_v1/train.txt": "1/00001\n1/00002\n",
            "mvlrs_v1/val.txt": "",
            "mvlrs_v1/test.txt": "1/00001\n",
        }
    )
    candidates, rejections = read("lipreading", files, LRS2)
    assert [(c.source_id, c.split) for c in candidates] == [("1/00002", "train")]
    assert sorted(reasons(rejections)) == [
        ("1/00001", "ambiguous_split"), ("2/00001", "no_media"), ("2/00001", "no_transcript"),
    ]  # fmt: skip


def test_lists_tell_the_splits_of_one_folder_apart_by_their_first_field() -> None:
    files = Stream(
        {
            "mvlrs_v1/main/1/00001.mp4": b"A",
            "mvlrs_v1/main/1/00001.txt": PLAIN,
            "mvlrs_v1/test.txt": "1/00001 NF\n",
            "mvlrs_v1/train.txt": "1/00002\n",
            "mvlrs_v1/val.txt": "",
            "mvlrs_v1/main/1/00002.mp4": b"B",
            "mvlrs_v1/main/1/00002.txt": PLAIN,
            "mvlrs_v1/main/1/00003.mp4": b"C",
            "mvlrs_v1/main/1/00003.txt": PLAIN,
            "mvlrs_v1/pretrain/2/00001.mp4": b"D",
            "mvlrs_v1/pretrain/2/00001.txt": TABLE,
        }
    )
    candidates, rejections = read("lipreading", files, LRS2)
    assert [(c.source_id, c.split) for c in candidates] == [
        ("1/00001", "test"), ("1/00002", "train"), ("2/00001", "pretrain"),
    ]  # fmt: skip
    assert reasons(rejections) == [("1/00003", "not_listed")]


def test_one_wanted_split_leaves_the_others_unread_and_unreported() -> None:
    files = Stream({
        "val.txt": "1/00001\n", "train.txt": "1/00002\n", "test.txt": "",
        "main/1/00001.mp4": b"A", "main/1/00001.txt": PLAIN,
        "main/1/00002.mp4": b"B", "main/1/00002.txt": PLAIN,
        "main/1/00003.mp4": b"B", "main/1/00003.txt": PLAIN,
        "pretrain/2/00001.mp4": b"D", "pretrain/2/00001.txt": TABLE,
    })  # fmt: skip
    candidates, rejections = read("lipreading", files, LRS2, wants=lambda split: split == "val")
    assert ([c.source_id for c in candidates], rejections) == (["1/00001"], [])
    assert [name for name in files.opened if name.endswith(".mp4")] == ["main/1/00001.mp4"]


def test_what_lacks_its_other_half_or_its_text_is_rejected() -> None:
    files = Stream(
        {
            "test/a/00001.mp4": b"V",
            "test/a/00002.txt": PLAIN,
            "test/a/00003.mp4": b"V",
            "test/a/00003.txt": "Conf: 4\n",
            "test/a/00004.mp4": b"V",
            "test/a/00004.txt": "Text: A\n\nWORD START END ASDSCORE\nA soon later 1\n",
        }
    )
    candidates, rejections = read("lipreading", files)
    assert candidates == []
    assert sorted(reasons(rejections)) == [
        ("a/00001", "no_transcript"), ("a/00002", "no_media"), ("a/00003", "bad_transcript"),
        ("a/00004", "bad_transcript"),
    ]  # fmt: skip
