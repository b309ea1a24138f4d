"""Pulls of tables of videos, end to end: every row of the table is accounted for, and asked for once."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections import Counter
from pathlib import Path

import av
import pytest
import typer
from support.cliptables import Talks, write_card
from support.loopback import Loopback
from support.stores import check_accounts, check_media, cli, leftovers, media_files, one, select
from triptych.catalog.pull.pull import PullResult
from triptych.commands.catalog.pull import _exit_code as exit_code_of
from triptych.errors import NetworkError
from triptych.shards.events import Account


@pytest.fixture
def talks(tmp_path: Path, host: Loopback) -> Talks:
    return Talks(tmp_path, host)


def stored(root: Path) -> set[str]:
    return {row["id"].rsplit("/", 1)[-1].rpartition("_")[0] for row in select(root, "select id from samples")}


def reasons(root: Path) -> dict[str, str]:
    """The latest reason of every video that is not stored."""
    rows = select(root, "select candidate, reason from events order by time")
    return {row["candidate"].rsplit("/", 1)[-1].rpartition("_")[0]: row["reason"] for row in rows}


# ---- reasons, and whom the next run asks


def test_every_row_of_a_table_ends_stored_or_with_its_reason(talks: Talks, root: Path) -> None:
    talks.host.fault("/busy", status=429)
    talks.video("-dash000000")
    talks.video("removed0000", error="Video unavailable. This video has been removed by the uploader")
    talks.video("--minus0000", 2.5, 4)
    talks.video("private0000", error="Private video. Sign in if you've been granted access to this video")
    talks.video("busy0000000", page=talks.host.url("/busy"))
    talks.video("silent00000", formats=[talks.format("/mute.mp4")])
    talks.video("brief000000", 60, 62)
    talks.video("backward000", 5, 4)
    talks.video("last0000000")
    done = talks.pull(root)
    assert (done.source, done.stored, done.complete) == ("youtube", 3, False)
    assert stored(root) == {"-dash000000", "--minus0000", "last0000000"}
    gone = {
        "removed0000": "dead", "private0000": "private", "busy0000000": "rate_limited", "silent00000": "no_audio",
        "brief000000": "too_short",
    }  # fmt: skip
    found = reasons(root)
    assert {name: found[name] for name in gone} == gone
    assert done.account.candidates == 9
    assert done.account.rejected == {
        "bad_value": 1, "dead": 1, "no_audio": 1, "private": 1, "rate_limited": 1, "too_short": 1,
    }  # fmt: skip

    # The next run asks for what may have changed, and for nothing else.
    downloads = len(talks.host.seen("/talk.mp4", "GET"))
    again = talks.asked_in(lambda: talks.pull(root))
    assert set(again) == {"busy0000000"}
    assert len(talks.host.seen("/talk.mp4", "GET")) == downloads

    # On purpose, the others are asked for too: one of them has come back.
    talks.site.answer("removed0000", formats=[talks.format()])
    again = talks.asked_in(lambda: talks.pull(root, retry=frozenset({"dead", "private"})))
    assert set(again) == {"busy0000000", "removed0000", "private0000"}
    assert "removed0000" in stored(root)

    talks.host.clear()
    talks.site.answer("busy0000000", formats=[talks.format()])
    assert talks.asked_in(lambda: talks.pull(root)) == ["busy0000000"]
    assert len(stored(root)) == 5

    # Nothing is left that could have changed: nothing is asked.
    talks.host.requests.clear()
    assert talks.asked_in(lambda: finishes(talks, root)) == []
    assert talks.host.requests == []
    check_media(root)


def finishes(talks: Talks, root: Path) -> None:
    done = talks.pull(root)
    assert (done.source, done.stored) == (None, 5)


@pytest.mark.thorough
def test_what_is_asked_again_in_vain_but_not_for_good_is_asked_again(talks: Talks, root: Path) -> None:
    talks.video("fine0000000")
    talks.video("removed0000", error="Video unavailable")
    talks.pull(root)
    assert talks.pull(root).source is None
    talks.host.fault("/busy", status=429)
    talks.site.answer("removed0000", page=talks.host.url("/busy"))
    talks.pull(root, retry=frozenset({"dead"}))
    talks.site.answer("removed0000", formats=[talks.format()])
    assert talks.asked_in(lambda: talks.pull(root)) == ["removed0000"]
    assert stored(root) == {"fine0000000", "removed0000"}
    assert talks.pull(root).source is None


def test_a_clip_of_a_mixed_dataset_shows_and_sounds(talks: Talks, root: Path) -> None:
    whole = talks.video("copied00000", 2, 4)
    talks.video("encoded0000", 2.5, 4)
    talks.pull(root)
    rows = select(root, "select id, panel, modality, task, text, audio, video, start_s, end_s, extra, source, license "
                        "from samples order by id")  # fmt: skip
    assert [row["extra"]["cut"] for row in rows] == ["copy", "encoded"]
    spans = [(row["extra"]["clip_start_s"], row["extra"]["clip_end_s"]) for row in rows]
    assert spans == [("2.0", "4.0"), ("2.5", "4.0")]
    first = rows[0]
    assert first["id"] == whole
    assert (first["panel"], first["modality"], first["task"]) == ("S3", "mixed", "captioning")
    assert (first["audio"], first["start_s"], first["end_s"]) == (None, None, None)
    assert first["source"] == "https://www.youtube.com/watch?v=copied00000"
    for row, seconds in zip(rows, (2, 1.5), strict=True):
        assert row["video"]["has_audio"] is True
        assert row["video"]["duration"] == pytest.approx(seconds, abs=0.1)
        with av.open(str(root / row["video"]["path"])) as container:
            heard = sum(frame.samples for frame in container.decode(audio=0)) / 48_000
        assert heard == pytest.approx(seconds, abs=0.1)


# ---- how many, and which


def test_a_pull_of_n_asks_for_at_most_n_and_the_jobs_and_grows(talks: Talks, root: Path) -> None:
    names = [f"talk{n:07}" for n in range(12)]
    for name in names:
        talks.video(name)
    asked = talks.asked_in(lambda: talks.pull(root, samples=3))
    assert stored(root) == set(names[:3])
    assert len(asked) <= 3 + 2
    assert talks.pull(root, samples=3).source is None
    asked = talks.asked_in(lambda: talks.pull(root, samples=7))
    assert stored(root) == set(names[:7])
    assert set(asked).isdisjoint(names[:3])
    assert talks.pull(root).stored == 12


def test_choices_work_on_clips(talks: Talks, tmp_path: Path) -> None:
    names = [f"talk{n:07}" for n in range(9)]
    ids = [
        talks.video(name, error="Video unavailable") if n == 4 else talks.video(name) for n, name in enumerate(names)
    ]
    good = [each for n, each in enumerate(ids) if n != 4]

    asked = talks.asked_in(lambda: talks.pull(tmp_path / "drawn", samples=4, selection={"by": "hash"}))
    ranked = sorted(good, key=lambda each: hashlib.sha256(f"0:{each}".encode()).hexdigest())
    assert {row["id"] for row in select(tmp_path / "drawn", "select id from samples")} == set(ranked[:4])
    assert len(asked) <= 5

    (tmp_path / "ids").write_text(f"{ids[2]}\n{ids[6]}\nnobody\n")
    listed: list[PullResult] = []
    selection = {"ids": tmp_path / "ids"}
    asked = talks.asked_in(lambda: listed.append(talks.pull(tmp_path / "listed", selection=selection)))
    assert asked == [names[2], names[6]]
    assert (listed[0].stored, listed[0].missing) == (2, 1)

    talks.pull(tmp_path / "parts", selection={"part": "1/2"})
    half = stored(tmp_path / "parts")
    asked = talks.asked_in(lambda: talks.pull(tmp_path / "parts", selection={"part": "2/2"}))
    assert half.isdisjoint(asked)
    assert stored(tmp_path / "parts") == {each.rsplit("/", 1)[-1].rpartition("_")[0] for each in good}


def test_listed_spans_are_cut_from_the_original_which_is_fetched_once(talks: Talks, root: Path, tmp_path: Path) -> None:
    whole = talks.video("talk0000000", 1, 5)
    talks.video("talk0000001")
    (tmp_path / "ids").write_text(f"{whole},2,3\n{whole},6,8\n")
    asked = talks.asked_in(lambda: talks.pull(root, selection={"ids": tmp_path / "ids"}))
    assert asked == ["talk0000000"]
    rows = select(root, "select id, start_s, end_s, extra, video from samples order by id")
    assert [row["id"] for row in rows] == [f"{whole}@2-3", f"{whole}@6-8"]
    assert [(row["start_s"], row["end_s"]) for row in rows] == [(None, None)] * 2
    spans = [(float(row["extra"]["clip_start_s"]), float(row["extra"]["clip_end_s"])) for row in rows]
    assert spans == [(2, 3), (6, 8)]
    assert [round(row["video"]["duration"], 1) for row in rows] == [1, 2]


# ---- walls


def test_a_wall_before_the_first_clip_is_a_failure_of_the_network(talks: Talks, root: Path) -> None:
    for n in range(40):
        talks.video(f"walled{n:05}", walls=999)
    with pytest.raises(NetworkError, match="YouTube: bot_wall: none of 1 candidates was stored") as caught:
        talks.pull(root, jobs=1, max_refusals=3)
    assert "--cookies" in str(caught.value.hint)
    assert len(talks.site.asked()) == 3
    assert select(root, "select reason from events") == [{"reason": "bot_wall"}]
    assert one(root, "select status from runs") == "incomplete"
    draw = {"by": "hash"}
    with pytest.raises(NetworkError):
        talks.pull(root, samples=4, selection=draw, jobs=1, max_refusals=3)
    assert len(talks.site.asked()) == 6


def test_a_wall_in_the_middle_keeps_what_came_and_the_next_run_goes_on(talks: Talks, root: Path) -> None:
    for n in range(3):
        talks.video(f"fine{n:07}")
    for n in range(3):
        talks.video(f"walled{n:05}", walls=999)
    done = talks.pull(root, jobs=1, max_refusals=2)
    assert (done.stored, done.complete, done.wall) == (3, False, "YouTube: bot_wall")
    assert done.account.candidates == 4
    for n in range(3):
        talks.site.answer(f"walled{n:05}", formats=[talks.format()])
    again = talks.asked_in(lambda: talks.pull(root))
    assert again == [f"walled{n:05}" for n in range(3)]
    assert len(stored(root)) == 6


def test_behind_a_wall_the_next_source_of_the_card_is_tried(talks: Talks, root: Path) -> None:
    for n in range(4):
        talks.video(f"walled{n:05}", walls=999)
    write_card(talks.folder / "other", "talks", kind="urls", site="link", id="{ytid}_{start}",
               url=talks.host.url("/talk.mp4?{ytid}"))  # fmt: skip
    second = (talks.folder / "other/talks.yaml").read_text().partition("sources:")[2]
    with (talks.cards / "talks.yaml").open("a") as card:
        card.write(second)
    done = talks.pull(root, jobs=1, max_refusals=2)
    assert (done.source, done.stored) == ("urls", 4)
    assert any("bot_wall" in notice and "urls" in notice for notice in done.notices)
    again = talks.pull(root)
    assert again.source is None


# ---- the command line


def test_killed_in_the_middle_and_run_again_equals_one_undisturbed_run(talks: Talks, tmp_path: Path) -> None:
    for n in range(8):
        talks.video(f"talk{n:07}", 1 + 0.5 * (n % 3), 3)
    talks.video("removed0000", error="Video unavailable")
    calm = talks.type(tmp_path / "calm")
    assert calm.code == 1, calm.stderr
    talks.host.fault("/talk.mp4", delay=0.4)
    killed = 0
    for seconds in (2.5, 4.0):
        asked = len(talks.site.asked())
        process = talks.begin(tmp_path / "killed", "--jobs", "2")
        until = time.monotonic() + 30
        while len(talks.site.asked()) < asked + seconds and time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed == 2
    talks.host.clear()
    assert talks.type(tmp_path / "killed").code == 1
    for store in ("calm", "killed"):
        check_accounts(tmp_path / store)
        check_media(tmp_path / store)
        assert leftovers(tmp_path / store) == []
        assert list((tmp_path / store / "partial").glob("clips/*")) == []
    for sql in ("select * exclude (pulled_at, audio_file, video_file, image_file) from samples order by id",
                "select * exclude (run_id, time) from events order by candidate"):  # fmt: skip
        assert select(tmp_path / "calm", sql) == select(tmp_path / "killed", sql)
    assert media_files(tmp_path / "calm") == media_files(tmp_path / "killed")


def test_an_interrupt_keeps_what_came_and_leaves_no_process(talks: Talks, root: Path) -> None:
    for n in range(8):
        talks.video(f"talk{n:07}")
    for n in range(4):
        talks.video(f"hang{n:07}", hang=True)
    process = talks.begin(root, "--jobs", "2")
    try:
        until = time.monotonic() + 40
        while sum(name.startswith("hang") for name in talks.site.asked()) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - begun < 5
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "run the same command again" in said
    assert one(root, "select count(*) from samples") == 8
    assert leftovers(root) == []
    assert list((root / "partial").glob("clips/*")) == []
    check_accounts(root)


def test_a_person_is_told_what_became_of_the_clips_and_what_can_be_done(talks: Talks, root: Path) -> None:
    talks.video("fine0000000")
    talks.video("removed0000", error="Video unavailable")
    talks.video("private0000", error="Private video")
    planned = talks.type(root, "--dry-run")
    assert planned.code == 0 and not root.exists()
    assert "example.org/talks/train.csv" in planned.stdout
    assert "each row is a separate clip; 4 are downloaded at once" in planned.stdout
    assert talks.site.asked() == []

    done = talks.type(root)
    assert done.code == 1
    assert done.stdout.splitlines()[0] == (
        "talks: 1 stored of 3 tried: 1 dead, 1 private; 1 in the store (source: youtube)"
    )
    assert "1 private: it is private, or the host refuses access: --cookies FILE of an account" in done.stdout

    shown = cli("catalog", "show", "talks", "--cards", talks.cards, "--store", root)
    assert "alive      33.3% of 3 clips with a known outcome; 1 dead, 1 private" in shown.stdout
    reached = talks.type(root, "--samples", "1")
    assert (reached.code, reached.stdout) == (0, "talks: 1 sample stored already; nothing to fetch\n")


def test_a_wall_ends_the_command_as_a_failure_of_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    walled = PullResult("talks", "youtube", 3, Account(4, 3, Counter(bot_wall=1)), wall="YouTube: bot_wall")
    with pytest.raises(typer.Exit) as caught:
        exit_code_of([walled])
    assert caught.value.exit_code == 3
    assert (
        "talks: YouTube: bot_wall: the rest was not requested. What arrived before is stored."
        in capsys.readouterr().err
    )


def test_without_ytdlp_nothing_is_begun(talks: Talks, root: Path, tmp_path: Path) -> None:
    talks.video("fine0000000")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/sitecustomize.py").write_text("import sys\nsys.modules['yt_dlp'] = None\n")
    done = cli(*talks.arguments(root), env={"PYTHONPATH": str(tmp_path / "bare")})
    assert done.returncode == 2
    assert "yt-dlp, which is not installed" in done.stderr
    assert "next: pip install 'triptych[youtube]'" in done.stderr
    assert not root.exists()
