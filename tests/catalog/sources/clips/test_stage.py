"""Media fetched clip by clip from direct links: order, reasons, the event log, and cleanup."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import soundfile
from support.loopback import Loopback
from support.remotes import fetched, nothing_left, options, told, tone_file, video_file, wanted
from support.stores import ingest, leftovers, one
from triptych.catalog.sources.clips.availability import alive, read_failures, read_held
from triptych.catalog.sources.clips.failures import REASONS, RETRYABLE, TERMINAL
from triptych.catalog.sources.clips.options import ClipOptions
from triptych.catalog.sources.clips.rate_limit import RateLimiter
from triptych.catalog.sources.clips.stage import fetch_remote
from triptych.converters.candidate import Blob, Candidate, Checkpoint, Rejection
from triptych.errors import DamagedError, UsageError
from triptych.shards.care.removal import remove
from triptych.shards.events import Run
from triptych.shards.store.snapshot import Snapshot
from triptych.shards.store.store import Store


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for number in range(6):
        tone_file(folder / f"{number}.m4a", pitch=300 + 50 * number)
    video_file(folder / "mute.mp4")
    (folder / "note.txt").write_text("no media at all, but no page either " * 10)
    return folder


def length(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration) / 1_000_000


def test_clips_come_in_the_readers_order_however_long_each_takes(host: Loopback, spool: Path) -> None:
    host.fault("/0.m4a", delay=0.3)
    items: list[Any] = [wanted(str(n), host.url(f"/{n}.m4a"), 1, 3) for n in range(4)]
    items[2:2] = [Rejection("x", "bad_row", "row 7"), Checkpoint()]
    with nothing_left(spool, kept=4):
        found = fetched(items, spool)
    assert [getattr(item, "source_id", type(item).__name__) for item in found] == [
        "0", "1", "Rejection", "Checkpoint", "2", "3",
    ]  # fmt: skip
    for item in (found[0], found[1], found[4], found[5]):
        [(kind, blob)] = item.media
        assert (kind, blob.temporary, blob.remote, blob.path.parent) == ("audio", True, None, spool)
        assert length(blob.path) == pytest.approx(2, abs=0.05)
        assert item.fields["extra"] == {"cut": "copy"}


def test_a_file_without_a_span_comes_byte_for_byte(host: Loopback, clips: Path, spool: Path) -> None:
    [item] = fetched([wanted("0", host.url("/0.m4a"))], spool)
    assert item.media[0][1].path.read_bytes() == (clips / "0.m4a").read_bytes()
    assert item.fields["extra"] == {"cut": "whole"}


def test_an_unavailable_clip_becomes_a_rejection_with_its_reason(host: Loopback, spool: Path) -> None:
    host.fault("/login", status=403)
    host.fault("/gone", status=410)
    host.fault("/page", html=True)
    host.fault("/page2", html=True, html_type=False)
    host.fault("/busy", status=429, retry_after="0")
    cases = {
        "/none.m4a": "dead", "/gone": "dead", "/login": "private", "/page": "not_media", "/page2": "not_media",
        "/note.txt": "not_media", "/mute.mp4": "no_audio",
    }  # fmt: skip
    items = [wanted(path, host.url(path), 0, 1) for path in cases]
    items.append(wanted("late", host.url("/0.m4a"), 60, 61))
    with nothing_left(spool):
        found = fetched(items, spool)
    assert told(found) == [*cases.values(), "too_short"]
    assert found[0].candidate == "clips/train//none.m4a"
    assert found[0].uri == host.url("/none.m4a")
    assert [told(fetched([wanted("l", host.url("/0.m4a"))], spool, options(max_bytes=1000)))] == [["too_large"]]


def test_a_host_out_of_reach_is_retryable(spool: Path) -> None:
    found = fetched([wanted("0", "http://127.0.0.1:9/0.m4a")], spool, options(timeout_s=3.0))
    assert told(found) == ["network"]
    assert "network" in RETRYABLE


def test_a_video_without_audio_is_kept_unless_sound_is_required(host: Loopback, spool: Path) -> None:
    item = wanted("m", host.url("/mute.mp4"), 1, 2, kind="video")
    assert told(fetched([item], spool)) == ["ok"]
    again = wanted("m", host.url("/mute.mp4"), 1, 2, kind="video")
    assert told(fetched([again], spool, options(sound_required=True))) == ["no_audio"]
    sound = wanted("s", host.url("/0.m4a"), 1, 2, kind="video")
    assert told(fetched([sound], spool)) == ["no_video"]


def test_a_clip_that_hangs_times_out_and_the_others_are_fetched(host: Loopback, spool: Path) -> None:
    host.fault("/1.m4a", delay=60)
    items = [wanted(str(n), host.url(f"/{n}.m4a"), 0, 1) for n in range(4)]
    with nothing_left(spool, kept=3):
        assert told(fetched(items, spool, options(timeout_s=2.0))) == ["ok", "timeout", "ok", "ok"]


def test_segments_of_one_file_cost_one_download(host: Loopback, spool: Path) -> None:
    items = [wanted(str(n), host.url("/0.m4a"), n * 0.5, n * 0.5 + 1) for n in range(6)]
    items += [wanted("dead", host.url("/none.m4a"), n, n + 1) for n in range(3)]
    assert told(fetched(items, spool)) == ["ok"] * 6 + ["dead"] * 3
    assert len(host.seen("/0.m4a", "GET")) == 1
    assert len(host.seen("/none.m4a", "GET")) == 1


def test_a_pull_of_n_fetches_at_most_n_and_the_jobs(host: Loopback, spool: Path) -> None:
    stream = fetch_remote(
        (wanted(str(n), host.url(f"/{n % 6}.m4a?{n}"), 0, 1) for n in range(50)),
        options(),
        dataset="clips",
        spool=spool,
    )
    with nothing_left(spool, kept=3):
        assert [next(stream).source_id for _ in range(3)] == ["0", "1", "2"]
        time.sleep(0.5)
        stream.close()
    assert len(host.requests) <= 3 + 2


def test_closing_early_leaves_no_process_thread_or_file(host: Loopback, spool: Path) -> None:
    for number in range(6):
        host.fault(f"/{number}.m4a", delay=5)
    host.faults.pop("/0.m4a")
    threads = our_threads()
    with nothing_left(spool, kept=1):
        stream = fetch_remote(
            [wanted(str(n), host.url(f"/{n}.m4a")) for n in range(6)], options(jobs=3), dataset="clips", spool=spool
        )
        next(stream)
        begun = time.monotonic()
        stream.close()
        assert time.monotonic() - begun < 2
    assert our_threads() == threads


def our_threads() -> set[int | None]:
    """All threads but those of the loopback host."""
    return {each.ident for each in threading.enumerate() if "process_request" not in each.name}


def test_stored_samples_are_settled_and_not_fetched(host: Loopback, spool: Path) -> None:
    items = [wanted(str(n), host.url(f"/{n}.m4a"), 0, 1) for n in range(3)]
    found = fetched(items, spool, held=lambda ids: set(ids) & {"clips/train/0", "clips/train/2"})
    assert [(item.settled, len(item.media)) for item in found] == [(True, 0), (False, 1), (True, 0)]
    assert {seen.path for seen in host.requests} == {"/1.m4a"}


def test_clips_known_to_be_gone_are_requested_again_only_on_purpose(host: Loopback, spool: Path) -> None:
    known = {"clips/train/0": "dead", "clips/train/1": "private", "clips/train/2": "withdrawn"}

    def items() -> list[Candidate]:
        return [wanted(str(n), host.url(f"/{n}.m4a"), 0, 1) for n in range(3)]

    found = fetched(items(), spool, known_failures=known)
    assert told(found) == ["dead", "private", "withdrawn"]
    assert found[0].detail == "failed in an earlier run; --retry dead tries again"
    assert host.requests == []
    found = fetched(items(), spool, options(retry=frozenset({"dead"})), known_failures=known)
    assert told(found) == ["ok", "private", "withdrawn"]
    assert told(fetched(items(), spool, options(retry=frozenset({"all"})), known_failures=known))[2] == "withdrawn"


def test_a_damaged_table_gives_the_clips_before_the_damage(host: Loopback, spool: Path) -> None:
    def items() -> Iterator[Candidate]:
        yield wanted("0", host.url("/0.m4a"), 0, 1)
        raise DamagedError("the table is cut")

    stream = fetch_remote(items(), options(), dataset="clips", spool=spool)
    assert next(stream).source_id == "0"
    with pytest.raises(DamagedError):
        next(stream)


def test_local_files_of_unconsumed_candidates_are_removed(host: Loopback, spool: Path) -> None:
    spool.mkdir(parents=True)
    (spool / "mine").write_bytes(b"x")
    mixed = wanted("0", host.url("/none.m4a"))
    mixed.media.append(("image", Blob("i", path=spool / "mine", temporary=True)))
    with nothing_left(spool):
        assert told(fetched([mixed], spool)) == ["dead"]


@pytest.mark.parametrize(
    "given",
    [{"jobs": 0}, {"cookies": Path("/nowhere/cookies.txt")}, {"proxy": "host:3128"}, {"retry": frozenset({"ded"})}],
)
def test_invalid_options_are_refused_before_any_work(given: dict[str, Any], spool: Path) -> None:
    with pytest.raises(UsageError):
        next(fetch_remote([], ClipOptions(**given), dataset="clips", spool=spool))


def test_every_reason_says_what_it_means_and_what_to_do() -> None:
    assert {
        "dead", "private", "geo_blocked", "age_restricted", "members_only", "no_audio", "no_video", "too_short",
        "live", "not_media", "private_address", "too_large",
    } == TERMINAL  # fmt: skip
    assert {"rate_limited", "bot_wall", "network", "timeout", "incomplete", "extractor_failed"} == RETRYABLE
    assert all(reason.meaning for reason in REASONS.values())
    assert all(REASONS[name].advice for name in RETRYABLE)


# The event log.


def test_a_second_pull_requests_only_what_may_have_changed(host: Loopback, store: Store) -> None:
    host.fault("/3.m4a", status=503, retry_after="0")

    def pull() -> Run:
        host.requests.clear()
        items = [
            wanted("ok", host.url("/0.m4a"), 0, 1), wanted("dead", host.url("/none.m4a"), 0, 1),
            wanted("down", host.url("/3.m4a"), 0, 1),
        ]  # fmt: skip
        spool = store.root / "partial" / "tmp"
        given = {"held": read_held(Snapshot(store), "clips"), "known_failures": read_failures(Snapshot(store), "clips")}
        return ingest(store, "clips", fetch_remote(items, options(), dataset="clips", spool=spool, **given))

    first = pull()
    assert (first.account.kept, dict(first.account.dropped)) == (1, {"dead": 1, "network": 1})
    host.faults.clear()
    assert read_failures(Snapshot(store), "clips") == {"clips/train/dead": "dead"}
    second = pull()
    assert {seen.path for seen in host.requests} == {"/3.m4a"}
    assert (second.account.kept, dict(second.account.dropped)) == (1, {"dead": 1, "duplicate": 1})
    assert leftovers(store.root) == []
    known = alive(store, "clips")
    assert (known.stored, known.failed, known.gone) == (2, {"dead": 1}, 1)
    assert known.share == pytest.approx(2 / 3)
    path = store.root / one(store, "select audio.path from samples where id = 'clips/train/ok'")
    assert length(path) == pytest.approx(1, abs=0.05)


def test_the_latest_reason_in_the_event_log_counts(store: Store, tone: Any) -> None:
    clip = Candidate("b", "train", {}, [("audio", Blob("b", data=tone()))])
    ingest(store, "clips", [Rejection("clips/train/a", "network", ""), Rejection("clips/train/b", "dead", "")])
    ingest(store, "clips", [Rejection("clips/train/a", "private", ""), clip, Rejection("clips/train/c", "dead", "")])
    ingest(store, "clips", [Rejection("clips/train/c", "timeout", "")])
    ingest(store, "other", [Rejection("clips/train/d", "dead", "")])
    assert read_failures(Snapshot(store), "clips") == {"clips/train/a": "private"}
    known = alive(store, "clips")
    assert (known.stored, known.failed) == (1, {"private": 1, "timeout": 1})
    assert known.share == pytest.approx(1 / 2)


def test_withdrawn_samples_are_not_requested(store: Store, tone: Any) -> None:
    clips_ = [Candidate(n, "train", {}, [("audio", Blob(n, data=tone()))]) for n in "ab"]
    ingest(store, "clips", clips_)
    remove(store, where="id = 'clips/train/a'")
    assert read_failures(Snapshot(store), "clips") == {"clips/train/a": "withdrawn"}
    assert read_held(Snapshot(store), "clips")(["clips/train/a", "clips/train/b"]) == {"clips/train/b"}


def test_an_empty_store_has_no_clips_and_no_failures(store: Store) -> None:
    assert read_failures(Snapshot(store), "clips") == {}
    assert read_held(Snapshot(store), "clips")(["clips/train/a"]) == set()
    assert (alive(store, "clips").stored, alive(store, "clips").share) == (0, None)


# Hosts that limit requests.


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_requests_keep_their_distance() -> None:
    clock = Clock()
    rate_limiter = RateLimiter(ClipOptions(per_minute=30), lambda text: None, clock=clock)
    rate_limiter.requested("h")
    assert rate_limiter.due("h") == 102.0
    assert rate_limiter.due("other") <= clock.now
    clock.now = 150.0
    rate_limiter.requested("h")
    assert rate_limiter.due("h") == 152.0


def test_a_refusal_pauses_all_jobs_longer_each_time_and_then_closes_the_host() -> None:
    clock, notices = Clock(), list[str]()
    rate_limiter = RateLimiter(ClipOptions(backoff_s=10, max_refusals=3), notices.append, clock=clock)
    rate_limiter.refused("h", "bot_wall", sent_at=99.0)
    assert rate_limiter.due("h") == 110.0
    rate_limiter.refused("h", "bot_wall", sent_at=99.5)  # sent before the pause began
    assert rate_limiter.due("h") == 110.0
    clock.now = 111.0
    rate_limiter.refused("h", "bot_wall", sent_at=110.5)
    assert rate_limiter.due("h") == 131.0
    assert rate_limiter.closed("h") == ""
    clock.now = 132.0
    rate_limiter.refused("h", "rate_limited", sent_at=131.5)
    assert rate_limiter.closed("h") == "rate_limited"
    assert rate_limiter.closed("other") == ""
    assert len(notices) == 3


def test_an_answer_between_two_refusals_resets_the_count() -> None:
    clock = Clock()
    rate_limiter = RateLimiter(ClipOptions(backoff_s=10, max_refusals=2), lambda text: None, clock=clock)
    rate_limiter.refused("h", "bot_wall", sent_at=clock.now)
    rate_limiter.answered("h")
    clock.now = 120.0
    rate_limiter.refused("h", "bot_wall", sent_at=119.0)
    assert rate_limiter.closed("h") == ""


def test_soundfile_reads_what_was_encoded(host: Loopback, clips: Path, spool: Path) -> None:
    soundfile.write(clips / "long.flac", [0.1] * 48_000, 16_000)
    [item] = fetched([wanted("f", host.url("/long.flac"), 0.7, 2.1)], spool)
    assert item.fields["extra"] == {"cut": "encoded"}
    assert soundfile.info(item.media[0][1].path).frames == 22_400


def test_a_host_that_is_unreachable_again_and_again_is_treated_like_a_refusal() -> None:
    clock = Clock()
    rate_limiter = RateLimiter(ClipOptions(backoff_s=10, max_refusals=2), lambda text: None, clock=clock)
    rate_limiter.missed("h", "network", sent_at=99.0)
    assert rate_limiter.due("h") == 0.0, "once may be chance"
    rate_limiter.answered("h")
    rate_limiter.missed("h", "network", sent_at=99.0)
    rate_limiter.missed("h", "timeout", sent_at=99.0)
    assert rate_limiter.due("h") == 110.0
    clock.now = 111.0
    rate_limiter.missed("h", "network", sent_at=110.5)
    assert (rate_limiter.closed("h"), rate_limiter.refusal) == ("network", "h: network")
    assert not rate_limiter.is_over, "a table of links may come to another host"
    assert rate_limiter.due("other") == 0.0
    assert rate_limiter.refusal == ""
