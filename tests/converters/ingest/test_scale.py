"""Many rows: every one is accounted for, and what is kept in memory of each is a few bytes."""

from __future__ import annotations

import gc
import io
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.stores import check_accounts, clip, ingest, one
from triptych.converters.candidate import Blob, Candidate, RawFile, ReadContext, Rejection
from triptych.converters.imports.import_data import import_data
from triptych.converters.imports.options import ImportOptions
from triptych.converters.ingest.event_log import read_logged
from triptych.converters.ingest.ingest import Ingest
from triptych.converters.ingest.options import IngestOptions
from triptych.converters.ingest.stored_ids import StoredIds
from triptych.converters.readers import get_reader
from triptych.converters.readers.corpora.spool import WaitingMedia
from triptych.converters.readers.tables.made_ids import MadeIds
from triptych.shards import hash_sets as hashes
from triptych.shards.care.tombstones import Tombstones
from triptych.shards.events import Run, new_run_id
from triptych.shards.hash_sets import HashMap, HashSet
from triptych.shards.store.store import Store

ROWS = 20_000


def table(path: Path, rows: int) -> Path:
    """A CSV whose media is nowhere."""
    lines = (f"clips/{number:06d}.wav,text {number}\n" for number in range(rows))
    path.write_text("audio,text\n" + "".join(lines), encoding="utf-8")
    return path


def absent(count: int) -> Iterator[Candidate]:
    for number in range(count):
        yield Candidate(f"{number}", "train", {}, [("audio", Blob("x", path=Path(f"/no/such/{number}.wav")))])


def test_each_of_many_rows_without_media_is_an_event_and_an_import_again_writes_none(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triptych.converters.ingest.ingest.BATCH_EVENTS", 7_000)
    monkeypatch.setattr(hashes, "SETTLE_AT", 3_000)
    source = table(tmp_path / "t.csv", ROWS)
    for _ in range(2):
        account = import_data("csv", source, store=store, options=ImportOptions(name="d")).account
        assert (account.candidates, account.kept, dict(account.dropped)) == (ROWS, 0, {"missing_media": ROWS})
        assert one(store, "select count(*) from events") == ROWS
        assert one(store, "select count(distinct candidate) from events") == ROWS
    check_accounts(store)
    detail = one(store, "select detail from events where candidate = 'd/all/clips/019999'")
    assert detail == f"{source}:20001: {tmp_path}/clips/019999.wav: No such file or directory"


def test_a_ledger_of_many_events_costs_8_bytes_each(store: Store) -> None:
    ingest(store, "d", (Rejection(f"row {number}", "bad_row", "x") for number in range(ROWS)))
    ledger = read_logged(store, "d")
    assert len(ledger) == ROWS
    assert ledger.nbytes == 8 * ROWS
    assert hash(("row 19999", "bad_row")) in ledger
    assert hash(("row 19999", "bad_json")) not in ledger
    assert len(read_logged(store, "other")) == 0
    assert len(Tombstones.read(store, "d")) == 0


def test_a_batch_is_limited_by_the_length_of_its_texts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triptych.converters.ingest.ingest.BATCH_BYTES", 30_000)
    long = [{"role": "user", "content": "x" * 3_000}]
    rows = (Candidate(f"{number}", "train", {"text": "y" * 500, "messages": long}) for number in range(150))
    ingest(store, "d", rows)
    assert store.table("samples").version() >= 3
    assert one(store, "select count(*) from samples") == 150


def test_made_ids_cost_16_bytes_a_row_and_stay_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "SETTLE_AT", 1_000)
    made = MadeIds()
    names = []
    for number in range(ROWS):
        names.append(made.next(f"a/{number % 15_000}.wav", {"text": str(number)}, [])[0])
    assert len(set(names)) == ROWS
    assert names[14_999] == "a/14999"
    assert re.fullmatch("a/0#[0-9a-f]{12}", names[15_000])
    assert made.made.nbytes == 16 * ROWS


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("a/b.wav", "a/b"),
        ("a.b/c.tar.gz", "a.b/c.tar"),
        ("./a//b.wav", "a/b"),
        ("/abs/c.wav", "abs/c"),
        ("../up.wav", "../up"),
        (".hidden", ".hidden"),
        ("a/.hidden.wav", "a/.hidden"),
        ("noend", "noend"),
        ("é/ü.flac", "é/ü"),
        ("a/b.w v", "a/b"),
        ("", "row-fea691bd0ab1"),
        ("/", "row-fea691bd0ab1"),
    ],
)
def test_a_made_id_is_the_path_without_its_ending(name: str, made: str) -> None:
    assert MadeIds().next(name, {"text": "a"}, [])[0] == made


def test_a_set_of_hashes_holds_what_a_set_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "SETTLE_AT", 5)
    chance = random.Random(3)
    model: set[int] = set()
    found = HashSet()
    for _ in range(2_000):
        key = chance.choice([chance.randrange(-50, 50), chance.randrange(-(2**63), 2**63)])
        assert found.add(key) == (key not in model)
        model.add(key)
    other = HashSet()
    for key in (1, 1000, -(2**63), 2**63 - 1):
        other.add(key)
        model.add(key)
    found.update(other)
    assert len(found) == len(model)
    assert all(key in found for key in model)
    assert [key in found for key in range(-60, 60)] == [key in model for key in range(-60, 60)]


def test_a_map_of_hashes_holds_the_latest_value_of_each_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "SETTLE_AT", 5)
    chance = random.Random(4)
    model: dict[int, int] = {}
    found = HashMap()
    for _ in range(2_000):
        key, value = chance.randrange(-50, 50), chance.randrange(2**64)
        found.put(key, value)
        model[key] = value
    assert {key: found.get(key) for key in range(-60, 60)} == {key: model.get(key) for key in range(-60, 60)}


def test_a_row_updated_late_is_known_by_its_new_content(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "SETTLE_AT", 1)
    known = StoredIds(store, "d")
    known.add(["d/train/1"], [11], number=1)
    known.add(["d/train/1"], [22], number=2)
    assert known.content_of("d/train/1") == 22
    known.close()


def garbage_of(store: Store, candidates: Iterator[Candidate]) -> int:
    """Objects that only the collector could free after an ingest of these."""
    taking = Ingest(store, Run("pull", f"d{new_run_id()}", "test", {}), IngestOptions())
    gc.collect()
    gc.disable()
    try:
        taking.take(candidates)
        return gc.collect()
    finally:
        gc.enable()


@pytest.mark.thorough
def test_missing_files_leave_no_garbage_for_the_collector(store: Store) -> None:
    garbage_of(store, absent(100))
    assert garbage_of(store, absent(1_200)) - garbage_of(store, absent(200)) < 500


def test_a_clip_among_missing_ones_is_taken_in_its_turn(store: Store, tone: object) -> None:
    def stream() -> Iterator[Candidate]:
        for number in range(300):
            yield clip(f"c{number}", tone(300 + number)) if number % 50 == 49 else next(gone)  # type: ignore[operator]

    gone = absent(300)
    account = ingest(store, "d", stream()).account
    assert (account.kept, dict(account.dropped)) == (6, {"missing_media": 294})
    assert one(store, "select count(*) from samples") == 6
    check_accounts(store)


def waiting_clip(number: int) -> Candidate:
    return Candidate(
        f"{number}", "train", {"speaker": "s"}, [("audio", Blob(f"{number}.wav", data=b"x" * 100))], uri="u"
    )


def test_what_waits_beyond_the_limit_lies_on_disk_and_comes_back_whole(tmp_path: Path) -> None:
    waiting = WaitingMedia(limit=3 * 1600)
    for number in range(10):
        waiting.hold(f"{number}", waiting_clip(number), spool=tmp_path)
    assert len(list(tmp_path.iterdir())) == 7
    for number in (9, 0, 5):
        candidate = waiting.release(f"{number}")
        [(kind, blob)] = candidate.media
        data = blob.data if blob.data is not None else blob.path.read_bytes() if blob.path else b""
        assert (kind, blob.name, data) == ("audio", f"{number}.wav", b"x" * 100)
        assert (candidate.source_id, candidate.fields, candidate.uri) == (f"{number}", {"speaker": "s"}, "u")
        if blob.path:
            blob.path.unlink()
    assert [each.source_id for each in waiting.rest()] == ["1", "2", "3", "4", "6", "7", "8"]
    assert list(tmp_path.iterdir()) == []


def test_those_that_wait_are_told_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    waiting = WaitingMedia(limit=2 * 1600)
    for number in (3, 1, 4, 2):
        waiting.hold(f"{number}", waiting_clip(number), spool=tmp_path)
    assert waiting.among(["9", "2", "1", "1", "3"]) == ["3", "1", "2"]


@pytest.mark.parametrize("limit", [1, 10**9])
def test_transcripts_after_all_media_give_the_same_candidates(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WaitingMedia.__init__.__kwdefaults__ or {}, "limit", limit)
    media = [(f"train/{n // 10}/{n:03d}.wav", b"%d" % n) for n in range(100)]
    texts = [(f"train/{s}/{s}.txt", "".join(f"{s * 10 + i:03d} T{i}\n" for i in range(10)).encode()) for s in range(10)]
    options = {"media": "{split}/{speaker}/{id}.wav", "transcripts": "{split}/{speaker}/*.txt"}

    def files() -> Iterator[RawFile]:
        for name, data in [*media, *reversed(texts)]:
            yield RawFile(name, f"tar!{name}", "r", len(data), lambda data=data: io.BytesIO(data), spool=tmp_path)

    found = list(get_reader("transcripts").read(files(), ReadContext("d", options)))
    order = [s * 10 + i for s in reversed(range(10)) for i in range(10)]
    assert [each.source_id for each in found if isinstance(each, Candidate)] == [f"{n:03d}" for n in order]
    assert [each.fields["text"] for each in found if isinstance(each, Candidate)] == [f"T{n % 10}" for n in order]


MEMORY = """
import resource, sys, triptych
name, table, store, step = sys.argv[1:]
if step == "import":
    triptych.import_data("csv", table, name="d", store=store, values={"task": "asr"})
elif step == "validate":
    triptych.validate(store=store, workers=1)
else:
    triptych.export("unified", store=store, include_rejected=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_mb(table: Path, store: Path, step: str) -> int:
    """The peak memory of one step, as a process of its own."""
    command = [sys.executable, "-c", MEMORY, "peak", str(table), str(store), step]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


@pytest.mark.thorough
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, tone: Any) -> None:
    peaks: dict[str, list[int]] = {}
    (tmp_path / "a.wav").write_bytes(tone(seconds=1.0, format="WAV"))
    for rows in (10_000, 80_000):
        path = tmp_path / f"{rows}.csv"
        lines = (f"u{number},a.wav,this is the text of row number {number}\n" for number in range(rows))
        path.write_text("id,audio,text\n" + "".join(lines), encoding="utf-8")
        for step in ("import", "validate", "export"):
            peaks.setdefault(step, []).append(peak_mb(path, tmp_path / f"store{rows}", step))
    for step, (few, many) in peaks.items():
        assert many - few < 200, (step, few, many)
