"""Whatever stands in a manifest, every record is a candidate or a rejection with a reason: nothing stops a reader."""

from __future__ import annotations

import copy
import io
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from triptych.api import _open_archive
from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection
from triptych.converters.readers import get_reader
from triptych.converters.readers.alignments import ctm, textgrid
from triptych.converters.readers.alignments.interval import AlignmentContext
from triptych.errors import UsageError

ODD: list[Any] = [
    None, True, 0, -1, 3.5, float("nan"), float("inf"), 10**400, "", "x", "\x00", "\ud800", "9" * 400, "a.wav |",
    "http://x", "~nobody/x", [], {}, [1], [None], {"a": 1}, [[]], [{}],
]  # fmt: skip
RECORDING = {
    "id": "a", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}], "sampling_rate": 8000,
    "num_samples": 16000, "duration": 2.0, "transforms": [{"name": "Resample"}],
}  # fmt: skip
CUT = {
    "id": "c", "start": 0.1, "duration": 1.0, "channel": 0, "type": "MonoCut", "recording": RECORDING,
    "custom": {"z": 1}, "supervisions": [{
        "id": "s", "recording_id": "a", "start": 0.0, "duration": 0.5, "channel": 0, "text": "t", "speaker": "s",
        "custom": {"k": 1}, "alignment": {"word": [["a", 0.1, 0.2, None]], "phone": [
            {"symbol": "a", "start": 0, "duration": 1}]},
    }],
}  # fmt: skip
NEMO = {"audio_filepath": "a.wav", "duration": 1.0, "offset": 0, "text_filepath": "t.txt", "lang": "en", "speaker": "s"}
KALDI = {
    "wav.scp": b"r1 a.wav\nr2 b.wav\n", "segments": b"u1 r1 0 1\nu2 r2 0 -1\n", "text": b"u1 a b\nu2 c\n",
    "utt2spk": b"u1 s\nu2 s\n", "reco2dur": b"r1 2\n", "reco2file_and_channel": b"r1 f A\n",
}  # fmt: skip
TEXTGRID = b"""File type = "ooTextFile"
Object class = "TextGrid"

0 1 <exists> 2
"IntervalTier" "words" 0 1 2 0 0.5 "a" 0.5 1 "b"
"TextTier" "points" 0 1 1 0.5 "p"
"""


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*at, key))


def spoiled(record: Any) -> Iterator[Any]:
    """The record with every one of its values replaced by every odd one, one at a time."""
    for at in places(record):
        for odd in ODD:
            if not at:
                yield odd
                continue
            changed = copy.deepcopy(record)
            inner = changed
            for key in at[:-1]:
                inner = inner[key]
            inner[at[-1]] = odd
            yield changed


def mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            changed[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del changed[at : at + chance.randint(1, 20)]
        elif kind == 2:
            changed[at:at] = chance.choice(
                [b" ", b"\n", b"-", b'"', b"\x00", b" 1e999 ", b" nan ", b" 9999999999999999 "]
            )
        else:
            del changed[at:]
    return bytes(changed)


def raw(path: Path) -> RawFile:
    return RawFile(path.name, path.as_uri(), "", path.stat().st_size, lambda: path.open("rb"), path=path)


def read(format: str, files: list[RawFile], path: Path, **options: Any) -> list[Candidate | Rejection]:
    found = list(get_reader(format).read(iter(files), ReadContext("mine", format=format, path=path, **options)))
    assert all(isinstance(item, Candidate | Rejection) for item in found)
    assert all(isinstance(item.source_id, str) for item in found if isinstance(item, Candidate))
    return found


@pytest.mark.parametrize(("format", "record"), [("lhotse", CUT), ("nemo", NEMO)])
def test_every_odd_value_in_a_manifest_is_one_candidate_or_one_rejection(
    tmp_path: Path, format: str, record: Any
) -> None:
    path = tmp_path / "m.jsonl"
    count = 0
    for changed in spoiled(record):
        # Before it a good one: what is learnt from the first rows must not hang on the odd one.
        path.write_text(f"{json.dumps(record)}\n{json.dumps(changed)}\n")
        found = read(format, [raw(path)], path, media_dir=tmp_path)
        assert len(found) in (1, 2), changed  # a list of supervisions may be empty, or no supervisions at all
        assert len(found) == 2 or format == "lhotse", changed
        count += 1
    assert count > 150


def test_every_odd_value_of_a_recording_or_its_supervision_has_an_outcome(tmp_path: Path) -> None:
    supervision = CUT["supervisions"][0]  # type: ignore[index]
    pairs = [(changed, supervision) for changed in spoiled(RECORDING)]
    pairs += [(RECORDING, changed) for changed in spoiled(supervision)]
    recordings, supervisions = tmp_path / "recordings.jsonl", tmp_path / "supervisions.jsonl"
    for recording, spoken in pairs:
        recordings.write_text(json.dumps(recording))
        supervisions.write_text(json.dumps(spoken))
        read("lhotse", [raw(recordings)], recordings)


def test_mutated_kaldi_directories_are_read_or_refused(tmp_path: Path) -> None:
    chance = random.Random(1)
    refused = 0
    for _ in range(300):
        which = chance.choice(list(KALDI))
        for name, content in KALDI.items():
            (tmp_path / name).write_bytes(mutated(content, chance) if name == which else content)
        try:
            read("kaldi", [raw(tmp_path / name) for name in KALDI], tmp_path)
        except UsageError:
            refused += 1
    assert refused == 0


def test_mutated_alignments_are_read_or_rejected(tmp_path: Path) -> None:
    chance = random.Random(2)
    grid, lines = tmp_path / "x.TextGrid", tmp_path / "x.ctm"
    wide = TEXTGRID.decode().encode("utf-16")
    for number in range(600):
        grid.write_bytes(mutated(wide if number % 3 == 0 else TEXTGRID, chance))
        assert len(list(textgrid.read([raw(grid)], AlignmentContext()))) == 1
        lines.write_bytes(mutated(b"u1 1 0.1 0.2 hi 0.9\nu1 1 0.3 0.2 ho\n", chance))
        list(ctm.read([raw(lines)], AlignmentContext()))


def test_odd_json_members_of_a_shard_are_one_outcome_each(tmp_path: Path) -> None:
    members = [
        json.dumps(changed).encode() for changed in spoiled({"text": "x", "audio": 1, "labels": ["a"], "start_s": 0})
    ]
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as tar:
        for number, content in enumerate(members):
            for extension, data in (("wav", b"RIFF"), ("json", content), ("cls", b"9")):
                info = tarfile.TarInfo(f"{number}.{extension}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    found = read("webdataset", [raw(path)], path, open_archive=lambda file: _open_archive(file, tmp_path))
    assert len(found) == len(members)


def test_odd_descriptions_of_a_saved_dataset_are_refused_or_read(tmp_path: Path) -> None:
    table = pa.table({"audio": [{"bytes": b"x", "path": "a.wav"}], "label": [1], "list": [[0]]})
    with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    state = {"_data_files": [{"filename": "a.arrow"}], "_fingerprint": "f", "_split": "train"}
    label = {"names": ["no", "yes"], "_type": "ClassLabel"}
    info = {"features": {"audio": {"_type": "Audio"}, "label": label, "list": {"feature": label, "_type": "List"}}}
    pairs = [(changed, info) for changed in spoiled(state)] + [(state, changed) for changed in spoiled(info)]
    outcomes = {"read": 0, "refused": 0}
    for one, other in pairs:
        (tmp_path / "state.json").write_text(json.dumps(one))
        (tmp_path / "dataset_info.json").write_text(json.dumps(other))
        try:
            read("hf", [raw(tmp_path / name) for name in ("state.json", "dataset_info.json", "a.arrow")], tmp_path)
            outcomes["read"] += 1
        except UsageError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10
