"""Versions for NeMo, Kaldi and Lhotse: their files, read by the tools and by our own readers."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.imported import bring_in, noise, read_lines, sound
from support.lhotse_recipes import lhotse_python
from support.view_rows import rows_of, sample
from triptych.converters.views import ViewOptions
from triptych.converters.views.files.lhotse import _held, _supervision
from triptych.errors import ProblemsFound
from triptych.validators.formats import FORMATS, summarise_file
from truth import chirps
from truth.forms import written

FACTS = {"frames": 16_000, "sample_rate": 16_000, "channels": 1, "duration": 1.0}
WORDS = [{"text": "hello", "start_s": 0.7, "end_s": 0.9}, {"text": "there", "start_s": 1.0, "end_s": 1.3}]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole clip, a span of a longer one with word times, a translation, and a clip without text."""
    folder = tmp_path_factory.mktemp("tools")
    long = str(sound(folder / "long.flac", noise(2.0, seed=1, rate=8000), rate=8000))
    rows: list[dict[str, Any]] = [
        {"id": "b 1", "audio": str(sound(folder / "b.wav", noise(0.5, seed=2))), "text": "Good  morning.",
         "speaker": "s 1", "language": "en"},
        {"id": "a/2", "audio": long, "start_s": 0.5, "end_s": 1.5, "text": "hello there", "words": WORDS,
         "speaker": "anna", "language": "en"},
        {"id": "c3", "audio": str(sound(folder / "c.flac", noise(0.3, seed=3))), "text": "bonjour", "language": "fr",
         "translation": "Hello!", "target_language": "en", "task": "s2tt"},
        {"id": "d4", "audio": str(sound(folder / "d.flac", noise(0.3, seed=4))), "language": "en"},
    ]  # fmt: skip
    return bring_in(folder / "store", "talks", rows, folder)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_a_nemo_manifest_names_what_nemo_reads(store: Path) -> None:
    version = triptych.export("nemo", store=store).version
    rows = {row["id"]: row for row in map(json.loads, lines(version.path / "nemo_manifest.json"))}
    cut = rows["talks/all/a/2"]
    assert {key: cut[key] for key in ("duration", "text", "lang", "speaker")} == {
        "duration": 1.0, "text": "hello there", "lang": "en", "speaker": "anna"
    }  # fmt: skip
    assert Path(cut["audio_filepath"]).is_file() and "audio" not in cut
    assert rows["talks/all/c3"] | {"audio_filepath": ""} == {
        "id": "talks/all/c3", "audio_filepath": "", "duration": 0.3, "text": "Hello!", "lang": "en",
        "taskname": "s2t_translation", "source_lang": "fr", "target_lang": "en", "pnc": "yes",
    }  # fmt: skip
    assert version.manifest["counts"] == {"no_text": 1, "written": 3}
    summary = summarise_file(version.path / "nemo_manifest.json", "nemo")
    assert summary.passed


def test_a_kaldi_directory_is_sorted_and_gives_the_ids_back(store: Path) -> None:
    version = triptych.export("kaldi", store=store).version
    folder = version.path
    assert lines(folder / "utt2spk") == [
        "talks-anna-all-a-2 talks-anna", "talks-all-c3 talks-all-c3", "talks-s-1-all-b-1 talks-s-1"
    ] or lines(folder / "utt2spk") == sorted(lines(folder / "utt2spk"), key=str.encode)  # fmt: skip
    for name in ("wav.scp", "text", "utt2spk", "spk2utt", "utt2dur", "utt2lang", "utt2id"):
        keys = [line.split(" ", 1)[0] for line in lines(folder / name)]
        assert keys == sorted(set(keys), key=str.encode), name
    assert "talks-s-1-all-b-1 good morning." in [line.lower() for line in lines(folder / "text")]
    assert "talks-anna talks-anna-all-a-2" in lines(folder / "spk2utt")
    assert dict(line.split(" ", 1) for line in lines(folder / "utt2id"))["talks-s-1-all-b-1"] == "talks/all/b 1"
    assert dict(line.split(" ", 1) for line in lines(folder / "utt2dur"))["talks-anna-all-a-2"] == "1.0"


def test_ids_that_kaldi_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    rows = [{"id": name, "audio": str(sound(tmp_path / f"{n}.wav", noise(0.1, seed=n))), "text": "x"}
            for n, name in enumerate(("a b", "a/b"))]  # fmt: skip
    store = bring_in(tmp_path / "store", "talks", rows, tmp_path)
    with pytest.raises(ProblemsFound, match=r"talks/all/a b and talks/all/a/b"):
        triptych.export("kaldi", store=store)


def test_speakers_that_kaldi_takes_for_one_or_in_another_order_are_refused(tmp_path: Path) -> None:
    rows = [
        {"id": f"u{n}", "audio": str(sound(tmp_path / f"{n}.wav", noise(0.1, seed=n))), "text": "x", "speaker": name}
        for n, name in enumerate(("a b", "a-b", "a", "a-a"))
    ]
    store = bring_in(tmp_path / "store", "talks", rows, tmp_path)
    with pytest.raises(ProblemsFound, match="'talks-a-b': a b of talks and a-b of talks"):
        triptych.export("kaldi", store=store)
    with pytest.raises(ProblemsFound, match="'talks-a' and 'talks-a-a'"):
        triptych.export("kaldi", store=store, where="speaker <> 'a b'")
    assert triptych.export("kaldi", store=store, where="speaker in ('a-b', 'a')").counts["written"] == 2


def test_kaldi_lines_have_no_space_that_a_reader_in_python_parts_them_at() -> None:
    whole, spaced = ({"path": path, **FACTS} for path in ("/a.flac", "/a\u00a0b.flac"))
    given = [
        sample(id="d/a\u00a0b\u2028c", speaker="s\u3000t", text="one\x1ctwo\x85 three\x00", audio=whole),
        sample(id="d/2", text="x", audio=spaced),
        sample(id="d/3", text="\x1c\u3000", audio=whole),
    ]
    made = rows_of(given, "kaldi", ViewOptions())
    found, *others = (made[each["id"]] for each in given)
    assert isinstance(found, dict)
    assert (found["speaker"], found["utterance"]) == ("d-s-t", "d-s-t-a-b-c")
    assert found["text"] == "one two three"
    assert others == ["space_in_path", "no_text"]


def test_a_sound_is_no_video_for_any_view() -> None:
    fields = {"text": "x", "answer": "x", "question": "x", "reasoning": "x", "phones": WORDS}
    spoken = sample(audio={"path": "/a.flac", **FACTS}, **fields)
    shown = ViewOptions(modality="av")
    for view in ("nemo", "phoneme"):
        assert rows_of([spoken], view, shown) == {spoken["id"]: "no_video"}, view


def test_a_caption_is_no_transcript() -> None:
    heard = {"path": "/a.flac", **FACTS}
    fields = [{"task": "aac"}, {"task": "qa", "question": "What?", "answer": "a dog"}, {"task": "ser"}, {}]
    given = [sample(id=f"d/{n}", text="A dog barks", audio=heard, **each) for n, each in enumerate(fields)]
    for view in ("nemo", "kaldi"):
        made = list(rows_of(given, view, ViewOptions()).values())
        assert made[:2] == ["no_transcript"] * 2, view
        assert [row["text"] for row in made[2:] if isinstance(row, dict)] == ["A dog barks"] * 2, view
    made = list(rows_of(given, "lhotse", ViewOptions()).values())
    texts = [(row.get("text"), row.get("caption")) for row in made if isinstance(row, dict)]
    assert texts == [(None, "A dog barks")] * 2 + [("A dog barks", None)] * 2
    told = _supervision({"id": "d/0", "num_samples": 1, "sampling_rate": 1, "caption": "x", "custom": {"caption": "y"}})
    assert "text" not in told and told["custom"] == {"caption": "x", "extra.caption": "y"}


@pytest.mark.parametrize(("view", "file"), [("nemo", "nemo_manifest.json"), ("kaldi", ""), ("lhotse", "cuts.jsonl.gz")])
def test_our_own_readers_read_them_back(store: Path, tmp_path: Path, view: str, file: str) -> None:
    version = triptych.export(view, store=store).version
    again = tmp_path / "again"
    triptych.import_data(view, version.path / file, name="again", store=again, allow_outside=[store])
    sql = "SELECT text, translation, language, audio.sha256 AS sha, words FROM samples ORDER BY sha, text"
    here = triptych.query(sql, store=again).to_pylist()
    rows = list(read_lines(version.data))
    assert {row["sha"] for row in here} == {Path(row["audio"]).stem for row in rows}
    by_sha = {row["sha"]: row for row in here}
    for row in rows:
        found = by_sha[Path(row["audio"]).stem]
        assert row.get("text") in (found["text"], found["translation"])
        said_in = row.get("source_lang") or row.get("language") or row.get("lang")
        assert view == "kaldi" or found["language"] == said_in
    if view == "lhotse":
        [aligned] = [row["words"] for row in here if row["words"]]
        assert [(word["text"], round(word["start_s"], 3), round(word["end_s"], 3)) for word in aligned] == [
            ("hello", 0.2, 0.4), ("there", 0.5, 0.8)
        ]  # fmt: skip


def test_equal_rows_make_equal_files(store: Path) -> None:
    version = triptych.export("lhotse", store=store).version
    for name in version.manifest["files"]:
        (version.path / name).unlink()
    assert triptych.exports.rebuild(version.reference, store=store).restored == list(version.manifest["files"])
    moved = triptych.exports.relocate(version.reference, "/elsewhere", store=store)
    with gzip.open(moved.path / "recordings.jsonl.gz", "rt", encoding="utf-8") as file:
        assert all(json.loads(line)["sources"][0]["source"].startswith("/elsewhere/") for line in file)


def test_shards_hold_each_recording_under_the_id_of_its_cut(store: Path) -> None:
    version = triptych.export("lhotse", style="shar", store=store).version
    assert version.name == "lhotse-shar"
    names = [name for name in version.manifest["files"] if name.startswith("shar/")]
    assert names == ["shar/cuts.000000.jsonl.gz", "shar/recording.000000.tar"]
    rows = {row["id"]: row for row in read_lines(version.data)}
    with gzip.open(version.path / names[0], "rt", encoding="utf-8") as file:
        cuts = [json.loads(line) for line in file]
    assert [cut["id"] for cut in cuts] == list(rows)
    with tarfile.open(version.path / names[1]) as tar:
        held = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
        assert {(member.uid, member.mtime) for member in tar.getmembers()} == {(0, 0)}
    expected = [f"{id_}{suffix}" for id_, row in rows.items() for suffix in (Path(row["audio"]).suffix, ".json")]
    assert list(held) == expected
    for cut in cuts:
        path = Path(rows[cut["id"]]["audio"])
        assert hashlib.sha256(held[cut["id"] + path.suffix]).hexdigest() == path.stem
        assert json.loads(held[f"{cut['id']}.json"]) == cut["recording"]
        assert cut["recording"]["sources"] == [{"type": "shar", "channels": [0], "source": ""}]
    for name in names:
        (version.path / name).unlink()
    assert triptych.exports.rebuild(version.reference, store=store).restored == names


@pytest.mark.parametrize(("form", "suffix"), [("m4a", ".flac"), ("mka", ".flac"), ("mp3", ".mp3"), ("wav", ".wav")])
def test_a_shard_holds_sound_that_lhotse_decodes_out_of_memory(tmp_path: Path, form: str, suffix: str) -> None:
    path = written(tmp_path, form, 0)
    found, held, samples = _held({"id": "a", "audio": str(path), "num_samples": 5})
    assert found == suffix
    if suffix != ".flac":
        assert held == path and samples == 5
        return
    assert isinstance(held, bytes)
    sound, rate = soundfile.read(io.BytesIO(held), dtype="int16")
    decoded = chirps.decode(path)[:, 0]
    assert (rate, len(sound)) == (16_000, samples) and samples == len(decoded)
    assert np.abs(sound.astype(int) - decoded).max() <= 1


def test_an_id_that_lhotse_would_not_find_again_has_no_row() -> None:
    made = {"frames": 8, "sample_rate": 8, "channels": 1, "path": "media/a.flac", "sha256": "a"}
    ids = ["d/train/a b.x", "d/train/a.", "d/train//a", "d/train/./a", "d/train/", "d/train/a/."]
    found = rows_of([sample(id=each, audio=made) for each in ids], "lhotse/shar", ViewOptions())
    assert [each for each in ids if isinstance(found[each], dict)] == ids[:2]
    assert {found[each] for each in ids[2:]} == {"id_is_no_path"}
    for each in ids:  # as Lhotse compares them
        path = Path(f"{each}.flac")
        assert (str(path.parent / path.stem) == each) == (each in ids[:2])


_READ = """
import json, sys
import numpy
from lhotse import CutSet, RecordingSet, SupervisionSet, validate_recordings_and_supervisions
folder, shards = sys.argv[1:]
recordings = RecordingSet.from_file(folder + "/recordings.jsonl.gz")
supervisions = SupervisionSet.from_file(folder + "/supervisions.jsonl.gz")
validate_recordings_and_supervisions(recordings, supervisions, read_data=True)
for cut in CutSet.from_file(folder + "/cuts.jsonl.gz"):
    [supervision] = cut.supervisions
    words = [(w.symbol, round(w.start, 3), round(w.end, 3)) for w in (supervision.alignment or {}).get("word", ())]
    print(json.dumps({"id": cut.id, "samples": cut.load_audio().shape[-1], "rate": cut.sampling_rate,
                      "text": supervision.text, "speaker": supervision.speaker, "words": words}))
held = {cut.id: cut for cut in CutSet.from_file(folder + "/cuts.jsonl.gz")}
for cut in CutSet.from_shar(in_dir=shards):
    same = held.pop(cut.id)
    assert numpy.array_equal(cut.load_audio(), same.load_audio()) and cut.supervisions == same.supervisions
    assert (cut.sampling_rate, cut.num_samples) == (same.sampling_rate, same.num_samples)
assert not held
"""


def test_lhotse_validates_and_loads_every_cut(store: Path) -> None:
    version = triptych.export("lhotse", store=store).version
    shards = triptych.export("lhotse", style="shar", store=store).version.path / "shar"
    command = [lhotse_python(), "-c", _READ, str(version.path), str(shards)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {row["id"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert found["talks/all/a/2"] == {
        "id": "talks/all/a/2", "samples": 16000, "rate": 16000, "text": "hello there", "speaker": "anna",
        "words": [["hello", 0.2, 0.4], ["there", 0.5, 0.8]],
    }  # fmt: skip
    assert {key: found["talks/all/b 1"][key] for key in ("samples", "rate", "speaker")} == {
        "samples": 8000, "rate": 16000, "speaker": "s 1"
    }  # fmt: skip
    assert found["talks/all/d4"]["text"] is None
    assert len(found) == version.manifest["rows"] == 4


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("nemo", {"audio_filepath": "/a.wav", "text": "x"}, "missing_duration"),
    ("nemo", {"audio_filepath": "/a.wav", "text": "x", "duration": 0}, "bad_duration"),
    ("nemo", {"audio_filepath": "/a.wav", "text": "x", "duration": 41}, "long_clip"),
    ("nemo", {"audio_filepath": "/a.wav", "text": "", "duration": 1}, "missing_text"),
    ("nemo", {"text": "x", "duration": 1}, "missing_audio"),
    ("nemo", {"audio_filepath": "/a.wav", "text": "x", "duration": 1, "taskname": "ast"}, "missing_language"),
    ("kaldi", {"utterance": "u1", "speaker": "s", "audio": "/a.wav", "text": "x", "duration": 1}, "speaker_prefix"),
    ("kaldi", {"utterance": "s u", "speaker": "s", "audio": "/a.wav", "text": "x", "duration": 1}, "space_in_id"),
    ("kaldi", {"utterance": "s-u", "speaker": "s", "audio": "/a b.wav", "text": "x", "duration": 1}, "space_in_path"),
    ("kaldi", {"utterance": "s-u", "speaker": "s", "audio": "/a.wav", "text": "x\ny", "duration": 1}, "line_in_text"),
    ("kaldi", {"utterance": "s-u", "speaker": "s", "audio": "/a.flac", "text": "x", "duration": 1}, "not_wav"),
    ("lhotse", {"id": "a", "audio": "/a.wav", "num_samples": 0, "sampling_rate": 16000}, "bad_length"),
    ("lhotse", {"id": "a", "audio": "/a.wav", "num_samples": 16000, "sampling_rate": 16000,
                "words": [{"text": "x", "start_s": 0.5, "end_s": 1.2}]}, "word_outside"),
]  # fmt: skip


@pytest.mark.parametrize(("view", "row", "code"), BROKEN)
def test_a_broken_row_is_named(view: str, row: dict[str, Any], code: str) -> None:
    assert code in {finding.code for finding in FORMATS[view].Rows(files=False).check(1, row)}
