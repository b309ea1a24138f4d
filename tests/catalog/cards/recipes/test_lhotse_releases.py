"""Pulls beside lhotse's recipes on releases whose utterances lie by subset, language, channel or speaker.

Each corpus has one normalisation, as in `test_lhotse_segments.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from support.lhotse_recipes import Recipe, ours, theirs
from support.natives import encoded, unpacked
from support.pulls import Row, extra, reasons, rows_of

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


# ---- Common Voice


HEADER = (
    "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender accents variant locale segment"
)


def common_voice(release: str, language: str, clips: Mapping[str, tuple[str, str, bytes]]) -> dict[str, bytes]:
    """The files of one language of a release; `clips` are split, sentence and sound by number."""
    folder, columns = f"{release}/{language}", HEADER.split()
    tables = {split: [columns] for split in ("train", "dev", "test")}
    files: dict[str, bytes] = {}
    for number, (split, sentence, sound) in clips.items():
        path = f"common_voice_{language}_{number}.mp3"
        known = {"client_id": f"speaker{number}", "path": path, "sentence": sentence, "locale": language}
        tables[split].append([known.get(name, "") for name in columns])
        files[f"{folder}/clips/{path}"] = sound
    written = {split: "".join("\t".join(row) + "\n" for row in rows).encode() for split, rows in tables.items()}
    return files | {f"{folder}/{split}.tsv": table for split, table in written.items()}


def as_common_voice(row: Row) -> tuple[str, str | None, str | None]:
    """A release is our configuration, and the folder that lhotse is given; its split is language and split."""
    _, release, split, identity = row["id"].split("/")
    return f"{release}/{row['language']}/{split}/{identity}", row["text"], row["speaker"]


def test_common_voice_releases_side_by_side_give_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    releases = ("cv-corpus-15.0-2023-09-08", "cv-corpus-17.0-2024-03-15")
    for n, release in enumerate(releases):
        for m, language in enumerate(("en", "fr")):
            # The same numbers in each, with other words and sounds.
            sounds = [encoded(3 * n + m, "mp3", seconds=0.3 + 0.2 * n + 0.1 * m + 0.5 * each) for each in range(3)]
            clips = {str(7 + each): (split, f'"{split}" of {release}', sounds[each])
                     for each, split in enumerate(("train", "dev", "test"))}  # fmt: skip
            files |= common_voice(release, language, clips)
    tree = unpacked(tmp_path / "tree", files)
    found = ours("common_voice", tree, tmp_path / "store", as_common_voice)
    expected = {
        f"{release}/{key}": each
        for release in releases
        for key, each in theirs(lhotse("common_voice", tree / release)).items()
    }
    assert found == expected
    assert len(found) == 12


# ---- FLEURS


def fleurs(languages: Mapping[str, Mapping[str, tuple[str, int, str, int]]]) -> dict[str, bytes]:
    """Tables in metadata/<language>, sounds beside; the rows are split, sentence, text and frames by name."""
    files: dict[str, bytes] = {}
    for language, rows in languages.items():
        tables: dict[str, str] = {"train": "", "dev": "", "test": ""}
        for name, (split, sentence, text, frames) in rows.items():
            cells = (sentence, f"{name}.wav", text, text.lower(), "h o w |", frames, "MALE")
            tables[split] += "\t".join(map(str, cells)) + "\n"
            files[f"{language}/{split}/{name}.wav"] = encoded(int(name), "wav", seconds=frames / 16_000)
        files |= {f"metadata/{language}/{split}.tsv": table.encode() for split, table in tables.items()}
    return files


def as_fleurs(row: Row, numbers: Mapping[str, int]) -> tuple[str, str | None, str | None]:
    """lhotse numbers the recordings of a sentence, and takes that for the speaker, whom the corpus does not name.

    Its text is the transcription in lower case, which ours keeps beside the raw one.
    """
    _, config, split, name = row["id"].split("/")
    speaker = f"{extra(row)['sentence_id']}_{numbers[f'{config}/{name}']}"
    assert row["speaker"] is None
    return f"{config}/{split}/{speaker}_{name}", extra(row)["transcription"], speaker


def test_fleurs_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    english = {"101": ("train", 1675, 'How, "due"', 4000), "102": ("train", 1675, 'How, "due"', 4800),
               "103": ("dev", 7, "Seven", 3200), "104": ("test", 8, "Eight", 5600)}  # fmt: skip
    # The names of another language's recordings are the same.
    french = {
        "101": ("train", 1675, "Comment", 8000),
        "103": ("dev", 7, "Sept", 8800),
        "104": ("test", 8, "Huit", 9600),
    }
    tree = unpacked(tmp_path / "tree", fleurs({"en_us": english, "fr_fr": french}))
    numbers = {"en_us/101": 1, "en_us/102": 2, "en_us/103": 1, "en_us/104": 1,
               "fr_fr/101": 1, "fr_fr/103": 1, "fr_fr/104": 1}  # fmt: skip
    languages = ["en_us", "fr_fr"]
    found = ours("fleurs", tree, tmp_path / "store", lambda row: as_fleurs(row, numbers), config=languages)
    assert found == theirs(lhotse("fleurs", tree))
    assert {row["text"] for row in rows_of("fleurs", tmp_path / "store").values()} >= {'How, "due"', "Comment"}


# ---- VoxCeleb


def as_voxceleb(row: Row) -> tuple[str, str | None, str | None]:
    """lhotse takes all of VoxCeleb2 and the dev part of VoxCeleb1 for training; its ids have hyphens."""
    _, config, split, identity = row["id"].split("/", 3)
    role = "test" if (config, split) == ("vox1", "test") else "train"
    return f"{role}/{identity.replace('/', '-')}", row["text"], row["speaker"]


def test_voxceleb_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    files = {
        "vox1/vox1_meta.csv": (
            b"VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
            b"id10001\tA.J._Buckley\tm\tIreland\tdev\nid10270\tEartha_Kitt\tf\tUSA\ttest\n"
        ),
        "vox2/vox2_meta.csv": (
            b"VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n000001 ,m ,dev \nid00017 ,n000012 ,f ,test \n"
        ),
    }
    # One tree of both parts, as its users merge them.
    sounds = ("id10001/1zcIwhmdeo4/00001", "id10270/5r0dWxy17C8/00001", "id10270/5r0dWxy17C8/00002")
    files |= {f"vox1/wav/{name}.wav": encoded(n, "wav", seconds=0.3 + 0.1 * n) for n, name in enumerate(sounds)}
    later = {"dev/aac/id00012/21Uxsk56VDQ/00001": 0.8, "test/aac/id00017/01dfn2spqyE/00001": 0.9}
    files |= {f"vox2/{name}.m4a": encoded(9, "wav", seconds=seconds) for name, seconds in later.items()}
    tree = unpacked(tmp_path / "tree", files)
    found = ours("voxceleb", tree / "vox1", tmp_path / "store", as_voxceleb)
    found |= ours("voxceleb", tree / "vox2", tmp_path / "store", as_voxceleb, config="vox2")
    assert found == theirs(lhotse("voxceleb", tree))
    assert {key for key in found if key.startswith("test/")} == {
        "test/id10270-5r0dWxy17C8-00001", "test/id10270-5r0dWxy17C8-00002",
    }  # fmt: skip
    only = ours("voxceleb", tree / "vox1", tmp_path / "only", as_voxceleb, split="test")
    assert {speaker for _, speaker, _, _ in only.values()} == {"id10270"}


# ---- TIMIT


def timit(part: str, speaker: str, utterance: str, text: str, seed: int) -> dict[str, bytes]:
    place = f"data/{part}/{speaker}/{utterance}"
    return {
        f"{place}.WAV": encoded(seed, "sphere", seconds=0.3 + 0.1 * seed),
        f"{place}.TXT": f"0 4800 {text}\n".encode(),
        f"{place}.PHN": b"0 800 h#\n800 1600 sh\n",
        f"{place}.WRD": b"800 1600 she\n",
    }


def as_timit(row: Row) -> tuple[str, str | None, str | None]:
    """lhotse's splits are capitals, its TEST is our core-test, and its ids have a hyphen."""
    _, split, identity = row["id"].split("/")
    name = {"core-test": "TEST", "test": "neither"}.get(split, split.upper())
    return f"{name}/{identity.replace('_', '-')}", row["text"], row["speaker"]


def test_timit_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    files = timit("TRAIN/DR1", "FCJF0", "SI648", "A sailboat may have a bone.", 0)
    files |= timit("TRAIN/DR1", "FCJF0", "SA1", "She had your dark suit.", 1)
    files |= timit("TEST/DR4", "FADG0", "SX379", "Of the dev speakers.", 2)
    files |= timit("TEST/DR1", "FELC0", "SI756", "Of the core speakers.", 3)
    files |= timit("TEST/DR1", "FAKS0", "SA2", "Don't ask me to carry.", 4)
    files |= timit("TEST/DR2", "MABW0", "SI648", "Of neither.", 5)
    tree = unpacked(tmp_path / "tree", files)
    found = ours("timit", tree, tmp_path / "store", as_timit)
    # The recipe keeps the two SA sentences, which all speakers read, and leaves out the rest of the test speakers.
    expected = theirs(lhotse("timit", tree))
    assert {key for key in expected if "-SA" in key} == {"TRAIN/FCJF0-SA1", "DEV/FAKS0-SA2"}
    assert found.pop("neither/MABW0-SI648")[0] == "Of neither."
    assert found == {key: each for key, each in expected.items() if "-SA" not in key}


# ---- Emilia


def test_emilia_gives_what_the_recipe_gives(lhotse: Recipe, tmp_path: Path) -> None:
    files, lines = {}, []
    for number in range(3):
        name = f"DE_B00000_S0000{number}_W000029"
        wav = f"DE_B00000/{name[:16]}/mp3/{name}.mp3"
        lines.append({"id": name, "wav": wav, "text": f" Und es gibt {number}.", "duration": 0.5,
                      "speaker": name[:16], "language": "de", "dnsmos": 3.3697})  # fmt: skip
        files |= {f"raw/DE/{wav}": encoded(number, "mp3", seconds=0.5, rate=24_000)} if number else {}
    files["raw/DE/DE_B00000.jsonl"] = "".join(json.dumps(line) + "\n" for line in lines).encode()
    tree = unpacked(tmp_path / "tree", files)

    def as_emilia(row: Row) -> tuple[str, str | None, str | None]:
        assert row["language"] == "de"
        return row["id"].removeprefix("emilia/de/"), row["text"], row["speaker"]

    found = ours("emilia", tree, tmp_path / "store", as_emilia, config="de", source="manual")
    assert found == theirs(lhotse("emilia", tree))
    assert reasons(tmp_path / "store") == {"DE_B00000_S00000_W000029": "no_media"}
