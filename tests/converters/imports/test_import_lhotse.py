"""Importing Lhotse manifests: one sample a supervision, its span in the recording, and a reason for all that is not."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.stores import check_accounts, check_media, one, select
from triptych.converters.imports.import_data import ImportResult

Tone = Callable[..., bytes]


@pytest.fixture
def corpus(tmp_path: Path, tone: Tone) -> Path:
    """A folder with `a.wav` (2 s), `b.wav` (1 s) and their manifests to come."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.wav").write_bytes(tone(300, seconds=2.0, format="WAV"))
    (folder / "b.wav").write_bytes(tone(400, seconds=1.0, format="WAV"))
    return folder


def recording(name: str, seconds: float, **changes: Any) -> dict[str, Any]:
    source = {"type": "file", "channels": [0], "source": f"{name}.wav"}
    return {"id": name, "sources": [source], "sampling_rate": 8000, "num_samples": round(seconds * 8000),
            "duration": seconds} | changes  # fmt: skip


def supervision(name: str, recording_id: str, start: float, duration: float, **more: Any) -> dict[str, Any]:
    return {"id": name, "recording_id": recording_id, "start": start, "duration": duration, "channel": 0} | more


def cut(name: str, start: float, duration: float, supervisions: list[Any], **changes: Any) -> dict[str, Any]:
    return {"id": name, "start": start, "duration": duration, "channel": 0, "supervisions": supervisions,
            "recording": recording("a", 2.0), "type": "MonoCut"} | changes  # fmt: skip


def write(path: Path, records: list[Any]) -> Path:
    text = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def load(path: Path, **options: Any) -> ImportResult:
    store = (path if path.is_dir() else path.parent).parent / "store"
    done = triptych.import_data("lhotse", path, name="mine", store=store, **options)
    check_accounts(store)
    check_media(store)
    return done


def rows(corpus: Path, columns: str) -> list[dict[str, Any]]:
    return select(corpus.parent / "store", f"select {columns} from samples order by id")


def reasons(corpus: Path) -> dict[str, str]:
    events = select(corpus.parent / "store", "select candidate, reason from events")
    return {row["candidate"]: row["reason"] for row in events}


RECORDINGS = [recording("a", 2.0), recording("b", 1.0)]
SUPERVISIONS = [
    supervision("a-1", "a", 0.0, 0.75, text="one", speaker="s1", language="en", gender="f"),
    supervision("a-2", "a", 0.75, 1.25, text="two", speaker="s2", custom={"emotion": "happy", "text": "TWO"}),
    supervision("b-1", "b", 0.0, 1.0, text="three"),
]


@pytest.mark.parametrize("named", ["folder", "recordings", "supervisions"])
def test_recordings_and_supervisions_belong_together_whichever_is_named(corpus: Path, named: str) -> None:
    files = {
        kind: write(corpus / f"c_{kind}_train-clean.jsonl.gz", records)
        for kind, records in (("recordings", RECORDINGS), ("supervisions", SUPERVISIONS))
    }
    assert load(corpus if named == "folder" else files[named]).account.kept == 3
    assert rows(corpus, "id, text, speaker, language, start_s, end_s, extra") == [
        {"id": "mine/train-clean/a-1", "text": "one", "speaker": "s1", "language": "en", "start_s": 0.0, "end_s": 0.75,
         "extra": {"channel": "0", "gender": "f", "recording_id": "a"}},
        {"id": "mine/train-clean/a-2", "text": "two", "speaker": "s2", "language": None, "start_s": 0.75, "end_s": 2.0,
         "extra": {"channel": "0", "custom.text": "TWO", "recording_id": "a"}},
        {"id": "mine/train-clean/b-1", "text": "three", "speaker": None, "language": None, "start_s": None,
         "end_s": None, "extra": {"channel": "0", "recording_id": "b"}},
    ]  # fmt: skip


def test_the_span_of_a_supervision_counts_from_its_cut(corpus: Path) -> None:
    inside = supervision(
        "s", "a", 0.1, 0.5, text="hi there",
        alignment={"word": [["hi", 0.1, 0.2, None], ["there", 0.3, 0.3, 0.9]],
                   "phone": [{"symbol": "HH", "start": 0.1, "duration": 0.05}], "subword": [["h", 0.1, 0.1]]},
    )  # fmt: skip
    load(write(corpus / "cuts.jsonl", [cut("c", 0.2, 1.0, [inside])]))
    [row] = rows(corpus, "id, start_s, end_s, words, phones, extra['cut_id'] cut, extra['alignment.subword'] subword")
    assert row == {
        "id": "mine/all/s", "start_s": 0.3, "end_s": 0.8, "cut": "c", "subword": '[["h", 0.1, 0.1]]',
        "words": [{"text": "hi", "start_s": 0.3, "end_s": 0.5}, {"text": "there", "start_s": 0.5, "end_s": 0.8}],
        "phones": [{"text": "HH", "start_s": 0.3, "end_s": 0.35}],
    }  # fmt: skip


def test_what_nobody_speaks_in_is_one_sample_without_text(corpus: Path) -> None:
    load(write(corpus / "cuts_dev.jsonl", [cut("c", 0.5, 1.0, [])]))
    write(corpus / "recordings.jsonl", [recording("b", 1.0)])
    load(corpus / "recordings.jsonl")
    assert rows(corpus, "id, text, start_s, end_s") == [
        {"id": "mine/all/b", "text": None, "start_s": None, "end_s": None},
        {"id": "mine/dev/c", "text": None, "start_s": 0.5, "end_s": 1.5},
    ]


def source(kind: str, place: str) -> list[dict[str, Any]]:
    return [{"type": kind, "channels": [0], "source": place}]


def test_recordings_of_other_places_are_rejected_by_reason_and_never_run(corpus: Path) -> None:
    touched = corpus / "touched"
    sources = {
        "command": source("command", f"touch {touched}"),
        "url": source("url", "https://example.org/a.wav"),
        "shar": source("shar", "x.tar"),
        "base64": source("memory", "???"),
        "none": [],
    }
    cuts = [cut(name, 0.0, 2.0, [], recording=recording(name, 2.0, sources=each)) for name, each in sources.items()]
    cuts.append(cut("piped", 0.0, 2.0, [], recording=recording("p", 2.0, sources=source("file", "cat a.wav |"))))
    cuts.append(cut("fast", 0.0, 2.0, [], recording=recording("a", 2.0, transforms=[{"name": "Speed", "kwargs": {}}])))
    cuts.append(
        {"id": "mixed", "tracks": [{"cut": cut("x", 0, 1, [])}, {"cut": cut("y", 0, 1, [])}], "type": "MixedCut"}
    )
    cuts.append({"id": "pad", "duration": 1.0, "sampling_rate": 8000, "feat_value": -1, "type": "PaddingCut"})
    cuts.append(cut("features", 0.0, 1.0, [], recording=None))
    cuts.append(cut("late", 0.0, 2.0, [supervision("late-1", "a", 2.5, 1.0)]))
    cuts.append(cut("odd", 0.0, 2.0, [supervision("odd-1", "a", 0.0, 1.0, alignment={"word": [["x"]]})]))
    cuts.append(cut("gone", 0.0, 2.0, [], recording=recording("none", 2.0)))
    cuts.append(cut("good", 0.0, 2.0, [supervision("good-1", "a", 0.0, 2.0)]))
    path = write(corpus / "cuts.jsonl", cuts)
    done = load(path)
    assert (done.account.kept, done.account.candidates) == (1, 14)
    assert reasons(corpus) == {
        "command": "executable_entry", "url": "remote_media", "shar": "unsupported_source", "base64": "bad_value",
        "none": "no_media", f"{path}:6": "executable_entry", "fast": "transformed_recording", "mixed": "mixed_cut",
        "pad": "padding_cut", "features": "no_media", "late-1": "bad_value", "odd-1": "bad_value",
        "mine/all/gone": "missing_media",
    }  # fmt: skip
    assert not touched.exists()


def test_sound_inside_the_manifest_and_one_file_a_channel(corpus: Path, tone: Tone) -> None:
    held = base64.b64encode(tone(500, format="WAV")).decode()
    two = [{"type": "file", "channels": [n], "source": f"{name}.wav"} for n, name in enumerate("ab")]
    load(
        write(
            corpus / "cuts.jsonl",
            [
                cut("held", 0.0, 0.1, [], recording=recording("held", 0.1, sources=source("memory", held))),
                cut("second", 0.0, 1.0, [], channel=1, recording=recording("two", 1.0, sources=two)),
                cut(
                    "both", 0.0, 1.0, [], channel=[0, 1], recording=recording("two", 1.0, sources=two), type="MultiCut"
                ),
            ],
        )
    )
    found = rows(corpus, "id, audio.frames frames, len(more_media) more, extra['channel'] channel")
    assert found == [
        {"id": "mine/all/both", "frames": 16000, "more": 1, "channel": "[0, 1]"},
        {"id": "mine/all/held", "frames": 800, "more": None, "channel": "0"},
        {"id": "mine/all/second", "frames": 8000, "more": None, "channel": "1"},
    ]


def test_supervisions_of_no_recording_and_broken_lines_are_counted(corpus: Path) -> None:
    write(corpus / "recordings.jsonl", RECORDINGS[:1])
    lines = [json.dumps(supervision("lost", "z", 0, 1)), "{no json", json.dumps(SUPERVISIONS[0])]
    (corpus / "supervisions.jsonl").write_text("\n".join(lines))
    assert load(corpus / "supervisions.jsonl").account.kept == 1
    assert reasons(corpus) == {"lost": "no_media", "supervisions.jsonl:2": "bad_json"}


def test_a_cut_off_gzip_is_damaged_and_what_came_before_is_stored(corpus: Path) -> None:
    path = write(corpus / "cuts.jsonl.gz", [cut(f"c{n}", 0.0, 2.0, [], note="x" * n * 97) for n in range(50)])
    path.write_bytes(path.read_bytes()[:-20])
    done = load(path)
    assert done.account.rejected == {"corrupt_gzip": 1}


def test_a_map_and_a_media_dir_mean_what_they_mean_for_tables(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    path = write(tmp_path / "else" / "cuts.jsonl", [cut("c", 0.0, 2.0, [SUPERVISIONS[1] | {"start": 0.0}])])
    load(path, media_dir=corpus, columns={"custom.text": "text", "emotion": "labels"}, values={"split": "test"})
    assert rows(corpus, "id, text, labels") == [{"id": "mine/test/a-2", "text": "TWO", "labels": ["happy"]}]


@pytest.mark.shared
def test_real_manifests(shared: Path, tmp_path: Path) -> None:
    lhotse = shared / "media/lhotse"
    fixtures = lhotse / "test/fixtures"
    store = tmp_path / "store"
    triptych.import_data("lhotse", fixtures / "ljspeech/cuts.json", name="lj", store=store, media_dir=lhotse)
    assert select(store, "select id, text, start_s, extra['normalized_text'] n from samples order by id")[0] == {
        "id": "lj/all/LJ002-0020", "text": "IN EIGHTEEN THIRTEEN", "start_s": None, "n": "IN EIGHTEEN THIRTEEN",
    }  # fmt: skip
    triptych.import_data("lhotse", fixtures / "ami/cuts.json", name="meetings", store=store, media_dir=lhotse)
    spans = select(
        store, "select text, speaker, start_s, end_s from samples where dataset = 'meetings' order by start_s"
    )
    assert spans == [
        {"text": "I'M ABIGAIL CLAFLIN", "speaker": "ES2011a.Headset-1", "start_s": 1.46, "end_s": 2.82},
        {"text": "YOU CAN CALL ME ABBIE", "speaker": "ES2011a.Headset-2", "start_s": 3.36, "end_s": 4.36},
    ]
    done = triptych.import_data("lhotse", fixtures / "mini_librispeech/lhotse", name="mini", store=store)
    assert done.account.rejected == {"executable_entry": done.account.candidates}
    assert done.account.candidates > 1
    assert one(store, "select count(*) from samples where dataset = 'mini'") == 0


def test_a_recording_that_is_not_as_long_as_its_manifest_states_is_no_whole(corpus: Path) -> None:
    stated = {"a": 9.0, "b": 0.6, "c": 1.02}
    (corpus / "c.wav").write_bytes((corpus / "b.wav").read_bytes()[:-4])
    write(corpus / "x_recordings.jsonl", [recording(name, length) for name, length in stated.items()])
    write(
        corpus / "x_supervisions.jsonl",
        [supervision(f"{name}-1", name, 0.0, length, text=name) for name, length in stated.items()],
    )
    load(corpus)
    assert reasons(corpus) == {"mine/all/a-1": "span_outside_media"}
    assert [tuple(row.values()) for row in rows(corpus, "text, start_s, end_s")] == [
        ("b", 0.0, 0.6), ("c", None, None),
    ]  # fmt: skip
    out = corpus.parent / "out.jsonl"
    triptych.convert("lhotse", corpus, out)
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == ["c"]  # it cuts nothing


def test_a_supervision_of_another_recording_than_that_of_its_cut_is_told(corpus: Path) -> None:
    said = [supervision("s1", "a", 0.0, 0.5, text="x"), supervision("s2", "b", 0.5, 0.5, text="y")]
    done = load(write(corpus / "cuts.jsonl", [cut("c", 0.5, 1.0, said)]))
    assert done.notes[0].startswith("supervisions that name another recording than their cut has: 1 (s2)")
    assert [row["r"] for row in rows(corpus, "extra['supervision.recording_id'] r")] == [None, "b"]
