"""The card of WavCaps: captions of four sources in volumes, joined to their sounds by number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import triptych
from support.natives import encoded, on_hub, packed, summed, unpacked, volumes
from support.pulls import digests, extra, pulled, reasons
from support.stores import select

WAVCAPS = "cvssp/WavCaps"
DEEP = "mnt/fast/nobackup/scratch/weimao"


def flac(seed: int, *, seconds: float = 0.2) -> bytes:
    """A sound at the rate of WavCaps."""
    return encoded(seed, "flac", seconds=seconds, rate=32_000)


def wavcaps_json(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps({"num_captions_per_audio": 1, "data": rows}).encode()


def soundbible() -> tuple[bytes, dict[str, bytes]]:
    """Two rows with a file, one without, one file without a row."""
    row = {"title": "Jet", "description": "A jet lands.", "author": "Mike", "href": "2219-Jet.html", "duration": 0.2,
           "audio": "wav/2219.wav", "download_link": "https://soundbible.com/grab.php?id=2219&type=wav"}  # fmt: skip
    rows = [
        row | {"id": "2219", "caption": "An airplane is landing."},
        row | {"id": "2218", "caption": "A clock is ticking."},
        row | {"id": "9999", "caption": "Nobody hears it."},
    ]
    return wavcaps_json(rows), {f"{DEEP}/SoundBible_flac/{n}.flac": flac(n) for n in (2218, 2219, 7)}


def test_wavcaps_takes_soundbible_where_no_subset_is_named(tmp_path: Path) -> None:
    table, sounds = soundbible()
    mirror = tmp_path / "mirror"
    on_hub(mirror, WAVCAPS, "json_files/SoundBible/sb_final.json").write_bytes(table)
    packed(on_hub(mirror, WAVCAPS, "Zip_files/SoundBible/SoundBible.zip"), sounds)
    rows = pulled("wavcaps", tmp_path / "store", mirror=str(mirror))
    assert {i: (row["text"], row["config"], row["task"]) for i, row in rows.items()} == {
        "SoundBible/train/2219": ("An airplane is landing.", "SoundBible", "aac"),
        "SoundBible/train/2218": ("A clock is ticking.", "SoundBible", "aac"),
    }
    assert {row["audio"]["codec"] for row in rows.values()} == {"flac"}
    assert extra(rows["SoundBible/train/2219"])["title"] == "Jet"
    assert reasons(tmp_path / "store") == {"9999": "no_media"}

    tree = unpacked(tmp_path / "tree", {"json_files/SoundBible/sb_final.json": table, **sounds})
    again = pulled("wavcaps", tmp_path / "own", from_path=tree)
    assert digests(again) == digests(rows)


def test_wavcaps_reads_volumes_and_ids_do_not_collide_across_subsets(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    free = wavcaps_json([
        {"id": "2219", "caption": "Rain falls.", "file_name": "rain.wav", "tags": ["rain", "storm"], "duration": 0.2},
        {"id": "11", "caption": "A dog barks.", "file_name": "dog.wav", "tags": [], "duration": 0.2},
    ])  # fmt: skip
    table, sounds = soundbible()
    on_hub(mirror, WAVCAPS, "json_files/SoundBible/sb_final.json").write_bytes(table)
    packed(on_hub(mirror, WAVCAPS, "Zip_files/SoundBible/SoundBible.zip"), sounds)
    on_hub(mirror, WAVCAPS, "json_files/FreeSound/fsd_final.json").write_bytes(free)
    cut = volumes("FreeSound", {f"{DEEP}/FreeSound_flac/{n}.flac": flac(n + 1) for n in (11, 2219)}, size=5_000)
    assert len(cut) > 3
    for name, data in cut.items():
        on_hub(mirror, WAVCAPS, f"Zip_files/FreeSound/{name}").write_bytes(data)
    rows = pulled("wavcaps", tmp_path / "store", mirror=summed(mirror), config=["SoundBible", "FreeSound"])
    assert {i: row["text"] for i, row in rows.items()} == {
        "SoundBible/train/2219": "An airplane is landing.",
        "SoundBible/train/2218": "A clock is ticking.",
        "FreeSound/train/2219": "Rain falls.",
        "FreeSound/train/11": "A dog barks.",
    }
    assert len(set(digests(rows).values())) == 4


def test_wavcaps_volumes_are_joined_by_number(tmp_path: Path) -> None:
    """Volume 100 comes after volume 99, and the .zip is the last."""
    mirror = tmp_path / "mirror"
    free = wavcaps_json([{"id": str(n), "caption": f"Sound {n}."} for n in range(40)])
    on_hub(mirror, WAVCAPS, "json_files/FreeSound/fsd_final.json").write_bytes(free)
    cut = volumes("FreeSound", {f"{n}.flac": flac(n, seconds=0.1) for n in range(40)}, size=2_000)
    assert {"FreeSound.z02", "FreeSound.z100", "FreeSound.zip"} <= set(cut)
    for name, data in cut.items():
        on_hub(mirror, WAVCAPS, f"Zip_files/FreeSound/{name}").write_bytes(data)
    rows = pulled("wavcaps", tmp_path / "store", mirror=summed(mirror), config="FreeSound")
    assert len(rows) == 40 and reasons(tmp_path / "store") == {}
    downloads = tmp_path / "mirror/huggingface.co/datasets/cvssp/WavCaps/resolve/main"
    again = pulled("wavcaps", tmp_path / "own", from_path=downloads, config="FreeSound")
    assert digests(again) == digests(rows)


def test_wavcaps_audioset_names_flac_files_by_youtube_ids_and_some_are_broken(tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", {
        "as_final.json": wavcaps_json([
            {"id": "Yr1nicOVtvkQ.wav", "caption": "A woman talks as water pours.", "duration": 0.2},
            {"id": "Y-_broken__0.wav", "caption": "Nothing is heard.", "duration": 10.0},
            {"id": "Yempty.wav", "caption": "Not even a header.", "duration": 10.0},
        ]),
        f"{DEEP}/AudioSet_SL_flac/Yr1nicOVtvkQ.flac": flac(1),
        f"{DEEP}/AudioSet_SL_flac/Y-_broken__0.flac": flac(2)[:4000] + bytes(4288),
        f"{DEEP}/AudioSet_SL_flac/Yempty.flac": bytes(8288),
    })  # fmt: skip
    rows = pulled("wavcaps", tmp_path / "store", from_path=tree, config="AudioSet_SL")
    assert {i: row["text"] for i, row in rows.items()} == {
        "AudioSet_SL/train/Yr1nicOVtvkQ": "A woman talks as water pours.",
        "AudioSet_SL/train/Y-_broken__0": "Nothing is heard.",
    }
    assert reasons(tmp_path / "store") == {"Yempty": "not_media"}
    triptych.validate("wavcaps", store=tmp_path / "store", workers=1)
    faults = {row["id"].rsplit("/", 1)[-1]: row["audio_error"]
              for row in select(tmp_path / "store", "select id, audio_error from checks")}  # fmt: skip
    assert faults["Yr1nicOVtvkQ"] is None and faults["Y-_broken__0"] is not None
