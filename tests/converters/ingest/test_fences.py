"""One odd file costs one row: the others are imported, validated and exported, and the event names file and fault."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import triptych
from support import imported, mutations
from support.stores import check_accounts, clip, ingest, one, select
from triptych.converters.candidate import Blob, Candidate
from triptych.shards.media.fence import fenced
from triptych.shards.media.probe import MediaError
from triptych.shards.store.store import Store

GOOD = 3


def wav(path: Path, *, tag: int = 1, artist: bytes = b"") -> Path:
    """A WAV of 2 s with this format tag, and with this artist in its INFO list."""
    sound = imported.noise(2.0, seed=len(path.name)).tobytes()
    info = b"INFOIART" + struct.pack("<I", len(artist)) + artist + b"\0" * (len(artist) % 2)
    chunks = b"fmt " + struct.pack("<IHHIIHH", 16, tag, 1, 16_000, 32_000, 2, 16)
    chunks += b"LIST" + struct.pack("<I", len(info)) + info if artist else b""
    chunks += b"data" + struct.pack("<I", len(sound)) + sound
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


def odd_rows(folder: Path) -> list[dict[str, Any]]:
    """Rows with one fault each, between good ones."""
    folder.mkdir()
    bases = mutations.base_files()
    unknown_sound = folder / "unknown_sound.mkv"
    unknown_sound.write_bytes(bases["mkv"].replace(b"A_AAC", b"A_XYZ"))
    return [
        {"id": "good0", "audio": str(wav(folder / "good0.wav"))},
        {"id": "codec", "audio": str(wav(folder / "codec.wav", tag=8))},
        {"id": "tag", "audio": str(wav(folder / "tag.wav", artist=b"Bj\xf6rk")), "start_s": 0.5, "end_s": 1.5},
        {"id": "far", "audio": str(wav(folder / "far.wav"))},
        {"id": "farther", "audio": str(wav(folder / "farther.wav"))},
        {"id": "sound", "video": str(unknown_sound)},
        {"id": "good1", "audio": str(wav(folder / "good1.wav")), "start_s": 0.25, "end_s": 1.25},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A validated store of odd rows, two of which are annotated with spans that no file has."""
    folder = tmp_path_factory.mktemp("odd")
    rows = [{"text": "hello there", "language": "en"} | row for row in odd_rows(folder / "in")]
    store = imported.bring_in(folder / "store", "odd", rows, folder)
    for name, key, value in (("far", "start_s", 1e13), ("far", "end_s", 2e13), ("farther", "start_s", 1e300)):
        triptych.annotate(f"odd/all/{name}", key, value, store=store)
    triptych.validate(store=store)
    return store


def test_odd_files_are_rejected_with_a_reason_and_the_others_stored(odd: Path) -> None:
    events = {
        row["candidate"].rpartition("/")[2]: (row["reason"], row["detail"])
        for row in select(odd, "select candidate, reason, detail from events where stage = 'import'")
    }
    assert events.keys() == {"codec"}
    assert events["codec"][0] == "not_media" and "FFmpeg does not know" in events["codec"][1]
    assert one(odd, "select count(*) from samples") == 6
    check_accounts(odd)


def test_each_sample_has_its_own_verdict(odd: Path) -> None:
    found = select(odd, "select id, verdict, reasons from verdicts")
    verdicts = {row["id"].rpartition("/")[2]: (row["verdict"], row["reasons"]) for row in found}
    assert {name for name, (verdict, _) in verdicts.items() if verdict == "reject"} == {"far", "farther"}
    assert "undecodable_sound_track" in verdicts["sound"][1]
    assert one(odd, "select video_audio_error from checks where id like '%sound'").endswith("does not know its codec")


def test_exports_cut_what_they_can_and_name_what_they_cannot(odd: Path) -> None:
    result = triptych.export("unified", store=odd, include_rejected=True)
    assert result.counts == {"written": 4, "span_outside_media": 2}
    [event] = select(odd, "select detail from events where stage = 'export' and candidate like '%/far'")
    assert event["detail"].startswith(f"has no row in {result.version.reference}: 10000000000000.0 s")
    cuts = {row["id"].rpartition("/")[2]: row["audio"] for row in read(result) if "audio" in row}
    assert soundfile_length(cuts["tag"]) == soundfile_length(cuts["good1"]) == 16_000


def test_nothing_is_cut_for_rejected_rows(tmp_path: Path) -> None:
    path = str(imported.sound(tmp_path / "silent.wav", np.zeros(32_000, np.int16)))
    rows = [{"id": "silent", "audio": path, "text": "silence", "start_s": 0.2, "end_s": 1.5}]
    good = str(imported.sound(tmp_path / "good.wav", imported.noise(2.0)))
    rows.append({"id": "good", "audio": good, "text": "a good row", "start_s": 0.2, "end_s": 1.5})
    store = imported.bring_in(tmp_path / "store", "d", rows, tmp_path)
    triptych.validate(store=store)
    assert triptych.export("unified", store=store).counts == {"written": 1, "rejected": 1}
    assert len([path for path in (store / "media" / "cuts").rglob("*") if path.is_symlink()]) == 1
    triptych.export("unified", store=store, include_rejected=True)
    assert len([path for path in (store / "media" / "cuts").rglob("*") if path.is_symlink()]) == 2


def test_a_path_that_no_file_can_have_is_missing_media(store: Store) -> None:
    rows = [Candidate(name, "train", {}, [("audio", Blob("x", path=Path(name)))]) for name in ("a\0b.wav", "x" * 5000)]
    assert dict(ingest(store, "d", rows).account.dropped) == {"missing_media": 2}


@pytest.mark.parametrize("error", [RuntimeError("a fault of the reader"), MemoryError(), SystemExit(3)])
def test_what_was_read_is_committed_whatever_ends_it(store: Store, error: BaseException, tone: Any) -> None:
    def source() -> Iterator[Candidate]:
        for number in range(GOOD):
            yield clip(f"{number}", tone(300 + number))
        raise error

    with pytest.raises(type(error)):
        ingest(store, "d", source())
    assert one(store, "select count(*) from samples") == GOOD


def test_a_shared_file_that_fails_rejects_each_of_its_rows(store: Store, tone: Any) -> None:
    shared = object()
    rows = [
        Candidate(f"{number}", "train", {}, [("audio", Blob("x", data=b"no media", shared=shared))])
        for number in range(5)
    ]
    account = ingest(store, "d", [*rows, clip("good", tone())]).account
    assert (account.kept, dict(account.dropped)) == (1, {"not_media": 5})


def test_faults_of_the_machine_are_not_those_of_a_file(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space"), fenced("a.wav"):
        raise full
    with pytest.raises(PermissionError), fenced("a.wav", store=tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "media" / "x"))
    with pytest.raises(MediaError, match=r"a\.wav: Permission denied") as caught, fenced("a.wav", store=tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/a.wav")
    assert caught.value.reason == "unreadable_media"


def read(result: Any) -> list[dict[str, Any]]:
    return list(imported.read_lines(result.version.data))


def soundfile_length(path: str) -> int:
    import soundfile

    return int(soundfile.info(path).frames)
