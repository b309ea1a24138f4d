"""The cards of read speech, an utterance a file, each on a small corpus in its native layout, packed and unpacked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import noise
from support.natives import encoded, lines, on_host, on_hub, packed, parquet, summed, tsv, unpacked
from support.pulls import columns, digests, extra, pulled, reasons, refused, same, sha, without_network
from triptych.catalog.registry import get_card
from triptych.errors import DamagedError, GateError, UsageError

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
    root = on_hub(tmp_path / "mirror", "google/fleurs", "data", revision=revision).parent
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


# ---- LJSpeech


def ljspeech(sound: Mapping[str, bytes], metadata: bytes) -> dict[str, bytes]:
    wavs = {f"LJSpeech-1.1/wavs/{name}.wav": data for name, data in sound.items()}
    return {"LJSpeech-1.1/README": b"...", **wavs, "LJSpeech-1.1/metadata.csv": metadata}


def test_ljspeech_as_archive_and_unpacked(tmp_path: Path) -> None:
    metadata = lines('LJ001-0001|He was "born in 1455,|He was "born in fourteen fifty-five,', "LJ001-0002|in being|",
                     "LJ001-0003|gone|gone")  # fmt: skip
    files = ljspeech({"LJ001-0001": noise(1), "LJ001-0002": noise(2), "LJ009-0009": noise(3)}, metadata)
    packed(on_host(tmp_path / "mirror", "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2"), files)
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


# ---- AISHELL-1


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
