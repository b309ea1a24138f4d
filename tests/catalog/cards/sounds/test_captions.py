"""The cards of sounds and their captions, each on a small corpus in its native layout, from a mirror and unpacked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import noise
from support.natives import cell, csv_bytes, encoded, on_host, on_hub, parquet, summed, unpacked
from support.pulls import digests, extra, pulled, reasons, without_network
from support.raws import Stream, read
from triptych.catalog.registry import get_card
from triptych.converters.candidate import Remote

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
            copied | {"audio": cell(noise(1)), "youtube_id": "-0Gj8-vB1q4", "start_time": 30.0},
            copied | {"audio": cell(noise(2)), "youtube_id": "_train_id_0", "start_time": 0.0},
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
        [{"audio": cell(noise(n)), "youtube_id": clip, "start_time": start}
         for n, (clip, start) in enumerate((("-0Gj8-vB1q4", 30), ("_train_id_0", 0)))],
    )  # fmt: skip
    drawn = [pulled("musiccaps", tmp_path / store, mirror=str(mirror), samples=1, by="hash") for store in ("a", "b")]
    assert len(drawn[0]) == 1 and digests(drawn[0]) == digests(drawn[1])


def test_musiccaps_from_the_clips_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {
        "musiccaps-public.csv": musiccaps(),
        "clips/-0Gj8-vB1q4_30.wav": noise(1),
        "clips/_train_id_0_0.flac": encoded(2, "flac", seconds=0.2, rate=32_000),
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
    return [dict(zip(HEADER, row, strict=True)) | {"audio": cell(sounds[row[1]])} for row in rows if row[1] in sounds]


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
        "clips/-7fmOlUlwoN_0.flac": encoded(2, "flac", seconds=0.2, rate=32_000),
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
    assert digests(downloads) == digests(rows)

    whole = tables | {name: data for members in archives.values() for name, data in members.items()}
    again = pulled("clotho", tmp_path / "own", from_path=unpacked(tmp_path / "tree", whole))
    assert digests(again) == digests(rows)
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
