"""The cards of speech corpora, each on a small corpus in its native layout, from a mirror or hub and unpacked."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import noise
from support.natives import (
    csv_bytes,
    encoded,
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
from triptych.catalog.registry import get_card
from triptych.errors import DamagedError, GateError, UsageError

RESOLVED = "huggingface.co/datasets/{repo}/resolve/{revision}/{path}"


def digests(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {identity: row["audio"]["sha256"] for identity, row in rows.items()}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def columns(rows: Mapping[str, Mapping[str, Any]], *names: str) -> dict[str, tuple[Any, ...]]:
    """These columns by id."""
    return {identity: tuple(row[name] for name in names) for identity, row in rows.items()}


def same(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether two routes gave the same rows: all but where and when they came from."""
    aside = {"source", "revision", "pulled_at", "extra", "audio_file", "video_file", "image_file"}
    return {i: {k: v for k, v in row.items() if k not in aside} | {"extra": extra(row)} for i, row in one.items()} == {
        i: {k: v for k, v in row.items() if k not in aside} | {"extra": extra(row)} for i, row in other.items()
    }


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def tsv(*rows: tuple[Any, ...]) -> bytes:
    """Tab-separated without any quoting."""
    return lines(*("\t".join(str(cell) for cell in row) for row in rows))


def refused(name: str, store: Path, *said: str) -> None:
    """Nothing is downloaded or stored; the message says what to accept and where, and the exit code is 3."""
    with pytest.raises(GateError) as caught:
        triptych.pull(name, store=store)
    message = f"{caught.value.message} {caught.value.hint}"
    assert [each for each in (*said, "--from PATH") if each not in message] == []
    assert caught.value.exit_code == 3
    assert not rows_of(name, store)


# ---- Common Voice

HEADERS = {
    "cv-corpus-4-2019-12-10": "client_id path sentence up_votes down_votes age gender accent",
    "cv-corpus-15.0-2023-09-08": (
        "client_id path sentence up_votes down_votes age gender accents variant locale segment"
    ),
    "cv-corpus-17.0-2024-03-15": (
        "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender accents variant locale "
        "segment"
    ),
}


def common_voice(release: str, language: str, clips: Mapping[str, tuple[str, str, bytes]]) -> dict[str, bytes]:
    """The files of one archive; `clips` are split, sentence and sound by number."""
    header = HEADERS.get(release, HEADERS["cv-corpus-17.0-2024-03-15"]).split()
    files: dict[str, bytes] = {}
    tables: dict[str, list[tuple[Any, ...]]] = {name: [tuple(header)] for name in ("train", "dev", "test")}
    for number, (split, sentence, _) in clips.items():
        known = {"client_id": f"speaker{number}", "path": f"common_voice_{language}_{number}.mp3", "locale": language,
                 "sentence": sentence, "accent": "Scottish", "accents": "Scottish", "up_votes": 2}  # fmt: skip
        tables.setdefault(split, [tuple(header)]).append(tuple(known.get(name, "") for name in header))
    folder = f"{release}/{language}"
    for number, (_, _, sound) in clips.items():
        files[f"{folder}/clips/common_voice_{language}_{number}.mp3"] = sound
    files[f"{folder}/clip_durations.tsv"] = tsv(("clip", "duration[ms]"))
    return files | {f"{folder}/{name}.tsv": tsv(*rows) for name, rows in tables.items()}


@pytest.mark.parametrize("release", list(HEADERS))
def test_common_voice_reads_every_header_as_archive_and_unpacked(release: str, tmp_path: Path) -> None:
    sound = [encoded(n, "mp3") for n in range(5)]
    clips = {
        "1": ("train", 'He said "no', sound[0]),
        "2": ("dev", "Good morning.", sound[1]),
        "3": ("test", "Hallo", sound[2]),
        "4": ("validated", "not drawn", sound[3]),
        "5": ("other", "not reviewed", sound[4]),
    }
    files = common_voice(release, "en", clips)
    archive = packed(tmp_path / f"{release}-made.tar.gz", files)
    rows = pulled("common_voice", tmp_path / "store", from_path=archive)
    assert columns(rows, "config", "split", "text", "language", "speaker") == {
        f"{release}/train/common_voice_en_1": (release, "train", 'He said "no', "en", "speaker1"),
        f"{release}/dev/common_voice_en_2": (release, "dev", "Good morning.", "en", "speaker2"),
        f"{release}/test/common_voice_en_3": (release, "test", "Hallo", "en", "speaker3"),
    }
    assert list(digests(rows).values()) == [sha(sound[1]), sha(sound[2]), sha(sound[0])]
    assert {extra(row)["accents"] for row in rows.values()} == {"Scottish"}
    assert not any("accent" in extra(row) for row in rows.values())
    assert reasons(tmp_path / "store") == {}
    tree = unpacked(tmp_path / "tree", files)
    assert same(rows, pulled("common_voice", tmp_path / "other", from_path=tree))


def test_a_real_clip_of_common_voice(shared: Path, tmp_path: Path) -> None:
    clip = (shared / "media/lhotse/test/fixtures/common_voice_en_651325.mp3").read_bytes()
    files = common_voice("cv-corpus-4-2019-12-10", "en", {"651325": ("train", "What was said is not known.", clip)})
    [row] = pulled("common_voice", tmp_path / "store", from_path=unpacked(tmp_path / "tree", files)).values()
    assert (row["audio"]["sha256"], row["audio"]["codec"], row["audio"]["sample_rate"]) == (sha(clip), "mp3", 48_000)


def test_two_releases_of_common_voice_live_side_by_side(tmp_path: Path) -> None:
    old, new = "cv-corpus-4-2019-12-10", "cv-corpus-17.0-2024-03-15"
    for release, split in ((old, "train"), (new, "test")):
        files = common_voice(release, "fr", {"7": (split, f"phrase of {release}", encoded(7, "mp3"))})
        triptych.pull("common_voice", store=tmp_path / "store", from_path=packed(tmp_path / f"{release}.tar.gz", files))
    rows = rows_of("common_voice", tmp_path / "store")
    assert columns(rows, "text") == {
        f"{old}/train/common_voice_fr_7": (f"phrase of {old}",),
        f"{new}/test/common_voice_fr_7": (f"phrase of {new}",),
    }
    assert len(set(digests(rows).values())) == 1


@pytest.mark.parametrize("count", [2, 5])
def test_releases_of_common_voice_in_one_folder_keep_every_clip(count: int, tmp_path: Path) -> None:
    """Clips have the same names in each; a clip without its row in one release is not lent to another's row."""
    releases = [f"cv-corpus-{number}.0-2023-09-08" for number in range(count)]
    tree: dict[str, bytes] = {}
    for number, release in enumerate(releases):
        drawn = ("train", "test") if number % 2 else ("test", "train")
        clips = {str(n): (split, f"{release} {n}", encoded(10 * number + n, "mp3")) for n, split in enumerate(drawn)}
        tree |= common_voice(release, "fr", {**clips, "9": ("other", "not read", encoded(99, "mp3"))})
    lost = f"{releases[0]}/fr/clips/common_voice_fr_0.mp3"
    folder = unpacked(tmp_path / "tree", {name: data for name, data in tree.items() if name != lost})
    rows = pulled("common_voice", tmp_path / "store", from_path=folder)
    assert len(rows) == 2 * count - 1
    for row in rows.values():
        number = row["id"][-1]
        assert (row["config"], row["text"]) == (row["config"], f"{row['config']} {number}")
        assert row["audio"]["sha256"] == sha(tree[f"{row['config']}/fr/clips/common_voice_fr_{number}.mp3"])
    assert reasons(tmp_path / "store") == {"common_voice_fr_0": "no_media"}
    test = pulled("common_voice", tmp_path / "test", from_path=folder, split="test")
    assert test.keys() == {identity for identity, row in rows.items() if row["split"] == "test"}


def test_a_folder_inside_a_release_is_named_by_as(tmp_path: Path) -> None:
    release = "cv-corpus-15.0-2023-09-08"
    files = common_voice(release, "zh-CN", {"1": ("train", "你好", encoded(1, "mp3"))})
    tree = unpacked(tmp_path / "tree", files) / release / "zh-CN"
    rows = pulled("common_voice", tmp_path / "store", from_path=tree, as_config=release)
    assert columns(rows, "language") == {f"{release}/train/common_voice_zh-CN_1": ("zh-CN",)}


def test_one_split_of_common_voice(tmp_path: Path) -> None:
    release = "cv-corpus-15.0-2023-09-08"
    clips = {str(n): (split, f"sentence {n}", encoded(n, "mp3")) for n, split in enumerate(("train", "dev", "test"))}
    archive = packed(tmp_path / "cv.tar.gz", common_voice(release, "fr", clips))
    rows = pulled("common_voice", tmp_path / "store", from_path=archive, split="validation")
    assert columns(rows, "text") == {f"{release}/dev/common_voice_fr_1": ("sentence 1",)}
    assert reasons(tmp_path / "store") == {}


def test_an_archive_of_common_voice_is_held_against_its_known_sum(tmp_path: Path) -> None:
    release = "cv-corpus-15.0-2023-09-08"
    files = common_voice(release, "yue", {"1": ("train", "早晨", encoded(1, "mp3"))})
    with pytest.raises(DamagedError, match="34cd9cac6e61"):
        triptych.pull("common_voice", store=tmp_path / "store",
                      from_path=packed(tmp_path / f"{release}-yue.tar.gz", files))  # fmt: skip
    assert not rows_of("common_voice", tmp_path / "store")


def test_common_voice_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    refused("common_voice", tmp_path / "store", "https://mozilladatacollective.com", "cv-corpus-<version>")


def test_common_voice_rejects_rows_without_clips(tmp_path: Path) -> None:
    release = "cv-corpus-15.0-2023-09-08"
    clips = {"1": ("train", "one", encoded(1, "mp3")), "2": ("train", "two", encoded(2, "mp3"))}
    files = common_voice(release, "de", clips)
    del files[f"{release}/de/clips/common_voice_de_2.mp3"]
    files[f"{release}/de/train.tsv"] += b"speaker9\tcommon_voice_de_9.mp3\ttoo few cells\n"
    rows = pulled("common_voice", tmp_path / "store", from_path=packed(tmp_path / "cv.tar.gz", files))
    assert list(rows) == [f"{release}/train/common_voice_de_1"]
    found = reasons(tmp_path / "store")
    assert found["common_voice_de_2"] == "no_media"
    assert sorted(found.values()) == ["bad_row", "no_media"]


# ---- CoVoST 2


def covost(folder: Path) -> tuple[Path, list[bytes]]:
    """Two directions from English and one from Chinese over a Common Voice 4."""
    sound = [encoded(n, "mp3") for n in range(3)]
    header = tuple(HEADERS["cv-corpus-4-2019-12-10"].split())

    def row(path: str, sentence: str) -> tuple[str, ...]:
        return (f"client-{path}", path, sentence, "2", "0", "", "", "")

    english = ("common_voice_en_1.mp3", "common_voice_en_2.mp3")
    files = {
        "covost_v2.en_de.tsv": tsv(("path", "translation", "split"), (english[0], 'Er sagte \\"nein', "train_covost"),
                                   (english[1], "Guten Tag", "dev"), ("common_voice_en_9.mp3", "weg", "test")),
        "covost_v2.en_zh-CN.tsv": tsv(("path", "translation", "split"), (english[0], "他说不", "train")),
        "covost_v2.zh-CN_en.tsv": tsv(("path", "translation", "split"), ("common_voice_zh-CN_3.mp3", "Hello", "test")),
        "cv-corpus-4-2019-12-10/en/validated.tsv": tsv(header, row(english[0], 'He said "no'),
                                                       row(english[1], "Good day")),
        "cv-corpus-4-2019-12-10/zh-CN/validated.tsv": tsv(header, row("common_voice_zh-CN_3.mp3", "你好")),
        f"cv-corpus-4-2019-12-10/en/clips/{english[0]}": sound[0],
        f"cv-corpus-4-2019-12-10/en/clips/{english[1]}": sound[1],
        "cv-corpus-4-2019-12-10/zh-CN/clips/common_voice_zh-CN_3.mp3": sound[2],
    }  # fmt: skip
    return unpacked(folder, files), sound


def test_covost2_joins_its_tables_to_common_voice_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    tree, sound = covost(tmp_path / "tree")
    rows = pulled("covost2", tmp_path / "store", from_path=tree, config=["en_de", "en_zh-CN", "zh-CN_en"])
    assert columns(rows, "text", "translation", "language", "target_language", "task") == {
        "en_de/train/common_voice_en_1": ('He said "no', 'Er sagte "nein', "en", "de", "s2tt"),
        "en_de/validation/common_voice_en_2": ("Good day", "Guten Tag", "en", "de", "s2tt"),
        "en_zh-CN/train/common_voice_en_1": ('He said "no', "他说不", "en", "zh-CN", "s2tt"),
        "zh-CN_en/test/common_voice_zh-CN_3": ("你好", "Hello", "zh-CN", "en", "s2tt"),
    }
    assert digests(rows)["en_de/train/common_voice_en_1"] == digests(rows)["en_zh-CN/train/common_voice_en_1"]
    assert digests(rows)["zh-CN_en/test/common_voice_zh-CN_3"] == sha(sound[2])
    assert rows["en_de/train/common_voice_en_1"]["speaker"] == "client-common_voice_en_1.mp3"
    assert reasons(tmp_path / "store") == {"common_voice_en_9": "no_transcript"}


def test_covost2_takes_the_direction_asked_for_and_reads_archives_in_place(tmp_path: Path) -> None:
    tree, _ = covost(tmp_path / "tree")
    for table in sorted(tree.glob("*.tsv")):
        packed(tree / f"{table.name}.tar.gz", {table.name: table.read_bytes()})
        table.unlink()
    rows = pulled("covost2", tmp_path / "store", from_path=tree, config="zh-CN_en")
    assert columns(rows, "translation") == {"zh-CN_en/test/common_voice_zh-CN_3": ("Hello",)}


def test_covost2_from_the_hub(tmp_path: Path) -> None:
    audio = {"bytes": encoded(1, "mp3"), "path": "common_voice_en_1.mp3"}
    row = {"client_id": "c1", "file": "x/common_voice_en_1.mp3", "sentence": 'Say ""no""', "translation": "Sag nein",
           "id": "common_voice_en_1", "audio": audio}  # fmt: skip
    for split in ("train", "validation", "test"):
        path = f"en_de/{split}-00000-of-00001.parquet"
        parquet(on_hub(tmp_path / "mirror", "fixie-ai/covost2", path), [row | {"id": f"common_voice_en_{split}"}])
    rows = pulled("covost2", tmp_path / "store", mirror=str(tmp_path / "mirror"))
    assert columns(rows, "text", "translation", "language", "target_language", "speaker") == {
        f"en_de/{split}/common_voice_en_{split}": ('Say ""no""', "Sag nein", "en", "de", "c1")
        for split in ("train", "validation", "test")
    }


# ---- FLEURS


def fleurs(language: str, split: str, rows: list[tuple[Any, ...]]) -> tuple[bytes, dict[str, bytes]]:
    """The table and the members of the archive of a split."""
    sounds = {f"{split}/{row[1]}": noise(int(row[1].split(".")[0]) % 1000) for row in rows}
    return tsv(*rows), sounds


FLEURS_ROWS = [
    (1675, "10001.wav", 'However, due to "slow" lines,', "however due to slow lines", "h o w | d u e", 4000, "MALE"),
    (1675, "10002.wav", 'However, due to "slow" lines,', "however due to slow lines", "h o w | d u e", 4000, "FEMALE"),
]


def test_fleurs_from_a_hub_and_from_its_files(tmp_path: Path) -> None:
    revision = "70bb2e84b976b7e960aa89f1c648e09c59f894dd"
    root = tmp_path / "mirror" / RESOLVED.format(repo="google/fleurs", revision=revision, path="")
    for language, text in (("en_us", None), ("cmn_hans_cn", "你好。")):
        for split in ("train", "dev", "test"):
            rows = [(*row[:2], text or row[2], *row[3:]) for row in FLEURS_ROWS]
            rows = [(row[0], f"{len(language)}{len(split)}{row[1]}", *row[2:]) for row in rows]
            table, sounds = fleurs(language, split, rows)
            unpacked(root / "data" / language, {f"{split}.tsv": table})
            packed(root / "data" / language / "audio" / f"{split}.tar.gz", sounds)
            unpacked(tmp_path / "tree/data" / language, {f"{split}.tsv": table})
            unpacked(tmp_path / "tree/data" / language / "audio", sounds)
    # The sum of the real archive is on the card.
    with pytest.raises(DamagedError):
        triptych.pull("fleurs", store=tmp_path / "broken", mirror=str(tmp_path / "mirror"), split="test")
    options = {"split": ["train", "dev"], "config": ["en_us", "cmn_hans_cn"]}
    rows = pulled("fleurs", tmp_path / "store", mirror=str(tmp_path / "mirror"), **options)
    assert columns(rows, "language", "split", "text", "speaker")["en_us/train/5510001"] == (
        "en-US", "train", 'However, due to "slow" lines,', None,
    )  # fmt: skip
    assert rows["cmn_hans_cn/dev/11310002"]["language"] == "zh-CN"
    assert len(rows) == 8
    facts = extra(rows["en_us/train/5510001"])
    assert (facts["sentence_id"], facts["transcription"], facts["gender"]) == (
        "1675", "however due to slow lines", "MALE",
    )  # fmt: skip
    assert same(rows, pulled("fleurs", tmp_path / "tree-store", from_path=tmp_path / "tree", **options))
    downloads = root
    assert same(rows, pulled("fleurs", tmp_path / "downloads", from_path=downloads, **options))


def test_fleurs_from_the_conversion_of_the_hub(tmp_path: Path) -> None:
    where = "huggingface.co/datasets/google/fleurs/resolve/refs/convert/parquet/fr_fr"
    for split in ("train", "validation", "test"):
        audio = {"bytes": noise(len(split)), "path": "x.wav"}
        row = {"id": 7, "num_samples": 4000, "path": f"/tmp/{split}/99{split}.wav", "transcription": "sept",
               "audio": audio, "raw_transcription": "Sept.", "gender": 1}  # fmt: skip
        parquet(tmp_path / "mirror" / where / split / "0000.parquet", [row])
    rows = pulled("fleurs", tmp_path / "store", mirror=str(tmp_path / "mirror"), config="fr_fr")
    assert columns(rows, "split", "text", "language") == {
        "fr_fr/train/99train": ("train", "Sept.", "fr-FR"),
        "fr_fr/dev/99validation": ("dev", "Sept.", "fr-FR"),
        "fr_fr/test/99test": ("test", "Sept.", "fr-FR"),
    }
    assert extra(rows["fr_fr/dev/99validation"])["sentence_id"] == "7"


def test_fleurs_has_its_102_languages_as_tags() -> None:
    card = get_card("fleurs")
    tags = {name: config.language for name, config in card.configs.items()}
    assert len(tags) == len(set(tags.values())) == 102
    assert [tags[name] for name in ("cmn_hans_cn", "yue_hant_hk", "es_419", "sv_se", "ast_es")] == [
        "zh-CN", "yue-HK", "es-419", "sv-SE", "ast-ES",
    ]  # fmt: skip


# ---- VoxPopuli

VOX_COLUMNS = (
    "id_ paragraph_id session_id speaker_id original_text normed_text decoded start_time end_time cer wer vad "
)
VOX_COLUMNS += "split gender"


def voxpopuli(folder: Path, base: str) -> tuple[dict[str, bytes], list[bytes]]:
    """Two sessions of two years, a table for English; the files of a mirror and, by name, of a tree."""
    sound = [encoded(n, "ogg", seconds=2.0) for n in range(2)]
    sessions = ("20090112-0900-PLENARY-3-en", "20100211-0900-PLENARY-5-en")
    vad = "[(0.25, 0.75), (1.0, 1.5)]"
    rows = [
        ("20090112-19:43:32_1", 1, sessions[0], "28150", "Mr President, 100% true.", "mr president true", "x", 0.25,
         1.5, 0.1, 0.2, vad, "train", "male"),
        ("20100211-10:00:00_2", 2, sessions[1], "None", "", "only normalized", "x", 0.5, 1.25, 0.1, 0.2, vad, "dev",
         "female"),
        ("20100211-10:00:00_3", 3, sessions[1], "4", "Bad.", "bad", "x", 0.5, 1.25, 0.9, 0.9, vad, "invalid", "female"),
    ]  # fmt: skip
    table = gzip.compress(csv_bytes([VOX_COLUMNS.split(), *rows], delimiter="|"), mtime=0)
    on_host(folder, f"{base}annotations/asr/asr_en.tsv.gz").write_bytes(table)
    files = {"asr_en.tsv.gz": table}
    for year in range(2009, 2021):
        held = {2009: {f"original/2009/{sessions[0]}_original.ogg": sound[0]},
                2010: {f"original/2010/{sessions[1]}_original.ogg": sound[1]}}.get(year, {})  # fmt: skip
        held = held or {f"original/{year}/other_original.ogg": b"of another language"}
        packed(on_host(folder, f"{base}audios/original_{year}.tar"), held)
        files |= {f"raw_audios/{name}": data for name, data in held.items()}
    return files, sound


def test_voxpopuli_raw_sessions_as_spans(tmp_path: Path) -> None:
    files, sound = voxpopuli(tmp_path / "mirror", "https://dl.fbaipublicfiles.com/voxpopuli/")
    rows = pulled("voxpopuli", tmp_path / "store", mirror=str(tmp_path / "mirror"), source="archive")
    first = "en/train/20090112-0900-PLENARY-3-en-20090112-19:43:32_1"
    second = "en/validation/20100211-0900-PLENARY-5-en-20100211-10:00:00_2"
    assert columns(rows, "text", "speaker", "language", "start_s", "end_s") == {
        first: ("Mr President, 100% true.", "28150", "en", 0.25, 1.5),
        second: ("only normalized", None, "en", 0.5, 1.25),
    }
    assert digests(rows) == {first: sha(sound[0]), second: sha(sound[1])}
    assert extra(rows[first])["vad"] == "[(0.25, 0.75), (1.0, 1.5)]"
    assert extra(rows[first])["normalized_text"] == "mr president true"
    assert reasons(tmp_path / "store") == {}
    tree = unpacked(tmp_path / "tree", files)
    assert same(rows, pulled("voxpopuli", tmp_path / "other", from_path=tree))


def test_voxpopuli_from_the_hub(tmp_path: Path) -> None:
    def row(n: int, raw: str) -> dict[str, Any]:
        return {"audio_id": f"s-{n}", "language": 0, "audio": {"bytes": noise(n), "path": f"{n}.wav"}, "raw_text": raw,
                "normalized_text": f"text {n}", "gender": "male", "speaker_id": "None" if n == 2 else "77",
                "is_gold_transcript": True, "accent": "None"}  # fmt: skip

    mirror = tmp_path / "mirror"
    parquet(on_hub(mirror, "facebook/voxpopuli", "de/train-00000-of-00001.parquet"), [row(1, "Text 1."), row(2, "")])
    parquet(on_hub(mirror, "facebook/voxpopuli", "de/validation-00000-of-00001.parquet"), [row(3, "Drei.")])
    parquet(on_hub(mirror, "facebook/voxpopuli", "de/test-00000-of-00001.parquet"), [row(4, "Vier.")])
    parquet(on_hub(mirror, "facebook/voxpopuli", "en_accented/test-00000-of-00001.parquet"), [row(5, "Five.")])
    rows = pulled("voxpopuli", tmp_path / "store", mirror=str(mirror), config=["de", "en_accented"])
    assert columns(rows, "text", "speaker", "language") == {
        "de/train/s-1": ("Text 1.", "77", "de"),
        "de/train/s-2": ("text 2", None, "de"),
        "de/validation/s-3": ("Drei.", "77", "de"),
        "de/test/s-4": ("Vier.", "77", "de"),
        "en_accented/test/s-5": ("Five.", "77", "en"),
    }


# ---- GigaSpeech and WenetSpeech


def segment(sid: str, start: float, end: float, text: str, subsets: list[str], **more: Any) -> dict[str, Any]:
    return {"sid": sid, "begin_time": start, "end_time": end, "text_tn": text, "text": text, "subsets": subsets, **more}


def gigaspeech() -> tuple[dict[str, bytes], bytes]:
    sound = encoded(1, "opus", seconds=3.0, rate=48_000)
    audio = {
        "title": "N/A", "url": "N/A", "path": "audio/podcast/P0001/POD0000000025.opus", "aid": "POD0000000025",
        "source": "podcast", "md5": "-", "duration": 3.0, "format": "opus", "sample_rate": 16000, "channels": 1,
        "segments": [
            segment("POD0000000025_S0000008", 0.25, 1.0, "FOUR O'CLOCK <COMMA> SAID WILLIAMS <PERIOD>",
                    ["{XL}", "{L}", "{S}", "{XS}"], speaker="N/A"),
            segment("POD0000000025_S0000009", 1.0, 1.75, "BIG ONE", ["{XL}"], speaker="N/A"),
            segment("POD0000000025_S0000010", 2.0, 2.5, "<MUSIC>", ["{XL}", "{XS}"], speaker="N/A"),
            segment("POD0000000025_S0000011", 2.5, 3.0, "HELD OUT", ["{DEV}"], speaker="N/A"),
        ],
    }  # fmt: skip
    document = {"dataset": "GigaSpeech", "language": "EN", "version": "v1.0.0", "audios": [audio]}
    return {"GigaSpeech.json": json.dumps(document).encode(), audio["path"]: sound}, sound  # type: ignore[dict-item]


def test_gigaspeech_raw_release_gives_spans_by_subset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    files, sound = gigaspeech()
    tree = unpacked(tmp_path / "tree", files)
    rows = pulled("gigaspeech", tmp_path / "store", from_path=tree, config=["xs", "dev"])
    assert columns(rows, "text", "speaker", "split", "start_s", "end_s") == {
        "xs/train/POD0000000025_S0000008": (
            "FOUR O'CLOCK <COMMA> SAID WILLIAMS <PERIOD>", None, "train", 0.25, 1.0,
        ),
        "dev/validation/POD0000000025_S0000011": ("HELD OUT", None, "validation", 2.5, 3.0),
    }  # fmt: skip
    assert set(digests(rows).values()) == {sha(sound)}
    assert reasons(tmp_path / "store") == {"POD0000000025_S0000010": "no_speech"}
    archive = packed(tmp_path / "gigaspeech.tar", files)
    assert same(rows, pulled("gigaspeech", tmp_path / "other", from_path=archive, config=["xs", "dev"]))
    larger = pulled("gigaspeech", tmp_path / "larger", from_path=tree, config="xl")
    assert sorted(larger) == ["xl/train/POD0000000025_S0000008", "xl/train/POD0000000025_S0000009"]


def test_gigaspeech_is_behind_its_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nobody"))
    with pytest.raises(GateError, match="terms of GigaSpeech") as caught:
        triptych.pull("gigaspeech", store=tmp_path / "store")
    assert "https://forms.gle/UuGQAPyscGRrUMLq6" in str(caught.value.hint)
    assert not rows_of("gigaspeech", tmp_path / "store")
    with pytest.raises(GateError, match="must be downloaded manually: the raw release"):
        triptych.pull("gigaspeech", store=tmp_path / "store", source="manual")


def test_gigaspeech_from_the_hub(tmp_path: Path) -> None:
    def row(n: int, text: str) -> dict[str, Any]:
        return {"segment_id": f"S{n}", "speaker": "N/A", "text": text, "begin_time": 1.0, "end_time": 2.0,
                "audio": {"bytes": noise(n), "path": f"{n}.wav"}, "audio_id": "A", "source": "podcast"}  # fmt: skip

    path = on_hub(tmp_path / "mirror", "fixie-ai/gigaspeech", "xl/train-00000-of-02279.parquet")
    parquet(path, [row(1, "HELLO <PERIOD>"), row(2, "<SIL>")])
    rows = pulled("gigaspeech", tmp_path / "store", mirror=str(tmp_path / "mirror"))
    # The clip is cut already: its times in the recording are no span.
    assert columns(rows, "text", "start_s", "end_s") == {"xl/train/S1": ("HELLO <PERIOD>", None, None)}
    assert extra(rows["xl/train/S1"])["begin_time"] == "1.0"
    assert reasons(tmp_path / "store") == {"S2": "no_speech"}
    assert get_card("gigaspeech").case == "upper"
    parquet(on_hub(tmp_path / "mirror", "fixie-ai/gigaspeech", "dev/dev-00000-of-00005.parquet"), [row(3, "HI")])
    assert "dev/validation/S3" in pulled(
        "gigaspeech", tmp_path / "store", mirror=str(tmp_path / "mirror"), config="dev"
    )
    with pytest.raises(GateError, match="the raw release"):
        triptych.pull("gigaspeech", store=tmp_path / "store", config="xs")


def wenetspeech() -> tuple[dict[str, bytes], list[bytes]]:
    sound = [encoded(n, "opus", seconds=2.0, rate=48_000) for n in range(2)]
    document = {"audios": [
        {"aid": "Y1", "duration": 2.0, "path": "audio/train/youtube/B00000/Y1.opus", "segments": [
            segment("Y1_S1", 0.0, 0.5, "而 对　楼市\u00a0成交", ["L", "M", "S"], confidence=1.0),
            segment("Y1_S2", 0.5, 1.0, "弱", ["W"], confidence=0.6)]},
        {"aid": "D1", "duration": 2.0, "path": "audio/dev/third_party/B00000/D1.opus", "segments": [
            segment("D1_S1", 0.25, 1.5, "开发", ["DEV"], confidence=1.0)]},
    ]}  # fmt: skip
    files = {"WenetSpeech.json": json.dumps(document, ensure_ascii=False).encode()}
    return files | {a["path"]: s for a, s in zip(document["audios"], sound, strict=True)}, sound


WENET = {
    "s/train/Y1_S1": ("而对楼市成交", "zh", 0.0, 0.5),
    "dev/dev/D1_S1": ("开发", "zh", 0.25, 1.5),
}


def test_wenetspeech_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    refused("wenetspeech", tmp_path / "none", "https://wenet-e2e.github.io/WenetSpeech/", "WENETSPEECH_PASSWORD")
    files, sound = wenetspeech()
    rows = pulled("wenetspeech", tmp_path / "store", from_path=unpacked(tmp_path / "tree", files))
    assert columns(rows, "text", "language", "start_s", "end_s") == WENET
    assert digests(rows) == {"s/train/Y1_S1": sha(sound[0]), "dev/dev/D1_S1": sha(sound[1])}
    assert extra(rows["s/train/Y1_S1"])["text"] == "而 对　楼市\u00a0成交"
    weak = pulled("wenetspeech", tmp_path / "weak", from_path=tmp_path / "tree", config="w")
    assert {i: extra(row)["confidence"] for i, row in weak.items()} == {"w/train/Y1_S2": "0.6"}


def encrypted(data: bytes, password: str) -> bytes:
    """As `openssl enc -aes-256-cbc -pbkdf2 -pass pass:...` writes it."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt = b"8 bytes."
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10_000, 48)
    cipher = Cipher(algorithms.AES256(made[:32]), modes.CBC(made[32:])).encryptor()
    fill = 16 - len(data) % 16
    return b"Salted__" + salt + cipher.update(data + bytes([fill]) * fill) + cipher.finalize()


def wenet_objects(folder: Path) -> Path:
    files, _ = wenetspeech()
    for name, data in files.items():
        plain = packed(folder / "plain.tar.gz", {name: data}).read_bytes()
        target = folder / "objects" / name.removesuffix(".opus")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(f"{target.name}.aes.tgz").write_bytes(encrypted(plain, "the password"))
    return folder / "objects"


def test_wenetspeech_encrypted_objects_need_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = wenet_objects(tmp_path)
    with pytest.raises(UsageError, match="WENETSPEECH_PASSWORD is not set"):
        triptych.pull("wenetspeech", store=tmp_path / "none", from_path=objects)
    monkeypatch.setenv("WENETSPEECH_PASSWORD", "the password")
    rows = pulled("wenetspeech", tmp_path / "store", from_path=objects)
    assert columns(rows, "text", "language", "start_s", "end_s") == WENET
    monkeypatch.setenv("WENETSPEECH_PASSWORD", "not the password")
    result = triptych.pull("wenetspeech", store=tmp_path / "wrong", from_path=objects)
    assert result.stored == 0
    assert result.damaged
    assert set(reasons(tmp_path / "wrong").values()) == {"wrong_password"}


WENET_HOST = "wenet.meeting.tencent.com/WenetSpeech"
WENET_LIST = (
    "https://raw.githubusercontent.com/wenet-e2e/WenetSpeech/b54b6d9ee5111ab1a5c9087e363aa2f962f5ed5d/metadata/v1.list"
)


def test_wenetspeech_from_the_objects_of_its_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = wenet_objects(tmp_path)
    mirror = tmp_path / "mirror"
    shutil.copytree(objects, mirror / WENET_HOST)
    paths = sorted(path.relative_to(objects).as_posix() for path in objects.rglob("*.tgz"))
    sums = {path: hashlib.md5((objects / path).read_bytes(), usedforsecurity=False).hexdigest() for path in paths}
    on_host(mirror, WENET_LIST).write_bytes(lines("# md5 path", *(f"{sums[path]} {path}" for path in paths)))
    table = mirror / WENET_HOST / "WenetSpeech.json.aes.tgz"
    (mirror / "mirror.yaml").write_text(f"sha256: {{{WENET_HOST}/{table.name}: {sha(table.read_bytes())}}}\n")
    monkeypatch.setenv("WENETSPEECH_PASSWORD", "the password")
    rows = pulled("wenetspeech", tmp_path / "store", mirror=str(mirror), split=["train", "dev"])
    assert columns(rows, "text", "language", "start_s", "end_s") == WENET
    dev = mirror / WENET_HOST / "audio/dev/third_party/B00000/D1.aes.tgz"
    dev.write_bytes(dev.read_bytes()[:-16])
    with pytest.raises(DamagedError, match=sums[dev.relative_to(mirror / WENET_HOST).as_posix()]):
        triptych.pull("wenetspeech", store=tmp_path / "other", mirror=str(mirror), split="dev")
    on_host(mirror, WENET_LIST).write_bytes(lines("nonsense ../etc/passwd"))
    with pytest.raises(UsageError, match="line 1: expected an MD5 checksum and a path"):
        triptych.pull("wenetspeech", store=tmp_path / "third", mirror=str(mirror), split="dev")


# ---- AISHELL-2


def aishell2(folder: str, split: str, sound: Mapping[str, bytes], texts: bytes) -> dict[str, bytes]:
    """The files of one split: `folder/wav/<speaker>/<id>.wav`, wav.scp and trans.txt."""
    paths = {identity: f"wav/{identity[1:6]}/{identity}.wav" for identity in sound}
    scp = lines(*(f"{identity}\t{path}" for identity, path in paths.items()))
    wavs = {f"{folder}/{split}/{paths[identity]}": data for identity, data in sound.items()}
    return {f"{folder}/{split}/wav.scp": scp, **wavs, f"{folder}/{split}/trans.txt": texts}


def test_aishell2_evaluation_archive_has_three_channels(tmp_path: Path) -> None:
    members: dict[str, bytes] = {}
    tree: dict[str, bytes] = {}
    ids = ("IT0011W0001", "IT0011W0002")
    for seed, channel in enumerate(("iOS", "Android", "Mic")):
        for split in ("dev", "test"):
            sound = {ids[0]: noise(10 * seed + len(split)), ids[1]: noise(10 * seed + len(split) + 5)}
            texts = lines(f"{ids[0]}\t听 流年", f"{ids[1]}   换首 Jay Chou 的歌")
            files = aishell2("", split, sound, texts)
            inner = packed(tmp_path / "inner.tar.gz", {name.strip("/"): data for name, data in files.items()})
            members[f"AISHELL-DEV-TEST-SET/{channel}/{split}.tar.gz"] = inner.read_bytes()
            tree |= {f"AISHELL-DEV-TEST-SET/{channel}{name}": data for name, data in files.items()}
    packed(tmp_path / "mirror/aishell-eval.oss-cn-beijing.aliyuncs.com/TEST&DEV DATA.zip", members)
    options = {"config": ["iOS", "Android", "Mic"], "split": ["dev", "test"]}
    rows = pulled("aishell2", tmp_path / "store", mirror=str(tmp_path / "mirror"), **options)
    assert len(rows) == 12
    assert columns(rows, "config", "split", "text", "speaker")["Android/test/IT0011W0001"] == (
        "Android", "test", "听流年", "T0011",
    )  # fmt: skip
    assert rows["Mic/dev/IT0011W0002"]["text"] == "换首 Jay Chou 的歌"
    assert digests(rows)["Mic/dev/IT0011W0002"] == sha(noise(28))
    assert reasons(tmp_path / "store") == {}
    unpacked(tmp_path / "tree", tree)
    assert same(rows, pulled("aishell2", tmp_path / "other", from_path=tmp_path / "tree", **options))


def test_aishell2_training_set_from_a_folder(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    with pytest.raises(GateError, match="aishelltech"):
        triptych.pull("aishell2", store=tmp_path / "none", split="train")
    real = sorted((shared / "media/aishell1_sample/AISHELL_Sample_data").glob("*.wav"))[:3]
    sound = {f"IC0001W{n:04d}": path.read_bytes() for n, path in enumerate(real)}
    files = aishell2("AISHELL-2/IOS", "data", sound, lines("IC0001W0000\t听流年", "IC0001W0001 第二"))
    tree = unpacked(tmp_path / "tree", files)
    rows = pulled("aishell2", tmp_path / "store", from_path=tree)
    assert columns(rows, "text", "speaker", "language") == {
        "iOS/train/IC0001W0000": ("听流年", "C0001", "zh"),
        "iOS/train/IC0001W0001": ("第二", "C0001", "zh"),
    }
    assert reasons(tmp_path / "store") == {"IC0001W0002": "no_transcript"}


# ---- TIMIT


def timit(split: str, dialect: str, speaker: str, utterance: str, sound: bytes, text: str) -> dict[str, bytes]:
    place = f"data/{split}/{dialect}/{speaker}/{utterance}"
    return {f"{place}.WAV": sound, f"{place}.TXT": lines(f"0 4800 {text}"),
            f"{place}.PHN": lines("0 800 h#", "800 1600 sh", "1600 3200 iy", "3200 4800 h#"),
            f"{place}.WRD": lines("800 3200 she")}  # fmt: skip


def test_timit_has_phones_words_and_sphere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    refused("timit", tmp_path / "none", "https://catalog.ldc.upenn.edu/LDC93S1", "LDC93S1")
    sphere = encoded(3, "sphere")
    files = timit("TRAIN", "DR1", "FCJF0", "SI648", sphere, "She had.")
    files |= timit("TEST", "DR2", "MABW0", "SI648", encoded(4, "sphere"), "She had.")
    rows = pulled("timit", tmp_path / "store", from_path=unpacked(tmp_path / "tree", files))
    assert columns(rows, "text", "speaker", "split") == {
        "train/FCJF0_SI648": ("She had.", "FCJF0", "train"),
        "test/MABW0_SI648": ("She had.", "MABW0", "test"),
    }
    row = rows["train/FCJF0_SI648"]
    assert [(p["text"], p["start_s"], p["end_s"]) for p in row["phones"]] == [
        ("h#", 0.0, 0.05), ("sh", 0.05, 0.1), ("iy", 0.1, 0.2), ("h#", 0.2, 0.3),
    ]  # fmt: skip
    assert [(w["text"], w["start_s"], w["end_s"]) for w in row["words"]] == [("she", 0.05, 0.2)]
    assert (row["audio"]["sha256"], row["audio"]["sample_rate"], row["audio"]["duration"]) == (sha(sphere), 16000, 0.3)
    assert same(rows, pulled("timit", tmp_path / "other", from_path=packed(tmp_path / "timit.tar.gz", files)))


def test_the_real_utterance_of_timit_is_an_sa_sentence(shared: Path, tmp_path: Path) -> None:
    """The card leaves it out; a copy of the card that says `sa: true` keeps it."""
    own = shared / "media/timit_ldc93s1"
    assert pulled("timit", tmp_path / "none", from_path=own) == {}
    assert set(reasons(tmp_path / "none").values()) == {"sa_sentence"}
    card = Path(triptych.__file__).parent / "catalog/cards/timit.yaml"
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards/timit.yaml").write_text(card.read_text().replace("sa: false", "sa: true"))
    [row] = pulled("timit", tmp_path / "store", from_path=own, cards=(tmp_path / "cards",)).values()
    assert (row["id"], row["text"]) == (
        "timit/train/FCJF0_SA1", "She had your dark suit in greasy wash water all year.",
    )  # fmt: skip
    assert (row["words"][0]["text"], row["words"][0]["start_s"]) == ("she", 3050 / 16_000)


# ---- MInDS-14, People's Speech


def test_minds14_has_intents_as_names(tmp_path: Path) -> None:
    import datasets

    names = ["abroad", "address", "app_error"]
    sound = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = datasets.Features({
        "path": datasets.Value("string"), "audio": sound,
        "transcription": datasets.Value("string"), "english_transcription": datasets.Value("string"),
        "intent_class": datasets.ClassLabel(names=names), "lang_id": datasets.ClassLabel(names=["de-DE", "ko-KR"]),
    })  # fmt: skip
    for number, locale in enumerate(("de-DE", "ko-KR")):
        row = {"path": f"{locale}~ADDRESS/602b{number}.wav", "audio": {"bytes": noise(number), "path": "x.wav"},
               "transcription": "guten Tag", "english_transcription": "good day", "intent_class": 1 + number,
               "lang_id": number}  # fmt: skip
        revision = "40ce77cb32a384e4d50a568e1ec39ac804019d33"
        where = RESOLVED.format(repo="PolyAI/minds14", revision=revision, path=f"{locale}/train-00000-of-00001.parquet")
        (tmp_path / "mirror" / where).parent.mkdir(parents=True)
        datasets.Dataset.from_list([row], features=features).to_parquet(tmp_path / "mirror" / where)
    options = {"config": ["de-DE", "ko-KR"]}
    rows = pulled("minds14", tmp_path / "store", mirror=str(tmp_path / "mirror"), **options)
    assert columns(rows, "text", "translation", "language", "target_language", "labels") == {
        "de-DE/train/602b0": ("guten Tag", "good day", "de-DE", "en", ["address"]),
        "ko-KR/train/602b1": ("guten Tag", "good day", "ko-KR", "en", ["app_error"]),
    }
    repository = next((tmp_path / "mirror").rglob("de-DE"))
    assert same({"de-DE/train/602b0": rows["de-DE/train/602b0"]},
                pulled("minds14", tmp_path / "other", from_path=repository, config="de-DE"))  # fmt: skip


def test_peoples_speech_keeps_the_licence_of_each_configuration(tmp_path: Path) -> None:
    def write(path: str, n: int) -> None:
        row = {"id": f"folder/{n}.flac", "audio": {"bytes": encoded(n, "flac"), "path": f"{n}.flac"},
               "duration_ms": 300, "text": f"text {n}"}  # fmt: skip
        parquet(on_hub(tmp_path / "mirror", "MLCommons/peoples_speech", path), [row])

    write("microset/train-00000-of-00001.parquet", 1)
    write("clean_sa/train-00000-of-00002.parquet", 2)
    write("clean_sa/train-00001-of-00002.parquet", 3)
    write("clean_sa/test-00000-of-00001.parquet", 4)
    write("test/test-00000-of-00001.parquet", 4)
    mirror = str(tmp_path / "mirror")
    assert list(pulled("peoples_speech", tmp_path / "few", mirror=mirror)) == ["microset/train/folder/1.flac"]
    rows = pulled("peoples_speech", tmp_path / "store", mirror=mirror, config=["clean_sa", "test"])
    assert columns(rows, "text", "split", "license") == {
        "clean_sa/train/folder/2.flac": ("text 2", "train", "CC-BY-SA"),
        "clean_sa/train/folder/3.flac": ("text 3", "train", "CC-BY-SA"),
        "test/test/folder/4.flac": ("text 4", "test", "CC-BY and CC-BY-SA, by configuration"),
    }
    assert extra(rows["test/test/folder/4.flac"]) == {"duration_ms": "300"}


def test_peoples_speech_as_a_tree_of_flac(tmp_path: Path) -> None:
    """The manifests are JSON Lines in spite of their names; a line has lists of clips, each a file."""
    sound = [encoded(n, "flac") for n in range(3)]
    session = {"identifier": "talk", "training_data": {"duration_ms": [300, 300], "label": ["one", "two"],
                                                       "name": ["talk/0.flac", "talk/1.flac"]}}  # fmt: skip
    other = {"identifier": "b", "training_data": {"duration_ms": [300], "label": ["held out"], "name": ["b/0.flac"]}}
    tree = unpacked(tmp_path / "tree", {
        "train/clean_sa.json": lines(json.dumps(session)), "train/clean_sa/talk/0.flac": sound[0],
        "train/clean_sa/talk/1.flac": sound[1],
        "test/test.json": lines(json.dumps(other)), "test/test/b/0.flac": sound[2],
    })  # fmt: skip
    rows = pulled("peoples_speech", tmp_path / "store", from_path=tree, config=["clean_sa", "test"])
    assert columns(rows, "text", "split", "license") == {
        "clean_sa/train/talk/0.flac": ("one", "train", "CC-BY-SA"),
        "clean_sa/train/talk/1.flac": ("two", "train", "CC-BY-SA"),
        "test/test/b/0.flac": ("held out", "test", "CC-BY and CC-BY-SA, by configuration"),
    }
    assert list(digests(rows).values()) == [sha(data) for data in sound]
    assert extra(rows["clean_sa/train/talk/1.flac"]) == {"identifier": "talk", "duration_ms": "300", "index": "1"}
    with pytest.raises(UsageError, match="of the default configuration microset, others with config="):
        triptych.pull("peoples_speech", store=tmp_path / "none", from_path=tree)


# ---- LJSpeech


def ljspeech(sound: Mapping[str, bytes], metadata: bytes) -> dict[str, bytes]:
    wavs = {f"LJSpeech-1.1/wavs/{name}.wav": data for name, data in sound.items()}
    return {"LJSpeech-1.1/README": b"...", **wavs, "LJSpeech-1.1/metadata.csv": metadata}


def test_ljspeech_as_archive_and_unpacked(tmp_path: Path) -> None:
    metadata = lines('LJ001-0001|He was "born in 1455,|He was "born in fourteen fifty-five,', "LJ001-0002|in being|",
                     "LJ001-0003|gone|gone")  # fmt: skip
    files = ljspeech({"LJ001-0001": noise(1), "LJ001-0002": noise(2), "LJ009-0009": noise(3)}, metadata)
    with tarfile.open(on_host(tmp_path / "mirror", "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2"),
                      "w:bz2") as out:  # fmt: skip
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    with pytest.raises(DamagedError, match="be1a30453f28"):
        triptych.pull("ljspeech", store=tmp_path / "other-archive", mirror=str(tmp_path / "mirror"))
    rows = pulled("ljspeech", tmp_path / "store", mirror=summed(tmp_path / "mirror"))
    assert columns(rows, "text", "speaker", "language") == {
        "train/LJ001-0001": ('He was "born in fourteen fifty-five,', "LJ", "en"),
        "train/LJ001-0002": ("in being", "LJ", "en"),
    }
    assert extra(rows["train/LJ001-0001"]) == {"transcription": 'He was "born in 1455,'}
    assert reasons(tmp_path / "store") == {"LJ001-0003": "no_media", "LJ009-0009.wav": "no_row"}
    assert same(rows, pulled("ljspeech", tmp_path / "other", from_path=unpacked(tmp_path / "tree", files)))


def test_ljspeech_with_real_clips(shared: Path, tmp_path: Path) -> None:
    real = shared / "media/coqui_tts/tests/data/ljspeech"
    names = ("LJ001-0001", "LJ001-0002")
    metadata = [line for line in (real / "metadata.csv").read_text().splitlines() if line.startswith(names)]
    files = ljspeech({name: (real / f"wavs/{name}.wav").read_bytes() for name in names}, lines(*metadata))
    rows = pulled("ljspeech", tmp_path / "store", from_path=unpacked(tmp_path / "tree", files))
    assert rows["train/LJ001-0002"]["text"] == "in being comparatively modern."
    assert rows["train/LJ001-0001"]["audio"]["sample_rate"] == 22050


# ---- Libri-Light


def test_libri_light_limited_labels(tmp_path: Path) -> None:
    sound = {f"{speaker}-1-000{n}": encoded(speaker + n, "flac") for speaker in (11, 22) for n in range(2)}
    files: dict[str, bytes] = {}
    for place, speaker in (("1h/0/clean", 11), ("9h/other", 22)):
        folder = f"librispeech_finetuning/{place}/{speaker}/1"
        of = {name: data for name, data in sound.items() if name.startswith(str(speaker))}
        files |= {f"{folder}/{name}.flac": data for name, data in of.items()}
        files[f"{folder}/{speaker}-1.trans.txt"] = lines(*(f"{name} TEXT OF {name}" for name in of))
    rows = pulled("libri_light", tmp_path / "store", from_path=unpacked(tmp_path / "tree", files), split="limited")
    assert columns(rows, "text", "speaker") == {
        f"limited/{name}": (f"TEXT OF {name}", name.split("-")[0]) for name in sound
    }
    facts = {identity: extra(row) for identity, row in rows.items()}
    assert facts["limited/11-1-0001"] == {"fold": "0", "quality": "clean", "chapter_id": "1"}
    assert facts["limited/22-1-0001"] == {"quality": "other", "chapter_id": "1"}
    archive = packed(tmp_path / "librispeech_finetuning.tgz", files)
    assert same(rows, pulled("libri_light", tmp_path / "other", from_path=archive, split="limited"))
    # From the official place, the sum on the card is held against it.
    shutil.copy(archive, on_host(tmp_path / "mirror", "https://dl.fbaipublicfiles.com/librilight/data/" + archive.name))
    with pytest.raises(DamagedError):
        triptych.pull("libri_light", store=tmp_path / "broken", mirror=str(tmp_path / "mirror"), split="limited")


def test_libri_light_unlabelled_recordings(tmp_path: Path) -> None:
    sound = encoded(5, "flac", seconds=1.0)
    facts = {"speaker": "100", "book_meta": {"id": "812"}, "voice_activity": [[0.0, 0.5], [0.6, 0.9]]}
    folder = "small/100/sea_fairies_0812"
    files = {f"{folder}/01_baum_64kb.flac": sound, f"{folder}/01_baum_64kb.json": json.dumps(facts).encode()}
    packed(on_host(tmp_path / "mirror", "https://dl.fbaipublicfiles.com/librilight/data/small.tar"), files)
    rows = pulled("libri_light", tmp_path / "store", mirror=str(tmp_path / "mirror"), split="small")
    assert columns(rows, "text", "speaker", "split") == {
        "small/100/sea_fairies_0812/01_baum_64kb": (None, "100", "small"),
    }
    [row] = rows.values()
    assert json.loads(extra(row)["voice_activity"]) == facts["voice_activity"]
    tree = unpacked(tmp_path / "tree", files)
    assert same(rows, pulled("libri_light", tmp_path / "other", from_path=tree))
    unpacked(tree, {"1h/0/clean/11/1/11-1-0000.flac": sound, "1h/0/clean/11/1/11-1.trans.txt": b"11-1-0000 TEXT\n"})
    with pytest.raises(UsageError, match=r"several sources of libri_light.*librispeech_finetuning.*small") as caught:
        triptych.pull("libri_light", store=tmp_path / "both", from_path=tree)
    assert "--source 'archive:https://dl.fbaipublicfiles.com/librilight/data/lib" in str(caught.value.hint)
    assert pulled("libri_light", tmp_path / "both", from_path=tree, source="archive:https://dl.fbaipublicfiles.com/"
                  "librilight/data/small.tar").keys() == rows.keys()  # fmt: skip


# ---- LibriSpeech and AISHELL-1


def test_aishell1_is_an_archive_of_archives(shared: Path, tmp_path: Path) -> None:
    real = sorted((shared / "media/aishell1_sample/AISHELL_Sample_data").glob("*.wav"))[:3]
    ids = [path.stem for path in real]
    tree: dict[str, bytes] = {}
    members: dict[str, bytes] = {}
    for split, path in zip(("train", "dev", "test"), real, strict=True):
        speaker = path.stem[6:11]
        wav = {f"{split}/{speaker}/{path.name}": path.read_bytes()}
        members[f"data_aishell/wav/{speaker}_{split}.tar.gz"] = packed(tmp_path / "inner.tar.gz", wav).read_bytes()
        tree |= {f"data_aishell/wav/{name}": data for name, data in wav.items()}
    transcript = {"data_aishell/transcript/aishell_transcript_v0.8.txt": lines(f"{ids[0]} 而 对 楼市",
                                                                              f"{ids[1]} 看 NBA 比赛")}  # fmt: skip
    archive = packed(on_host(tmp_path / "mirror", "https://www.openslr.org/resources/33/data_aishell.tgz"),
                     transcript | members)  # fmt: skip
    key = "www.openslr.org/resources/33/data_aishell.tgz"
    (tmp_path / "mirror/mirror.yaml").write_text(f"sha256: {{{key}: {sha(archive.read_bytes())}}}\n")
    rows = pulled("aishell1", tmp_path / "store", mirror=str(tmp_path / "mirror"))
    assert columns(rows, "text", "speaker", "language") == {
        f"train/{ids[0]}": ("而对楼市", ids[0][6:11], "zh"),
        f"dev/{ids[1]}": ("看 NBA 比赛", ids[1][6:11], "zh"),
    }
    assert reasons(tmp_path / "store") == {ids[2]: "no_transcript"}
    assert same(rows, pulled("aishell1", tmp_path / "other", from_path=unpacked(tmp_path / "tree", transcript | tree)))


SPEECH = ("aishell1", "aishell2", "common_voice", "covost2", "fleurs", "gigaspeech", "libri_light", "librispeech",
          "ljspeech", "minds14", "peoples_speech", "timit", "voxpopuli", "wenetspeech")  # fmt: skip


@pytest.mark.parametrize("name", SPEECH)
def test_every_card_says_its_layout_and_what_was_tested(name: str) -> None:
    card = get_card(name)
    assert (card.panel, card.modality) == ("S1", "audio")
    assert [what for what in ("layout", "tested", "citation", "homepage") if not getattr(card, what)] == []
    assert set(card.splits.values()) <= {"train", "validation", "test"}
