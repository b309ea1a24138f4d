"""Pulls that choose: what is stored is what the choice says, in parts, or killed and run again."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.choices import GOOD, SPOKEN, URL, arguments, first, names
from support.corpora import noise
from support.loopback import serve
from support.processes import finish, kill_once, start
from support.stores import check_accounts, check_media, cli, leftovers, media_files, one, select
from triptych.errors import UsageError

# ---- filters


def test_where_takes_what_it_says_and_counts_the_rest_without_events(pull: Any, root: Path) -> None:
    done = pull(where="speaker in ('101', '103') and extra['chapter_id'] = '1'")
    assert names(root) == {each.name for each in GOOD if each.speaker in ("101", "103")}
    assert dict(done.account.dropped) == {"filtered": 100, "not_media": 2}
    assert one(root, "select count(*) from events") == 2
    assert pull(where="speaker in ('101', '103') and extra['chapter_id'] = '1'").source is None


def test_samples_count_those_of_the_choice_whatever_else_is_stored(pull: Any, root: Path) -> None:
    pull(samples=30)
    pull(samples=15, where="speaker >= '102'")
    assert names(root) == {each.name for each in GOOD[:33]}, "12 of the 30 are of 102 and later; 3 more make 15"


def test_samples_of_a_choice_grow(pull: Any, root: Path) -> None:
    chosen = [each.name for each in GOOD if each.speaker >= "105"]
    done = pull(samples=5, where="speaker >= '105'")
    assert names(root) == set(chosen[:5]) and (done.stored, done.reached) == (5, True)
    done = pull(samples=20, where="speaker >= '105'")
    assert names(root) == set(chosen[:20]) and done.account.dropped["duplicate"] == 5
    again = pull(samples=20, where="speaker >= '105'")
    assert again.source is None and again.stored == 20


def test_what_only_a_choice_has_read_is_not_read_for_everybody(pull: Any, root: Path) -> None:
    pull(where="speaker = '100'")
    done = pull()
    assert done.account.kept == len(GOOD) - 9 and names(root) == {each.name for each in GOOD}
    assert pull(where="speaker = '111'").source is None, "all of it is stored"
    removed = cli("store", "remove", "--where", "speaker = '111'", "--store", root)
    assert removed.returncode == 0, removed.stderr
    assert pull(where="speaker = '111'").account.dropped["withdrawn"] == 9


def test_labels_take_any_of_them(pull: Any, root: Path) -> None:
    done = pull("sounds", labels="dog,Music")
    assert names(root, "sounds") == {f"s{n}" for n in range(12) if n % 3 != 2}
    assert done.account.dropped == {"filtered": 4}
    typo = pull("sounds", labels="Dogg", into="typo")
    assert typo.account.dropped == {"filtered": 12}
    assert typo.notices == ["--labels: no candidate has the label 'Dogg' (there is 'Dog')"]


def test_a_draw_can_be_one_of_what_a_filter_leaves(pull: Any, root: Path) -> None:
    pull(samples=10, by="hash", where="speaker in ('100', '101')")
    assert names(root) == first(10, [each for each in GOOD if each.speaker in ("100", "101")])


def test_listed_ids_are_taken_and_the_others_told(pull: Any, root: Path, served: Path, tmp_path: Path) -> None:
    wanted = [SPOKEN[3].name, f"words/train/{SPOKEN[44].name}"]
    path = tmp_path / "ids.txt"
    path.write_text("\n".join([*wanted, "nobody", SPOKEN[7].name]))
    done = cli(*arguments(served, root, "--ids", path))
    assert done.returncode == 1, done.stderr
    assert "1 of the listed ids are not in words" in done.stdout
    assert names(root) == {SPOKEN[3].name, SPOKEN[44].name}
    told = {(row["candidate"], row["reason"]) for row in select(root, "select candidate, reason from events")}
    assert told == {("nobody", "not_found"), (f"words/train/{SPOKEN[7].name}", "not_media")}
    again = cli(*arguments(served, root, "--ids", path))
    assert again.returncode == 1 and "nothing to fetch" in again.stdout
    path.write_text("\n".join(wanted))
    assert cli(*arguments(served, root, "--ids", path)).returncode == 0
    check_accounts(root)


def test_listed_spans_are_samples_but_not_with_the_text_of_the_whole(pull: Any, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "spans.csv"
    path.write_text(f"id,start,end\n{SPOKEN[3].name},0,0.05\n{SPOKEN[4].name},,\n")
    pull()
    done = pull(ids=path)
    assert done.account.kept == 0 and done.account.dropped["duplicate"] == 1
    [event] = select(root, "select candidate, reason from events where candidate like '%@%'")
    assert event == {"candidate": f"words/train/{SPOKEN[3].name}@0-0.05", "reason": "transcript_of_whole"}
    path.write_text("id,start,end\ns0,0,0.05\ns0,0.05,0.1\ns1,,\n")
    pull("sounds", ids=path)
    rows = select(
        root, "select id, start_s, end_s, labels, audio.sha256 s from samples where id like '%@%' order by id"
    )
    assert [(row["id"], row["start_s"], row["end_s"]) for row in rows] == [
        ("sounds/train/s0@0-0.05", 0.0, 0.05),
        ("sounds/train/s0@0.05-0.1", 0.05, 0.1),
    ]
    assert {(tuple(row["labels"]), row["s"]) for row in rows} == {(("Dog",), hashlib.sha256(noise(0)).hexdigest())}
    assert pull("sounds", ids=path).source is None


# ---- parts


def test_two_parts_at_once_are_the_whole(served: Path, pull: Any, root: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda part: cli(*arguments(served, root, "--part", part)), ("1/2", "2/2")))
    assert [end.returncode for end in ends] == [1, 1], "the broken clips are rejected"
    pull(into="whole")
    rows = "select * exclude (pulled_at, audio_file, video_file, image_file) from samples order by id"
    assert select(root, rows) == select(tmp_path / "whole", rows)
    events = "select * exclude (run_id, time) from events order by candidate, reason"
    assert select(root, events) == select(tmp_path / "whole", events)
    assert media_files(root) == media_files(tmp_path / "whole")
    kept = [row["kept"] for row in select(root, "select kept from runs")]
    assert sum(kept) == len(GOOD) and min(kept) > 30
    check_accounts(root)
    check_media(root)


# ---- killed


@pytest.mark.parametrize(
    "options",
    [("--samples", "40", "--by", "hash"), ("--samples", "40", "--where", "speaker <> '100'")],
    ids=["a draw", "a filter"],
)
def test_killed_and_run_again_a_choice_equals_one_undisturbed_run(
    served: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    rows = "select * exclude (pulled_at, audio_file, video_file, image_file) from samples order by id"
    events = "select * exclude (run_id, time) from events order by candidate, reason"
    killed, store, seeded = 0, tmp_path / "killed", random.Random(4)
    with serve(served) as quick:
        finish(start(quick, tmp_path / "calm", "words", *options))
    with serve(served) as host:
        host.fault(URL, delay=0.01)
        size = (served / URL[1:]).stat().st_size
        for share in (0.1, 0.4, 0.7):
            process = start(host, store, "words", *options)
            killed += kill_once(process, lambda: host.sent(URL), share * size, later=seeded.uniform(0.0, 0.1))
        finish(start(host, store, "words", *options))
    assert killed >= 2
    assert select(store, rows) == select(tmp_path / "calm", rows) and one(store, "select count(*) from samples") == 40
    assert select(store, events) == select(tmp_path / "calm", events)
    assert media_files(store) == media_files(tmp_path / "calm")
    check_accounts(store)
    assert leftovers(store) == []


def test_a_choice_that_cannot_be_makes_no_store(pull: Any, root: Path) -> None:
    with pytest.raises(UsageError, match="nobody"):
        triptych.pull("words", store=root, where="nobody = 1")
    assert not root.exists()
