"""The cards of clips whose sound is labelled, each on a small corpus in its native layout, packed and unpacked."""

from __future__ import annotations

from pathlib import Path

import pytest
import triptych
from support.natives import films, on_hub, packed, parquet, unpacked, wavs
from support.pulls import pulled, reasons, without_network

# ---- AudioSet


def test_audioset_from_the_hub_copy_is_sound(tmp_path: Path) -> None:
    clip, mirror = wavs(2), tmp_path / "mirror"
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
    clip, heard = films(1), wavs(1)
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
    clip, mirror = films(3), tmp_path / "mirror"
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
