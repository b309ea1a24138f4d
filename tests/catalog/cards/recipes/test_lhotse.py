"""Pulls beside lhotse's own recipes, on the same files: the same utterances, texts, speakers and durations.

lhotse runs in the environment that `make peers` makes. Where ours differs on purpose, `normalised_as_lhotse` says how;
what lhotse leaves out without a word is what ours rejects with a reason.
"""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import triptych
from support.lhotse_recipes import Recipe, Utterances
from support.natives import unpacked
from support.pulls import extra, reasons, rows_of
from support.stores import check_accounts, check_media

# ---- the one normalisation


def normalised_as_lhotse(row: Mapping[str, Any]) -> dict[str, Any]:
    """What lhotse's recipe says of the utterance of one of our rows.

    The id is ours without the dataset and the split; the recording has the utterance's id. Durations are those of
    recordings: lhotse may trim a supervision by a part of a frame, so that spans are compared in frames.

    * LibriSpeech: nothing else differs.
    * AISHELL: ours joins Chinese words and leaves the rest as it is. lhotse also joins words in Latin letters, writes
      them in upper case, and takes five full-width letters for ASCII.
    * LJSpeech: our text is the normalised transcription, which a voice reads; lhotse's is the other one, with the
      normalised one in `custom`. lhotse names no speaker.
    """
    dataset, split, identity = row["id"].split("/")
    assert (dataset, split) == (row["dataset"], row["split"])
    text, speaker, custom = row["text"], row["speaker"], {}
    if dataset == "aishell1":
        text = "".join(text.translate(str.maketrans("ａｂｃｋｔ", "abckt")).upper().split())
    if dataset == "ljspeech":
        assert speaker == "LJ"
        custom = {"normalized_text": text}
        text, speaker = extra(row)["transcription"], None
    audio = row["audio"]
    return {
        "split": None if dataset == "ljspeech" else split,
        "id": identity,
        "text": text,
        "speaker": speaker,
        "span": [0, audio["frames"]],
        "duration": audio["duration"],
        "frames": audio["frames"],
        "rate": audio["sample_rate"],
        "recording": identity,
        "custom": custom,
    }


# ---- comparing


def pulled(dataset: str, store: Path, corpus: Path) -> Utterances:
    """Our rows as lhotse would say them, by `<split>/<id>`."""
    triptych.pull(dataset, store=store, from_path=corpus)
    check_accounts(store)
    check_media(store)
    return {name: normalised_as_lhotse(row) for name, row in rows_of(dataset, store).items()}


def without_source(utterances: Utterances) -> Utterances:
    """Without the name of the file, which is the hash of its bytes in a store."""
    for name, each in utterances.items():
        assert Path(each["source"]).stem == name.split("/")[1]
    return {name: {key: value for key, value in each.items() if key != "source"} for name, each in utterances.items()}


def rejected(store: Path) -> dict[str, str]:
    """Utterance -> why it has no row."""
    return {candidate.removesuffix(".wav"): reason for candidate, reason in reasons(store).items()}


def files_named(tree: Path, extension: str) -> set[str]:
    """The utterances that have a file."""
    return {path.stem for path in tree.rglob(f"*.{extension}")}


def lines_named(tree: Path, pattern: str, *, end: str = " ") -> set[str]:
    """The utterances that have a line."""
    lines = (line for path in tree.rglob(pattern) for line in path.read_text(encoding="utf-8").splitlines())
    return {line.replace("\t", end).split(end, 1)[0] for line in lines}


def assert_same(ours: Utterances, theirs: Utterances, *, present: set[str], missing: Mapping[str, str]) -> None:
    """Equal utterances, none of which is lost: what lhotse leaves out of `present` is `missing`, with our reasons."""
    assert sorted(ours) == sorted(theirs)
    assert ours == without_source(theirs)
    assert present - {each["id"] for each in theirs.values()} == set(missing)


# ---- made corpora


def sound(seed: int, *, frames: int, rate: int = 16_000, form: str = "WAV") -> bytes:
    """Noise of exactly so many frames."""
    file = io.BytesIO()
    samples = np.random.default_rng(seed).integers(-8000, 8000, frames, dtype=np.int16)
    soundfile.write(file, samples, rate, format=form, subtype="PCM_16")
    return file.getvalue()


def text_lines(rows: Iterable[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def librispeech(said: Mapping[str, Mapping[str, str]], *, silent: Mapping[str, str]) -> dict[str, bytes]:
    """Split -> utterance -> text, and `silent` utterances (-> split) that have a file but no line."""
    files: dict[str, bytes] = {"LibriSpeech/SPEAKERS.TXT": b";ID |SEX| SUBSET |MINUTES| NAME\n"}
    chapters: dict[str, list[str]] = {}
    for split, texts in said.items():
        for utterance, text in texts.items():
            speaker, chapter, _ = utterance.split("-")
            lines = chapters.setdefault(f"LibriSpeech/{split}/{speaker}/{chapter}/{speaker}-{chapter}.trans.txt", [])
            lines.append(f"{utterance} {text}")
    for seed, (utterance, split) in enumerate([*((u, s) for s in said for u in said[s]), *silent.items()]):
        speaker, chapter, _ = utterance.split("-")
        path = f"LibriSpeech/{split}/{speaker}/{chapter}/{utterance}.flac"
        files[path] = sound(seed, frames=3001 + 997 * seed, form="FLAC")
    return files | {path: text_lines(lines) for path, lines in chapters.items()}


def aishell(sounds: Mapping[str, bytes], lines: Iterable[str]) -> dict[str, bytes]:
    """`<split>/<utterance>` -> WAV, and the lines of the one transcript."""
    wavs = {f"data_aishell/wav/{name.replace('/', f'/{name[-10:-5]}/')}.wav": data for name, data in sounds.items()}
    return {**wavs, "data_aishell/transcript/aishell_transcript_v0.8.txt": text_lines(lines)}


def ljspeech(sounds: Mapping[str, bytes], lines: Iterable[str]) -> dict[str, bytes]:
    wavs = {f"LJSpeech-1.1/wavs/{name}.wav": data for name, data in sounds.items()}
    return {"LJSpeech-1.1/README": b"...\n", **wavs, "LJSpeech-1.1/metadata.csv": text_lines(lines)}


def test_a_librispeech_tree_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    said = {
        "train-clean-100": {"103-1240-0000": "CHAPTER ONE", "103-1240-0001": "THAT'S  ALL", "103-1241-0000": "NO"},
        "dev-other": {"116-288045-0000": "AS I APPROACHED", "116-288045-0001": "GONE"},
        "test-clean": {"61-70968-0000": "HE BEGAN"},
    }
    silent = {"116-288045-0002": "dev-other", "61-70968-0001": "test-clean"}
    tree = unpacked(tmp_path / "tree", librispeech(said, silent=silent)) / "LibriSpeech"
    (tree / "dev-other/116/288045/116-288045-0001.flac").unlink()
    ours = pulled("librispeech", tmp_path / "store", tree)
    missing = {"116-288045-0001": "no_media", "116-288045-0002": "no_transcript", "61-70968-0001": "no_transcript"}
    assert rejected(tmp_path / "store") == missing
    present = files_named(tree, "flac") | lines_named(tree, "*.trans.txt")
    assert_same(ours, lhotse("librispeech", tree), present=present, missing=missing)
    assert len(ours) == 5
    assert ours["train-clean-100/103-1240-0001"] == {
        "split": "train-clean-100", "id": "103-1240-0001", "text": "THAT'S  ALL", "speaker": "103", "span": [0, 3998],
        "duration": 3998 / 16_000, "frames": 3998, "rate": 16_000, "recording": "103-1240-0001", "custom": {},
    }  # fmt: skip


def test_an_aishell_tree_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    names = ("train/BAC009S0002W0122", "train/BAC009S0002W0123", "train/BAC009S0003W0121", "dev/BAC009S0724W0121",
             "dev/BAC009S0724W0122", "test/BAC009S0764W0121", "test/BAC009S0764W0122")  # fmt: skip
    sounds = {name: sound(seed, frames=4001 + seed) for seed, name in enumerate(names)}
    # The same sound and words under another id are another utterance to both, and so is one without words.
    sounds |= {"dev/BAC009S0725W0121": sounds["dev/BAC009S0724W0121"], "test/BAC009S0764W0123": sound(99, frames=77)}
    lines = ["BAC009S0002W0122 而 对 楼市 成交 抑制 作用 最 大 的 限 购", "BAC009S0002W0123\t打开 Let  It Go",
             "BAC009S0003W0121   ｔ 恤 和 ａ ｐ ｐ", "BAC009S0724W0121 广州市 房地产 中介 协会",
             "BAC009S0764W0121 甚至 出现 交易 几乎 停滞 的 情况", "BAC009S0764W0122 1 号门",
             "BAC009S0725W0121 广州市 房地产 中介 协会", "BAC009S0764W0123", "BAC009S0901W0121 没 有 录音"]  # fmt: skip
    tree = unpacked(tmp_path / "tree", aishell(sounds, lines))
    ours = pulled("aishell1", tmp_path / "store", tree)
    missing = {"BAC009S0724W0122": "no_transcript", "BAC009S0901W0121": "no_media"}
    assert rejected(tmp_path / "store") == missing
    present = files_named(tree, "wav") | lines_named(tree, "aishell_transcript_*.txt")
    assert_same(ours, lhotse("aishell1", tree), present=present, missing=missing)
    assert {name: (each["text"], each["speaker"]) for name, each in ours.items()} == {
        "train/BAC009S0002W0122": ("而对楼市成交抑制作用最大的限购", "S0002"),
        "train/BAC009S0002W0123": ("打开LETITGO", "S0002"),
        "train/BAC009S0003W0121": ("T恤和AＰＰ", "S0003"),
        "dev/BAC009S0724W0121": ("广州市房地产中介协会", "S0724"),
        "test/BAC009S0764W0121": ("甚至出现交易几乎停滞的情况", "S0764"),
        "test/BAC009S0764W0122": ("1号门", "S0764"),
        "dev/BAC009S0725W0121": ("广州市房地产中介协会", "S0725"),
        "test/BAC009S0764W0123": ("", "S0764"),
    }


def test_an_ljspeech_tree_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    names = ("LJ001-0001", "LJ001-0002", "LJ001-0003", "LJ050-0278")
    sounds = {name: sound(seed, frames=5001 + seed, rate=22_050) for seed, name in enumerate(names)}
    lines = ['LJ001-0001|the "forty-two line Bible" of 1455, he said "so,|the "forty-two line Bible" of fourteen '
             'fifty-five, he said "so,', "LJ001-0002|at Mr. Müller's; 'yes'|at Mister Müller's; 'yes'",
             "LJ001-0003|No. 5, No. 6|number five, number six", "LJ002-0001|gone|gone"]  # fmt: skip
    tree = unpacked(tmp_path / "tree", ljspeech(sounds, lines)) / "LJSpeech-1.1"
    ours = pulled("ljspeech", tmp_path / "store", tree)
    missing = {"LJ002-0001": "no_media", "LJ050-0278": "no_row"}
    assert rejected(tmp_path / "store") == missing
    present = files_named(tree, "wav") | lines_named(tree, "metadata.csv", end="|")
    assert_same(ours, lhotse("ljspeech", tree), present=present, missing=missing)
    assert {name: (each["text"], each["custom"]["normalized_text"]) for name, each in ours.items()} == {
        f"train/{name}": (text, normalised) for name, text, normalised in (line.split("|") for line in lines[:3])
    }


# ---- real files


def test_real_librispeech_gives_what_the_recipe_gives(lhotse: Recipe, shared: Path, tmp_path: Path) -> None:
    tree = shared / "media/librispeech/LibriSpeech"
    ours = pulled("librispeech", tmp_path / "store", tree)
    assert rejected(tmp_path / "store") == {}
    present = files_named(tree, "flac") | lines_named(tree, "*.trans.txt")
    assert_same(ours, lhotse("librispeech", tree), present=present, missing={})


def test_real_aishell_gives_what_the_recipe_gives(lhotse: Recipe, shared: Path, tmp_path: Path) -> None:
    real = shared / "media/aishell1_sample"
    lines = (real / "kaldi_data/text").read_text(encoding="utf-8").splitlines()
    sounds = {}
    for path in sorted((real / "AISHELL_Sample_data").glob("*.wav")):
        # lhotse wants all three splits, and the sample has the sound of one speaker.
        split = "train" if path.stem < "BAC009S0150W0030" else "dev" if path.stem < "BAC009S0150W0037" else "test"
        sounds[f"{split}/{path.stem}"] = path.read_bytes()
    missing = {line.split()[0]: "no_media" for line in lines if "S0252" in line}
    tree = unpacked(tmp_path / "tree", aishell(sounds, lines))
    ours = pulled("aishell1", tmp_path / "store", tree)
    assert rejected(tmp_path / "store") == missing
    present = files_named(tree, "wav") | lines_named(tree, "aishell_transcript_*.txt")
    assert_same(ours, lhotse("aishell1", tree), present=present, missing=missing)
    assert (len(ours), len(missing)) == (25, 25)
    assert ours["dev/BAC009S0150W0031"]["text"] == "IT番愚路店"


def test_the_aishell_archive_of_archives_gives_what_the_recipe_gives(
    lhotse: Recipe, shared: Path, tmp_path: Path
) -> None:
    archive = shared / "mirror/www.openslr.org/resources/33/data_aishell.tgz"
    tree = tmp_path / "tree"
    with tarfile.open(archive) as outer:
        outer.extractall(tree, filter="data")
    for speaker in sorted((tree / "data_aishell/wav").glob("*.tar.gz")):
        with tarfile.open(speaker) as inner:
            inner.extractall(speaker.parent, filter="data")
    present = files_named(tree, "wav") | lines_named(tree, "aishell_transcript_*.txt")
    # lhotse wants all three splits, and the archive has one: the others get an utterance each, which is left aside.
    transcript = tree / "data_aishell/transcript/aishell_transcript_v0.8.txt"
    for split in ("dev", "test"):
        clip = min((tree / "data_aishell/wav/train").rglob("*.wav"))
        place = tree / f"data_aishell/wav/{split}/S9999/{split}.wav"
        place.parent.mkdir(parents=True)
        shutil.copy(clip, place)
        transcript.write_text(f"{transcript.read_text(encoding='utf-8').rstrip()}\n{split} 好\n", encoding="utf-8")
    theirs = {name: each for name, each in lhotse("aishell1", tree).items() if each["split"] == "train"}
    ours = pulled("aishell1", tmp_path / "store", archive)
    assert_same(ours, theirs, present=present, missing=rejected(tmp_path / "store"))
    assert set(rejected(tmp_path / "store").values()) <= {"no_transcript", "no_media"}
    assert len(ours) == 25


def test_real_ljspeech_gives_what_the_recipe_gives(lhotse: Recipe, shared: Path, tmp_path: Path) -> None:
    real = shared / "media/coqui_tts/tests/data/ljspeech"
    sounds = {path.stem: path.read_bytes() for path in sorted((real / "wavs").glob("*.wav"))}
    lines = (real / "metadata.csv").read_text(encoding="utf-8").splitlines()
    tree = unpacked(tmp_path / "tree", ljspeech(sounds, lines)) / "LJSpeech-1.1"
    ours = pulled("ljspeech", tmp_path / "store", tree)
    missing = {"LJ001-0009": "no_row", "LJ001-0024": "no_row"}
    assert rejected(tmp_path / "store") == missing
    present = files_named(tree, "wav") | lines_named(tree, "metadata.csv", end="|")
    assert_same(ours, lhotse("ljspeech", tree), present=present, missing=missing)
    assert len(ours) == 8
    assert ours["train/LJ001-0007"]["custom"]["normalized_text"].endswith("of about fourteen fifty-five,")
