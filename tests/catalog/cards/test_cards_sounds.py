"""The cards of sounds and their captions, each on a small corpus in its native layout, from a mirror and unpacked."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.corpora import noise
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
    volumes,
    without_network,
)
from support.raws import Stream, read
from support.stores import select
from triptych.catalog.registry import get_card
from triptych.catalog.schema.lint import check_card
from triptych.converters.candidate import Remote
from triptych.errors import UsageError

CARDS = Path(triptych.__file__).parent / "catalog/cards"
NAMES = ("wavcaps", "vocalsound", "musiccaps", "audiocaps", "clotho", "audio_reasoner", "esc50", "fsdd")


@pytest.mark.parametrize("name", NAMES)
def test_the_card_has_no_problem(name: str) -> None:
    assert check_card(CARDS / f"{name}.yaml")[0] == []


def flac(seed: int, *, seconds: float = 0.2, rate: int = 32_000) -> bytes:
    out = io.BytesIO()
    samples = np.random.default_rng(seed).integers(-8000, 8000, round(seconds * rate), dtype=np.int16)
    soundfile.write(out, samples, rate, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def audio(data: bytes, name: str = "x.wav") -> dict[str, Any]:
    """A cell of a hub's audio column."""
    return {"bytes": data, "path": name}


def media_of(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {identity: row["audio"]["sha256"] for identity, row in rows.items()}


# ---- WavCaps


WAVCAPS = "cvssp/WavCaps"
DEEP = "mnt/fast/nobackup/scratch/weimao"


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
    assert media_of(again) == media_of(rows)


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
    assert len(set(media_of(rows).values())) == 4


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
    assert media_of(again) == media_of(rows)


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
    assert media_of(again) == media_of(rows)


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


# ---- MusicCaps


MUSICCAPS = "https://huggingface.co/datasets/google/MusicCaps/resolve/main/musiccaps-public.csv"


def musiccaps() -> bytes:
    header = ("ytid", "start_s", "end_s", "audioset_positive_labels", "aspect_list", "caption", "author_id",
              "is_balanced_subset", "is_audioset_eval")  # fmt: skip
    return csv_bytes([
        header,
        ("-0Gj8-vB1q4", 30, 40, "/m/0140xf,/m/02cjck", "['low quality', 'sustained strings melody', \"80's\"]",
         "The low quality recording features a ballad song.\nIt sounds sad, like\n\"something\".", 4, False, True),
        ("_train_id_0", 0, 10, "/m/04rlf", "['guitar']", "A guitar, alone.", 1, True, False),
        ("gone_gone_0", 110, 120, "/m/04rlf", "[]", "Nobody hears it.", 1, False, False),
    ])  # fmt: skip


def check_musiccaps(rows: dict[str, dict[str, Any]]) -> None:
    assert {i: (row["text"], row["labels"]) for i, row in rows.items()} == {
        "test/-0Gj8-vB1q4_30": (
            'The low quality recording features a ballad song.\nIt sounds sad, like\n"something".',
            ["low quality", "sustained strings melody", "80's"],
        ),
        "train/_train_id_0_0": ("A guitar, alone.", ["guitar"]),
    }
    assert extra(rows["test/-0Gj8-vB1q4_30"])["audioset"] == "/m/0140xf,/m/02cjck"
    assert all(row["start_s"] is None for row in rows.values())


def test_musiccaps_from_the_hub_copy_with_the_official_captions_and_split(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    on_host(mirror, MUSICCAPS).write_bytes(musiccaps())
    copied = {"caption": "another text", "aspect_list": "[]", "end_time": 40.0}
    parquet(
        on_hub(mirror, "mahendra0203/musiccaps_processed_full", "data/train-00000-of-00001.parquet"),
        [
            copied | {"audio": audio(noise(1)), "youtube_id": "-0Gj8-vB1q4", "start_time": 30.0},
            copied | {"audio": audio(noise(2)), "youtube_id": "_train_id_0", "start_time": 0.0},
        ],
    )
    check_musiccaps(pulled("musiccaps", tmp_path / "store", mirror=str(mirror)))
    assert reasons(tmp_path / "store") == {"gone_gone_0_110": "no_media"}
    only = pulled("musiccaps", tmp_path / "test-only", mirror=str(mirror), split="test")
    assert list(only) == ["test/-0Gj8-vB1q4_30"]


def test_a_draw_from_the_hub_copy_is_the_same_each_time(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    on_host(mirror, MUSICCAPS).write_bytes(musiccaps())
    parquet(
        on_hub(mirror, "mahendra0203/musiccaps_processed_full", "data/train-00000-of-00001.parquet"),
        [{"audio": audio(noise(n)), "youtube_id": clip, "start_time": start}
         for n, (clip, start) in enumerate((("-0Gj8-vB1q4", 30), ("_train_id_0", 0)))],
    )  # fmt: skip
    drawn = [pulled("musiccaps", tmp_path / store, mirror=str(mirror), samples=1, by="hash") for store in ("a", "b")]
    assert len(drawn[0]) == 1 and media_of(drawn[0]) == media_of(drawn[1])


def test_musiccaps_from_the_clips_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {
        "musiccaps-public.csv": musiccaps(),
        "clips/-0Gj8-vB1q4_30.wav": noise(1),
        "clips/_train_id_0_0.flac": flac(2),
    }
    without_network(monkeypatch)
    check_musiccaps(pulled("musiccaps", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree)))


# ---- AudioCaps


AUDIOCAPS = "https://raw.githubusercontent.com/cdjkim/audiocaps/master/"
HEADER = ("audiocap_id", "youtube_id", "start_time", "caption")
TRAIN = [(91139, "r1nicOVtvkQ", 130, "A woman talks nearby as water pours"),
         (58146, "UDGBjjwyaqE", 20, "Multiple clanging and clanking sounds"),
         (1, "gone_gone_0", 0, "Nobody hears it")]  # fmt: skip
TEST = [(n, clip, start, f"caption {n}, with a comma") for n in range(1, 6)
        for clip, start in (("-7fmOlUlwoN", 0), ("6BJ455B1aAs", 30))]  # fmt: skip
CAPTIONED = {
    "v1/train/r1nicOVtvkQ_130": ["A woman talks nearby as water pours"],
    "v1/train/UDGBjjwyaqE_20": ["Multiple clanging and clanking sounds"],
    "v1/test/-7fmOlUlwoN_0": [f"caption {n}, with a comma" for n in range(1, 6)],
    "v1/test/6BJ455B1aAs_30": [f"caption {n}, with a comma" for n in range(1, 6)],
}


def audiocaps_rows(rows: list[tuple[Any, ...]], sounds: dict[str, bytes]) -> list[dict[str, Any]]:
    return [dict(zip(HEADER, row, strict=True)) | {"audio": audio(sounds[row[1]])} for row in rows if row[1] in sounds]


def test_audiocaps_from_the_hub_copy_has_five_captions_a_clip(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    sounds = {clip: noise(n) for n, clip in enumerate(("r1nicOVtvkQ", "UDGBjjwyaqE", "-7fmOlUlwoN", "6BJ455B1aAs"))}
    for split, copy, rows in (("train", "train", TRAIN), ("val", "validation", []), ("test", "test", TEST)):
        on_host(mirror, f"{AUDIOCAPS}dataset/{split}.csv").write_bytes(csv_bytes([HEADER, *rows], line_end="\r\n"))
        made = audiocaps_rows(rows or [(9, "unlisted__0", 0, "x")], sounds | {"unlisted__0": noise(9)})
        half = len(made) // 2 or 1
        for n, part in enumerate((made[:half], made[half:] or made[:half])):
            parquet(on_hub(mirror, "OpenSound/AudioCaps", f"data/{copy}-0000{n}-of-00002.parquet"), part)
    rows = pulled("audiocaps", tmp_path / "store", mirror=str(mirror), split=["train", "test"])
    assert {i: row["captions"] for i, row in rows.items()} == CAPTIONED
    assert reasons(tmp_path / "store") == {"gone_gone_0_0": "no_media"}
    again = triptych.pull("audiocaps", store=tmp_path / "store", mirror=str(mirror), split="test")
    assert again.account.candidates == 0


def test_audiocaps_from_the_clips_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {
        "dataset/train.csv": csv_bytes([HEADER, *TRAIN], line_end="\r\n"),
        "dataset/test.csv": csv_bytes([HEADER, *TEST], line_end="\r\n"),
        "clips/r1nicOVtvkQ_130.wav": noise(0),
        "clips/UDGBjjwyaqE_20.wav": noise(1),
        "clips/-7fmOlUlwoN_0.flac": flac(2),
        "clips/6BJ455B1aAs_30.wav": noise(3),
    }
    without_network(monkeypatch)
    rows = pulled("audiocaps", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {i: row["captions"] for i, row in rows.items()} == CAPTIONED
    second = pulled("audiocaps", tmp_path / "v2", from_path=tmp_path / "tree", config="v2", split="train")
    assert set(second) == {"v2/train/r1nicOVtvkQ_130", "v2/train/UDGBjjwyaqE_20"}


@pytest.mark.parametrize(
    ("name", "table", "expected"),
    [
        ("musiccaps", {"musiccaps-public.csv": musiccaps()},
         {"-0Gj8-vB1q4_30": ("-0Gj8-vB1q4", 30, 40), "_train_id_0_0": ("_train_id_0", 0, 10),
          "gone_gone_0_110": ("gone_gone_0", 110, 120)}),
        ("audiocaps", {"test.csv": csv_bytes([HEADER, *TEST], line_end="\r\n")},
         {"-7fmOlUlwoN_0": ("-7fmOlUlwoN", 0, 10), "6BJ455B1aAs_30": ("6BJ455B1aAs", 30, 40)}),
    ],
)  # fmt: skip
def test_clips_of_youtube_are_asked_for_once_by_their_whole_address(
    name: str, table: dict[str, bytes], expected: dict[str, tuple[str, int, int]]
) -> None:
    source = next(source for source in get_card(name).sources if source.kind == "youtube")
    candidates, rejections = read("annotated", Stream(table), source.reader_options, remote=True)
    assert rejections == []
    remote = {candidate.source_id: candidate.media[0][1].remote for candidate in candidates}
    assert remote == {
        identity: Remote(f"https://www.youtube.com/watch?v={video}", start, end, "youtube")
        for identity, (video, start, end) in expected.items()
    }
    assert [len(candidate.media) for candidate in candidates] == [1] * len(expected)


# ---- Clotho


ZENODO = "https://zenodo.org/record/4783391/files/"
CAPTIONS = [f"caption_{n}" for n in range(1, 6)]
METADATA = ("file_name", "keywords", "sound_id", "sound_link", "start_end_samples", "manufacturer", "license")
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"


def seven_zip(path: Path, files: dict[str, bytes]) -> None:
    py7zr = pytest.importorskip("py7zr")
    with py7zr.SevenZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(data, name)


def clotho() -> tuple[dict[str, bytes], dict[str, dict[str, bytes]]]:
    """The tables by name, and the members of each archive. `a.wav` is another clip in each split."""
    tables: dict[str, bytes] = {}
    archives: dict[str, dict[str, bytes]] = {}
    for n, split in enumerate(("development", "validation", "evaluation")):
        names = ("a.wav", "Señal & 01 (x).wav")
        tables[f"clotho_captions_{split}.csv"] = csv_bytes(
            [("file_name", *CAPTIONS), *((name, *(f"{split}, {name}: {k}" for k in range(5))) for name in names)]
        )
        tables[f"clotho_metadata_{split}.csv"] = (
            csv_bytes(
                [METADATA, *((name, "bell;rain; café", 1, "https://x.org/x", "[0, 9]", "José", CC0) for name in names)]
            )
            .decode()
            .encode("iso-8859-1")
        )
        archives[split] = {f"{split}/{name}": noise(10 * n + k) for k, name in enumerate(names)}
    tables["clotho_metadata_test.csv"] = csv_bytes(
        [METADATA, ("t.wav", "wind, strong", 7, "https://freesound.org/y", "[0, 9]", "Ömer", CC0)], delimiter=";"
    ).decode().encode("iso-8859-1")  # fmt: skip
    archives["test"] = {"test/t.wav": noise(99)}
    return tables, archives


def test_clotho(tmp_path: Path) -> None:
    tables, archives = clotho()
    mirror = tmp_path / "mirror"
    for name, data in tables.items():
        record = ZENODO.replace("4783391", "3865658") if "_test" in name else ZENODO
        on_host(mirror, record + name).write_bytes(data)
    for split, members in archives.items():
        record = ZENODO.replace("4783391", "3865658") if split == "test" else ZENODO
        seven_zip(on_host(mirror, f"{record}clotho_audio_{split}.7z"), members)
    rows = pulled("clotho", tmp_path / "store", mirror=summed(mirror))
    captioned = {
        f"{split}/{name.removesuffix('.wav')}": [f"{split}, {name}: {k}" for k in range(5)]
        for split in ("development", "validation", "evaluation")
        for name in ("a.wav", "Señal & 01 (x).wav")
    }
    assert {i: row["captions"] for i, row in rows.items()} == captioned | {"test/t": None}
    assert rows["evaluation/a"]["labels"] == ["bell", "rain", "café"] and rows["evaluation/a"]["license"] == CC0
    assert extra(rows["evaluation/a"])["manufacturer"] == "José"
    assert extra(rows["test/t"])["manufacturer"] == "Ömer" and rows["test/t"]["labels"] == ["wind, strong"]
    assert reasons(tmp_path / "store") == {}

    downloads = pulled("clotho", tmp_path / "downloads", from_path=mirror / "zenodo.org/record")
    assert media_of(downloads) == media_of(rows)

    whole = tables | {name: data for members in archives.values() for name, data in members.items()}
    again = pulled("clotho", tmp_path / "own", from_path=unpacked(tmp_path / "tree", whole))
    assert media_of(again) == media_of(rows)
    assert {i: row["labels"] for i, row in again.items()} == {i: row["labels"] for i, row in rows.items()}


def test_clotho_with_real_clips(shared: Path, tmp_path: Path) -> None:
    rows = pulled("clotho", tmp_path / "store", from_path=shared / "media/clotho", split="evaluation")
    assert set(rows) == {
        "evaluation/01 barreau bunker original", "evaluation/02-Bakken_Rollercoaster",
        "evaluation/Flipping Pages", "evaluation/Tenerife_bazaar_2",
    }  # fmt: skip
    bells = rows["evaluation/01 barreau bunker original"]
    assert bells["captions"][0] == "A ding sound against a bell occurs at different pitches."
    assert len(bells["captions"]) == 5 and bells["audio"]["sample_rate"] == 44_100
    assert set(reasons(tmp_path / "store").values()) <= {"no_media"}


# ---- Audio-Reasoner


THOUGHT = (
    "<THINK><PLANNING>Listen.</PLANNING><CAPTION>A dog.</CAPTION><REASONING>It barks.</REASONING>"
    "<SUMMARY>Dog.</SUMMARY></THINK>\n<RESPONSE> A dog barks. </RESPONSE>"
)


def test_audio_reasoner_tells_answer_from_thought_in_either_spelling(tmp_path: Path) -> None:
    mirror, repo = tmp_path / "mirror", "zhifeixie/Audio-Reasoner-CoTA"
    parquet(
        on_hub(mirror, repo, "meld/train-00000-of-00002.parquet"),
        [{"question": "What barks?", "answer": THOUGHT, "audio": audio(noise(1))}],
    )
    parquet(
        on_hub(mirror, repo, "meld/train-00001-of-00002.parquet"),
        [
            {"prompt": "Which?", "options": ["cat", "dog"], "response": THOUGHT, "audio": audio(noise(2))},
            {"prompt": "Who?", "options": None, "response": "Nobody.", "audio": audio(noise(3))},
        ],
    )
    rows = pulled("audio_reasoner", tmp_path / "store", mirror=str(mirror), config="meld")
    assert {i: (row["question"], row["answer"], row["choices"]) for i, row in rows.items()} == {
        "meld/train/train-00000-of-00002_0": ("What barks?", "A dog barks.", None),
        "meld/train/train-00001-of-00002_0": ("Which?", "A dog barks.", ["cat", "dog"]),
        "meld/train/train-00001-of-00002_1": ("Who?", "Nobody.", None),
    }
    first = rows["meld/train/train-00000-of-00002_0"]
    assert first["reasoning"].startswith("<PLANNING>Listen.") and first["reasoning"].endswith("Dog.</SUMMARY>")
    assert extra(first)["planning"] == "Listen." and extra(first)["summary"] == "Dog."


def test_audio_reasoner_passes_over_a_corrupt_file(tmp_path: Path) -> None:
    mirror, repo = tmp_path / "mirror", "zhifeixie/Audio-Reasoner-CoTA"
    for n in (0, 2):
        parquet(on_hub(mirror, repo, f"S2TT/e2z-0000{n}-of-00003.parquet"),
                [{"question": f"q{n}", "answer": f"a{n}", "audio": audio(noise(n))}])  # fmt: skip
    on_hub(mirror, repo, "S2TT/e2z-00001-of-00003.parquet").write_bytes(b"PAR1" + bytes(999) + b"PAR1")
    result = triptych.pull("audio_reasoner", store=tmp_path / "store", mirror=str(mirror), config="S2TT")
    rows = rows_of("audio_reasoner", tmp_path / "store")
    assert {row["answer"] for row in rows.values()} == {"a0", "a2"}
    assert len(result.damaged) == 1 and "e2z-00001" in result.damaged[0]
    assert reasons(tmp_path / "store") == {"e2z-00001-of-00003.parquet": "corrupt_parquet"}


def test_audio_reasoner_is_pulled_by_configuration(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pulled by configuration"):
        triptych.pull("audio_reasoner", store=tmp_path / "store", mirror=str(tmp_path))


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
    assert set(media_of(rows).items()) <= set(media_of(again).items())
