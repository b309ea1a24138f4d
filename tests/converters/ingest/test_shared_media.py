"""One file that several samples share: stored and hashed once, its temporary links gone, its fault told for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import pytest
from support.raws import Stream
from support.stores import check_accounts, check_media, ingest, one, select
from triptych.converters.candidate import Blob, ReadContext
from triptych.converters.ingest.shared_media import SharedMedia
from triptych.converters.readers import get_reader
from triptych.shards.media.media import MediaError, StoredMedia
from triptych.shards.store.store import Store

Tone = Callable[..., bytes]
TABLE = "path,n,question\n" + "".join(f"clips/a.wav,{n},what {n}\n" for n in range(40))
OPTIONS = {
    "tables": [{"file": "rows.csv"}], "media": {"audio": "{path}"}, "id": "n", "columns": {"question": "question"},
}  # fmt: skip


@pytest.mark.parametrize("table_first", [True, False])
def test_the_questions_about_one_recording_share_one_stored_file(
    store: Store, tone: Tone, monkeypatch: pytest.MonkeyPatch, table_first: bool
) -> None:
    monkeypatch.setattr("triptych.converters.candidate.IN_MEMORY_BYTES", 100)
    spool = store.root / "partial" / "tmp"
    files: dict[str, bytes | str] = {"rows.csv": TABLE, "clips/a.wav": tone(500)}
    if not table_first:
        files = dict(reversed(files.items()))
    context = ReadContext("talks", OPTIONS, spool=spool)
    run = ingest(store, "talks", get_reader("annotated").read(Stream(files, spool=spool), context))
    assert (run.account.kept, run.account.dropped) == (40, {})
    assert one(store, "select count(distinct audio.path) from samples") == 1
    assert list(spool.iterdir()) == []
    check_media(store)
    check_accounts(store)


def test_broken_media_rejects_every_sample_that_shares_it(store: Store) -> None:
    files = Stream({"rows.csv": TABLE, "clips/a.wav": b"no sound"})
    run = ingest(store, "talks", get_reader("annotated").read(files, ReadContext("talks", OPTIONS)))
    assert (run.account.kept, sum(run.account.dropped.values())) == (0, 40)
    assert len(select(store, "select * from events")) == 40


def test_a_file_is_put_once_however_many_threads_meet_it(tmp_path: Path) -> None:
    calls: list[Path | None] = []
    meeting = Barrier(8)
    once = SharedMedia()
    token = object()
    raised: list[str] = []

    def put(kind: str, blob: Blob) -> StoredMedia:
        calls.append(blob.path)
        raise MediaError("undecodable", "made to fail")

    def work(number: int) -> None:
        path = tmp_path / str(number)
        path.write_bytes(b"x")
        meeting.wait()
        try:
            once.store("audio", Blob("a", path=path, temporary=True, shared=token), put)
        except MediaError as error:
            raised.append(error.reason)

    threads = [Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(calls), raised) == (1, ["undecodable"] * 8)
    assert list(tmp_path.iterdir()) == calls
