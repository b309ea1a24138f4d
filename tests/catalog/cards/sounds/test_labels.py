"""The cards of labelled sounds, each on a small corpus in its native layout, from a mirror and unpacked."""

from __future__ import annotations

import json
from pathlib import Path

from support.corpora import noise
from support.natives import csv_bytes, on_host, packed, unpacked
from support.pulls import digests, extra, pulled, reasons
from support.stores import select

# ---- VocalSound


def vocalsound() -> dict[str, bytes]:
    far = "/data/sls/scratch/yuangong/vocalsound/data/vs_processed/data_16k/"
    lists = {
        "tr": [("f0003_0_cough", "/m/01b_21"), ("m0065_0_throatclearing", "/m/0dl9sf8")],
        "val": [("f1000_0_laughter", "/m/01j3sz")],
        "te": [("m2000_0_sigh", "/m/07plz5l"), ("f2001_0_sniff", "/m/07ppn3j")],
    }

    def listed(rows: list[tuple[str, str]]) -> bytes:
        return json.dumps({"data": [{"wav": f"{far}{stem}.wav", "labels": mid} for stem, mid in rows]}).encode()

    every = [row for rows in lists.values() for row in rows]
    sounds = {f"audio_16k/{stem}.wav": noise(n) for n, (stem, _) in enumerate(every)}
    del sounds["audio_16k/f2001_0_sniff.wav"]
    return {
        **sounds,
        "class_labels_indices_vs.csv": b'index,mid,display_name\n0,/m/01j3sz,"Laughter"\n',
        "datafiles/all.json": listed(every),
        **{f"datafiles/{name}.json": listed(rows) for name, rows in lists.items()},
        "datafiles/subtest/te_male.json": listed(lists["te"][:1]),
        "meta/all_meta.json": b"[]",
    }


def test_vocalsound(tmp_path: Path) -> None:
    files = vocalsound()
    packed(on_host(tmp_path / "mirror", "https://www.dropbox.com/s/c5ace70qh1vbyzb/vs_release_16k.zip"), files)
    rows = pulled("vocalsound", tmp_path / "store", mirror=str(tmp_path / "mirror"))
    assert {i: (row["labels"], row["speaker"], extra(row)["gender"]) for i, row in rows.items()} == {
        "train/f0003_0_cough": (["cough"], "f0003", "female"),
        "train/m0065_0_throatclearing": (["throatclearing"], "m0065", "male"),
        "val/f1000_0_laughter": (["laughter"], "f1000", "female"),
        "test/m2000_0_sigh": (["sigh"], "m2000", "male"),
    }
    assert {(row["task"], row["text"], row["question"]) for row in rows.values()} == {("vsc", None, None)}
    assert reasons(tmp_path / "store") == {"f2001_0_sniff": "no_media"}

    again = pulled("vocalsound", tmp_path / "own", from_path=unpacked(tmp_path / "tree", files))
    assert digests(again) == digests(rows)


def test_vocalsound_by_the_evaluation_list_of_qwen2_audio(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    packed(on_host(mirror, "https://www.dropbox.com/s/c5ace70qh1vbyzb/vs_release_16k.zip"), vocalsound())
    row = {"audio": "vocalsound/audio_16k/m2000_0_sigh.wav", "prompt": "Which sound?", "gt": "Sigh", "source": "vs"}
    on_host(
        mirror, "https://qianwen-res.oss-cn-beijing.aliyuncs.com/Qwen2-Audio/evaluation/vocalsound_eval.jsonl"
    ).write_text(json.dumps(row) + "\n")
    rows = pulled("vocalsound", tmp_path / "store", mirror=str(mirror), evaluation="qwen2-audio")
    assert list(rows) == ["test/m2000_0_sigh"]
    assert select(tmp_path / "store", "select id, value from annotations where key = 'reference'") == [
        {"id": "vocalsound/test/m2000_0_sigh", "value": "Sigh"}
    ]


# ---- ESC-50


ESC50 = "https://github.com/karolpiczak/ESC-50/archive/master.zip"


def test_esc50(tmp_path: Path) -> None:
    table = csv_bytes([
        ("filename", "fold", "target", "category", "esc10", "src_file", "take"),
        ("1-100032-A-0.wav", 1, 0, "dog", True, 100032, "A"),
        ("5-156999-C-19.wav", 5, 19, "thunderstorm", False, 156999, "C"),
    ])  # fmt: skip
    files = {
        "ESC-50-master/audio/1-100032-A-0.wav": noise(1),
        "ESC-50-master/audio/5-156999-C-19.wav": noise(2),
        "ESC-50-master/meta/esc50.csv": table,
        "ESC-50-master/README.md": b"# ESC-50",
    }
    packed(on_host(tmp_path / "mirror", ESC50), files)
    rows = pulled("esc50", tmp_path / "store", mirror=str(tmp_path / "mirror"))
    assert {i: row["labels"] for i, row in rows.items()} == {
        "fold1/1-100032-A-0": ["dog"], "fold5/5-156999-C-19": ["thunderstorm"]
    }  # fmt: skip
    again = pulled("esc50", tmp_path / "own", from_path=unpacked(tmp_path / "tree", files), split="test")
    assert list(again) == ["fold5/5-156999-C-19"]


def test_esc50_with_real_clips(shared: Path, tmp_path: Path) -> None:
    rows = pulled("esc50", tmp_path / "store", from_path=shared / "media/speechbrain/tests/samples/ESC50")
    assert {i: row["labels"] for i, row in rows.items()} == {
        "fold1/1-100032-A-0": ["dog"], "fold2/2-100648-A-43": ["car_horn"], "fold3/3-103051-C-19": ["thunderstorm"],
        "fold4/4-156993-A-19": ["thunderstorm"], "fold5/5-156999-C-19": ["thunderstorm"],
    }  # fmt: skip


# ---- Free Spoken Digit Dataset


FSDD = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/master.zip"


def test_fsdd_with_real_clips(shared: Path, tmp_path: Path) -> None:
    names = ("7_george_0.wav", "7_george_7.wav", "0_yweweler_0.wav")
    files = {
        f"free-spoken-digit-dataset-master/recordings/{name}": (shared / "media/fsdd/recordings" / name).read_bytes()
        for name in names
    }
    packed(on_host(tmp_path / "mirror", FSDD), files | {"free-spoken-digit-dataset-master/metadata.py": b"x = 1"})
    rows = pulled("fsdd", tmp_path / "store", mirror=str(tmp_path / "mirror"))
    assert {i: (row["text"], row["speaker"], row["audio"]["sample_rate"]) for i, row in rows.items()} == {
        "test/7_george_0": ("seven", "george", 8000),
        "train/7_george_7": ("seven", "george", 8000),
        "test/0_yweweler_0": ("zero", "yweweler", 8000),
    }
    again = pulled("fsdd", tmp_path / "own", from_path=shared / "media/fsdd")
    assert len(again) == len(list((shared / "media/fsdd/recordings").glob("*.wav")))
    assert set(digests(rows).items()) <= set(digests(again).items())
