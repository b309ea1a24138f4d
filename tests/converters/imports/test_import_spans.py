"""What a row says is what its media is: spans and channels from import to export, and rows without their media."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import triptych
from support.imported import RATE, noise, read_lines
from support.stores import check_accounts, ingest, select
from triptych.converters.candidate import Candidate
from triptych.converters.imports.import_data import ImportResult
from triptych.errors import UsageError
from triptych.shards.store.store import Store

LEFT, RIGHT = noise(2.0, seed=1), noise(2.0, seed=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`two.wav`: 2 s, another noise on each channel; `one.wav`: the first of them."""
    path = tmp_path_factory.mktemp("channels")
    soundfile.write(path / "two.wav", np.stack([LEFT, RIGHT], axis=1), RATE, subtype="PCM_16")
    soundfile.write(path / "one.wav", LEFT, RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def store(folder: Path) -> Path:
    """The store of all imports of this module, each a dataset of its own."""
    return folder / "store"


def table(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def load(format: str, path: Path, name: str, **options: Any) -> ImportResult:
    done = triptych.import_data(format, path, name=name, store=path.parent / "store", **options)
    check_accounts(path.parent / "store")
    return done


def spans(store: Path, dataset: str) -> dict[str, tuple[float | None, float | None, int | None]]:
    """Source id -> start, end and channel."""
    sql = f"select id, start_s, end_s, channel from samples where dataset = '{dataset}' order by id"
    found = select(store, sql)
    return {row["id"].split("/", 2)[2]: (row["start_s"], row["end_s"], row["channel"]) for row in found}


def refused(store: Path, dataset: str) -> dict[str, str]:
    """Candidate -> reason."""
    found = select(store, f"select candidate, reason from events where dataset = '{dataset}' and stage = 'import'")
    return {row["candidate"].rpartition("/")[2]: row["reason"] for row in found}


def test_a_channel_and_a_span_are_cut_out_to_the_sample(folder: Path, store: Path) -> None:
    rows = [
        {"id": "left", "audio": "two.wav", "text": "l", "channel": 0},
        {"id": "right", "audio": "two.wav", "text": "r", "channel": 1},
        {"id": "part", "audio": "two.wav", "text": "p", "channel": 1, "offset": 0.5, "duration": 0.25},
        {"id": "mono", "audio": "one.wav", "text": "m", "channel": 0},
        {"id": "all", "audio": "two.wav", "text": "a", "channel": None},
        {"id": "lacking", "audio": "one.wav", "text": "n", "channel": 1},
        {"id": "behind", "audio": "one.wav", "text": "b", "start": 2.5, "end": 3.0},
        {"id": "mostly behind", "audio": "one.wav", "text": "b", "start": 1.5, "end": 3.5},
    ]
    load("jsonl", table(folder, "cut", rows), "cut")
    assert spans(store, "cut") == {
        "all": (None, None, None), "left": (None, None, 0), "mono": (None, None, None), "part": (0.5, 0.75, 1),
        "right": (None, None, 1),
    }  # fmt: skip
    assert refused(store, "cut") == {
        "lacking": "no_such_channel", "behind": "span_outside_media", "mostly behind": "span_outside_media",
    }  # fmt: skip
    done = triptych.export("unified", store=store, dataset=["cut"])
    heard = {}
    for row in read_lines(done.version.path / "data.jsonl"):
        heard[row["id"].rpartition("/")[2]], rate = soundfile.read(row["audio"], dtype="int16")
        assert rate == RATE
    assert np.array_equal(heard["left"], LEFT) and np.array_equal(heard["right"], RIGHT)
    assert np.array_equal(heard["part"], RIGHT[RATE // 2 : RATE // 2 + RATE // 4])
    assert np.array_equal(heard["mono"], LEFT) and heard["all"].shape == (len(LEFT), 2)


def test_the_same_id_on_another_channel_is_another_sample(folder: Path, store: Path) -> None:
    for channel in (0, 1):
        load("jsonl", table(folder, "again", [{"id": "a", "audio": "two.wav", "channel": channel}]), "again")
    assert refused(store, "again") == {"a": "id_conflict"}


def test_a_channel_of_all_rows(folder: Path, store: Path) -> None:
    path = table(folder, "set", [{"audio": "two.wav", "text": "x"}])
    load("jsonl", path, "set", values={"channel": "B"})
    assert spans(store, "set") == {"two": (None, None, 1)}
    with pytest.raises(UsageError, match="from 0, A or B"):
        load("jsonl", path, "set", values={"channel": "front"})


def test_a_channel_needs_one_audio_file(folder: Path, store: Path) -> None:
    rows = [
        {"id": "pair", "audio": ["one.wav", "two.wav"], "channel": 0},
        {"id": "both", "audio": "two.wav", "channel": [0, 1]},
        {"id": "mix", "audio": "two.wav", "channel": "average"},
    ]
    load("jsonl", table(folder, "pair", rows), "pair")
    assert spans(store, "pair") == {"both": (None, None, None), "mix": (None, None, None)}
    assert refused(store, "pair") == {"pair": "channel_unsupported"}


# ---- manifests


def test_lhotse_channels_are_those_of_the_recording(folder: Path, store: Path) -> None:
    def cut(name: str, channel: int, sources: list[tuple[str, list[int]]], own: int | None = None) -> dict[str, Any]:
        listed = [{"type": "file", "channels": channels, "source": source} for source, channels in sources]
        recording = {"id": "r", "sources": listed, "sampling_rate": RATE, "num_samples": 2 * RATE, "duration": 2.0}
        supervision = {"id": name, "recording_id": "r", "start": 0.0, "duration": 2.0, "text": "x",
                       "channel": channel if own is None else own}  # fmt: skip
        return {"id": f"c-{name}", "start": 0, "duration": 2.0, "channel": channel, "recording": recording,
                "type": "MonoCut", "supervisions": [supervision]}  # fmt: skip

    rows = [
        cut("second", 1, [("two.wav", [0, 1])]),
        cut("renamed", 4, [("two.wav", [3, 4])]),
        cut("own file", 1, [("two.wav", [2, 3]), ("one.wav", [1])]),
        cut("none", 7, [("two.wav", [0, 1])]),
        cut("other", 0, [("two.wav", [0, 1])], own=1),
    ]
    load("lhotse", table(folder, "cuts_lhotse", rows), "lhotse")
    assert spans(store, "lhotse") == {
        "own file": (None, None, None), "renamed": (None, None, 1), "second": (None, None, 1),
    }  # fmt: skip
    assert refused(store, "lhotse") == {"none": "no_such_channel", "other": "channel_conflict"}


def test_a_supervision_that_stands_in_two_windows_is_one_sample(folder: Path, store: Path) -> None:
    recording = {"id": "r", "sources": [{"type": "file", "channels": [0], "source": "one.wav"}],
                 "sampling_rate": RATE, "num_samples": 2 * RATE, "duration": 2.0}  # fmt: skip

    def window(start: float, *supervisions: tuple[str, float, float]) -> dict[str, Any]:
        listed = [
            {"id": name, "recording_id": "r", "start": begin, "duration": length, "channel": 0, "text": name}
            for name, begin, length in supervisions
        ]
        return {"id": f"w{start}", "start": start, "duration": 1.0, "channel": 0, "type": "MonoCut",
                "recording": recording, "supervisions": listed}  # fmt: skip

    rows = [
        window(0.0, ("a", 0.1, 0.5), ("b", 0.8, 0.6)),
        window(1.0, ("b", -0.2, 0.6), ("c", 0.5, 0.5)),
        window(1.0, ("b", 0.1, 0.6)),
    ]
    done = load("lhotse", table(folder, "cuts_windows", rows), "windows")
    assert spans(store, "windows") == {"a": (0.1, 0.6, None), "b": (0.8, 1.4, None), "c": (1.5, 2.0, None)}
    assert done.account.dropped == {"duplicate": 1, "id_conflict": 1}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("l two A\nr two B\nm one B\n", {"l": 0, "r": 1, "m": None}),
        ("l two 1\nr two 2\nm one 2\n", {"l": 0, "r": 1, "m": None}),
        ("l two 0\nr two 1\nm one 1\n", {"l": 0, "r": 1, "m": None}),
    ],
    ids=["letters", "from 1", "from 0"],
)
def test_kaldi_sides(lines: str, expected: dict[str, int | None], folder: Path, store: Path) -> None:
    name = f"kaldi{len(list(folder.glob('kaldi*')))}"
    (folder / name).mkdir()
    (folder / name / "wav.scp").write_text(f"l {folder}/two.wav\nr {folder}/two.wav\nm {folder}/one.wav\n")
    (folder / name / "reco2file_and_channel").write_text(lines)
    triptych.import_data("kaldi", folder / name, name=name, store=store)
    assert {key: channel for key, (_, _, channel) in spans(store, name).items()} == expected


def test_kaldi_segments_with_a_channel(folder: Path, store: Path) -> None:
    (folder / "segmented").mkdir()
    (folder / "segmented/wav.scp").write_text(f"r {folder}/two.wav\n")
    (folder / "segmented/segments").write_text("a r 0.5 1 1\nb r 0.5 1\nc r 0.5 1 B\nd r 0 2.04\ne r 0.5 -1 0\n")
    done = triptych.import_data("kaldi", folder / "segmented", name="segmented", store=store)
    assert spans(store, "segmented") == {
        "a": (0.5, 1.0, 1), "b": (0.5, 1.0, None), "d": (None, None, None), "e": (0.5, None, 0),
    }  # fmt: skip
    assert done.account.dropped == {"bad_row": 1}


def test_nemo_channels(folder: Path, store: Path) -> None:
    rows = [
        {"audio_filepath": "two.wav", "offset": 0.5, "duration": 0.5, "channel_selector": 1, "text": "x"},
        {"audio_filepath": "two.wav", "duration": 2.0, "channel_selector": "average", "text": "x"},
    ]
    load("nemo", table(folder, "nemo", rows), "nemo")
    assert spans(store, "nemo") == {"two": (None, None, None), "two@0.5-1@ch1": (0.5, 1.0, 1)}


# ---- rows without their media


def test_a_row_whose_media_cell_is_empty_is_refused(folder: Path, store: Path) -> None:
    path = folder / "empty.csv"
    path.write_text("path,sentence\none.wav,said\n,nothing here\n")
    done = load("csv", path, "empty")
    assert done.account.dropped == {"no_media": 1}
    rows = [{"id": "a", "audio": "one.wav"}, {"id": "b", "text": "a"}, {"id": "c", "text": "b", "modality": "text"}]
    load("jsonl", table(folder, "mixed", rows), "mixed")
    assert list(spans(store, "mixed")) == ["a", "c"]


@pytest.mark.parametrize("task", ["asr", "s2tt", "aac", "ser", "vsc", "captioning", "tagging"])
def test_a_task_about_media_is_refused_without_it(task: str, tmp_path: Path, store: Path) -> None:
    run = ingest(Store.create(store), "tasks", [Candidate(task, None, {"text": "x"})], defaults={"task": task})
    assert run.account.dropped == {"no_media": 1}


def test_text_among_training_rows_stays_text_unless_its_task_is_about_media(folder: Path, store: Path) -> None:
    turns = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello."}]
    heard = [{"role": "user", "content": "<audio>What?"}, {"role": "assistant", "content": "That."}]
    rows = [{"id": "t", "messages": turns, "audios": []}, {"id": "h", "messages": heard, "audios": ["one.wav"]}]
    path = table(folder, "turns", rows)
    assert load("msswift", path, "turns").account.kept == 2
    assert load("msswift", path, "asr", values={"task": "asr"}).account.dropped == {"no_media": 1}


# ---- file to file


def test_convert_refuses_a_part_of_a_file(folder: Path) -> None:
    rows = [
        {"id": "part", "audio": "two.wav", "text": "a", "offset": 0.5, "duration": 0.5},
        {"id": "right", "audio": "two.wav", "text": "b", "channel": 1},
        {"id": "mono", "audio": "one.wav", "text": "c", "channel": 0},
        {"id": "lacking", "audio": "one.wav", "text": "d", "channel": 1},
        {"id": "all", "audio": "two.wav", "text": "e", "channel": [0, 1]},
        {"id": "whole", "audio": "two.wav", "text": "f", "duration": 2.0},
    ]
    out = folder / "converted.jsonl"
    done = triptych.convert("unified", [table(folder, "whole", rows)], out, to="unified")
    assert [row["id"] for row in read_lines(out)] == ["mono", "whole", "all"]  # `whole` has what not all rows have
    assert dict(done.reasons) == {"span_unsupported": 1, "channel_unsupported": 1, "no_such_channel": 1}


def test_shards_and_saved_datasets_take_spans_too(folder: Path, store: Path) -> None:
    sound = (folder / "two.wav").read_bytes()
    stated = {"start_ms": 500, "duration_ms": 250, "channel": 1}
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for name, data in (("a.wav", sound), ("a.json", json.dumps({"text": "x"} | stated).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    load("webdataset", folder / "shard.tar", "shard")
    saved = folder / "saved"
    saved.mkdir()
    table = pa.table(
        {"audio": [{"bytes": sound, "path": "a.wav"}], "text": ["x"]} | {k: [v] for k, v in stated.items()}
    )
    with pa.OSFile(str(saved / "data.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}], "_fingerprint": "f"}))
    (saved / "dataset_info.json").write_text(json.dumps({"features": {"audio": {"_type": "Audio"}}}))
    load("hf", saved, "saved")
    assert spans(store, "shard") == {"a": (0.5, 0.75, 1)}
    assert spans(store, "saved") == {"a@0.5-0.75@ch1": (0.5, 0.75, 1)}
