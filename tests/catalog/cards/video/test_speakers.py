"""The cards of people who speak before a camera, each on a small corpus in its native layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.natives import csv_bytes, films, on_host, on_hub, packed, summed, unpacked, wavs
from support.pulls import extra, pulled, reasons, rows_of, without_network
from triptych.errors import DamagedError, GateError

# ---- VoxCeleb


VOX1_META = (
    b"VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    b"id10001\tA.J._Buckley\tm\tIreland\tdev\nid10270\tEartha_Kitt\tf\tUSA\ttest\n"
)
VOX2_META = b"VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n000012 ,m ,dev\nid00017 ,n000017 ,f ,test\n"
VOX = "ProgramComputer/voxceleb"


def test_voxceleb1_out_of_parts(tmp_path: Path) -> None:
    clip, mirror = wavs(3), tmp_path / "mirror"
    dev = {
        "wav/id10001/1zcIwhmdeo4/00001.wav": clip[0],
        "wav/id10001/-7CSTTFbnSE/00002.wav": clip[1],
    }
    test = {"wav/id10270/x6uYqmx31kE/00001.wav": clip[2]}
    on_hub(mirror, VOX, "vox1/vox1_meta.csv").write_bytes(VOX1_META)
    whole = packed(tmp_path / "vox1_dev_wav.zip", dev).read_bytes()
    third = len(whole) // 3
    for number, letters in enumerate(("aa", "ab", "ac")):
        end = len(whole) if number == 2 else (number + 1) * third
        on_hub(mirror, VOX, f"vox1/vox1_dev_wav_part{letters}").write_bytes(whole[number * third : end])
    packed(on_hub(mirror, VOX, "vox1/vox1_test_wav.zip"), test)
    with pytest.raises(DamagedError, match=r"vox1_dev_wav\.zip: MD5"):
        triptych.pull("voxceleb", store=tmp_path / "bad", mirror=str(mirror))
    assert rows_of("voxceleb", tmp_path / "bad") == {}
    rows = pulled("voxceleb", tmp_path / "store", mirror=summed(mirror))
    assert {i: (row["speaker"], row["split"], row["config"]) for i, row in rows.items()} == {
        "vox1/dev/id10001/-7CSTTFbnSE/00002": ("id10001", "dev", "vox1"),
        "vox1/dev/id10001/1zcIwhmdeo4/00001": ("id10001", "dev", "vox1"),
        "vox1/test/id10270/x6uYqmx31kE/00001": ("id10270", "test", "vox1"),
    }
    assert {extra(row)["nationality"] for row in rows.values()} == {"Ireland", "USA"}
    assert {row["modality"] for row in rows.values()} == {"audio"}

    tree = unpacked(tmp_path / "tree", {"vox1_meta.csv": VOX1_META, **dev})
    again = pulled("voxceleb", tmp_path / "own", from_path=tree, split="dev")
    assert {row["audio"]["sha256"] for row in again.values()} == {
        row["audio"]["sha256"] for row in rows.values() if row["split"] == "dev"
    }


def test_splits_of_a_merged_voxceleb_tree_are_those_of_the_speakers(tmp_path: Path) -> None:
    """Cells of the metadata have blanks; a folder that says something else does not count against it."""
    clip = wavs(4)
    meta = VOX1_META.replace(b"\tdev", b" \tdev ").replace(b"\ttest", b"\t test ")
    tree = {
        "dev/wav/id10001/1zcIwhmdeo4/00001.wav": clip[0],
        "dev/wav/id10270/x6uYqmx31kE/00001.wav": clip[1],
        "wav/id10001/-7CSTTFbnSE/00002.wav": clip[2],
        "wav/id99999/-7CSTTFbnSE/00001.wav": clip[3],
    }
    own = unpacked(tmp_path / "tree", {**tree, "wav/vox1_meta.csv": meta})
    test = {"vox1/test/id10270/x6uYqmx31kE/00001"}
    assert pulled("voxceleb", tmp_path / "test", from_path=own, split="test").keys() == test
    dev = {"vox1/dev/id10001/1zcIwhmdeo4/00001", "vox1/dev/id10001/-7CSTTFbnSE/00002"}
    assert pulled("voxceleb", tmp_path / "all", from_path=own).keys() == test | dev
    assert reasons(tmp_path / "all") == {"00001": "no_split"}


def test_folders_of_voxceleb_are_its_splits_if_there_is_no_metadata(tmp_path: Path) -> None:
    clip = wavs(2)
    tree = {"dev/wav/id10001/a/00001.wav": clip[0], "test/wav/id10270/b/00001.wav": clip[1]}
    rows = pulled("voxceleb", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert rows.keys() == {"vox1/dev/id10001/a/00001", "vox1/test/id10270/b/00001"}
    merged = unpacked(tmp_path / "merged", {path.partition("/")[2]: data for path, data in tree.items()})
    with pytest.raises(DamagedError, match=r"each of 2 samples does not say which split .* vox1_meta\.csv"):
        triptych.pull("voxceleb", store=tmp_path / "none", from_path=merged, split="test")
    assert rows_of("voxceleb", tmp_path / "none") == {}


def test_voxceleb2_joins_sound_and_picture_by_path(tmp_path: Path) -> None:
    clip, mirror = films(2), tmp_path / "mirror"
    heard = wavs(2)
    on_hub(mirror, VOX, "vox2/vox2_meta.csv").write_bytes(VOX2_META)
    packed(on_hub(mirror, VOX, "vox2/vox2_test_aac.zip"),
           {"aac/id00017/01dfn2spqyE/00001.m4a": heard[0], "aac/id00017/01dfn2spqyE/00002.m4a": heard[1]})  # fmt: skip
    packed(on_hub(mirror, VOX, "vox2/vox2_test_mp4.zip"), {"mp4/id00017/01dfn2spqyE/00001.mp4": clip[0]})
    rows = pulled("voxceleb", tmp_path / "store", mirror=summed(mirror), config="vox2-av", split="test")
    [(identity, row)] = rows.items()
    assert identity == "vox2-av/test/id00017/01dfn2spqyE/00001"
    assert (rows[identity]["modality"], rows[identity]["panel"]) == ("mixed", "S3")
    assert (row["modality"], row["speaker"], extra(row)["gender"]) == ("mixed", "id00017", "f")
    assert row["audio"] is not None and row["video"] is not None
    pulled("voxceleb", tmp_path / "store", mirror=str(mirror), config="vox2", split="test", samples=2)
    stored = triptych.query("select config, count(*) n from samples group by 1 order by 1", store=tmp_path / "store")
    assert stored.to_pylist() == [{"config": "vox2", "n": 2}, {"config": "vox2-av", "n": 1}]


# ---- lip reading


def text_of(words: str, table: bool = False) -> bytes:
    rows = "\n\nWORD START END ASDSCORE\n" + "".join(
        f"{word} {n * 0.1:.2f} {n * 0.1 + 0.08:.2f} 5.6\n" for n, word in enumerate(words.split())
    )
    return f"Text:  {words}\nConf:  6\n{rows if table else ''}".encode()


def test_lrs2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = films(4)
    tree = {
        "mvlrs_v1/main/5535415699068794046/00001.mp4": clip[0],
        "mvlrs_v1/main/5535415699068794046/00001.txt": text_of("IT MAY TAKE SOME TIME"),
        "mvlrs_v1/main/6330311066473698535/00011.mp4": clip[1],
        "mvlrs_v1/main/6330311066473698535/00011.txt": text_of("WHEN YOU'RE COOKING"),
        "mvlrs_v1/pretrain/5535415699068794046/00002.mp4": clip[2],
        "mvlrs_v1/pretrain/5535415699068794046/00002.txt": text_of("ONE TWO", table=True),
        "train.txt": b"5535415699068794046/00001\n",
        "val.txt": b"",
        "test.txt": b"6330311066473698535/00011 NF\n",
        "pretrain.txt": b"5535415699068794046/00002\n",
    }
    without_network(monkeypatch)
    rows = pulled("lrs2", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {i: row["text"] for i, row in rows.items()} == {
        "train/5535415699068794046/00001": "IT MAY TAKE SOME TIME",
        "test/6330311066473698535/00011": "WHEN YOU'RE COOKING",
        "pretrain/5535415699068794046/00002": "ONE TWO",
    }
    words = rows["pretrain/5535415699068794046/00002"]["words"]
    assert [(word["text"], word["start_s"], word["end_s"]) for word in words] == [
        ("ONE", 0.0, 0.08),
        ("TWO", 0.1, 0.18),
    ]


def test_lrs3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = films(2)
    tree = {
        "trainval/-a_bcDEFghi/50001.mp4": clip[0],
        "trainval/-a_bcDEFghi/50001.txt": text_of("THANK YOU"),
        "test/0Fi83BHQsMA/00002.mp4": clip[1],
        "test/0Fi83BHQsMA/00002.txt": text_of("SO MUCH"),
    }
    without_network(monkeypatch)
    rows = pulled("lrs3", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {i: (row["text"], row["speaker"]) for i, row in rows.items()} == {
        "trainval/-a_bcDEFghi/50001": ("THANK YOU", "-a_bcDEFghi"),
        "test/0Fi83BHQsMA/00002": ("SO MUCH", "0Fi83BHQsMA"),
    }


@pytest.mark.parametrize("name", ["lrs2", "lrs3", "how2", "howto100m"])
def test_what_must_be_got_by_hand_says_what_and_where(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_network(monkeypatch)
    with pytest.raises(GateError) as caught:
        triptych.pull(name, samples=1, store=tmp_path / "store")
    assert f"catalog pull {name} --from PATH" in str(caught.value.hint)
    assert caught.value.exit_code == 3


# ---- How2


def test_how2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = films(1)
    tree = {
        "train/segments": b"-fZc293MpJk_0 -fZc293MpJk 0.05 0.2\n-fZc293MpJk_1 -fZc293MpJk 0.2 0.4\n",
        "train/text.en": b'-fZc293MpJk_0 I\'m going to show you\n-fZc293MpJk_1 how to "do" this\n',
        "train/text.pt": "-fZc293MpJk_0 eu vou mostrar a você\n-fZc293MpJk_1 como fazer isso\n".encode(),
        "videos/-fZc293MpJk.mp4": clip[0],
    }
    without_network(monkeypatch)
    rows = pulled("how2", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {
        i: (row["text"], row["translation"], row["start_s"], row["end_s"], row["speaker"]) for i, row in rows.items()
    } == {
        "train/-fZc293MpJk_0": ("I'm going to show you", "eu vou mostrar a você", 0.05, 0.2, "-fZc293MpJk"),
        "train/-fZc293MpJk_1": ('how to "do" this', "como fazer isso", 0.2, 0.4, "-fZc293MpJk"),
    }


def test_a_how2_release_has_its_texts_under_its_own_names(tmp_path: Path) -> None:
    """Beside the texts with ids are the same without; where only those are, the pull stops instead of storing nulls."""
    tree = {
        "data/val/segments": b"-fZc293MpJk_0 -fZc293MpJk 0.05 0.2\n-fZc293MpJk_1 -fZc293MpJk 0.2 0.4\n",
        "data/val/text.en": b"hello\n-fZc293MpJk\n",
        "data/val/text.pt": "ol\xe1\nsim\n".encode(),
        "data/val/text.id.en": b"-fZc293MpJk_0 hello\n-fZc293MpJk_1 right\n",
        "data/val/text.id.pt": "-fZc293MpJk_0 ol\xe1\n-fZc293MpJk_1 certo\n".encode(),
        "videos/-fZc293MpJk.mp4": films(1)[0],
    }
    rows = pulled("how2", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert [(row["text"], row["translation"]) for row in rows.values()] == [("hello", "ol\xe1"), ("right", "certo")]
    (tmp_path / "tree/data/val/text.id.en").unlink()
    with pytest.raises(DamagedError, match=r"none of 2 samples of val has a text.*val/text\.id\.en or val/text\.en"):
        triptych.pull("how2", store=tmp_path / "none", from_path=tmp_path / "tree", samples=1)
    assert rows_of("how2", tmp_path / "none") == {}


# ---- MELD


HEADER = ("Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "Season", "Episode",
          "StartTime", "EndTime")  # fmt: skip


def meld() -> dict[str, bytes]:
    def table(*rows: tuple[Any, ...]) -> bytes:
        return csv_bytes([HEADER, *rows], line_end="\r\n")

    return {
        "train": table(
            (1, "also I was the point person", "Chandler", "neutral", "neutral", 0, 0, 8, 21, "00:16:16,059",
             "00:16:21,731"),
            (2, "You must’ve had your hands full.", "The Interviewer", "neutral", "neutral", 0, 1, 8, 21,
             "00:16:21,940", "00:16:23,442"),
        ),
        "dev": table((1, "Oh my God, he’s lost it.", "Phoebe", "sadness", "negative", 0, 0, 4, 7, "00:20:57,256",
                      "00:21:00,049")),
        "test": table((1, "Why do all you’re coffee mugs", "Mark", "surprise", "positive", 0, 0, 3, 19, "00:14:38,127",
                       "00:14:40,378")),
    }  # fmt: skip


def test_meld_out_of_its_nested_archives(tmp_path: Path) -> None:
    clip, mirror = films(4), tmp_path / "mirror"
    base = "https://raw.githubusercontent.com/declare-lab/MELD/master/data/MELD/"
    for split, table in meld().items():
        on_host(mirror, f"{base}{split}_sent_emo.csv").write_bytes(table)
    inner = {
        "train": {"train_splits/dia0_utt0.mp4": clip[0]},
        "dev": {"dev_splits_complete/dia0_utt0.mp4": clip[1]},
        "test": {"output_repeated_splits_test/dia0_utt0.mp4": clip[2],
                 "output_repeated_splits_test/final_videos_testdia0_utt0.mp4": clip[3]},
    }  # fmt: skip
    parts = {f"MELD.Raw/{split}.tar.gz": packed(tmp_path / f"{split}.tar.gz", files).read_bytes()
             for split, files in inner.items()}  # fmt: skip
    packed(on_hub(mirror, "declare-lab/MELD", "MELD.Raw.tar.gz"), parts)
    found = pulled("meld", tmp_path / "store", mirror=str(mirror))
    assert {i: (row["text"], row["speaker"], row["labels"]) for i, row in found.items()} == {
        "train/dia0_utt0": ("also I was the point person", "Chandler", ["neutral"]),
        "dev/dia0_utt0": ("Oh my God, he's lost it.", "Phoebe", ["sadness"]),
        "test/dia0_utt0": ("Why do all you're coffee mugs", "Mark", ["surprise"]),
    }
    assert float(extra(found["train/dia0_utt0"])["episode_start_s"]) == pytest.approx(976.059)
    assert reasons(tmp_path / "store") == {"dia0_utt1": "no_media"}


def test_meld_tables_as_they_are_published(shared: Path, tmp_path: Path) -> None:
    """The heads of the real tables, with made clips: every row with a clip is stored with its own text."""
    folder = shared / "media/annotations_only/MELD/data/MELD"
    clip = films(1)
    tree = {path.name: path.read_bytes() for path in folder.glob("*_sent_emo.csv")}
    tree["train_splits/dia0_utt1.mp4"] = clip[0]
    found = pulled("meld", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree), split="train")
    assert {i: (row["text"], row["speaker"]) for i, row in found.items()} == {
        "train/dia0_utt1": ("You must've had your hands full.", "The Interviewer")
    }


# ---- HowTo100M


def test_howto100m(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = films(1)
    captions = {
        "nVbIUDjzWY4": {"start": [0.0, 0.1], "end": [0.2, 0.4], "text": ["okay so today", "we change the oil"]},
        "gone_video0": {"start": [1.0], "end": [2.0], "text": ["nobody sees this"]},
    }
    tree = {
        "caption.json": json.dumps(captions).encode(),
        "HowTo100M_v1.csv": b"video_id,category_1,category_2,rank,task_id\n"
        b"nVbIUDjzWY4,Cars & Other Vehicles,Motorcycles,27,52907\n",
        "videos/nVbIUDjzWY4.webm": clip[0],
    }
    without_network(monkeypatch)
    found = pulled("howto100m", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {i: (row["text"], row["start_s"], row["end_s"], row["labels"]) for i, row in found.items()} == {
        "train/nVbIUDjzWY4_0": ("okay so today", 0.0, 0.2, ["Cars & Other Vehicles", "Motorcycles"]),
        "train/nVbIUDjzWY4_1": ("we change the oil", 0.1, 0.4, ["Cars & Other Vehicles", "Motorcycles"]),
    }
