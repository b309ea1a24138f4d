"""Pulls beside lhotse's recipes on releases whose samples are spans, or lie by subset, language, channel or speaker.

The trees are made from what the recipes read. Each corpus has one normalisation, which says how ours differs on
purpose; then ids, texts, speakers, splits and the seconds from start to end are the same, and what lhotse has more is
what ours rejects with a reason.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.lhotse_recipes import RECIPES, Recipe, Utterances
from support.natives import csv_bytes, encoded, extra, reasons, rows_of, unpacked
from triptych.catalog.registry import get_card

Said = tuple[str | None, str | None, float, float]
"""Text, speaker, and the seconds of the start and the end."""

Row = Mapping[str, Any]


def ours(
    dataset: str, tree: Path, store: Path, said_by: Callable[[Row], tuple[str, str | None, str | None]], **options: Any
) -> dict[str, Said]:
    """Our rows as lhotse says them; `said_by` gives the key, text and speaker of lhotse."""
    triptych.pull(dataset, store=store, from_path=tree, **options)
    found: dict[str, Said] = {}
    for row in rows_of(dataset, store).values():
        key, text, speaker = said_by(row)
        start, end = row["start_s"] or 0.0, row["end_s"]
        found[key] = (text, speaker, round(start, 3), round(row["audio"]["duration"] if end is None else end, 3))
    return found


def theirs(utterances: Utterances) -> dict[str, Said]:
    return {
        key: (each["text"], each["speaker"], *(round(frame / each["rate"], 3) for frame in each["span"]))
        for key, each in utterances.items()
    }


@pytest.mark.parametrize("dataset", RECIPES)
def test_the_card_names_the_recipe(dataset: str) -> None:
    assert f"lhotse, lhotse/recipes/{RECIPES[dataset]}.py" in get_card(dataset).recipes


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


# ---- AISHELL-2


def aishell2() -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    lines = {
        "data": {"IC0001W0061": "\t听 流年", "IC0001W0062": "\t听beat it", "IC0010W0228": "   Here's ，好"},
        "dev": {"ID0012W0001": "\t换首 Jay-Z 的歌?"},
        "test": {"IT0011W0001": "\t搬不走的要'关停'", "IT0011W0002": "\tＡＴＭ"},
    }
    for seed, (split, texts) in enumerate(lines.items()):
        folder = f"AISHELL-2/iOS/{split}"
        paths = {identity: f"wav/{identity[1:6]}/{identity}.wav" for identity in texts}
        files[f"{folder}/wav.scp"] = "".join(f"{name}\t{path}\n" for name, path in paths.items()).encode()
        files[f"{folder}/trans.txt"] = "".join(f"{name}{text}\n" for name, text in texts.items()).encode()
        files |= {f"{folder}/{path}": encoded(10 * seed + n, "wav") for n, path in enumerate(paths.values())}
    return files


def as_aishell2(row: Row) -> tuple[str, str | None, str | None]:
    """Ours joins Chinese words and leaves the rest as it is.

    lhotse writes Latin letters in upper case and three full-width ones as ASCII, and takes out full-width commas,
    question marks, hyphens, and apostrophes after a Chinese character.
    """
    _, _, split, identity = row["id"].split("/")
    text = extra(row).get("text", row["text"])
    for old, new in (("Ａ", "A"), ("Ｔ", "T"), ("Ｍ", "M"), ("，", ""), ("?", ""), ("-", " ")):
        text = text.replace(old, new)
    kept = [letter for before, letter in zip(f" {text}", text, strict=False)
            if letter != "'" or not "\u4e00" <= before <= "\u9fff"]  # fmt: skip
    return f"{split}/{identity}", " ".join("".join(kept).split()).upper(), row["speaker"]


def test_aishell2_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", aishell2())
    found = ours("aishell2", tree, tmp_path / "store", as_aishell2)
    expected = theirs(lhotse("aishell2", tree))
    assert found == {key: (" ".join(str(text).split()), *rest) for key, (text, *rest) in expected.items()}
    assert reasons(tmp_path / "store") == {}
    texts = {row["text"] for row in rows_of("aishell2", tmp_path / "store").values()}
    assert texts == {"听流年", "听beat it", "Here's ，好", "换首 Jay-Z 的歌?", "搬不走的要'关停'", "ＡＴＭ"}


# ---- Libri-Light


def libri_light() -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for seed, subset in enumerate(("small", "medium", "large")):
        place = f"{subset}/10{seed}/sea_fairies_0812/0{seed}_baum_64kb"
        facts = {"speaker": f"10{seed}", "book_meta": {"id": "812"}, "voice_activity": [[0.0, 0.5], [0.6, 0.9]]}
        files |= {f"{place}.flac": encoded(seed, "flac", seconds=1.0), f"{place}.json": json.dumps(facts).encode()}
    return files


def as_libri_light(row: Row) -> tuple[str, str | None, str | None]:
    """Ours is the recording; lhotse's are its stretches of speech, which ours keeps in `extra`."""
    _, split, identity = row["id"].split("/", 2)
    return f"{split}/{split}/{identity}", row["text"], row["speaker"]


def test_libri_light_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", libri_light())
    whole = ours("libri_light", tree, tmp_path / "store", as_libri_light, split=["small", "medium", "large"])
    rows = {as_libri_light(row)[0]: row for row in rows_of("libri_light", tmp_path / "store").values()}
    stretches = {
        f"{key}_{number}": (text, speaker, start, end)
        for key, (text, speaker, _, _) in whole.items()
        for number, (start, end) in enumerate(json.loads(extra(rows[key])["voice_activity"]))
    }
    expected = lhotse("libri_light", tree)
    assert stretches == theirs(expected)
    assert {key: each["duration"] for key, each in expected.items()} == {
        key: whole[key.rpartition("_")[0]][3] for key in expected
    }
