"""Importing WebDataset shards: members grouped by key, streamed, never unpickled, never unpacked."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.stores import check_accounts, check_media, cli, leftovers, one, select
from triptych.converters.imports.import_data import ImportResult
from triptych.errors import UsageError

Tone = Callable[..., bytes]
Members = list[tuple[str, bytes | tarfile.TarInfo]]


def shard(path: Path, members: Members) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def load(path: Path, store: Path, **options: Any) -> ImportResult:
    done = triptych.import_data("webdataset", path, name="mine", store=store, **options)
    check_accounts(store)
    check_media(store)
    assert leftovers(store) == []
    return done


def rows(store: Path, columns: str) -> list[dict[str, Any]]:
    return select(store, f"select {columns} from samples order by id")


def reasons(store: Path) -> dict[str, str]:
    return {row["candidate"]: row["reason"] for row in select(store, "select candidate, reason from events")}


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_members_of_one_key_are_one_sample(tmp_path: Path, store_path: Path, tone: Tone) -> None:
    fields = {"language": "en", "speaker": "s1", "room": 7, "text": "not this", "audio": "/etc/passwd", "id": "x"}
    path = shard(
        tmp_path / "train.tar",
        [
            ("audio/0001.flac", tone(300)),
            ("audio/0001.json", json.dumps(fields).encode()),
            ("audio/0001.txt", b"\xef\xbb\xbfhello\n"),
            ("audio/0002.left.wav", tone(301, format="WAV")),
            ("audio/0002.right.wav", tone(302, format="WAV")),
            ("audio/0002.lab", "好".encode()),
            ("audio/0002.feats.npy", b"\x93NUMPY"),
            ("__MACOSX/audio/._0002.wav", b"x"),
        ],
    )
    done = load(path, store_path, values={"split": "train"})
    assert done.notes == ["members skipped: 1 .npy"]
    assert rows(store_path, "id, text, language, speaker, extra, len(more_media) more, source") == [
        {"id": "mine/train/audio/0001", "text": "hello", "language": "en", "speaker": "s1", "more": None,
         "extra": {"room": "7", "text": "not this", "json.audio": "/etc/passwd", "id": "x"}, "source": path.as_uri()},
        {"id": "mine/train/audio/0002", "text": "好", "language": None, "speaker": None, "more": 1,
         "extra": None, "source": path.as_uri()},
    ]  # fmt: skip


def test_classes_are_labels_by_name_only(tmp_path: Path, store_path: Path, tone: Tone) -> None:
    members = [("a.flac", tone(300)), ("a.cls", b"1\n"), ("b.flac", tone(301)), ("b.cls", b"rain"),
               ("c.flac", tone(302)), ("c.cls", b"7")]  # fmt: skip
    path = shard(tmp_path / "s.tar", members)
    load(path, store_path)
    assert rows(store_path, "labels, extra['cls'] cls") == [
        {"labels": None, "cls": "1"}, {"labels": ["rain"], "cls": None}, {"labels": None, "cls": "7"},
    ]  # fmt: skip
    (tmp_path / "names.txt").write_text("dog\ncat\n")
    done = load(path, store_path, classes=tmp_path / "names.txt", on_conflict="update")
    assert rows(store_path, "labels")[0] == {"labels": ["cat"]}
    assert done.account.rejected == {"bad_value": 1}
    with pytest.raises(UsageError, match="does not take classes="):
        triptych.import_data("csv", tmp_path / "names.txt", name="x", store=store_path, classes=tmp_path / "names.txt")


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_pickles_are_rejected_unread_and_hostile_members_too(tmp_path: Path, store_path: Path, tone: Tone) -> None:
    link = tarfile.TarInfo("l.flac")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    path = shard(
        tmp_path / "s.tar",
        [
            ("a.flac", tone(300)),
            ("a.pkl", pickle.dumps(_Bomb(tmp_path / "touched"))),
            ("only.pth", pickle.dumps(_Bomb(tmp_path / "touched"))),
            ("../up.flac", tone(301)),
            ("/abs.flac", tone(302)),
            ("l.flac", link),
            ("words.txt", b"no sound"),
            ("bad.json", b"{"),
            ("bad.flac", tone(303)),
            ("latin.flac", tone(304)),
            ("latin.txt", b"caf\xe9"),
            ("noise.flac", b"no flac at all"),
        ],
    )
    done = load(path, store_path)
    assert (done.account.kept, done.account.candidates) == (1, 10)
    assert reasons(store_path) == {
        "a.pkl": "executable_entry", "only.pth": "executable_entry", "../up.flac": "unsafe_path",
        "/abs.flac": "unsafe_path", "l.flac": "link", "words": "no_media", "bad": "bad_json", "latin": "not_utf8",
        "mine/all/noise": "not_media",
    }  # fmt: skip
    assert not (tmp_path / "touched").exists()


def test_a_folder_a_pattern_and_a_wildcard_name_the_same_shards(tmp_path: Path, tone: Tone) -> None:
    folder = tmp_path / "shards"
    for number in range(3):
        shard(folder / f"s-{number:03d}.tar", [("k.flac", tone(300 + number)), (f"k{number}.flac", tone(310 + number))])
    (folder / "README.md").write_text("x")
    named = [folder, folder / "s-{000..002}.tar", folder / "s-*.tar", folder / "s-00{0,1,2}.tar"]
    for number, path in enumerate(named):
        load(path, tmp_path / f"store{number}")
        assert [row["id"] for row in rows(tmp_path / f"store{number}", "id")] == [
            "mine/all/k", "mine/all/k0", "mine/all/k1", "mine/all/k2", "mine/all/s-001/k", "mine/all/s-002/k",
        ]  # fmt: skip
    assert load(folder, tmp_path / "store0").account.dropped == {"duplicate": 6}
    for wrong in ("s-{000..003}.tar", "t-*.tar", "s-{0..99999999}.tar", "none.tar"):
        with pytest.raises(UsageError):
            load(folder / wrong, tmp_path / "nowhere")


def test_a_truncated_shard_is_damaged_and_what_came_before_is_stored(
    tmp_path: Path, store_path: Path, tone: Tone
) -> None:
    path = shard(tmp_path / "s.tar", [(f"{n}.flac", tone(300 + n)) for n in range(5)])
    path.write_bytes(path.read_bytes()[: 512 * 3 + 5000])
    done = load(path, store_path)
    assert done.account.rejected == {"truncated_archive": 1}
    assert done.account.kept == one(store_path, "select count(*) from samples") > 0


def test_the_command_reads_shards_and_samples_of_text_alone(tmp_path: Path, store_path: Path) -> None:
    path = shard(tmp_path / "s.tar.gz", [("q.json", b'{"question": "2+2?", "answer": "4"}')])
    done = cli("import", "webdataset", path, "--name", "mine", "--set", "modality=text", "--store", store_path)
    assert (done.returncode, done.stdout) == (0, "mine: 1 stored of 1 row\n"), done.stderr
    assert rows(store_path, "question, answer, modality") == [
        {"question": "2+2?", "answer": "4", "modality": "text"}
    ]  # fmt: skip


@pytest.mark.shared
def test_real_speech_with_several_kinds_of_text_beside_it(shared: Path, tmp_path: Path, store_path: Path) -> None:
    files = sorted((shared / "media/pocketsphinx/test/data/librivox").glob("sense_and*"))
    path = shard(tmp_path / "librivox.tar", [(file.name, file.read_bytes()) for file in files])
    done = load(path, store_path)
    assert (done.account.kept, done.account.candidates) == (5, 5)
    said = {f"mine/all/{file.stem}": file.read_text().strip() for file in files if file.suffix == ".txt"}
    found = rows(store_path, "id, text, audio.sample_rate rate, extra['phone.json'] phones, extra['d'] length")
    assert {row["id"]: row["text"] for row in found} == said
    assert found[0]["rate"] == 16000
    assert found[0]["length"] == "7.1"
    assert json.loads(found[0]["phones"])["w"][1]["w"][0]["t"] == "AE"


def by_id(store: Path) -> dict[str, tuple[str | None, int]]:
    """Id without the dataset -> text, and how many media."""
    found = rows(store, "id, text, 1 + coalesce(len(more_media), 0) n")
    return {row["id"].removeprefix("mine/all/"): (row["text"], row["n"]) for row in found}


def test_names_with_dots_of_their_own_keep_their_texts(tmp_path: Path, store_path: Path, tone: Tone) -> None:
    members: Members = []
    said = {"plain": "one", "Song 2.0 (mix)": "two", "Y_30.000_40.000": "three", "Y_30.500_40.500": "four",
            "Dr.Dre": "five", "Dr.No": "six", "...Baby": "seven"}  # fmt: skip
    for number, (name, text) in enumerate(said.items()):
        members += [(f"{name}.txt", text.encode()), (f"{name}.wav", tone(300 + number, format="WAV"))]
    for number, name in enumerate(("Z_1.5", "Z_1.7", "k.left", "k.right")):  # without texts
        members.append((f"{name}.flac", tone(400 + number)))
    members += [("m.cam.mp4.flac", tone(500)), ("m.json", b'{"text": "of the key"}'), ("m.en.txt", b"longer")]
    done = load(shard(tmp_path / "s.tar", members), store_path)
    assert by_id(store_path) == {
        **{name: (text, 1) for name, text in said.items()},
        "Z_1.5": (None, 1), "Z_1.7": (None, 1), "k": (None, 2), "m": ("of the key", 1),
    }  # fmt: skip
    [note] = done.notes
    assert note.startswith("samples of several media files that differ after the first dot: 1 (k)")


def test_members_apart_are_joined_and_never_to_another_sample(tmp_path: Path, store_path: Path, tone: Tone) -> None:
    decomposed, composed = "e\u0301", "\u00e9"
    members: Members = [(f"k{n}.txt", f"text {n}".encode()) for n in range(3)]
    members += [("k0.npy", b"x"), (f"{decomposed}.txt", b"accented"), ("twice.txt", b"first"), ("z.flac", tone(309))]
    members += [("twice.txt", b"second"), ("late.flac", tone(308)), ("late.txt", b"whole"), ("q.json", b"{")]
    members += [(f"k{n}.flac", tone(300 + n)) for n in range(3)]
    members += [(f"{composed}.flac", tone(307)), ("twice.flac", tone(306)), ("q.flac", tone(305))]
    done = load(shard(tmp_path / "s.tar", members), store_path)
    accented = by_id(store_path).pop(decomposed)
    assert accented == ("accented", 1)
    assert {key: value for key, value in by_id(store_path).items() if key.isascii()} == {
        "k0": ("text 0", 1), "k1": ("text 1", 1), "k2": ("text 2", 1), "late": ("whole", 1), "z": (None, 1),
    }  # fmt: skip
    assert reasons(store_path) == {"twice": "members_apart", "q": "bad_json"}
    assert any(note.startswith("members that a shard has apart were joined") for note in done.notes)


def test_a_part_after_its_sample_is_refused_and_waiting_media_goes_to_disk(
    tmp_path: Path, store_path: Path, tone: Tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triptych.converters.readers.manifests.shard_groups.IN_MEMORY_BYTES", 0)
    members: Members = [("a.flac", tone(300)), ("a.txt", b"a"), ("b.flac", tone(301)), ("c.flac", tone(302))]
    members += [("d.flac", tone(303)), ("b.txt", b"b"), ("a.json", b'{"speaker": "s"}'), ("c.txt", b"c")]
    load(shard(tmp_path / "s.tar", members), store_path)
    assert by_id(store_path) == {"a": ("a", 1), "b": ("b", 1), "c": ("c", 1), "d": (None, 1)}
    assert reasons(store_path) == {"a": "members_apart"}


def test_two_different_members_of_one_extension_are_no_sample(tmp_path: Path, store_path: Path, tone: Tone) -> None:
    members: Members = [("a.flac", tone(300)), ("a.flac", tone(301)), ("a.txt", b"which of them")]
    members += [("b.flac", tone(302)), ("b.TXT", b"one"), ("b.txt", b"other")]
    members += [("c.flac", tone(303)), ("c.flac", tone(303)), ("c.txt", b"same"), ("c.txt", b"same\n")]
    load(shard(tmp_path / "s.tar", members), store_path)
    assert by_id(store_path) == {"c": ("same", 1)}
    assert reasons(store_path) == {"a": "duplicate_member", "b": "duplicate_member"}


def test_keys_that_repeat_in_every_shard_are_told_apart_by_any_shard_name(
    tmp_path: Path, store_path: Path, tone: Tone
) -> None:
    names = ("p/v1.0.tar", "p/v1.1.tar", "q/v1.0.tar", "r/v1.0.tar.gz")
    for number, name in enumerate(names):
        shard(tmp_path / name, [("0.flac", tone(300 + number)), ("0.txt", name.encode())])
    done = load(tmp_path / "[pqr]/v1*", store_path)
    assert done.account.kept == 4
    assert {key: text for key, (text, _) in by_id(store_path).items()} == {
        "0": names[0], "v1.1/0": names[1], "q/v1.0/0": names[2], "r/v1.0/0": names[3],
    }  # fmt: skip


def test_shards_of_several_splits_are_not_one(tmp_path: Path, store_path: Path, tone: Tone) -> None:
    for number, name in enumerate(("train-0", "train-1", "corpus_val_000", "extra")):
        shard(tmp_path / f"in/{name}.tar", [(f"{number % 2}.flac", tone(300 + number))])
    done = load(tmp_path / "in", store_path)
    assert [row["id"] for row in rows(store_path, "id")] == ["mine/all/1", "mine/train/0", "mine/train/1", "mine/val/0"]
    assert [note.partition(" (")[0] for note in done.notes] == [
        "the files are named as several splits: train, val",
        "files without a split in their name: 1",
    ]
    set_by_hand = load(tmp_path / "in", tmp_path / "other", values={"split": "dev"})
    assert set_by_hand.account.kept == one(tmp_path / "other", "select count(*) from samples where split = 'dev'") == 4
    nested = load(tmp_path, tmp_path / "third")
    assert nested.notes[0].endswith("(folders in it are not entered, and in/corpus_val_000.tar is in one)")


def test_a_text_in_json_is_a_text_whatever_its_type(tmp_path: Path, store_path: Path, tone: Tone) -> None:
    cells = {"n": 1984, "one": ["only"], "two": ["a", "b"], "nan": float("nan"), "s": "words"}
    members: Members = []
    for number, (key, cell) in enumerate(cells.items()):
        members += [(f"{key}.flac", tone(300 + number)), (f"{key}.json", json.dumps({"text": cell}).encode())]
    load(shard(tmp_path / "s.tar", members), store_path)
    found = {row["id"].removeprefix("mine/all/"): (row["text"], row["x"]) for row in
             rows(store_path, "id, text, extra['text'] x")}  # fmt: skip
    assert found == {"n": ("1984", None), "one": ("only", None), "two": (None, '["a", "b"]'), "nan": (None, None),
                     "s": ("words", None)}  # fmt: skip
