"""The cards of the mixed panel, each on a small corpus in its native layout, from a mirror and unpacked."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import noise, sound, video
from support.natives import (
    csv_bytes,
    extra,
    on_host,
    on_hub,
    packed,
    parquet,
    pulled,
    reasons,
    rows_of,
    summed,
    unpacked,
    without_network,
)
from triptych.errors import DamagedError, GateError, UsageError


def videos(folder: Path, count: int) -> list[bytes]:
    """Different short videos with sound as bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    return [video(folder / f"{n}.mp4", seed=n, with_sound=True).read_bytes() for n in range(count)]


def sounds(folder: Path, count: int) -> list[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    return [sound(folder / f"{n}.wav", noise(0.2, seed=n)).read_bytes() for n in range(count)]


def image() -> bytes:
    """A small picture as PNG."""
    import av
    import numpy as np

    frame = av.VideoFrame.from_ndarray(np.full((8, 8, 3), 90, dtype=np.uint8), format="rgb24")
    out = io.BytesIO()
    with av.open(out, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 8, 8, "rgb24"
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return out.getvalue()


# ---- VoxCeleb


VOX1_META = (
    b"VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    b"id10001\tA.J._Buckley\tm\tIreland\tdev\nid10270\tEartha_Kitt\tf\tUSA\ttest\n"
)
VOX2_META = b"VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n000012 ,m ,dev\nid00017 ,n000017 ,f ,test\n"
VOX = "ProgramComputer/voxceleb"


def test_voxceleb1_out_of_parts(tmp_path: Path) -> None:
    clip, mirror = sounds(tmp_path / "clips", 3), tmp_path / "mirror"
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
    clip = sounds(tmp_path / "clips", 4)
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
    clip = sounds(tmp_path / "clips", 2)
    tree = {"dev/wav/id10001/a/00001.wav": clip[0], "test/wav/id10270/b/00001.wav": clip[1]}
    rows = pulled("voxceleb", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert rows.keys() == {"vox1/dev/id10001/a/00001", "vox1/test/id10270/b/00001"}
    merged = unpacked(tmp_path / "merged", {path.partition("/")[2]: data for path, data in tree.items()})
    with pytest.raises(DamagedError, match=r"each of 2 samples does not say which split .* vox1_meta\.csv"):
        triptych.pull("voxceleb", store=tmp_path / "none", from_path=merged, split="test")
    assert rows_of("voxceleb", tmp_path / "none") == {}


def test_voxceleb2_joins_sound_and_picture_by_path(tmp_path: Path) -> None:
    clip, mirror = videos(tmp_path / "clips", 2), tmp_path / "mirror"
    heard = sounds(tmp_path / "sounds", 2)
    on_hub(mirror, VOX, "vox2/vox2_meta.csv").write_bytes(VOX2_META)
    packed(on_hub(mirror, VOX, "vox2/vox2_test_aac.zip"),
           {"aac/id00017/01dfn2spqyE/00001.m4a": heard[0], "aac/id00017/01dfn2spqyE/00002.m4a": heard[1]})  # fmt: skip
    packed(on_hub(mirror, VOX, "vox2/vox2_test_mp4.zip"), {"mp4/id00017/01dfn2spqyE/00001.mp4": clip[0]})
    rows = pulled("voxceleb", tmp_path / "store", mirror=summed(mirror), config="vox2-av", split="test")
    [(identity, row)] = rows.items()
    assert identity == "vox2-av/test/id00017/01dfn2spqyE/00001"
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
    clip = videos(tmp_path / "clips", 4)
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
    clip = videos(tmp_path / "clips", 2)
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
    clip = videos(tmp_path / "clips", 1)
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
        "videos/-fZc293MpJk.mp4": videos(tmp_path / "clips", 1)[0],
    }
    rows = pulled("how2", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert [(row["text"], row["translation"]) for row in rows.values()] == [("hello", "ol\xe1"), ("right", "certo")]
    (tmp_path / "tree/data/val/text.id.en").unlink()
    with pytest.raises(DamagedError, match=r"none of 2 samples of val has a text.*val/text\.id\.en or val/text\.en"):
        triptych.pull("how2", store=tmp_path / "none", from_path=tmp_path / "tree", samples=1)
    assert rows_of("how2", tmp_path / "none") == {}


# ---- AudioSet


def test_audioset_from_the_hub_copy_is_sound(tmp_path: Path) -> None:
    clip, mirror = sounds(tmp_path / "clips", 2), tmp_path / "mirror"
    rows = [
        {"video_id": f"--abcdefg{n}", "audio": {"bytes": data, "path": f"{n}.flac"}, "labels": ["/m/09x0r"],
         "human_labels": ["Speech", "Inside, small room"]}
        for n, data in enumerate(clip)
    ]  # fmt: skip
    parquet(on_hub(mirror, "agkphysics/AudioSet", "data/bal_train/00.parquet"), rows)
    found = pulled("audioset", tmp_path / "store", mirror=str(mirror), split="balanced-train")
    assert {i: (row["labels"], row["modality"]) for i, row in found.items()} == {
        f"balanced-train/--abcdefg{n}": (["Speech", "Inside, small room"], "audio") for n in range(2)
    }


def test_audioset_from_the_lists_and_clips_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, heard = videos(tmp_path / "clips", 1), sounds(tmp_path / "sounds", 1)
    tree = {
        "class_labels_indices.csv": b'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/t/dd00125,"Inside, small room"\n',
        "eval_segments.csv": (
            b"# Segments csv created Sun Mar  5 10:54:25 2017\n# num_ytids=3, num_segs=3\n"
            b"# YTID, start_seconds, end_seconds, positive_labels\n"
            b'--4gqARaEJE, 0.000, 10.000, "/m/09x0r,/t/dd00125"\n'
            b'-0RWZT-miFs, 420.000, 430.000, "/m/09x0r"\n--gone_00000, 1.000, 11.000, "/m/09x0r"\n'
        ),
        "clips/--4gqARaEJE.mp4": clip[0],
        "clips/Y-0RWZT-miFs.wav": heard[0],
    }
    without_network(monkeypatch)
    found = pulled("audioset", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {i: row["labels"] for i, row in found.items()} == {
        "eval/--4gqARaEJE_0": ["Speech", "Inside, small room"],
        "eval/-0RWZT-miFs_420": ["Speech"],
    }
    assert [row["modality"] for row in found.values()] == ["mixed", "audio"]
    assert reasons(tmp_path / "store") == {"--gone_00000_1": "no_media"}


# ---- VGGSound


def test_vggsound_with_a_part_that_is_corrupt_at_its_origin(tmp_path: Path) -> None:
    clip, mirror = videos(tmp_path / "clips", 3), tmp_path / "mirror"
    table = (
        b'---g-f_I2yQ,1,people marching,test\n--9O4XZOge4,30,"female speech, woman speaking",train\n'
        b"xyz_-abcdef,120,eletric blender running,train\n"
    )
    on_hub(mirror, "Loie/VGGSound", "vggsound.csv").write_bytes(table)
    packed(on_hub(mirror, "Loie/VGGSound", "vggsound_03.tar.gz"), {"x/---g-f_I2yQ_000001.mp4": clip[0]})
    broken = packed(on_hub(mirror, "Loie/VGGSound", "vggsound_04.tar.gz"), {"--9O4XZOge4_000030.mp4": clip[1]})
    data = broken.read_bytes()
    broken.write_bytes(data[: len(data) - 40])
    packed(on_hub(mirror, "Loie/VGGSound", "vggsound_05.tar.gz"), {"xyz_-abcdef_000120.mp4": clip[2]})
    result = triptych.pull("vggsound", store=tmp_path / "store", mirror=str(mirror))
    assert len(result.damaged) == 1 and "vggsound_04.tar.gz" in result.damaged[0]
    found = triptych.query("select id, labels from samples order by id", store=tmp_path / "store").to_pylist()
    assert {row["id"]: row["labels"] for row in found if "9O4XZOge4" not in row["id"]} == {
        "vggsound/test/---g-f_I2yQ_000001": ["people marching"],
        "vggsound/train/xyz_-abcdef_000120": ["eletric blender running"],
    }


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
    clip, mirror = videos(tmp_path / "clips", 4), tmp_path / "mirror"
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
    clip = videos(tmp_path / "clips", 1)
    tree = {path.name: path.read_bytes() for path in folder.glob("*_sent_emo.csv")}
    tree["train_splits/dia0_utt1.mp4"] = clip[0]
    found = pulled("meld", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree), split="train")
    assert {i: (row["text"], row["speaker"]) for i, row in found.items()} == {
        "train/dia0_utt1": ("You must've had your hands full.", "The Interviewer")
    }


# ---- HowTo100M


def test_howto100m(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = videos(tmp_path / "clips", 1)
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


# ---- the omni sets


def test_omnibench_keeps_what_tells_the_answer_out_of_the_question(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    row = {
        "index": 7, "task type": "Action and Activity", "audio type": "speech", "question": "What are they doing?",
        "options": ["a dance", "a fight", "a talk", "a walk"], "answer": "a talk",
        "audio content": "they say hello", "image content": "two people talk",
        "audio": {"bytes": sounds(tmp_path / "s", 1)[0], "path": "a.mp3"},
        "image": {"bytes": image(), "path": "a.png"},
    }  # fmt: skip
    parquet(on_hub(mirror, "m-a-p/OmniBench", "data/train-00000-of-00001.parquet"), [row])
    [(identity, found)] = pulled("omnibench", tmp_path / "store", mirror=str(mirror)).items()
    assert (identity, found["question"], found["answer"]) == ("train/7", "What are they doing?", "a talk")
    assert found["choices"] == ["a dance", "a fight", "a talk", "a walk"]
    assert found["labels"] == ["Action and Activity", "speech"]
    assert found["image"] is not None and found["audio"] is not None
    assert extra(found)["image content"] == "two people talk"
    published = triptych.export("msswift", store=tmp_path / "store", task="grpo")
    prompt = (published.version.path / "data.jsonl").read_text()
    assert "a dance" in prompt and "two people talk" not in prompt
    for asked in ("train", "train*"):
        with pytest.raises(UsageError, match=r"matches no sample. Splits: train \(which is test data\)"):
            triptych.export("msswift", store=tmp_path / "store", task="grpo", split=asked)
    of_its_role = triptych.export("msswift", store=tmp_path / "store", task="grpo", split="test")
    assert published.counts["written"] == of_its_role.counts["written"] == 1


def test_daily_omni_takes_the_letters_off_its_choices(tmp_path: Path) -> None:
    mirror, clip = tmp_path / "mirror", videos(tmp_path / "clips", 1)
    item = {"Question": "What comes after the bell?", "Choice": ["A. A dog", "B. A cat", "C. A car", "D. Rain"],
            "Answer": "B", "video_id": "abc-_12", "Type": "Event Sequence", "video_duration": "30s"}  # fmt: skip
    on_hub(mirror, "liarliar/Daily-Omni", "qa.json").write_text(json.dumps([item, item | {"Answer": "D"}]))
    members = {"Videos/abc-_12/abc-_12_video.mp4": clip[0], "Videos/abc-_12/abc-_12_audio.wav": b"RIFF"}
    packed(on_hub(mirror, "liarliar/Daily-Omni", "Videos.tar"), members)
    found = pulled("daily_omni", tmp_path / "store", mirror=str(mirror))
    assert {i: (row["choices"], row["answer"], row["labels"]) for i, row in found.items()} == {
        "test/abc-_12_0": (["A dog", "A cat", "A car", "Rain"], "A cat", ["Event Sequence"]),
        "test/abc-_12_1": (["A dog", "A cat", "A car", "Rain"], "Rain", ["Event Sequence"]),
    }


def test_worldsense_reads_task_after_task(tmp_path: Path) -> None:
    mirror, clip = tmp_path / "mirror", videos(tmp_path / "clips", 2)
    task = {"task_domain": "Recognition", "task_type": "Event Recognition", "question": "What happens?",
            "candidates": ["A. It rains.", "B. It snows."], "answer": "A"}  # fmt: skip
    document = {
        "aBcdEfGh": {"duration": 60, "domain": "Music", "sub_category": "Concert", "audio_class": ["Music"],
                     "video_caption": "It rains at a concert.", "task0": task,
                     "task1": task | {"question": "And then?", "answer": "B"}},
        "-_second": {"duration": 30, "domain": "Sports", "sub_category": "Running", "audio_class": ["Speech"],
                     "video_caption": "Snow.", "task0": task | {"answer": "B"}},
    }  # fmt: skip
    on_hub(mirror, "honglyhly/WorldSense", "worldsense_qa.json").write_text(json.dumps(document))
    packed(on_hub(mirror, "honglyhly/WorldSense", "worldsense_videos_1.zip"), {"v/aBcdEfGh.mp4": clip[0]})
    packed(on_hub(mirror, "honglyhly/WorldSense", "worldsense_videos_2.zip"), {"-_second.mp4": clip[1]})
    found = pulled("worldsense", tmp_path / "store", mirror=str(mirror))
    assert {i: (row["question"], row["answer"]) for i, row in found.items()} == {
        "test/aBcdEfGh_task0": ("What happens?", "It rains."),
        "test/aBcdEfGh_task1": ("And then?", "It snows."),
        "test/-_second_task0": ("What happens?", "It snows."),
    }
    assert found["test/-_second_task0"]["labels"] == ["Sports", "Running", "Event Recognition"]
    assert all("video_caption" in extra(row) for row in found.values())


@pytest.mark.parametrize(
    ("name", "repo", "more", "identity"),
    [
        ("msrvtt_mteb", "mteb/MSR-VTT", {}, "test-00000-of-00001_0"),
        ("audiocaps_av", "mteb/AudioCaps_AV", {"youtube_id": "-abcDEF_123", "start_time": 30}, "-abcDEF_123_30"),
    ],
)
def test_parquet_with_video_and_sound(
    name: str, repo: str, more: dict[str, Any], identity: str, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    row = {
        "video": {"bytes": videos(tmp_path / "v", 1)[0], "path": "a.mp4"},
        "audio": {"bytes": sounds(tmp_path / "s", 1)[0], "path": "a.wav"},
        "caption": "a man talks while water runs",
        **more,
    }
    parquet(on_hub(mirror, repo, "data/test-00000-of-00001.parquet"), [row])
    found = pulled(name, tmp_path / "store", mirror=str(mirror))
    [(found_id, sample)] = found.items()
    assert (found_id, sample["captions"]) == (f"test/{identity}", ["a man talks while water runs"])
    assert sample["video"] is not None and sample["audio"] is not None and sample["modality"] == "mixed"
