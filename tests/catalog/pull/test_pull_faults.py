"""Pulling archives over a poor line, from a bad host, and with hostile content: the store is never corrupt."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import Utterance, archive, card, members
from support.loopback import Loopback, serve
from support.stores import check_accounts, check_media, cli, leftovers, one, select
from triptych.errors import NetworkError, TriptychError, UsageError

URL = "/example.org/words/train.tar.gz"
SPOKEN = [Utterance("train", n, frames=16_000) for n in range(60)]  # 32 kB each


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to serve: 60 utterances of noise, about 2 MB."""
    folder = tmp_path_factory.mktemp("served")
    archive(folder / URL[1:], members(SPOKEN))
    return folder


@pytest.fixture
def host(packed: Path, tmp_path: Path) -> Iterator[Loopback]:
    card(tmp_path / "cards", sums={"train": packed / URL[1:]})
    with serve(packed) as server:
        yield server


def pull(server: Loopback | Path, tmp_path: Path, samples: int | None = None, **options: Any) -> Any:
    mirror = str(server) if isinstance(server, Path) else server.url("")
    return triptych.pull("words", split="train", samples=samples, mirror=mirror, cards=[tmp_path / "cards"],
                         store=tmp_path / "store", **options)  # fmt: skip


def pull_by_command(server: Loopback | Path, tmp_path: Path, *more: str | Path) -> Any:
    mirror = server if isinstance(server, Path) else server.url("")
    return cli("catalog", "pull", "words", "--split", "train", "--mirror", mirror, "--cards", tmp_path / "cards",
               "--store", tmp_path / "store", *more)  # fmt: skip


def holds(tmp_path: Path, spoken: list[Utterance]) -> None:
    """The store holds exactly these utterances, with their texts and bytes."""
    rows = select(tmp_path / "store", "select id, text, speaker, audio.path p from samples order by id")
    assert [(row["id"], row["text"], row["speaker"]) for row in rows] == [
        (f"words/{u.split}/{u.name}", u.text, u.speaker) for u in spoken
    ]
    assert all((tmp_path / "store" / row["p"]).read_bytes() == u.audio for row, u in zip(rows, spoken, strict=True))
    check_accounts(tmp_path / "store")
    check_media(tmp_path / "store")
    assert leftovers(tmp_path / "store") == []


# ---- no more than is needed


def fetched(tmp_path: Path) -> int:
    """Bytes of the prefix that is kept; what a server has sent may wait in the sockets, unread."""
    return sum(path.stat().st_size for path in (tmp_path / "store/partial").glob("*/data"))


def test_a_few_samples_fetch_only_a_prefix(host: Loopback, packed: Path, tmp_path: Path) -> None:
    assert pull(host, tmp_path, 10).stored == 10
    assert 300_000 < fetched(tmp_path) < (packed / URL[1:]).stat().st_size / 2
    holds(tmp_path, SPOKEN[:10])


def test_growing_keeps_what_is_stored_and_resumes_by_range(host: Loopback, tmp_path: Path) -> None:
    pull(host, tmp_path, 10)
    prefix = fetched(tmp_path)
    before = select(tmp_path / "store", "select * from samples order by id")
    host.requests.clear()
    assert pull(host, tmp_path, 20).stored == 20
    # One byte is asked for to see that the file is the same, then what is missing.
    assert [one.headers["range"] for one in host.seen(URL, "GET")] == [
        f"bytes={prefix - 1}-{prefix - 1}",
        f"bytes={prefix}-",
    ]
    assert select(tmp_path / "store", "select * from samples order by id")[:10] == before
    assert pull(host, tmp_path).stored == 60
    holds(tmp_path, SPOKEN)
    assert fetched(tmp_path) == 0


def test_rows_of_a_prefix_say_so_and_rows_of_a_verified_archive_have_its_sum(
    host: Loopback, packed: Path, tmp_path: Path
) -> None:
    pull(host, tmp_path, 10)
    assert all("(prefix)" in row["r"] for row in select(tmp_path / "store", "select revision r from samples"))
    triptych.pull("words", split="train", mirror=str(packed), cards=[tmp_path / "cards"], store=tmp_path / "other")
    [row] = select(tmp_path / "other", "select distinct revision r from samples")
    assert row["r"].startswith("sha256:")


def test_raw_files_are_kept_where_asked(host: Loopback, packed: Path, tmp_path: Path) -> None:
    pull(host, tmp_path, keep_raw=True)
    [kept] = (tmp_path / "store/partial").rglob("*.tar.gz")
    assert kept.read_bytes() == (packed / URL[1:]).read_bytes()


# ---- poor lines and bad hosts


@pytest.mark.parametrize("samples", [None, 25], ids=["whole", "prefix"])
@pytest.mark.parametrize(
    "faults",
    [
        {"drop_after": 300_000, "times": 3},
        {"drop_after": 300_000, "times": 1, "ignore_ranges": True},
        {"ignore_ranges": True},
        {"status": 429, "retry_after": "0", "times": 2},
        {"status": 500, "times": 1},
        {"etag": "", "no_last_modified": True},
    ],
    ids=["drops", "drops and ignores", "ignores ranges", "429", "500", "no etag"],
)
def test_a_poor_line_gives_the_same_store(
    host: Loopback, tmp_path: Path, faults: dict[str, Any], samples: int | None
) -> None:
    host.fault(URL, **faults)
    done = pull(host, tmp_path, samples)
    assert done.account.rejected == {}
    holds(tmp_path, SPOKEN[:samples])


def test_a_retry_after_is_waited_for(host: Loopback, tmp_path: Path) -> None:
    import time

    host.fault(URL, status=429, retry_after="1", times=1)
    started = time.monotonic()
    pull(host, tmp_path, 5)
    assert time.monotonic() - started >= 1.0


@pytest.mark.parametrize("samples", [None, 20])
@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        ({"html": True}, 3, "web page"),
        ({"html": True, "html_type": False}, 3, "web page"),
        ({"status": 404}, 3, "404"),
        ({"status": 403}, 3, "access is not granted"),
        ({"content": b"not an archive at all" * 100}, 4, ""),
    ],
    ids=["page", "page that hides", "missing", "forbidden", "other bytes"],
)
def test_a_bad_host_stores_nothing_and_says_why(
    host: Loopback, tmp_path: Path, fault: dict[str, Any], code: int, message: str, samples: int | None
) -> None:
    host.fault(URL, **fault)
    try:
        done = pull(host, tmp_path, samples)
        found, said = (4 if done.damaged else 0), " ".join(done.damaged)
    except TriptychError as error:
        found, said = error.exit_code, error.message
    assert found == code
    assert message in said
    assert one(tmp_path / "store", "select count(*) from samples") == 0
    check_accounts(tmp_path / "store")
    host.clear()
    assert pull(host, tmp_path).stored == 60
    holds(tmp_path, SPOKEN)


def test_a_wrong_checksum_stores_nothing_where_the_file_is_read_whole(
    host: Loopback, packed: Path, tmp_path: Path
) -> None:
    other = archive(tmp_path / "other.tar.gz", members(SPOKEN[:30]))
    host.fault(URL, content=other.read_bytes())
    for where in (host, tmp_path / "folder"):
        if isinstance(where, Path):
            archive(where / URL[1:], members(SPOKEN[:30]))
        done = pull_by_command(where, tmp_path)
        assert done.returncode == 4
        assert "SHA-256 is" in done.stderr
        assert one(tmp_path / "store", "select count(*) from samples") == 0
    done = pull_by_command(host, tmp_path, "--samples", "50")
    assert done.returncode == 4
    assert one(tmp_path / "store", "select count(*) from samples") == 0
    host.clear()
    assert pull(host, tmp_path).stored == 60
    holds(tmp_path, SPOKEN)


def test_a_changed_file_starts_over_and_keeps_what_is_stored(host: Loopback, packed: Path, tmp_path: Path) -> None:
    card(tmp_path / "cards")
    changed = archive(tmp_path / "changed.tar.gz", members([Utterance("train", 99), *SPOKEN]))
    pull(host, tmp_path, 10)
    host.fault(URL, content=changed.read_bytes(), etag='"changed"')
    done = pull(host, tmp_path, 20)
    assert done.stored == 20
    assert any("starting over" in notice for notice in done.notices)
    holds(tmp_path, [*SPOKEN[:19], Utterance("train", 99)])


def test_a_line_lost_for_good_exits_3_and_goes_on_later(host: Loopback, tmp_path: Path, monkeypatch: Any) -> None:
    from triptych.catalog.sources.download.retry import Retry

    monkeypatch.setattr(
        "triptych.catalog.sources.download.http.Retry", lambda: Retry(attempts=2, connect_attempts=2, base=0.01)
    )
    host.fault(URL, drop_after=1_000_000, times=1)
    host.fault(URL, drop_after=0, times=None)
    with pytest.raises(NetworkError, match="gave up"):
        pull(host, tmp_path, 60)
    stored = one(tmp_path / "store", "select count(*) from samples")
    assert stored in range(60)
    check_accounts(tmp_path / "store")
    host.clear()
    assert pull(host, tmp_path, 60).stored == 60
    holds(tmp_path, SPOKEN)


# ---- damaged and hostile archives


def test_a_truncated_archive_exits_4_and_its_good_rows_are_stored(packed: Path, tmp_path: Path) -> None:
    card(tmp_path / "cards")
    target = tmp_path / "mirror" / URL[1:]
    target.parent.mkdir(parents=True)
    target.write_bytes((packed / URL[1:]).read_bytes()[:1_000_000])
    done = pull_by_command(tmp_path / "mirror", tmp_path)
    assert done.returncode == 4
    assert "the gzip data end too early" in done.stderr
    assert done.stderr.count(URL[1:]) == 1
    assert "valid rows before it are stored" in done.stderr
    stored = int(one(tmp_path / "store", "select count(*) from samples"))
    assert stored in (20, 30)  # whole chapters: the transcript stands after the audio
    holds(tmp_path, SPOKEN[:stored])
    assert one(tmp_path / "store", "select reason from events") in ("truncated_archive", "corrupt_archive")
    target.write_bytes((packed / URL[1:]).read_bytes())
    assert pull(tmp_path / "mirror", tmp_path).stored == 60
    holds(tmp_path, SPOKEN)


def test_hostile_members_are_rejected_and_good_ones_stored(tmp_path: Path) -> None:
    spoken = SPOKEN[:10]
    link = tarfile.TarInfo("Words/train/100/1/100-1-0000.wav")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard = tarfile.TarInfo("Words/train/100/1/x.wav")
    hard.type, hard.linkname = tarfile.LNKTYPE, "../../etc/passwd"
    device = tarfile.TarInfo("Words/train/100/1/y.wav")
    device.type = tarfile.CHRTYPE
    climbing = [("../../climbs.wav", b"x"), ("/absolute.wav", b"x"), ("Words/../../../up.wav", b"x")]
    archive(tmp_path / "mirror" / URL[1:], [link, hard, device, *climbing, *members(spoken)])
    card(tmp_path / "cards")
    done = pull_by_command(tmp_path / "mirror", tmp_path)
    assert done.returncode == 1
    holds(tmp_path, spoken)
    reasons = [row["reason"] for row in select(tmp_path / "store", "select reason from events order by 1")]
    assert reasons == ["link", "link", "special_file", "unsafe_path", "unsafe_path", "unsafe_path"]
    assert not (tmp_path / "climbs.wav").exists()


@pytest.mark.parametrize("transcripts", ["before", "after"])
def test_transcripts_come_before_or_after_the_audio(tmp_path: Path, transcripts: str) -> None:
    spoken = [Utterance("train", n) for n in range(25)]
    archive(tmp_path / "mirror" / URL[1:], members(spoken, transcripts=transcripts))
    card(tmp_path / "cards")
    assert pull(tmp_path / "mirror", tmp_path, 13).stored == 13
    holds(tmp_path, spoken[:13])
    assert pull(tmp_path / "mirror", tmp_path).stored == 25
    holds(tmp_path, spoken)


def test_audio_without_a_line_and_lines_without_audio_are_rejected(tmp_path: Path) -> None:
    spoken = [Utterance("train", n) for n in range(10)]
    files = members(spoken)
    lines = files[-1][1].replace(
        b"100-1-0003 THE TEXT OF 3\n", b"100-1-0077 NOBODY SAID THIS\n100-1-0004 \xff\xfe\n", 1
    )
    archive(tmp_path / "mirror" / URL[1:], [*files[:-1], (files[-1][0], lines)])
    card(tmp_path / "cards")
    pull(tmp_path / "mirror", tmp_path)
    holds(tmp_path, [u for u in spoken if u.n != 3])
    events = {row["reason"] for row in select(tmp_path / "store", "select reason from events")}
    assert events == {"no_transcript", "no_media", "not_utf8"}


def test_a_bad_clip_does_not_count_towards_the_number_asked_for(tmp_path: Path) -> None:
    spoken = [Utterance("train", n) for n in range(20)]
    files = [(name, b"broken" if name.endswith("-0002.wav") else data) for name, data in members(spoken)]
    archive(tmp_path / "mirror" / URL[1:], files)
    card(tmp_path / "cards")
    done = pull(tmp_path / "mirror", tmp_path, 5)
    assert (done.account.kept, dict(done.account.dropped), done.reached) == (5, {"not_media": 1}, True)
    holds(tmp_path, [spoken[n] for n in (0, 1, 3, 4, 5)])


# ---- wrong wishes


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("librispech", {}, "did you mean librispeech"),
        ("words", {"split": "trian"}, "has no split 'trian'. Splits: train, test"),
        ("words", {"source": "hub"}, "has no source 'hub'; it has archive:https://example.org"),
        ("words", {"source": "torrent"}, "kinds: hub, archive, urls, youtube, manual, synthetic"),
        ("words", {"mirror": "none"}, "there is no such folder"),
        ("words", {"from_path": "none"}, "there is no such file or folder"),
        ("words", {"from_path": "cards"}, "expected files like {split}/{speaker}/{chapter_id}/{id}.wav"),
    ],
)
def test_a_wrong_wish_is_told_with_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        triptych.pull(name, cards=[card(tmp_path / "cards").parent], store=tmp_path / "store", **options)
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_from_is_for_one_dataset(tmp_path: Path) -> None:
    done = cli("catalog", "pull", "aishell1", "librispeech", "--from", tmp_path, "--store", tmp_path / "store")
    assert (done.returncode, "one dataset at a time" in done.stderr) == (2, True)
