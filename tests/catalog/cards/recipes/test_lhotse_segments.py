"""Pulls beside lhotse's recipes on releases whose samples are segments of long recordings.

The trees are made from what the recipes read. Each corpus has one normalisation, which says how ours differs on
purpose; then ids, texts, speakers, splits and the seconds from start to end are the same, and what lhotse has more is
what ours rejects with a reason.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.lhotse_recipes import Recipe, ours, theirs
from support.natives import csv_bytes, encoded, unpacked
from support.pulls import Row, extra, reasons, rows_of

# ---- GigaSpeech


def segment(sid: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    return {"sid": sid, "begin_time": start, "end_time": end, **more}


def gigaspeech() -> dict[str, bytes]:
    """Two recordings of an hour's layout: subsets are tags of recordings and of segments."""
    audios: list[dict[str, Any]] = [
        {"aid": "POD01", "path": "audio/podcast/P0001/POD01.opus", "subsets": ["{XL}", "{L}", "{XS}"], "segments": [
            segment("POD01_S1", 0.25, 1.0, text_tn="FOUR O'CLOCK <COMMA> SAID HE <PERIOD>", speaker="N/A",
                    subsets=["{XL}", "{L}", "{XS}"]),
            segment("POD01_S2", 1.0, 1.75, text_tn="ONLY IN THE LARGEST", speaker="SPK7", subsets=["{XL}"]),
            segment("POD01_S3", 1.75, 2.0, text_tn="<MUSIC>", speaker="N/A", subsets=["{XL}"]),
        ]},
        {"aid": "YOU02", "path": "audio/youtube/P0002/YOU02.opus", "subsets": ["{DEV}", "{TEST}"], "segments": [
            segment("YOU02_S1", 0.0, 0.5, text_tn="HELD OUT", speaker="N/A", subsets=["{DEV}"]),
            segment("YOU02_S2", 0.5, 1.25, text_tn="TO THE END <QUESTIONMARK>", speaker="N/A", subsets=["{TEST}"]),
        ]},
    ]  # fmt: skip
    more = {"duration": 2.0, "sample_rate": 16_000, "channels": 1, "format": "opus"}
    document = {"dataset": "GigaSpeech", "audios": [each | more for each in audios]}
    sounds = {each["path"]: encoded(n, "opus", seconds=2.0, rate=48_000) for n, each in enumerate(audios)}
    return {"GigaSpeech.json": json.dumps(document).encode(), **sounds}


def as_gigaspeech(row: Row) -> tuple[str, str | None, str | None]:
    """lhotse's split is our configuration, in capitals; `N/A` is no speaker to us."""
    _, config, _, sid = row["id"].split("/")
    return f"{config.upper()}/{sid}", row["text"], row["speaker"] or "N/A"


def test_gigaspeech_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", gigaspeech())
    found = ours("gigaspeech", tree, tmp_path / "store", as_gigaspeech, config=["xl", "dev", "test"])
    expected = theirs(lhotse("gigaspeech", tree))
    # Segments without speech are kept by the recipe and rejected here.
    assert expected.pop("XL/POD01_S3")[0] == "<MUSIC>"
    assert reasons(tmp_path / "store") == {"POD01_S3": "no_speech"}
    assert found == expected
    assert found["XL/POD01_S2"] == ("ONLY IN THE LARGEST", "SPK7", 1.0, 1.75)
    roles = {row["config"]: row["split"] for row in rows_of("gigaspeech", tmp_path / "store").values()}
    assert roles == {"xl": "train", "dev": "validation", "test": "test"}


# ---- WenetSpeech


def wenetspeech() -> dict[str, bytes]:
    audios: list[dict[str, Any]] = [
        {"aid": "Y1", "path": "audio/train/youtube/B00000/Y1.opus", "segments": [
            segment("Y1_S1", 0.0, 0.5, text="而 对 楼市 成交", subsets=["L", "M", "S"], confidence=1.0),
            segment("Y1_S2", 0.5, 1.0, text="我 说 OK ", subsets=["L"], confidence=0.96)]},
        {"aid": "D1", "path": "audio/dev/third_party/B00000/D1.opus", "segments": [
            segment("D1_S1", 0.25, 1.5, text="开发", subsets=["DEV"], confidence=1.0)]},
        {"aid": "T1", "path": "audio/test_net/youtube/B00000/T1.opus", "segments": [
            segment("T1_S1", 0.0, 2.0, text="测试", subsets=["TEST_NET"], confidence=1.0)]},
        {"aid": "T2", "path": "audio/test_meeting/third_party/B00000/T2.opus", "segments": [
            segment("T2_S1", 1.0, 1.75, text="会议", subsets=["TEST_MEETING"], confidence=1.0)]},
    ]  # fmt: skip
    document = {"audios": [each | {"duration": 2.0} for each in audios]}
    sound = encoded(1, "opus", seconds=2.0)
    tables = {"WenetSpeech.json": json.dumps(document, ensure_ascii=False).encode()}
    return tables | {each["path"]: sound for each in audios}


def as_wenetspeech(row: Row) -> tuple[str, str | None, str | None]:
    """lhotse's split is our configuration, in capitals; our text has no spaces between Chinese words."""
    _, config, _, sid = row["id"].split("/")
    return f"{config.upper()}/{sid}", extra(row).get("text", row["text"]).strip(), row["speaker"]


def test_wenetspeech_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", wenetspeech())
    subsets = ["s", "m", "l", "dev", "test_net", "test_meeting"]
    found = ours("wenetspeech", tree, tmp_path / "store", as_wenetspeech, config=subsets)
    assert found == theirs(lhotse("wenetspeech", tree))
    assert found["L/Y1_S2"] == ("我 说 OK", None, 0.5, 1.0)
    rows = rows_of("wenetspeech", tmp_path / "store")
    assert {row["text"] for row in rows.values()} == {"而对楼市成交", "我说 OK", "开发", "测试", "会议"}
    assert {row["config"]: row["split"] for row in rows.values()} == {
        "s": "train", "m": "train", "l": "train", "dev": "dev", "test_net": "test_net",
        "test_meeting": "test_meeting",
    }  # fmt: skip


# ---- VoxPopuli


def voxpopuli() -> dict[str, bytes]:
    """Sessions of two years below the language's folder, and the table of all their segments."""
    columns = ("session_id", "id_", "original_text", "normed_text", "speaker_id", "split", "gender", "start_time",
               "end_time", "vad")  # fmt: skip
    first, second = "20090112-0900-PLENARY-3-en", "20100211-0900-PLENARY-5-en"
    rows = [
        (first, "20090112-19:43:32_1", "Mr President.", "mr president", "28150", "train", "male", 0.25, 1.0, ""),
        (first, "20090112-19:44:00_2", "Next.", "next", "28150", "train", "male", 1.0, 1.75, ""),
        (second, "20100211-10:00:00_2", "", "only normalized", "None", "dev", "female", 0.5, 1.25, ""),
        (second, "20100211-10:00:00_4", "Tested.", "tested", "4", "test", "female", 1.25, 1.5, ""),
        (second, "20100211-10:00:00_3", "Bad.", "bad", "4", "invalid", "female", 0.5, 1.25, ""),
    ]
    return {
        "asr_en.tsv.gz": gzip.compress(csv_bytes([columns, *rows], delimiter="|"), mtime=0),
        **{f"raw_audios/en/{name[:4]}/{name}_original.ogg": encoded(n, "ogg", seconds=2.0)
           for n, name in enumerate((first, second))},
    }  # fmt: skip


def as_voxpopuli(row: Row, numbers: Mapping[str, int]) -> tuple[str, str | None, str | None]:
    """lhotse numbers the segments of a session that are in a split, ours are named by the table's own id.

    lhotse's text is the normalised one, ours the original one, and the normalised one is kept beside it; lhotse calls
    an unknown speaker `None`, and our role `validation` is its split `dev`.
    """
    _, _, split, identity = row["id"].split("/")
    session, number = identity[:26], numbers[identity[27:]]
    name = {"validation": "dev"}.get(split, split)
    return f"{name}/{session}-{number}", extra(row)["normalized_text"], row["speaker"] or "None"


def test_voxpopuli_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", voxpopuli())
    numbers = {"20090112-19:43:32_1": 1, "20090112-19:44:00_2": 2, "20100211-10:00:00_2": 1, "20100211-10:00:00_4": 2}
    found = ours("voxpopuli", tree, tmp_path / "store", lambda row: as_voxpopuli(row, numbers), config="en")
    assert found == theirs(lhotse("voxpopuli", tree))
    assert reasons(tmp_path / "store") == {}
    texts = {row["text"] for row in rows_of("voxpopuli", tmp_path / "store").values()}
    assert texts == {"Mr President.", "Next.", "only normalized", "Tested."}


# ---- The People's Speech


PARTS = ("train/dirty_sa", "train/dirty", "train/clean_sa", "train/clean", "validation/validation", "test/test")


def peoples_speech() -> dict[str, bytes]:
    """A list of sessions for each part, each session with its clips, beside the folder of the part."""
    files: dict[str, bytes] = {}
    for seed, part in enumerate(PARTS):
        names = [f"talk{seed}/{seed}_{n}.flac" for n in range(2)]
        clips = {"duration_ms": [300, 400], "label": [f"one of {part}", f"two of {part}"], "name": names}
        files[f"{part}.json"] = json.dumps({"identifier": f"talk{seed}", "training_data": clips}).encode() + b"\n"
        files |= {f"{part}/{name}": encoded(seed, "flac", seconds=0.3 + 0.1 * n) for n, name in enumerate(names)}
    return files


def as_peoples_speech(row: Row) -> tuple[str, str | None, str | None]:
    """lhotse's id is the name of the file, without its folders and its ending."""
    _, config, split, identity = row["id"].split("/", 3)
    return f"{split}/{config}/{Path(identity).stem}", row["text"], row["speaker"]


def test_peoples_speech_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", peoples_speech())
    parts = [part.split("/")[1] for part in PARTS]
    found = ours("peoples_speech", tree, tmp_path / "store", as_peoples_speech, config=parts)
    assert found == theirs(lhotse("peoples_speech", tree))
    assert len(found) == 12


# ---- TED-LIUM


def test_tedlium_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    marks = {
        "data": "A_2009 1 A_2009 0 0.5 <o,f0,male> ignore_time_segment_in_scoring\n"
                "A_2009 1 A_2009 0.5 1.25 <o,f0,male> thank you <unk> they 're\n"
                "A_2009 1 A_2009 1.25 1.9 <o,f0,male> it ’s café {NOISE}\n",
        "legacy/dev": "B_2010 1 B_2010 0.25 1.5 <F0_M> i 'm going to talk\n",
        "legacy/test": "C_2010 1 C_2010 0.5 1.99 <o,f0,female> well\n",
    }  # fmt: skip
    files = {}
    for seed, (folder, text) in enumerate(marks.items()):
        talk = text.split()[0]
        files[f"TEDLIUM_release-3/{folder}/stm/{talk}.stm"] = text.encode()
        files[f"TEDLIUM_release-3/{folder}/sph/{talk}.sph"] = encoded(seed, "sphere", seconds=2.0)
    tree = unpacked(tmp_path / "tree", files) / "TEDLIUM_release-3"
    (tree / "legacy/train").mkdir()
    for kind in ("stm", "sph"):
        (tree / "legacy/train" / kind).symlink_to(f"../../data/{kind}", target_is_directory=True)

    def as_tedlium(row: Row) -> tuple[str, str | None, str | None]:
        """lhotse writes {NOISE} as [NOISE]."""
        return row["id"].removeprefix("tedlium/"), row["text"].replace("{NOISE}", "[NOISE]"), row["speaker"]

    assert ours("tedlium", tree, tmp_path / "store", as_tedlium) == theirs(lhotse("tedlium", tree))
    assert reasons(tmp_path / "store") == {"A_2009-0": "not_scored"}
