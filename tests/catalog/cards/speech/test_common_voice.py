"""The cards of Common Voice and of CoVoST 2, which lies over it, on small corpora in their native layouts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.natives import encoded, on_hub, packed, parquet, tsv, unpacked
from support.pulls import columns, digests, extra, pulled, reasons, refused, rows_of, same, sha, without_network
from triptych.errors import DamagedError

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
